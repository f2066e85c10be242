"""Calibration: rank weights and gate thresholds for the nano model, with the oracles as truth.

The rank is a weighted sum of scores that picks the best of a step's candidates. Its weights come from a logistic
regression on *differences within a prompt* (a right candidate against a wrong one of the same prompt), which is what
ranking needs: scores of different prompts are never compared. The gate's bound on likelihood is the lowest one whose
kept pictures are right often enough, beside the bounds on read-back and blank pictures that the gate has anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from zero_engine.nano import GATE
from zero_engine.nano.evaluate import Judged, aucs, gated
from zero_engine.pipeline import Gate

PRECISION = 0.95
POINTS = 20
"""Thresholds tried: quantiles of the score up to the 95th."""


def calibrate(
    table: Mapping[str, Judged], names: Sequence[str] = tuple(GATE.rank), precision: float = PRECISION
) -> dict:
    """Facts: `rank` weights, `gate` (threshold, precision, keep_rate), `auc` of each score, the `curve`."""
    weights = fit_rank(table, names)
    curve = gate_curve(table, GATE.model_copy(update={"rank": weights}))
    return {"rank": weights, "gate": choose_gate(curve, precision), **aucs(table), "curve": curve}


def fit_rank(table: Mapping[str, Judged], names: Sequence[str], steps: int = 400) -> dict[str, float]:
    """Weights, never negative, the first scaled to 1, that best tell right from wrong within a prompt."""
    pairs = []
    for judged in table.values():
        stacked = np.stack([judged.scores[name] for name in names], -1)
        for row in np.flatnonzero(judged.right.any(1) & ~judged.right.all(1)):
            good, bad = stacked[row][judged.right[row]], stacked[row][~judged.right[row]]
            difference = (good[:, None] - bad[None]).reshape(-1, len(names))
            pairs.append(np.nan_to_num(difference))  # a score that one of the two lacks tells nothing
    if not pairs:
        return dict.fromkeys(names, 1.0)
    difference = np.concatenate(pairs)
    scale = difference.std(0)
    scale[scale == 0] = np.inf  # a score that never differs is no help
    unit, weight = difference / scale, np.full(len(names), 0.5)
    for _ in range(steps):  # gradient descent, projected on weights >= 0; the loss is convex
        wrong = 1 / (1 + np.exp(np.clip(unit @ weight, -30, 30)))
        weight = np.maximum(weight + 0.5 * (unit * wrong[:, None]).mean(0) - 0.001 * weight, 0)
    weight = weight / scale
    lead = weight[0] if weight[0] > 0 else 1.0
    return {name: round(float(value / lead), 4) for name, value in zip(names, weight, strict=True)}


def gate_curve(
    table: Mapping[str, Judged], gate: Gate = GATE, score: str = "likelihood"
) -> list[dict[str, float]]:
    """Precision and keep rate over lower bounds on `score`, the gate's other bounds as they are."""
    values = np.concatenate([judged.scores[score].ravel() for judged in table.values()])
    curve = []
    for bound in np.quantile(values, np.linspace(0, 0.95, POINTS)):
        threshold = round(float(bound), 5)
        outcome = gated(table, gate.model_copy(update={"min": {**gate.min, score: threshold}}))
        if not outcome["keep_rate"]:
            break
        curve.append(
            {
                "threshold": threshold,
                "precision": round(outcome["precision"], 4),
                "keep_rate": round(outcome["keep_rate"], 4),
            }
        )
    return curve


def choose_gate(curve: list[dict[str, float]], precision: float = PRECISION) -> dict[str, float | bool]:
    """The point of the curve with the highest keep rate that is precise enough; the most precise one if none is."""
    enough = [point for point in curve if point["precision"] >= precision]
    point = max(enough, key=lambda p: p["keep_rate"]) if enough else max(curve, key=lambda p: p["precision"])
    return {**point, "reached": bool(enough)}
