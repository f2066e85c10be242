"""Thresholds from a sample: what each would keep, before a whole run is gated by it.

For each score and quantile q, the bound that the worst share q of the sample's drawings fails: `gate.min`
where higher is better, `gate.max` where lower is. Bounds are rounded, on the lenient side, to four
decimals, and the keep rates are those of the rounded bound, by the gate itself. Pure; `zero-engine plan
--calibrate N` draws the sample.
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
    """One bound and what it keeps."""

    score: str
    direction: str
    """min or max: the part of the gate that it goes under."""
    quantile: float
    threshold: float
    keep_rate: float
    """Share of the drawings that pass this bound alone."""
    step_keep_rate: float
    """Share of the drawn steps with a drawing that passes this bound alone."""
    combined_keep_rate: float
    """Share of the drawings that pass the bounds of all scores at this quantile together."""


def propose_thresholds(
    candidates: Sequence[Candidate], quantiles: Sequence[float] = QUANTILES
) -> list[Proposal]:
    """Bounds for each score that the sample has, at each quantile; none for an empty sample."""
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
    """Share of the drawings that pass a gate's thresholds, and of the drawn steps with one that does."""
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
