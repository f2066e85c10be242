"""Plans a shard's drawings, each with seed, prompt and identity, without a model.

Each step has `render.candidates` drawings; they are ordered by (trace, step, attempt). A picture that the corpus gives
for a step stands in their place (`render.given: keep`) or behind them (`both`). With `render.context: pictures`
a prompt holds the drawings that the gate kept of earlier steps, so a shard is planned level by level: first the first
step of every trace, then the second step of every trace, and so on.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zero_engine.hashing import seed_for
from zero_engine.models.prompt import Prompt
from zero_engine.pipeline import Render
from zero_engine.records import Given, ParsedTrace, Rejection
from zero_engine.render.identity import codec_key, given_identity, identity_of
from zero_engine.render.prompts import Place, Written, assemble, compile_template, is_prose

Kept = Mapping[str, Mapping[int, np.ndarray]]
"""Codes of the drawings that the gate kept so far: trace id -> step index -> (N,)."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One drawing, or one given picture, that a pipeline asks for."""

    trace: ParsedTrace
    step: int
    attempt: int
    seed: int
    written: Written
    text: str
    """The step's text in the trace."""
    digests: tuple[str, ...] = ()
    """Digests of the prompt's pictures, in order."""
    drawings: tuple[np.ndarray | None, ...] = ()
    """Codes of the prompt's pictures, in order; None for a picture of the question, which no model has encoded yet."""
    given: Given | None = None
    """The picture that the corpus gives; None for a drawing."""
    codec: str = ""
    """Its `codec_key`."""

    @property
    def image(self) -> bytes | None:
        """The given picture's bytes; None for a drawing."""
        return self.given.image if self.given else None

    @property
    def prompt(self) -> str:
        """The prompt's text, with `PICTURE` in the place of each picture."""
        return self.written.text

    def identity(self, settings: str) -> str:
        """The drawing's identity; `settings` is a `settings_key`. A given picture's does not depend on it."""
        if self.image is not None:
            return given_identity(self.codec, self.image)
        return identity_of(settings, self.prompt, self.digests, self.seed)

    def asks_for_pictures(self) -> bool:
        """Whether its prompt holds pictures of the question."""
        return any(place.kind == "question" for place in self.written.places)

    def with_pictures(self, question_PN: Sequence[np.ndarray]) -> Prompt:
        """The whole prompt; `question_PN` are the codes of the question's pictures."""
        codes = [
            question_PN[place.number] if drawing is None else drawing
            for place, drawing in zip(self.written.places, self.drawings, strict=True)
        ]
        return assemble(self.prompt, codes)


def plan_drawings(
    parsed: Sequence[ParsedTrace],
    render: Render,
    seed: int,
    level: int | None = None,
    kept: Kept | None = None,
) -> tuple[list[Planned], list[Rejection]]:
    """All drawings of a shard's traces, in order, and a rejection for each step that cannot be drawn.

    With `level`, only those of the step at that position in each trace. `kept` holds the drawings for later prompts.
    """
    if render.generator == "none":
        return [], []
    prompt_of = compile_template(render.template, in_front=render.image_guidance is not None)
    planned: list[Planned] = []
    rejections: list[Rejection] = []
    codec = ""
    for trace in parsed:
        drawings = (kept or {}).get(trace.trace.id, {})
        key = trace.trace.key or trace.trace.id
        for step in trace.steps if level is None else trace.steps[level : level + 1]:
            given = step.given if render.given != "redraw" else None
            candidates = 0 if given and render.given == "keep" else render.candidates
            refused = (
                [(given.problem[0], f"{given.name}: {given.problem[1]}")] if given and given.problem else []
            )
            if candidates and not is_prose(step.text):
                refused.append(("not_prose", "no word or number outside drawing code"))
                candidates = 0
            rejections += [
                Rejection(trace.trace.id, "render", reason, detail, step.index, record=step.text)
                for reason, detail in refused
            ]
            if not candidates and (given is None or given.image is None):
                continue
            written = prompt_of(trace, step, drawings)
            digests = tuple(_digest(place, trace, drawings) for place in written.places)
            codes = tuple(drawings[p.number] if p.kind == "step" else None for p in written.places)
            for attempt in range(candidates):
                own_seed = seed_for(seed, key, step.index, attempt)
                planned.append(
                    Planned(trace, step.index, attempt, own_seed, written, step.text, digests, codes)
                )
            if given and given.image is not None:
                codec = codec or codec_key(render)
                own = (trace, step.index, candidates, 0, written, step.text, digests, codes, given, codec)
                planned.append(Planned(*own))
    return planned, rejections


def in_order(rejections: Sequence[Rejection], parsed: Sequence[ParsedTrace]) -> list[Rejection]:
    """Rejections of the render stage in the order of trace, step and attempt."""
    place = {trace.trace.id: position for position, trace in enumerate(parsed)}
    return sorted(
        rejections, key=lambda r: (place[r.trace_id], r.step, -1 if r.attempt is None else r.attempt)
    )


def _digest(place: Place, trace: ParsedTrace, drawings: Mapping[int, np.ndarray]) -> str:
    """The digest of a picture in a prompt: of a question's picture by its bytes, of a drawing by its codes."""
    if place.kind == "question":
        return hashlib.sha256(trace.trace.question_images[place.number]).hexdigest()[:32]
    return hashlib.sha256(drawings[place.number].astype("<u2").tobytes()).hexdigest()[:32]
