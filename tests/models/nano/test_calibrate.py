"""Calibration and evaluation arithmetic, on made-up scores."""

import numpy as np

from zero_engine.models.nano.calibrate import calibrate, choose_gate, fit_rank
from zero_engine.models.nano.evaluate import Judged, area_under_curve, summary, wilson


def made_up(seed: int = 0) -> dict[str, Judged]:
    random = np.random.default_rng(seed)
    right = random.random((300, 4)) < 0.6
    good = right + random.normal(0, 0.4, right.shape)
    return {
        "k": Judged(["t"] * 300, right, {"likelihood": good, "caption": random.normal(0, 1, right.shape)})
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


def test_wilson_interval_contains_the_share():
    low, high = wilson(0.95, 200)
    assert low < 0.95 < high <= 1
