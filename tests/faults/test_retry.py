"""What was rejected is tried again, and what succeeds stands where it would have stood."""

import pytest

from tests.faults.conftest import hashes, rejections
from zero_engine.run import run_pipeline
from zero_engine.run.recover import retry
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow

POISON = {
    2: "POISON raises drawing",
    5: "POISON kills scoring",
    9: "POISON raises reading",
    13: "POISON kills drawing",
}


@pytest.fixture
def rejected(poisonable, make_run, monkeypatch):
    """A folder with four poisoned records, and a function that takes the poison's effect away."""
    out = run_pipeline(make_run(records=16, poison=POISON)).out
    assert {r["stage"] for r in rejections(out)} == {"read", "render", "score"}
    monkeypatch.setenv("ZERO_ENGINE_ANTIDOTE", "1")
    return out


def test_all_that_was_rejected_ends_as_if_it_had_never_failed(rejected, make_run):
    done = retry(rejected)
    assert done.left == 0 and rejections(rejected) == []
    fresh = run_pipeline(make_run(records=16, poison=POISON, output={"path": f"{rejected}-fresh"}))
    assert hashes(rejected) == hashes(fresh.out)
    assert 0 < done.summary.drawn < fresh.drawn
    assert all(check.ok for check in validate_dataset(rejected))


def test_a_reason_and_a_stage_choose(rejected):
    before = rejections(rejected)
    assert retry(rejected, stage="gate").chosen == 0 and rejections(rejected) == before
    died = retry(rejected, reason="worker_died", stage="score")
    assert (died.chosen, died.left) == (1, 0)
    assert {r["stage"] for r in rejections(rejected)} == {"read", "render"}
    assert retry(rejected, stage="read").left == 0
    assert {r["stage"] for r in rejections(rejected)} == {"render"}


def test_what_fails_again_stays_rejected(rejected, monkeypatch):
    monkeypatch.delenv("ZERO_ENGINE_ANTIDOTE")
    before = hashes(rejected)
    done = retry(rejected)
    assert done.chosen == done.left > 0 and done.summary.drawn == 0
    assert hashes(rejected) == before
