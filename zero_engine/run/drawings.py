"""The drawings that a shard asks for: taken from where they lie, and only what is missing made.

A model is loaded only where something is to be drawn or scored, or where nothing but the model can say what a drawing's
identity is (`render.batch_size: auto`, for a model that nobody here has drawn with). Scores are taken over for a trace
whose drawings, texts and way of scoring are all as they were, one trace's in one file; other traces are scored anew
from the first step that differs, because the score `duplicate` compares the drawings of a trace.

With `render.context: pictures` the steps of a trace are drawn one after another, each seeing what the gate kept of the
steps before it; the traces of the shard go side by side.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zero_engine.contracts.manifest import ModelInfo
from zero_engine.images import convert_image, decode_image
from zero_engine.models.batching import auto_batch_size
from zero_engine.models.prompt import pictures_in
from zero_engine.pipeline import Pipeline
from zero_engine.records import Candidate, ParsedTrace, Rejection, Trajectory
from zero_engine.render.decoding import as_decoded, has_own_pixels
from zero_engine.render.given import take_given
from zero_engine.render.identity import known_batch_size, settings_key
from zero_engine.render.once import apart, copies
from zero_engine.render.planned import Kept, Planned, in_order, plan_drawings
from zero_engine.render.renderer import draw
from zero_engine.run.marks import counted, loading
from zero_engine.run.served import answers_of
from zero_engine.score import score_candidates
from zero_engine.score.gate import pick
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
    encoded: int = 0
    """Given pictures among them that were encoded now."""
    places: list[tuple[str, int] | None] = field(default_factory=list)
    """(file, row) where each drawing lies exactly as it is here; None where it was made or changed."""

    def add(self, other: "Outcome") -> None:
        """Append what another trace asked for."""
        self.candidates += other.candidates
        self.rejections += other.rejections
        self.places += other.places
        self.drawn += other.drawn
        self.encoded += other.encoded


Measure = Callable[[str], AbstractContextManager]


def make_drawings(
    parsed: Sequence[ParsedTrace],
    pipeline: Pipeline,
    generator: str | None,
    scored: str,
    measure: Measure,
    index: str | None = None,
    known: ModelInfo | None = None,
) -> Outcome:
    """Everything that the traces ask for, drawn or found, and scored.

    `generator` is the fingerprint of what draws; `scored` says how drawings are scored here. `index` is the file
    of a `Store`, where there is something to be found; `known` is what is known of the generator without loading it.
    """
    maker = _Maker(pipeline, generator or "", scored, measure, index, known)
    if pipeline.render.context == "text":
        maker.make(parsed, None, {})
        return maker.outcome(parsed)
    kept: dict[str, dict[int, np.ndarray]] = {}
    for level in range(max((len(trace.steps) for trace in parsed), default=0)):
        for (trace_id, step), rivals in _by_step(maker.make(parsed, level, kept)).items():
            chosen = pick(rivals, pipeline.gate)
            if chosen is not None:
                kept.setdefault(trace_id, {})[step] = chosen.codes
    return maker.outcome(parsed)


def _by_step(candidates: Sequence[Candidate]) -> dict[tuple[str, int], list[Candidate]]:
    found: dict[tuple[str, int], list[Candidate]] = {}
    for candidate in candidates:
        found.setdefault((candidate.trace_id, candidate.step), []).append(candidate)
    return found


class _Maker:
    """Makes a shard's drawings, at once or level by level, and remembers what is done."""

    def __init__(
        self,
        pipeline: Pipeline,
        generator: str,
        scored: str,
        measure: Measure,
        index: str | None,
        known: ModelInfo | None,
    ) -> None:
        self.pipeline, self.generator, self.scored, self.measure = pipeline, generator, scored, measure
        self.index, self.known = index, known
        self.done = Outcome()
        self.refused: list[Rejection] = []
        self.stale: set[str] = set()
        """Traces of which some drawing's scores could not be taken over."""
        self.last: dict[str, Stored] = {}
        """The drawing of each trace that was found last."""

    def make(self, parsed: Sequence[ParsedTrace], level: int | None, kept: Kept) -> list[Candidate]:
        """The drawings of all steps, or of one level, with their scores."""
        pipeline = self.pipeline
        with self.measure("render"):
            planned, refused = plan_drawings(parsed, pipeline.render, pipeline.seed, level, kept)
            self.refused += refused
            if not planned:
                return []
            found, settings = _recall(planned, pipeline, self.generator, self.index, self.known)
            missing = [wanted for wanted, stored in zip(planned, found, strict=True) if stored is None]
            once, again = apart([wanted for wanted in missing if not wanted.given])
            drawn, refused = _draw(once, pipeline, self.generator, settings)
            copied, refused_too = copies(again, drawn, refused)
            encoded, unreadable = _encode([wanted for wanted in missing if wanted.given], pipeline)
            self.refused += refused + refused_too + unreadable
        outcome = _merge(planned, found, [*drawn, *copied, *encoded], pipeline.output.image_format)
        with self.measure("score"):
            self._score(outcome, parsed, found, planned)
        self.done.candidates += outcome.candidates
        self.done.places += outcome.places
        self.done.rejections += outcome.rejections
        self.done.drawn += len(drawn)
        self.done.encoded += len(encoded)
        return outcome.candidates

    def outcome(self, parsed: Sequence[ParsedTrace]) -> Outcome:
        """All of it, by trace, step and attempt."""
        place = {trace.trace.id: position for position, trace in enumerate(parsed)}
        done = self.done
        order = sorted(
            range(len(done.candidates)),
            key=lambda at: (place[done.candidates[at].trace_id], done.candidates[at].step),
        )
        done.candidates = [done.candidates[at] for at in order]
        done.places = [done.places[at] for at in order]
        scoring = sorted(done.rejections, key=lambda r: (place[r.trace_id], r.step, r.attempt))
        done.rejections = in_order(self.refused, parsed) + scoring
        return done

    def _score(
        self,
        outcome: Outcome,
        parsed: Sequence[ParsedTrace],
        found: Sequence[Stored | None],
        planned: Sequence[Planned],
    ) -> None:
        """Score what cannot be taken over: all drawings of a trace from the first that was not scored the same way."""
        for wanted, stored in zip(planned, found, strict=True):
            trace = wanted.trace.trace.id
            if stored is None or not _scores_hold(wanted, stored, self.last.get(trace), self.scored):
                self.stale.add(trace)
            if stored is not None:
                self.last[trace] = stored
        fresh = [_unscored(c) for c in outcome.candidates if c.trace_id in self.stale]
        if not fresh:
            return
        fresh = _shown(fresh, planned, self.pipeline)
        before = [c for c in self.done.candidates if c.trace_id in self.stale]
        done, refused = score_all(
            fresh, [p for p in parsed if p.trace.id in self.stale], self.pipeline, before
        )
        outcome.rejections += refused
        result = iter(done)
        for position, candidate in enumerate(outcome.candidates):
            if candidate.trace_id in self.stale:
                outcome.candidates[position], outcome.places[position] = next(result), None


def _shown(candidates: list[Candidate], planned: Sequence[Planned], pipeline: Pipeline) -> list[Candidate]:
    """The candidates with the pictures of their prompts, which files do not hold."""
    wanted = {(p.trace.trace.id, p.step): p for p in planned if p.written.places}
    whole = []
    for candidate in candidates:
        asked = wanted.get((candidate.trace_id, candidate.step))
        if asked is not None and not candidate.shown:
            question_PN: list[np.ndarray] = []
            if asked.asks_for_pictures():
                images = [decode_image(image) for image in asked.trace.trace.question_images]
                question_PN = list(_model(pipeline).encode(images))
            candidate = replace(candidate, shown=pictures_in(asked.with_pictures(question_PN)))
        whole.append(candidate)
    return whole


def score_all(
    candidates: Sequence[Candidate],
    parsed: Sequence[ParsedTrace],
    pipeline: Pipeline,
    before: Sequence[Candidate] = (),
) -> tuple[list[Candidate], list[Rejection]]:
    """Score every drawing; `before` are drawings of earlier steps, scored already."""
    if not candidates:
        return [], []
    with one_thread():
        return score_candidates(candidates, parsed, _unified(pipeline), pipeline.score, before)


def with_pixels(
    rows: Sequence[Trajectory], pipeline: Pipeline
) -> tuple[Sequence[Trajectory], list[Rejection]]:
    """The rows with the pixels that `output.pixels` asks for, and a rejection for each that cannot have them."""
    own = any(has_own_pixels(verdict.candidate) for row in rows for verdict in row.verdicts)
    if pipeline.output.pixels == "original" or not own:
        return rows, []
    with one_thread():
        return as_decoded(rows, _unified(pipeline), pipeline.output.image_format)


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
    planned: Sequence[Planned], pipeline: Pipeline, generator: str, index: str | None, known: ModelInfo | None
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
        model = _model(pipeline, generator)
        if settings is None:
            settings = settings_key(pipeline.render, generator, auto_batch_size(model))
        return draw(missing, model, pipeline.render, pipeline.output.image_format, settings, counted)


def _encode(missing: Sequence[Planned], pipeline: Pipeline) -> tuple[list[Candidate], list[Rejection]]:
    """Candidates of given pictures."""
    if not missing:
        return [], []
    with one_thread():
        return take_given(missing, _model(pipeline))


def _scores_hold(wanted: Planned, stored: Stored, last: Stored | None, scored: str) -> bool:
    """Whether a drawing's scores can be taken over; `last` is the one that was found before it for the same trace.

    It was scored in the same way, for the same text (and, a given picture, under the same prompt), and compared with
    the same earlier drawings: it lies right behind the last one, or was the first of its trace.
    """
    if not scored or stored.scored != scored or stored.text != wanted.text or stored.place is None:
        return False
    if wanted.given and (wanted.digests or stored.candidate.prompt != wanted.prompt):
        return False
    if last is None or last.place is None:
        return stored.leads
    return not stored.leads and stored.place == (last.place[0], last.place[1] + 1)


def _unified(pipeline: Pipeline) -> "UnifiedModel":
    """The model that scores and encodes, whoever draws."""
    with loading():
        from zero_engine.models import get_model

        render = pipeline.render
        return get_model(render.model, device=render.device, dtype=render.dtype)


def _model(pipeline: Pipeline, generator: str | None = None) -> "UnifiedModel":
    """What draws."""
    with loading():
        from zero_engine.painters.generators import get_generator

        return get_generator(pipeline.render, lambda: answers_of(pipeline.output.path), generator)


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
            image = old.image if wanted.given else convert_image(old.image, image_format)
            candidate = replace(
                old,
                trace_id=wanted.trace.trace.id,
                step=wanted.step,
                attempt=wanted.attempt,
                prompt=wanted.prompt,
                image=image,
            )
            same = image is old.image and (stored.text, old.prompt) == (wanted.text, wanted.prompt)
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


def _unscored(candidate: Candidate) -> Candidate:
    """With nothing but the scores that came with the drawing, or, of a given picture, do not depend on its prompt."""
    names = ("roundtrip",) if candidate.origin == "given" else DRAWN
    return replace(candidate, scores={n: v for n, v in candidate.scores.items() if n in names})
