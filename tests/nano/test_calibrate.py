"""Calibration and evaluation arithmetic, on made-up scores."""

import numpy as np
from fake_model import parsed_trace

from zero_engine.nano import GATE
from zero_engine.nano.calibrate import calibrate, choose_gate, fit_rank
from zero_engine.nano.evaluate import Judged, area_under_curve, gated, summary
from zero_engine.pipeline import Gate, load_pipeline
from zero_engine.records import Candidate
from zero_engine.score.gate import judge


def made_up(seed: int = 0) -> dict[str, Judged]:
    random = np.random.default_rng(seed)
    right = random.random((300, 4)) < 0.6
    good = right + random.normal(0, 0.4, right.shape)
    return {
        "k": Judged(
            ["t"] * 300,
            right,
            {
                "likelihood": good.astype(np.float32),
                "caption": random.normal(0, 1, right.shape).astype(np.float32),
                "readback": np.where(random.random(right.shape) < 0.5, np.nan, right).astype(np.float32),
                "blank": random.random(right.shape).astype(np.float32),
            },
        )
    }


def test_auc_is_one_for_a_perfect_score_and_half_for_ties():
    right = np.array([True, False, True, False])
    assert area_under_curve(np.array([2.0, 1.0, 3.0, 0.0]), right) == 1.0
    assert area_under_curve(np.zeros(4), right) == 0.5
    assert area_under_curve(np.zeros(4), np.ones(4, bool)) is None


def test_rank_learns_which_score_tells_right_from_wrong():
    weights = fit_rank(made_up(), ("likelihood", "caption"))
    assert weights["likelihood"] == 1.0
    assert weights["caption"] < 0.2


def test_a_score_that_never_differs_gets_no_weight():
    table = made_up()
    table["k"].scores["readback"][:] = 1.0
    assert fit_rank(table, ("likelihood", "readback"))["readback"] == 0.0


def test_gate_keeps_as_much_as_the_precision_allows():
    curve = [
        {"threshold": t, "precision": p, "keep_rate": k}
        for t, p, k in ((0, 0.8, 1.0), (1, 0.96, 0.7), (2, 0.99, 0.2))
    ]
    assert choose_gate(curve, 0.95)["keep_rate"] == 0.7
    assert not choose_gate(curve, 0.999)["reached"]


def test_best_lies_between_one_sample_and_the_oracle():
    row = summary(made_up())["mean"]
    assert row["one"] < row["best"] <= row["oracle"]
    assert calibrate(made_up())["auc"]["likelihood"] > 0.9


def test_ranking_and_gating_are_those_of_a_run():
    judged, gate = made_up()["k"], Gate(rank=GATE.rank, min={"likelihood": 0.2}, max={"blank": 0.8})
    kept = []
    for prompt in range(300):
        drawn = [_candidate(judged, prompt, attempt) for attempt in range(4)]
        trajectory, _ = judge(parsed_trace("t", "one"), drawn, gate)
        candidate = trajectory.verdicts[0].candidate
        if candidate is not None:
            kept.append(judged.right[prompt, candidate.attempt])
    assert gated({"k": judged}, gate) == {
        "keep_rate": len(kept) / 300,
        "precision": np.mean(kept),
        "prompts": 300,
    }


def test_a_gate_that_keeps_nothing_has_no_precision():
    outcome = gated(made_up(), Gate(rank={}, min={"likelihood": 9.0}, max={}))
    assert outcome["keep_rate"] == 0 and np.isnan(outcome["precision"])


def test_the_default_pipeline_has_the_calibrated_gate():
    gate = load_pipeline("pipelines/gsm8k_nano.yaml").gate
    assert (gate.rank, gate.min, gate.max) == (GATE.rank, GATE.min, GATE.max)


def _candidate(judged: Judged, row: int, attempt: int) -> Candidate:
    scores = {name: float(values[row, attempt]) for name, values in judged.scores.items()}
    there = {name: value for name, value in scores.items() if not np.isnan(value)}
    return Candidate("t", 0, attempt, 0, "", np.zeros(64, np.uint16), b"", there)
