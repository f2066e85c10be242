"""What the gate said of the drawings of a step, and the columns from which a page can ask another gate.

Equal drawings of a step count as one, with the attempts that drew it. A drawing belongs to one wall: `kept`, `passed`
(it passes the gate, but another was chosen, or its trace was rejected), or the reason for which it was rejected.

The order of a step's drawings by rank does not depend on thresholds. So the columns hold them in that order, and the
page only has to find the first one that passes: its counts are those of a run with those thresholds.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zero_engine.pipeline import Gate
from zero_engine.records import Candidate
from zero_engine.report.folder import Told, ToldStep
from zero_engine.score.gate import failures, rank

KEPT, PASSED = "kept", "passed"


@dataclass(slots=True)
class Judged:
    """A drawing of a step with all attempts that made it."""

    candidate: Candidate
    """The attempt that was kept, else the first."""
    attempts: list[int]
    wall: str
    reasons: list[str]
    """`reason: detail` of each threshold that it fails."""


def judged(step: ToldStep, gate: Gate) -> list[Judged]:
    """The distinct drawings of a step, the best first."""
    alike: dict[tuple[bytes, bytes], list[Candidate]] = {}
    for candidate in ranked(step, gate):
        alike.setdefault((candidate.codes.tobytes(), candidate.image), []).append(candidate)
    return [_judged(step, same, gate) for same in alike.values()]


def ranked(step: ToldStep, gate: Gate) -> list[Candidate]:
    """The drawings of a step, the best first."""
    order = rank([candidate.scores for candidate in step.drawings], gate.rank)
    return [step.drawings[place] for place in order]


def _judged(step: ToldStep, same: list[Candidate], gate: Gate) -> Judged:
    attempts = sorted(candidate.attempt for candidate in same)
    kept = next((c for c in same if step.verdict == KEPT and c.attempt == step.attempt), None)
    if kept is not None:
        return Judged(kept, attempts, KEPT, [])
    failed = [failures(candidate.scores, gate) for candidate in same]
    if any(not found for found in failed):
        return Judged(same[0], attempts, PASSED, [])
    return Judged(same[0], attempts, failed[0][0][0], [f"{reason}: {detail}" for reason, detail in failed[0]])


class Columns:
    """Traces, steps and drawings as flat columns, for `assets/gate.js`."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.clear()

    def clear(self) -> None:
        self.steps: list[int] = []
        """Steps of each trace."""
        self.index: list[int] = []
        self.length: list[int] = []
        self.drawings: list[int] = []
        """Position, length in characters, and number of drawings of each step."""
        self.attempt: list[int] = []
        self.place: list[tuple[int, int, int]] = []
        """Wall, page and item of each drawing."""
        self.scores: dict[str, list[float]] = {name: [] for name in self.names}

    def add(self, trace: Told, gate: Gate, places: dict[tuple[int, int], tuple[int, int, int]]) -> None:
        """One trace that reached the gate; `places` says by step and attempt where a drawing is shown."""
        self.steps.append(len(trace.steps))
        for step in trace.steps:
            self.index.append(step.index)
            self.length.append(len(step.text))
            self.drawings.append(len(step.drawings))
            for candidate in ranked(step, gate):
                self.attempt.append(candidate.attempt)
                self.place.append(places[step.index, candidate.attempt])
                for name, column in self.scores.items():
                    column.append(candidate.scores.get(name, float("nan")))

    def encoded(self) -> dict[str, object]:
        """The columns as base64 of little-endian 32-bit numbers; a score that a drawing lacks is NaN."""
        wall, page, item = (np.array(self.place, np.uint32).reshape(-1, 3).T).tolist()
        whole = {
            "steps": self.steps,
            "index": self.index,
            "length": self.length,
            "drawings": self.drawings,
            "attempt": self.attempt,
            "wall": wall,
            "page": page,
            "item": item,
        }
        return {
            **{name: _base64(values, "<u4") for name, values in whole.items()},
            "scores": {name: _base64(values, "<f4") for name, values in self.scores.items()},
        }


def _base64(values: Sequence[float], kind: str) -> str:
    return base64.b64encode(np.asarray(values, kind).tobytes()).decode("ascii")
