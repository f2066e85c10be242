"""Calibration: rank weights and gate thresholds for the nano model, with the oracles as truth.

The rank is a weighted sum of scores that picks the best of a step's candidates. Its weights come from a logistic
regression on *differences within a prompt* (a right candidate against a wrong one of the same prompt), which is what
ranking needs: scores of different prompts are never compared. The gate's threshold is the lowest one whose kept
pictures, the best of each prompt, are right often enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from zero_engine.models.nano.evaluate import Judged, area_under_curve, auc_within_prompts, ranked

PRECISION = 0.95


def calibrate(
    table: Mapping[str, Judged],
    names: Sequence[str] = ("likelihood", "caption"),
    precision: float = PRECISION,
) -> dict:
    """Facts: `rank` weights, `gate` (score, threshold, precision, keep_rate), `auc` of each score, the `curve`."""
    weights = fit_rank(table, names)
    right = np.concatenate([judged.right.ravel() for judged in table.values()])
    aucs = {
        name: area_under_curve(
            np.concatenate([judged.scores[name].ravel() for judged in table.values()]), right
        )
        for name in next(iter(table.values())).scores
    }
    within = {name: auc_within_prompts(table.values(), name) for name in aucs}
    curve = gate_curve(table, weights, "likelihood")
    gate = choose_gate(curve, precision)
    return {"rank": weights, "gate": gate, "auc": aucs, "auc_within": within, "curve": curve}


def fit_rank(table: Mapping[str, Judged], names: Sequence[str], steps: int = 400) -> dict[str, float]:
    """Weights, never negative, the first scaled to 1, that best tell right from wrong within a prompt."""
    pairs = []
    for judged in table.values():
        stacked = np.stack([judged.scores[name] for name in names], -1)
        for row in np.flatnonzero(judged.right.any(1) & ~judged.right.all(1)):
            good, bad = stacked[row][judged.right[row]], stacked[row][~judged.right[row]]
            pairs.append((good[:, None] - bad[None]).reshape(-1, len(names)))
    if not pairs:
        return dict.fromkeys(names, 1.0)
    difference = np.concatenate(pairs)
    scale = difference.std(0) + 1e-9
    unit, weight = difference / scale, np.full(len(names), 0.5)
    for _ in range(steps):  # gradient descent, projected on weights >= 0; the loss is convex
        wrong = 1 / (1 + np.exp(np.clip(unit @ weight, -30, 30)))
        weight = np.maximum(weight + 0.5 * (unit * wrong[:, None]).mean(0) - 0.001 * weight, 0)
    weight = weight / scale
    lead = weight[0] if weight[0] > 0 else 1.0
    return {name: round(float(value / lead), 4) for name, value in zip(names, weight, strict=True)}


def gate_curve(
    table: Mapping[str, Judged], weights: Mapping[str, float], score: str
) -> list[dict[str, float]]:
    """Precision and keep rate over thresholds on `score`, of the best candidate of every prompt."""
    values, right = [], []
    for judged in table.values():
        best = ranked(judged, weights).argmax(1)
        rows = np.arange(len(best))
        values.append(judged.scores[score][rows, best])
        right.append(judged.right[rows, best])
    value, verdict = np.concatenate(values), np.concatenate(right)
    curve = []
    for threshold in np.quantile(value, np.linspace(0, 0.95, 39)):
        kept = value >= threshold
        curve.append(
            {
                "threshold": round(float(threshold), 5),
                "precision": round(float(verdict[kept].mean()), 4),
                "keep_rate": round(float(kept.mean()), 4),
            }
        )
    return curve


def choose_gate(curve: list[dict[str, float]], precision: float = PRECISION) -> dict[str, float | bool]:
    """The point of the curve with the highest keep rate that is precise enough; the most precise one if none is."""
    enough = [point for point in curve if point["precision"] >= precision]
    point = max(enough, key=lambda p: p["keep_rate"]) if enough else max(curve, key=lambda p: p["precision"])
    return {**point, "reached": bool(enough)}
