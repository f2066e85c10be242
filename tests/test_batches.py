"""Batches of one shape, and the damage a bad item does not do."""

import pytest
from fake_model import FakeModel
from hypothesis import given
from hypothesis import strategies as st

from zero_engine.batches import BatchFailure, padded, run_batched, run_bucketed, run_distinct
from zero_engine.errors import ModelError
from zero_engine.models import batching
from zero_engine.models.batching import auto_batch_size
from zero_engine.models.footprint import Footprint
from zero_engine.score.likelihood import filler_prompt


class Doubler:
    """Doubles integers; a multiple of 1000 (but 0) is poison, and more rows than `room` do not fit."""

    def __init__(self, room: int = 10_000, error: Exception | None = None):
        self.room, self.error, self.batches = room, error, []

    def __call__(self, batch: list[int]) -> list[int]:
        self.batches.append(list(batch))
        if len(batch) > self.room:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        if self.error is not None:
            raise self.error
        if any(item and item % 1000 == 0 for item in batch):
            raise IndexError("bad item\nwith a second line")
        return [2 * item for item in batch]


def test_every_call_has_the_same_number_of_rows():
    double = Doubler()
    assert run_batched(list(range(1, 11)), double, 4, filler=0) == list(range(2, 21, 2))
    assert double.batches == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 0, 0]]


def test_batches_share_a_call_where_items_do_not_depend_on_one_another():
    double = Doubler()
    assert run_batched(list(range(1, 11)), double, 2, filler=0, at_once=3) == list(range(2, 21, 2))
    assert double.batches == [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10]]
    assert run_bucketed([1, 2, 3], [5, 5, 5], double, 2, filler=lambda _: 0, at_once=3) == [2, 4, 6]
    assert double.batches[-1] == [1, 2, 3, 0]


def test_no_items_make_no_call():
    double = Doubler()
    assert run_batched([], double, 4, filler=0) == []
    assert double.batches == []


@given(
    items=st.lists(st.one_of(st.integers(1, 999), st.integers(1, 9).map(lambda n: 1000 * n)), max_size=40),
    batch_size=st.integers(1, 9),
)
def test_just_the_failing_items_fail(items, batch_size):
    double = Doubler()
    results = run_batched(items, double, batch_size, filler=0)
    failure = BatchFailure("failed", "bad item", "IndexError")
    assert results == [failure if item % 1000 == 0 else 2 * item for item in items]
    assert {len(batch) for batch in double.batches} <= {batch_size}


def test_bisection_keeps_each_row_in_its_place():
    double, items = Doubler(), [1, 2, 3000, 4]
    run_batched(items, double, 4, filler=0)
    assert all(batch[row] in (0, items[row]) for batch in double.batches for row in range(4))
    assert [0, 0, 0, 4] in double.batches


def test_out_of_memory_halves_the_batch_and_goes_on():
    double = Doubler(room=3)
    assert run_batched(list(range(1, 10)), double, 8, filler=0) == list(range(2, 19, 2))
    assert [len(batch) for batch in double.batches] == [8, 4, 2, 2, 4, 2, 2, 8, 4, 2]


def test_an_item_too_big_on_its_own_fails_as_out_of_memory():
    results = run_batched([1, 2], Doubler(room=0), 2, filler=0)
    assert [result.reason for result in results] == ["out_of_memory"] * 2


def test_a_function_that_fails_on_filler_is_not_blamed_on_the_items():
    with pytest.raises(RuntimeError, match="device lost"):
        run_batched([1, 2, 3], Doubler(error=RuntimeError("device lost")), 4, filler=0)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), ModelError("no such head")])
def test_a_request_to_stop_or_a_users_mistake_passes_through(error):
    double = Doubler(error=error)
    with pytest.raises(type(error)):
        run_batched([1, 2, 3], double, 4, filler=0)
    assert len(double.batches) == 1


def test_a_bucket_never_meets_another():
    seen = []

    def record(batch):
        seen.append(batch)
        return batch

    lengths = [5, 40, 16, 17, 33, 1]
    items = list(range(6))
    assert run_bucketed(items, lengths, record, 2, filler=lambda size: -size) == items
    assert seen == [[0, 2], [5, -16], [3, -32], [1, 4]]


@pytest.mark.parametrize("size", [16, 32, 48, 160])
def test_filler_falls_into_its_bucket(size):
    model = FakeModel()
    assert padded(model.prompt_length(filler_prompt(model, size))) == size
    assert padded(model.prompt_length(filler_prompt(model, size, extra=9)) + 9) == size


def test_auto_batch_size_depends_on_the_model_and_the_device_kind_only():
    small, large = FakeModel(), FakeModel(grid=(32, 32))
    assert (auto_batch_size(small), auto_batch_size(large)) == (32, 2)
    small.device = large.device = "cuda:1"
    assert (auto_batch_size(small), auto_batch_size(large)) == (128, 16)


def test_auto_batch_size_on_a_gpu_is_what_its_memory_holds(monkeypatch):
    model = FakeModel(grid=(32, 32))
    model.device = "cuda:0"
    model.footprint = Footprint(weights=14 * 10**9, drawing=11 * 10**8)  # a 7B model in bfloat16
    for gigabytes, rows in ((16, 1), (24, 2), (40, 8), (80, 16), (141, 32), (1000, 128)):
        monkeypatch.setattr(batching, "_gpu_bytes", lambda device, size=gigabytes: size * 10**9)
        assert auto_batch_size(model) == rows
    model.device = "cpu"
    monkeypatch.undo()
    assert auto_batch_size(model) == 2


def test_equal_items_are_run_once_and_share_the_result():
    seen = []

    def run(items: list[str]) -> list[str]:
        seen.extend(items)
        return [item.upper() for item in items]

    assert run_distinct(["b", "a", "b", "c", "a"], str, run) == ["B", "A", "B", "C", "A"]
    assert seen == ["b", "a", "c"]
    assert run_distinct([], str, run) == []
