"""Tallies add up, in any order."""

import json

import numpy as np

from zero_engine.records import Candidate, Rejection
from zero_engine.run import tally


def _tally(likelihoods: list[float], reason: str) -> dict:
    codes = np.zeros(4, np.uint16)
    drawings = [
        Candidate("t", i, 0, 1, "p", codes, b"", {"likelihood": v}) for i, v in enumerate(likelihoods)
    ]
    return tally.count(1, 1, [], drawings, [], [Rejection("t", "gate", reason)])


def test_sums_do_not_depend_on_the_order():
    parts = [_tally([-1.0, -2.0], "a"), _tally([-0.5], "b"), _tally([], "a")]
    forward = tally.empty()
    backward = tally.empty()
    for part in parts:
        forward = tally.add(forward, part)
    for part in reversed(parts):
        backward = tally.add(backward, part)
    assert forward == backward
    assert forward["scores"]["likelihood"] == {"n": 3, "sum": -3.5, "min": -2.0, "max": -0.5}
    assert forward["reasons"] == {"gate: a": 2, "gate: b": 1}
    assert forward["rejected_traces"] == 3


def test_a_tally_is_json():
    assert json.loads(json.dumps(_tally([-1.0], "a"))) == _tally([-1.0], "a")


def test_a_drawing_without_a_score_is_not_rejected_by_that():
    refused = [
        Rejection("t", stage, "x", step=0, attempt=attempt)
        for stage in ("score", "gate")
        for attempt in (0, 1)
    ]
    found = tally.count(1, 1, [], [], [], refused)
    assert found["rejected_pictures"] == 2 and found["reasons"] == {"gate: x": 2, "score: x": 2}
