"""Answers outlive whatever ends a run; the driver deletes them when their shard is committed."""

import pytest

from zero_engine.errors import ModelError
from zero_engine.painters.answers import Answers
from zero_engine.pipeline import Pipeline
from zero_engine.run.ledger import open_ledger
from zero_engine.write.folder import ANSWERS


def test_a_run_that_committed_nothing_leaves_what_was_answered(tmp_path):
    pipeline = Pipeline.model_validate(
        {"input": {"path": "x.jsonl"}, "output": {"path": str(tmp_path / "out")}}
    )
    ledger = open_ledger(tmp_path / "out", pipeline)
    ledger.begin(pipeline)
    Answers(ledger.out / ANSWERS).put("a" * 32, b"paid for")
    ledger.close()
    again = open_ledger(tmp_path / "out", pipeline)
    again.begin(pipeline)
    answers = Answers(again.out / ANSWERS)
    assert answers.get("a" * 32) == b"paid for"
    answers.forget(["a" * 32, "b" * 32])
    again.close()
    assert not (tmp_path / "out").exists()


def test_requests_are_counted_by_all_who_share_the_folder(tmp_path):
    one, other = Answers(tmp_path), Answers(tmp_path)
    for answers in (one, other, one):
        answers.count(3)
    with pytest.raises(ModelError, match="3 requests are made, 3 are allowed"):
        other.count(3)
    other.count(None)
    with pytest.raises(ModelError, match="4 requests are made, 4 are allowed"):
        one.count(4)
    assert one.turn(60) == 0.0 and 0.5 < other.turn(60) <= 1.0 and 1.5 < one.turn(120) <= 2.0
