"""Proposes thresholds for the gate from a sample of drawings, with the share of drawings that each would keep.

The bound of a score at quantile q rejects the worst share q of the sample's drawings. It is a `gate.min` where higher
is better, a `gate.max` where lower is better. Bounds are rounded to four decimals towards the lenient side, and the
gate itself computes the keep rates of the rounded bounds. Pure; `zero-engine plan --calibrate N` draws the sample.
"""

import math
from collections.abc import Iterable, Sequence
from typing import TypedDict

import numpy as np

from zero_engine.contracts.scores import SCORES
from zero_engine.pipeline import Gate
from zero_engine.records import Candidate
from zero_engine.score.gate import failures

QUANTILES = (0.05, 0.1, 0.25)
PLACES = 10**4


class Proposal(TypedDict):
    """One bound and its keep rates."""

    score: str
    direction: str
    """min or max: the key of `gate` that takes the bound."""
    quantile: float
    threshold: float
    keep_rate: float
    """Share of the drawings that pass this bound alone."""
    step_keep_rate: float
    """Share of the steps with drawings that have at least one drawing that passes this bound alone."""
    combined_keep_rate: float
    """Share of the drawings that pass the bounds of all scores at this quantile."""


def propose_thresholds(
    candidates: Sequence[Candidate], quantiles: Sequence[float] = QUANTILES
) -> list[Proposal]:
    """Bounds for each score in the sample, at each quantile; an empty list for an empty sample."""
    gates: dict[float, dict[str, Gate]] = {q: {} for q in quantiles}
    for name in (name for name, score in SCORES.items() if score.proposed):
        values = [candidate.scores[name] for candidate in candidates if name in candidate.scores]
        for q in quantiles if values else ():
            gates[q][name] = _gate(name, values, q)
    together = {q: keep_rates(candidates, _merged(gates[q].values()))[0] for q in quantiles}
    proposals: list[Proposal] = []
    for name in gates[quantiles[0]] if quantiles else ():
        for q in quantiles:
            gate = gates[q][name]
            direction = "min" if gate.min else "max"
            drawings, steps = keep_rates(candidates, gate)
            proposals.append(
                Proposal(
                    score=name,
                    direction=direction,
                    quantile=q,
                    threshold=getattr(gate, direction)[name],
                    keep_rate=drawings,
                    step_keep_rate=steps,
                    combined_keep_rate=together[q],
                )
            )
    return proposals


def keep_rates(candidates: Sequence[Candidate], gate: Gate) -> tuple[float, float]:
    """Share of the drawings that pass a gate's thresholds, and share of their steps with such a drawing."""
    steps = {(c.trace_id, c.step) for c in candidates}
    passing = [(c.trace_id, c.step) for c in candidates if not failures(c.scores, gate)]
    if not candidates:
        return 0.0, 0.0
    return len(passing) / len(candidates), len(set(passing)) / len(steps)


def _gate(name: str, values: Sequence[float], quantile: float) -> Gate:
    if SCORES[name].better == "higher":
        bound = math.floor(float(np.quantile(values, quantile)) * PLACES) / PLACES
        return Gate(min={name: bound}, max={})
    bound = math.ceil(float(np.quantile(values, 1 - quantile)) * PLACES) / PLACES
    return Gate(min={}, max={name: bound})


def _merged(gates: Iterable[Gate]) -> Gate:
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    for gate in gates:
        low |= gate.min
        high |= gate.max
    return Gate(min=low, max=high)
