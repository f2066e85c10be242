"""The gate: chooses the drawings of a trace to keep, by their scores. Pure; it needs no model.

Thresholds. A drawing passes if every score in `gate.min` is at least its bound and every score in `gate.max` is at most
its bound. Scores are float32 values, fresh or stored, so gating stored scores gives the same result. An optional score
(`ScoreInfo.optional`: read-back; and every plugin's score) does not apply to a drawing that lacks it, and the drawing
passes. A drawing that lacks any other score fails (`<score>_missing`).

Rank. Of the drawings that pass, the one with the largest weighted sum over `gate.rank` is kept; between equals, the
earliest attempt. A ranked score that a drawing lacks counts as the mean of the step's other drawings, or as 0 where no
drawing has it.

Reasons. A drawing that fails is a rejection with `<score>_low`, `<score>_high` or `<score>_missing`, the first by name.
A drawing that passes but is not the best is no rejection. A step's reason is that of its best-ranked failed drawing. A
step without any drawing has `not_drawn` and always stays. `step_rejected`, `all_steps_dropped` and `too_few_pictures`
are the reasons of steps and traces that `on_reject` and `min_pictures` reject.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zero_engine.contracts.scores import SCORES
from zero_engine.pipeline import Gate
from zero_engine.records import Candidate, ParsedTrace, Rejection, Step, Trajectory, Verdict


def judge(
    parsed: ParsedTrace, candidates: Sequence[Candidate], gate: Gate
) -> tuple[Trajectory | Rejection, list[Rejection]]:
    """The trace's trajectory, or its rejection; and the rejections of its steps and drawings."""
    by_step: dict[int, list[Candidate]] = {}
    for candidate in candidates:
        by_step.setdefault(candidate.step, []).append(candidate)
    verdicts: list[Verdict] = []
    rejections: list[Rejection] = []
    for step in parsed.steps:
        verdict, refused = _judge_step(parsed, step, by_step.get(step.index, []), gate)
        verdicts.append(verdict)
        rejections += refused
    return _judge_trace(parsed, verdicts, gate), rejections


def pick(candidates: Sequence[Candidate], gate: Gate) -> Candidate | None:
    """The drawing of one step that the gate keeps, or None."""
    order = rank([candidate.scores for candidate in candidates], gate.rank)
    passing = (candidates[at] for at in order if not failures(candidates[at].scores, gate))
    return next(passing, None)


def failures(scores: Mapping[str, float], gate: Gate) -> list[tuple[str, str]]:
    """(reason, detail) of every threshold that these scores fail, by the name of the score."""
    found = []
    for name in sorted({*gate.min, *gate.max}):
        value = scores.get(name)
        low, high = gate.min.get(name), gate.max.get(name)
        if value is None:
            if name in SCORES and not SCORES[name].optional:
                found.append((f"{name}_missing", f"{name} is absent"))
        elif low is not None and not value >= low:
            found.append((f"{name}_low", f"{name} {value:.6g} < {low:g}"))
        elif high is not None and not value <= high:
            found.append((f"{name}_high", f"{name} {value:.6g} > {high:g}"))
    return found


def rank(rivals: Sequence[Mapping[str, float]], weights: Mapping[str, float]) -> list[int]:
    """Positions of one step's drawings from best to worst, given their scores; between equals, the first one leads."""
    usual = {name: _mean([scores[name] for scores in rivals if name in scores]) for name in weights}

    def merit(scores: Mapping[str, float]) -> float:
        return math.fsum(weight * scores.get(name, usual[name]) for name, weight in weights.items())

    merits = [merit(scores) for scores in rivals]
    return sorted(range(len(rivals)), key=lambda position: (-merits[position], position))


@dataclass(frozen=True, slots=True)
class _Failed:
    candidate: Candidate
    reason: str
    detail: str


def _judge_step(
    parsed: ParsedTrace, step: Step, candidates: Sequence[Candidate], gate: Gate
) -> tuple[Verdict, list[Rejection]]:
    if not candidates:
        return Verdict(step.index, "text_only", "not_drawn"), []
    drawn = sorted(candidates, key=lambda candidate: candidate.attempt)
    ranked = [drawn[position] for position in rank([candidate.scores for candidate in drawn], gate.rank)]
    failed = [
        _Failed(candidate, found[0][0], "; ".join(detail for _, detail in found))
        for candidate in ranked
        if (found := failures(candidate.scores, gate))
    ]
    refused = [
        Rejection(
            parsed.trace.id, "gate", f.reason, f.detail, step.index, f.candidate.attempt, record=step.text
        )
        for f in sorted(failed, key=lambda f: f.candidate.attempt)
    ]
    out = {id(f.candidate) for f in failed}
    passing = [candidate for candidate in ranked if id(candidate) not in out]
    if passing:
        return Verdict(step.index, "kept", candidate=passing[0]), refused
    reason = failed[0].reason
    if gate.on_reject == "text_only":
        return Verdict(step.index, "text_only", reason), refused
    if gate.on_reject == "drop_step":
        refused.append(
            Rejection(parsed.trace.id, "gate", "step_rejected", reason, step.index, record=step.text)
        )
    return Verdict(step.index, "dropped", reason), refused


def _judge_trace(parsed: ParsedTrace, verdicts: Sequence[Verdict], gate: Gate) -> Trajectory | Rejection:
    dropped = [verdict for verdict in verdicts if verdict.verdict == "dropped"]
    if dropped and gate.on_reject == "drop_trace":
        return _reject(parsed, "step_rejected", f"step {dropped[0].step + 1}: {dropped[0].reason}")
    if dropped and len(dropped) == len(verdicts):
        return _reject(parsed, "all_steps_dropped", f"{len(dropped)} steps, the first: {dropped[0].reason}")
    kept = sum(verdict.verdict == "kept" for verdict in verdicts)
    if kept < gate.min_pictures:
        return _reject(
            parsed,
            "too_few_pictures",
            f"{kept} picture{'s' * (kept != 1)} kept, gate.min_pictures is {gate.min_pictures}",
        )
    return Trajectory(parsed, tuple(verdict for verdict in verdicts if verdict.verdict != "dropped"))


def _reject(parsed: ParsedTrace, reason: str, detail: str) -> Rejection:
    return Rejection(parsed.trace.id, "gate", reason, detail, record=parsed.trace.record)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
