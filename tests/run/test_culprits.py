"""The search for the records that kill a worker."""

from types import SimpleNamespace

import pytest

from zero_engine.errors import InputError
from zero_engine.read import Chunk
from zero_engine.run.culprits import find_culprits
from zero_engine.run.stages import ShardTask


@pytest.fixture
def task(make_pipeline):
    chunk = Chunk(index=0, first_row=0, rows=20, digest="d", payload=())
    return ShardTask(chunk, make_pipeline(), None, {}, "out")


def _survive(killers: set[int], probes: list):
    """A cluster on which any of `killers`, unless excluded, kills the worker."""

    def survive(task):
        probes.append(task)
        if any(position not in task.excluded for position in killers):
            return None
        return SimpleNamespace(entry=SimpleNamespace(counts={"traces": 20}), temporary={})

    return survive


@pytest.mark.parametrize("killers", [set(), {0}, {19}, {3, 4}, {0, 7, 19}])
def test_every_killer_is_found_and_nobody_else_is_blamed(task, killers):
    assert find_culprits(task, _survive(killers, [])) == killers


def test_one_killer_takes_few_probes(task):
    probes = []
    find_culprits(task, _survive({5}, probes))
    assert len(probes) <= 2 + 2 * 5  # reading, the whole, then two halves a level for 20 records


def test_records_that_kill_when_read_are_named(task):
    with pytest.raises(InputError, match="records 0 to 19"):
        find_culprits(task, lambda task: None)
