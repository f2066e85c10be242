"""The drawings that a shard asks for: taken from where they lie, and only what is missing made.

A model is loaded only where something is to be drawn or scored, or where nothing but the model can say what a drawing's
identity is (`render.batch_size: auto`, for a model that nobody here has drawn with). Scores are taken over for a trace
whose drawings, texts and way of scoring are all as they were; other traces are scored as a whole, because the score
`duplicate` compares the drawings of a trace.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zero_engine.images import convert_image
from zero_engine.models.batching import auto_batch_size
from zero_engine.pipeline import Pipeline
from zero_engine.records import Candidate, ParsedTrace, Rejection
from zero_engine.render.identity import DrawnBy, known_batch_size, settings_key
from zero_engine.render.renderer import Planned, draw, in_order, plan_drawings
from zero_engine.run.marks import loading
from zero_engine.score import score_candidates
from zero_engine.score.scorer import DRAWN
from zero_engine.write.store import Store, Stored

if TYPE_CHECKING:
    from zero_engine.models.base import UnifiedModel


@dataclass(slots=True)
class Outcome:
    """A shard's drawings with their scores, in order, and how they were come by."""

    candidates: list[Candidate] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    drawn: int = 0
    rescored: bool = False
    places: list[tuple[str, int] | None] = field(default_factory=list)
    """(file, row) where each drawing lies exactly as it is here; None where it was made or changed."""

    def add(self, other: "Outcome") -> None:
        """Append what another trace asked for."""
        self.candidates += other.candidates
        self.rejections += other.rejections
        self.places += other.places
        self.drawn += other.drawn
        self.rescored |= other.rescored


Measure = Callable[[str], AbstractContextManager]


def make_drawings(
    parsed: Sequence[ParsedTrace],
    pipeline: Pipeline,
    generator: str | None,
    scored: str,
    measure: Measure,
    index: str | None = None,
    known: DrawnBy | None = None,
) -> Outcome:
    """Everything that the traces ask for, drawn or found, and scored.

    `generator` is the fingerprint of what draws; `scored` says how drawings are scored here. `index` is the file
    of a `Store`, where there is something to be found; `known` is what is known of the generator without loading it.
    """
    with measure("render"):
        planned, rejections = plan_drawings(parsed, pipeline.render, pipeline.seed)
        if not planned:
            return Outcome(rejections=in_order(rejections, parsed))
        found, settings = _recall(planned, pipeline, generator or "", index, known)
        missing = [wanted for wanted, stored in zip(planned, found, strict=True) if stored is None]
        drawn, refused = _draw(missing, pipeline, generator or "", settings)
        rejections += refused
    outcome = _merge(planned, found, drawn, pipeline.output.image_format)
    outcome.rejections, outcome.drawn = in_order(rejections, parsed), len(drawn)
    with measure("score"):
        _score(outcome, parsed, found, planned, pipeline, scored)
    return outcome


def score_all(
    candidates: Sequence[Candidate], parsed: Sequence[ParsedTrace], pipeline: Pipeline
) -> tuple[list[Candidate], list[Rejection]]:
    """Score every drawing."""
    if not candidates:
        return [], []
    from zero_engine.models import get_model

    render = pipeline.render
    with one_thread():
        with loading():
            model = get_model(render.model, device=render.device, dtype=render.dtype)
        return score_candidates(candidates, parsed, model, pipeline.score)


@contextmanager
def one_thread() -> Iterator[None]:
    """The number of threads decides how sums are split, so bytes are those of one thread everywhere."""
    with loading():
        import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _recall(
    planned: Sequence[Planned], pipeline: Pipeline, generator: str, index: str | None, known: DrawnBy | None
) -> tuple[list[Stored | None], str | None]:
    """What lies somewhere already, in the order of `planned`, and the key of the settings if it is known."""
    batch_size = known_batch_size(pipeline.render, known)
    if batch_size is None and index is not None:
        batch_size = auto_batch_size(_model(pipeline))
    settings = None if batch_size is None else settings_key(pipeline.render, generator, batch_size)
    if index is None or settings is None or not Path(index).exists():
        return [None] * len(planned), settings
    names = [wanted.identity(settings) for wanted in planned]
    found = Store(index).find(list(dict.fromkeys(names)))
    return [found.get(name) for name in names], settings


def _draw(
    missing: Sequence[Planned], pipeline: Pipeline, generator: str, settings: str | None
) -> tuple[list[Candidate], list[Rejection]]:
    if not missing:
        return [], []
    with one_thread():
        model = _model(pipeline)
        if settings is None:
            settings = settings_key(pipeline.render, generator, auto_batch_size(model))
        return draw(missing, model, pipeline.render, pipeline.output.image_format, settings)


def _model(pipeline: Pipeline) -> "UnifiedModel":
    with loading():
        from zero_engine.models.painters.generators import get_generator

        return get_generator(pipeline.render)


def _merge(
    planned: Sequence[Planned],
    found: Sequence[Stored | None],
    drawn: Sequence[Candidate],
    image_format: str,
) -> Outcome:
    """Found and drawn ones in the order of `planned`; what is in neither could not be drawn."""
    made = {(c.trace_id, c.step, c.attempt): c for c in drawn}
    outcome = Outcome()
    for wanted, stored in zip(planned, found, strict=True):
        place, candidate = None, made.get((wanted.trace.trace.id, wanted.step, wanted.attempt))
        if stored is not None:
            old = stored.candidate
            image = convert_image(old.image, image_format)
            candidate = replace(
                old,
                trace_id=wanted.trace.trace.id,
                step=wanted.step,
                attempt=wanted.attempt,
                image=image,
            )
            same = image is old.image and stored.text == wanted.text
            if same and (old.trace_id, old.step, old.attempt) == (
                candidate.trace_id,
                wanted.step,
                wanted.attempt,
            ):
                place = stored.place
        if candidate is not None:
            outcome.candidates.append(candidate)
            outcome.places.append(place)
    return outcome


def _score(
    outcome: Outcome,
    parsed: Sequence[ParsedTrace],
    found: Sequence[Stored | None],
    planned: Sequence[Planned],
    pipeline: Pipeline,
    scored: str,
) -> None:
    """Score the traces of which some drawing's scores cannot be taken over, each as a whole."""
    stale = {
        wanted.trace.trace.id
        for wanted, stored in zip(planned, found, strict=True)
        if stored is None or not scored or stored.scored != scored or stored.text != wanted.text
    }
    fresh = [_unscored(c) for c in outcome.candidates if c.trace_id in stale]
    done, refused = score_all(fresh, [p for p in parsed if p.trace.id in stale], pipeline)
    outcome.rejections += refused
    outcome.rescored = bool(done)
    result = iter(done)
    for position, candidate in enumerate(outcome.candidates):
        if candidate.trace_id in stale:
            outcome.candidates[position], outcome.places[position] = next(result), None


def _unscored(candidate: Candidate) -> Candidate:
    """With nothing but the scores that came with the drawing."""
    return replace(candidate, scores={n: v for n, v in candidate.scores.items() if n in DRAWN})


def unchanged(outcome: Outcome, path: str, rows: int) -> bool:
    """Whether the drawings are those of one file, all of them, in their order: then it need not be written anew."""
    return outcome.places == [(path, row) for row in range(rows)]
