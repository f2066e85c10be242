"""Thresholds from drawings that lie in the folder, else from some that are drawn for it; with their pictures.

Stored drawings serve where they are those that the pipeline asks for: reading, parsing, drawing and scoring are as they
were, and only the gate may differ. The page shows what lies on both sides of each proposed threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from zero_engine.errors import OutputError
from zero_engine.pipeline import Gate, Pipeline
from zero_engine.progress import Progress
from zero_engine.records import Candidate
from zero_engine.report.folder import open_folder, traces_of
from zero_engine.report.pictures import shown_picture
from zero_engine.report.sides import Group, Part, Side, Tile, write_sides
from zero_engine.run.sample import draw_sample
from zero_engine.score.calibrate import QUANTILES, Proposal, keep_rates, propose_thresholds
from zero_engine.write.place import local_folder

PASTED = 0.1
"""Quantile of the gate that is printed to paste."""
AROUND = 4
"""Drawings shown on each side of a threshold."""


@dataclass(slots=True)
class Calibration:
    """Drawings with the texts of their steps, and what they propose."""

    stored: bool
    """Whether the drawings lay in the folder, so nothing was drawn."""
    traces: int
    gate: Gate
    """The pipeline's own: a proposed gate keeps its rank and the rest."""
    candidates: list[Candidate] = field(default_factory=list)
    texts: dict[tuple[str, int], str] = field(default_factory=dict)
    proposals: list[Proposal] = field(default_factory=list)

    @property
    def where(self) -> str:
        made = "stored drawings, nothing drawn" if self.stored else "drawings made now"
        return f"{self.traces:,} traces, {len(self.candidates):,} {made}"


def calibrate(pipeline: Pipeline, traces: int, progress: Progress | None = None) -> Calibration:
    """Thresholds from the first `traces` traces with drawings. Raises what a run raises before its first shard."""
    found = stored_drawings(pipeline, traces)
    if found is None:
        sample = draw_sample(pipeline, traces, progress)
        found = Calibration(False, len(sample.parsed), pipeline.gate, sample.candidates)
        found.texts = {(p.trace.id, s.index): s.text for p in sample.parsed for s in p.steps}
    found.proposals = propose_thresholds(found.candidates)
    return found


def stored_drawings(pipeline: Pipeline, traces: int) -> Calibration | None:
    """The drawings of the first traces in the output folder; None where it holds none that this pipeline asks for."""
    with local_folder(pipeline.output.path) as out:
        return _stored_in(out, pipeline, traces) if out.is_dir() else None


def _stored_in(out: Path, pipeline: Pipeline, traces: int) -> Calibration | None:
    try:
        folder = open_folder(out)
        resolved = folder.resolved
    except (OutputError, ValueError):  # not ours, damaged, or of a version whose pipeline reads otherwise
        return None
    if resolved is None or resolved.input.path != pipeline.input.path:
        return None
    before, now = resolved.stage_parameters(), pipeline.stage_parameters()
    if any(before[stage] != now[stage] for stage in ("read", "parse", "render", "score")):
        return None
    found = Calibration(True, 0, pipeline.gate)
    drawn = (trace for trace in traces_of(folder) if any(step.drawings for step in trace.steps))
    for trace in islice(drawn, traces):
        found.traces += 1
        for step in trace.steps:
            found.texts[trace.id, step.index] = step.text
            found.candidates += step.drawings
    return found if found.candidates else None


def gate_section(found: Calibration, quantile: float = PASTED) -> str:
    """The gate at a quantile as YAML: the scores that it bounds now with other thresholds, all else as it is.

    A quantile of a score with few values, such as readback, may leave out nothing: then the threshold of now stays.
    """
    chosen = [p for p in found.proposals if p["quantile"] == quantile]
    bounds: dict[str, dict[str, float]] = {"min": dict(found.gate.min), "max": dict(found.gate.max)}
    kept = []
    for proposal in chosen:
        if proposal["score"] not in bounds[proposal["direction"]]:
            continue
        if proposal["keep_rate"] == 1:
            kept.append(proposal["score"])
        else:
            bounds[proposal["direction"]][proposal["score"]] = proposal["threshold"]
    gate = found.gate.model_copy(update=bounds)
    drawings, steps = keep_rates(found.candidates, gate)
    lines = [
        f"gate:  # rejects the worst {100 * quantile:g} % by each of its scores: {100 * drawings:.1f} % of the drawings"
        f" pass, {100 * steps:.1f} % of the steps keep one"
    ]
    if kept:
        lines.append(f"  # as it is, for no such threshold leaves out a drawing: {', '.join(kept)}")
    for name, values in {"rank": gate.rank, **bounds}.items():
        inside = ", ".join(f"{score}: {value:.6g}" for score, value in values.items())
        lines.append(f"  {name}: {{{inside}}}")
    lines += [f"  on_reject: {found.gate.on_reject}", f"  min_pictures: {found.gate.min_pictures}"]
    return "\n".join(lines) + "\n"


def write_calibration(path: str | Path, name: str, found: Calibration) -> Path:
    """The page: the gate to paste, and what lies on both sides of each threshold. Raises OutputError."""
    parts = [Part("The gate, to paste", code=gate_section(found))]
    for score in dict.fromkeys(p["score"] for p in found.proposals):
        mine = [p for p in found.proposals if p["score"] == score]
        parts.append(Part(score.replace("_", " "), groups=[_group(found, p) for p in mine], wide=True))
    return write_sides(path, f"{name}: thresholds", found.where, parts)


def _group(found: Calibration, proposal: Proposal) -> Group:
    """The drawings nearest to a threshold, those that fail and those that pass."""
    score, bound, low = proposal["score"], proposal["threshold"], proposal["direction"] == "min"
    having = [c for c in found.candidates if score in c.scores]
    near = sorted(having, key=lambda c: abs(c.scores[score] - bound))
    failing = [c for c in near if (c.scores[score] < bound if low else c.scores[score] > bound)]
    passing = [c for c in near if (c.scores[score] >= bound if low else c.scores[score] <= bound)]
    word = "at least" if low else "at most"
    title = f"{score.replace('_', ' ')} {word} {bound:.6g}"
    note = (
        f"{100 * proposal['keep_rate']:.1f} % of the drawings pass, "
        f"{100 * proposal['step_keep_rate']:.1f} % of the steps have one that does (quantile {proposal['quantile']:g})"
    )
    sides = [
        Side("rejected", "rejected", _tiles(found, failing, score)),
        Side("passes", "kept", _tiles(found, passing, score)),
    ]
    return Group(title, sides, note)


def _tiles(found: Calibration, nearest: Sequence[Candidate], score: str) -> list[Tile]:
    """The nearest drawings, equal ones once."""
    unlike: dict[bytes, Candidate] = {}
    for candidate in nearest:
        if candidate.image not in unlike:
            unlike[candidate.image] = candidate
        if len(unlike) == AROUND:
            break
    return [
        Tile(
            shown_picture(c.image), found.texts.get((c.trace_id, c.step), "")[:240], f"{c.scores[score]:.4g}"
        )
        for c in unlike.values()
    ]


def gates(found: Calibration) -> dict[str, str]:
    """The section to paste for each quantile."""
    return {f"{quantile:g}": gate_section(found, quantile) for quantile in QUANTILES}
