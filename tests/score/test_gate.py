"""Verdicts from scores."""

import numpy as np
import pytest
from fake_model import parsed_trace
from hypothesis import given
from hypothesis import strategies as st

from zero_engine.pipeline import Gate
from zero_engine.records import Candidate, Rejection, Trajectory
from zero_engine.score.gate import judge, rank

TRACE = parsed_trace("t", "one", "two", "three")


def drawing(step: int, attempt: int, **scores: float) -> Candidate:
    scores = {"blank": 0.5, "likelihood": -0.2, "caption": -1.0} | scores
    scores = {name: value for name, value in scores.items() if value is not None}
    return Candidate("t", step, attempt, 0, "p", np.zeros(4, np.uint16), b"", scores)


def summary(outcome: Trajectory) -> list[tuple]:
    return [(v.step, v.verdict, v.reason, v.candidate and v.candidate.attempt) for v in outcome.verdicts]


def test_the_best_by_weighted_sum_is_kept_and_the_outranked_are_no_rejections():
    candidates = [drawing(s, a, likelihood=-0.1 * (a != s), caption=-1.0) for s in range(3) for a in range(3)]
    outcome, rejections = judge(TRACE, candidates, Gate())
    assert summary(outcome) == [(s, "kept", None, s) for s in range(3)]
    assert rejections == []


def test_weights_count():
    rivals = [{"likelihood": -0.1, "caption": -2.0}, {"likelihood": -0.5, "caption": -1.0}]
    assert rank(rivals, {"likelihood": 1.0, "caption": 0.1}) == [0, 1]
    assert rank(rivals, {"likelihood": 1.0, "caption": 0.5}) == [1, 0]
    assert rank(rivals, {"likelihood": -1.0}) == [1, 0]


@given(order=st.permutations(range(4)), weights=st.permutations([("likelihood", 1.0), ("caption", 0.5)]))
def test_the_order_of_candidates_and_of_weights_does_not_matter(order, weights):
    rivals = [drawing(0, a, likelihood=-0.1 * (a // 2), caption=-0.3) for a in range(4)]
    outcome, _ = judge(TRACE, [rivals[i] for i in order], Gate(rank=dict(weights)))
    assert outcome.verdicts[0].candidate is rivals[0]


def test_a_ranked_score_that_is_absent_neither_helps_nor_hurts():
    assert rank([{"readback": 0.0}, {}, {"readback": 1.0}], {"readback": 1.0}) == [2, 1, 0]
    assert rank([{}, {}], {"readback": 1.0}) == [0, 1]


def test_each_drawing_that_fails_is_rejected_with_its_reason():
    candidates = [
        drawing(0, 0, likelihood=-0.41),
        drawing(0, 1, blank=0.99),
        drawing(0, 2, likelihood=-0.5, blank=1.0),
        drawing(1, 0),
    ]
    outcome, rejections = judge(TRACE, candidates, Gate(min={"likelihood": -0.3}, max={"blank": 0.98}))
    assert [(r.step, r.attempt, r.stage, r.reason, r.detail, r.record) for r in rejections] == [
        (0, 0, "gate", "likelihood_low", "likelihood -0.41 < -0.3", "one"),
        (0, 1, "gate", "blank_high", "blank 0.99 > 0.98", "one"),
        (0, 2, "gate", "blank_high", "blank 1 > 0.98; likelihood -0.5 < -0.3", "one"),
    ]
    # of the failed, attempt 1 has the best rank: its reason is the step's
    assert summary(outcome) == [
        (0, "text_only", "blank_high", None),
        (1, "kept", None, 0),
        (2, "text_only", "not_drawn", None),
    ]


def test_a_bound_itself_passes():
    outcome, rejections = judge(TRACE, [drawing(0, 0, likelihood=-0.5)], Gate(min={"likelihood": -0.5}))
    assert outcome.verdicts[0].verdict == "kept" and rejections == []


def test_an_absent_score_passes_where_it_need_not_exist_and_fails_where_it_must():
    gate = Gate(min={"readback": 1.0, "caption": -2.0, "my_plugin": 0.5})
    _, rejections = judge(TRACE, [drawing(0, 0), drawing(1, 0, caption=None)], gate)
    assert [(r.step, r.reason) for r in rejections] == [(1, "caption_missing")]


def test_a_score_that_is_no_number_does_not_pass():
    _, rejections = judge(TRACE, [drawing(0, 0, likelihood=float("nan"))], Gate(min={"likelihood": -9}))
    assert [r.reason for r in rejections] == ["likelihood_low"]


def test_drop_step_takes_the_step_out_and_says_so():
    candidates = [drawing(0, 0), drawing(1, 0, blank=1.0)]
    outcome, rejections = judge(TRACE, candidates, Gate(on_reject="drop_step"))
    assert [v.step for v in outcome.verdicts] == [0, 2]
    assert [(r.step, r.attempt, r.reason, r.detail) for r in rejections] == [
        (1, 0, "blank_high", "blank 1 > 0.98"),
        (1, None, "step_rejected", "blank_high"),
    ]


def test_a_trace_whose_steps_all_go_is_rejected():
    candidates = [drawing(s, 0, blank=1.0) for s in range(3)]
    outcome, rejections = judge(TRACE, candidates, Gate(on_reject="drop_step"))
    assert isinstance(outcome, Rejection) and outcome.is_whole_trace
    assert outcome.reason == "all_steps_dropped"
    assert len(rejections) == 6


def test_drop_trace_rejects_the_trace_with_its_record():
    outcome, rejections = judge(TRACE, [drawing(1, 0, blank=1.0)], Gate(on_reject="drop_trace"))
    assert isinstance(outcome, Rejection) and outcome.is_whole_trace
    assert (outcome.stage, outcome.reason, outcome.detail) == ("gate", "step_rejected", "step 2: blank_high")
    assert outcome.record == {"id": "t"}
    assert [r.reason for r in rejections] == ["blank_high"]


def test_too_few_pictures_reject_the_trace():
    outcome, _ = judge(TRACE, [drawing(0, 0)], Gate(min_pictures=2))
    assert (outcome.reason, outcome.detail, outcome.step) == (
        "too_few_pictures",
        "1 picture kept, gate.min_pictures is 2",
        None,
    )
    outcome, _ = judge(TRACE, [drawing(0, 0), drawing(2, 0)], Gate(min_pictures=2))
    assert isinstance(outcome, Trajectory)


@pytest.mark.parametrize("on_reject", ["text_only", "drop_step", "drop_trace"])
def test_a_step_that_was_never_drawn_stays_as_text(on_reject):
    outcome, rejections = judge(TRACE, [], Gate(on_reject=on_reject))
    assert summary(outcome) == [(s, "text_only", "not_drawn", None) for s in range(3)]
    assert rejections == []
