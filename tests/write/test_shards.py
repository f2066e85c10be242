"""Shard files: what is written comes back, and equal content is equal bytes."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tests.write.sample_dataset import candidate, png, trajectory
from zero_engine.contracts import SCORES, TRAJECTORY, arrow_schema
from zero_engine.errors import OutputError
from zero_engine.records import Source, Trajectory, Verdict
from zero_engine.write import shards
from zero_engine.write.shards import read_candidates, write_candidates, write_trajectories

HOSTILE = [
    "a\0b",
    "line\u2028para\u2029next\u0085",
    "\u202eright to left \u0627\u0644",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "e\u0301" * 50,
    "x" * 300_000,
    "../../etc/passwd",
    "C:\\con",
    "",
    "|`---`|",
    "\ufeff\ufffd\U0010ffff",
]


def read_rows(path) -> list[dict]:
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_stream(source).read_all()
        table.validate(full=True)
        return table.to_pylist()


def test_a_row_holds_the_trace_its_steps_and_its_drawing(tmp_path):
    row = trajectory("gsm8k-7", choices=("A", "B"), question_images=(png(1), png(2)), notes=("steps_capped",))
    file = write_trajectories(tmp_path / "data-00000.arrow", [row], "pipe", "model")
    (found,) = read_rows(tmp_path / "data-00000.arrow")
    drawing = row.verdicts[0].candidate
    assert found["id"] == "gsm8k-7"
    assert found["answer"] == "26"
    assert found["choices"] == ["A", "B"]
    assert [image["bytes"] for image in found["question_images"]] == [png(1), png(2)]
    assert found["notes"] == ["steps_capped"]
    assert found["source"] == {"name": "gsm8k", "path": "test.jsonl", "row": 0, "license": "MIT"}
    assert (found["pipeline"], found["model"]) == ("pipe", "model")
    kept, text_only = found["steps"]
    assert kept["text"] == "16 - 3 = 13"
    assert kept["image"] == {"bytes": drawing.image, "path": None}
    assert kept["codes"] == drawing.codes.tolist()
    assert (kept["seed"], kept["attempt"], kept["prompt"]) == (drawing.seed, 1, drawing.prompt)
    assert kept["blank"] == np.float32(1 / 3)
    assert kept["caption"] is None
    assert (kept["verdict"], kept["reason"], kept["plugin_scores"]) == ("kept", None, [])
    assert (text_only["verdict"], text_only["reason"]) == ("text_only", "blank_high")
    nothing = ("image", "codes", "seed", "attempt", "prompt", "plugin_scores", *SCORES)
    assert all(text_only[name] is None for name in nothing)
    assert file == shards.ShardFile(
        "data-00000.arrow",
        1,
        (tmp_path / "data-00000.arrow").stat().st_size,
        hashlib.sha256((tmp_path / "data-00000.arrow").read_bytes()).hexdigest(),
    )


def test_a_dropped_step_leaves_a_gap_in_the_indices(tmp_path):
    row = trajectory()
    row = Trajectory(row.parsed, row.verdicts[1:])
    write_trajectories(tmp_path / "a", [row], "p", None)
    (found,) = read_rows(tmp_path / "a")
    assert [(step["index"], step["text"]) for step in found["steps"]] == [(1, "13 * 2 = 26")]
    assert found["model"] is None


def test_null_fields_and_empty_lists_survive(tmp_path):
    bare = trajectory("bare", drawn=False, steps=(), answer=None, source=Source("x", "", 0, None))
    rows = [Trajectory(bare.parsed, ()), trajectory("full")]
    write_trajectories(tmp_path / "a", rows, "p", None)
    empty, full = read_rows(tmp_path / "a")
    assert (empty["answer"], empty["steps"], empty["choices"], empty["question_images"]) == (None, [], [], [])
    assert empty["source"]["license"] is None
    assert len(full["steps"]) == 2


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_comes_back_unchanged(tmp_path, text):
    row = trajectory(text, question=text, steps=(text, "b"), choices=(text,), answer=text)
    write_trajectories(tmp_path / "a", [row, trajectory("next")], "p", "m")
    first, second = read_rows(tmp_path / "a")
    assert first["id"] == first["question"] == first["answer"] == first["steps"][0]["text"] == text
    assert first["choices"] == [text]
    assert second["id"] == "next"
    drawing = candidate(text, 0, 0, prompt=text)
    write_candidates(tmp_path / "c", [drawing], {(text, 0): text})
    (found,) = read_candidates(tmp_path / "c")
    assert (found.trace_id, found.prompt) == (text, text)


def test_a_lone_surrogate_becomes_a_replacement_character_and_a_pair_is_joined(tmp_path):
    row = trajectory("t", question="a\ud800b", answer="\ud83d\ude00")
    write_trajectories(tmp_path / "a", [row], "p", "m")
    (found,) = read_rows(tmp_path / "a")
    assert (found["question"], found["answer"]) == ("a\ufffdb", "😀")


def test_candidates_come_back_exactly(tmp_path):
    scores = {"likelihood": -0.1, "blank": 0.0, "zeta": 1.5, "alpha": -2.0, "clip": float("-inf")}
    rows = [
        candidate("a", 0, 0, scores=scores),
        candidate("a", 0, 1, scores={}, seed=2**63 - 1),
        candidate("b", 3, 0, scores={"caption": float("nan")}, codes=np.array([0, 65535], np.uint16)),
    ]
    texts = {(row.trace_id, row.step): "step" for row in rows}
    write_candidates(tmp_path / "c", rows, texts)
    found = read_candidates(tmp_path / "c")
    for before, after in zip(rows, found, strict=True):
        names = ("trace_id", "step", "attempt", "seed", "prompt", "image")
        assert all(getattr(before, name) == getattr(after, name) for name in names)
        assert after.codes.dtype == np.uint16
        np.testing.assert_array_equal(before.codes, after.codes)
    assert found[0].scores == {name: float(np.float32(value)) for name, value in scores.items()}
    assert found[1].scores == found[2].scores == {}
    first = (tmp_path / "c").read_bytes()
    write_candidates(tmp_path / "c", found, texts)
    assert (tmp_path / "c").read_bytes() == first


def test_codes_of_another_type_are_refused_rather_than_wrapped(tmp_path):
    row = candidate("a", 0, 0, codes=np.array([70000], np.int64))
    with pytest.raises(AssertionError, match="uint16"):
        write_candidates(tmp_path / "c", [row], {("a", 0): ""})
    assert not (tmp_path / "c").exists()


def test_an_empty_shard_has_the_schema_and_no_rows(tmp_path):
    file = write_trajectories(tmp_path / "a", [], "p", None)
    assert file.rows == 0
    with pa.memory_map(str(tmp_path / "a")) as source:
        table = pa.ipc.open_stream(source).read_all()
    assert table.num_rows == 0
    assert table.schema.equals(arrow_schema(TRAJECTORY), check_metadata=True)
    write_candidates(tmp_path / "c", [], {})
    assert read_candidates(tmp_path / "c") == []


def test_batches_are_bounded_in_rows_and_bytes_and_change_no_row(tmp_path, monkeypatch):
    rows = [trajectory(f"t-{i}") for i in range(25)]
    write_trajectories(tmp_path / "whole", rows, "p", "m")
    monkeypatch.setattr(shards, "BATCH_ROWS", 10)
    write_trajectories(tmp_path / "rows", rows, "p", "m")
    monkeypatch.setattr(shards, "BATCH_BYTES", 2000)
    write_trajectories(tmp_path / "bytes", rows, "p", "m")
    sizes = {}
    for name in ("whole", "rows", "bytes"):
        with pa.memory_map(str(tmp_path / name)) as source:
            sizes[name] = [batch.num_rows for batch in pa.ipc.open_stream(source)]
    assert sizes["whole"] == [25]
    assert sizes["rows"] == [10, 10, 5]
    assert len(sizes["bytes"]) > 3
    assert read_rows(tmp_path / "whole") == read_rows(tmp_path / "rows") == read_rows(tmp_path / "bytes")


def test_a_row_beyond_what_offsets_can_address_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "ROW_BYTES", 100)
    with pytest.raises(OutputError, match=r"trace .big.*Use fewer or smaller pictures"):
        write_trajectories(tmp_path / "a", [trajectory("big")], "p", "m")
    assert not (tmp_path / "a").exists()


def test_a_dictionary_in_another_order_gives_the_same_bytes(tmp_path):
    scores = {"likelihood": -0.5, "zeta": 1.0, "alpha": 2.0}
    turned = dict(reversed(scores.items()))
    for name, value in (("a", scores), ("b", turned)):
        write_candidates(tmp_path / name, [candidate("t", 0, 0, scores=value)], {("t", 0): ""})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


POISONED = """
import sys
sys.path.insert(0, ".")
from tests.write.sample_dataset import candidate, trajectory
from zero_engine.records import Trajectory
from zero_engine.write.shards import write_candidates, write_trajectories

rows = [trajectory(f"t-{i}", drawn=i % 3 > 0, choices=("a",) * (i % 2)) for i in range(37)]
rows.append(Trajectory(rows[0].parsed, ()))
print(write_trajectories(sys.argv[1], rows, "p", None).sha256)
print(write_trajectories(sys.argv[1], rows[:1], "p", "m").sha256)
drawings = [candidate("t", 0, i, scores={"blank": 1.0, "x": 2.0} if i % 2 else {}) for i in range(37)]
print(write_candidates(sys.argv[1], drawings, {("t", 0): "step"}).sha256)
"""


@pytest.mark.slow
def test_bytes_do_not_depend_on_what_memory_held_before(tmp_path, repository):
    """Arrow pads buffers; glibc fills fresh memory with the byte it is told to, so padding would show."""
    seen = set()
    for poison in ("0", "85", "170"):
        environment = {**os.environ, "MALLOC_PERTURB_": poison, "PYTHONHASHSEED": poison}
        environment["ARROW_DEFAULT_MEMORY_POOL"] = "system"
        seen.add(
            subprocess.run(
                [sys.executable, "-c", POISONED, str(tmp_path / "a")],
                cwd=repository,
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
    assert len(seen) == 1


def test_the_same_drawing_under_another_gate_leaves_the_candidates_untouched(tmp_path):
    rows = [candidate("t", 0, 0), candidate("t", 0, 1)]
    texts = {("t", 0): "step"}
    before = write_candidates(tmp_path / "a", rows, texts)
    kept = Trajectory(trajectory("t").parsed, (Verdict(0, "kept", None, rows[1]),))
    write_trajectories(tmp_path / "d", [kept], "other-pipeline", "m")
    assert replace(write_candidates(tmp_path / "b", rows, texts), name="a") == before
