"""The render stage: makes the drawings of a shard that do not exist yet.

Contract: `draw` makes planned drawings (`planned`) in batches of fixed size, each of one length bucket
(`models.batching`), so the bytes of a drawing do not depend on the rest of the shard. A step or drawing that cannot be
made is a `Rejection` of stage `render`:

    not_prose        the step is drawing code, or holds no letter and no digit
    picture_failed   a picture of the question that stands in the prompt cannot be read
    prompt_too_long  more tokens than the model takes
    prompt_failed    the tokenizer raised
    draw_failed, decode_failed, draw_out_of_memory, decode_out_of_memory   with the exception's class

A picture that a painter made keeps its own pixels; a drawing's are what its codes decode to (`render.decoding`).

Memory: the codes and encoded pictures of the whole shard, and the pixels of one batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from zero_engine.batches import BatchFailure, run_bucketed
from zero_engine.errors import ModelError, ZeroEngineError
from zero_engine.images import decode_image, encode_image
from zero_engine.models.base import Prepares, UnifiedModel
from zero_engine.models.batching import auto_batch_size, batches_at_once, room
from zero_engine.models.prompt import Prompt, Request, Sampling, pictures_in
from zero_engine.pipeline import Render
from zero_engine.records import Candidate, ParsedTrace, Rejection, Source, Trace
from zero_engine.render.decoding import decode_pictures
from zero_engine.render.identity import settings_key
from zero_engine.render.planned import Planned, in_order, plan_drawings
from zero_engine.render.prompts import Written

NOBODY = ParsedTrace(Trace("", "", "", None, Source("", "", 0)), (), None, "whole")
"""The trace of the filler drawings that fill a batch up."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A planned drawing that can be made: its prompt fits the model."""

    planned: Planned
    tokens: int
    prompt: Prompt
    """The whole prompt, with its pictures."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    codes_N: np.ndarray
    scores: dict[str, float]
    painted: bytes | None
    """The painter's picture, encoded; None where the codes are the picture."""
    origin: str


Count = Callable[[int, int, int], None]
"""Hears after every batch how many drawings are made, of how many, and how many of them differ."""


def draw(
    planned: Sequence[Planned],
    model: UnifiedModel,
    render: Render,
    image_format: str,
    settings: str,
    count: Count = lambda drawn, of, distinct: None,
) -> tuple[list[Candidate], list[Rejection]]:
    """Makes these drawings, in their order, and a rejection for each that failed. `settings` is their `settings_key`.

    Raises ModelError where the model cannot do what `render` asks for.
    """
    if not model.sees_pictures and (render.image_guidance is not None or render.context == "pictures"):
        key = "image_guidance" if render.image_guidance is not None else "context"
        raise ModelError(f"render.{key}: {model.name} draws from text alone. Drop the key.")
    jobs, rejections = _jobs(planned, model, render)
    drawn = _draw(jobs, model, render, image_format, settings, count)
    unseen = [d.codes_N for d in drawn if isinstance(d, _Drawn) and d.painted is None]
    decoded = iter(decode_pictures(unseen, model, image_format))
    candidates: list[Candidate] = []
    for job, drawing in zip(jobs, drawn, strict=True):
        if isinstance(drawing, BatchFailure):
            rejections.append(_rejection(job.planned, "draw", drawing))
            continue
        image = next(decoded) if drawing.painted is None else drawing.painted
        if isinstance(image, BatchFailure):
            rejections.append(_rejection(job.planned, "decode", image))
            continue
        wanted = job.planned
        candidates.append(
            Candidate(
                trace_id=wanted.trace.trace.id,
                step=wanted.step,
                attempt=wanted.attempt,
                seed=wanted.seed,
                prompt=wanted.prompt,
                codes=drawing.codes_N,
                image=image,
                scores=drawing.scores,
                identity=wanted.identity(settings),
                origin=drawing.origin,
                shown=pictures_in(job.prompt),
            )
        )
    return candidates, rejections


def draw_steps(
    parsed: Sequence[ParsedTrace], model: UnifiedModel, render: Render, seed: int, image_format: str
) -> tuple[list[Candidate], list[Rejection]]:
    """Makes all drawings of these traces' steps; their identity holds the model's fingerprint."""
    planned, rejections = plan_drawings(parsed, render, seed)
    settings = settings_key(render, model.fingerprint, batch_size_of(model, render))
    candidates, refused = draw(planned, model, render, image_format, settings) if planned else ([], [])
    return candidates, in_order(rejections + refused, parsed)


def batch_size_of(model: UnifiedModel, render: Render) -> int:
    """`render.batch_size` as a number, for this model on its device."""
    return auto_batch_size(model) if render.batch_size == "auto" else render.batch_size


def _jobs(
    planned: Sequence[Planned], model: UnifiedModel, render: Render
) -> tuple[list[_Job], list[Rejection]]:
    """The drawings whose prompts fit the model, and a rejection for each step whose prompt does not."""
    jobs: list[_Job] = []
    rejections: list[Rejection] = []
    for _, of_trace in groupby(planned, key=lambda p: p.trace.trace.id):
        wanted = list(of_trace)
        shows = any(drawing.asks_for_pictures() for drawing in wanted)
        question_PN, unreadable = question_pictures(wanted[0].trace, model) if shows else ([], None)
        for step, of_step in groupby(wanted, key=lambda p: p.step):
            drawings = list(of_step)
            prompt, tokens, problem = _fits(drawings[0], question_PN, unreadable, model)
            if problem is None:
                jobs += [_Job(drawing, tokens, prompt) for drawing in drawings]
                continue
            reason, detail, exception = problem
            trace_id, text = drawings[0].trace.trace.id, drawings[0].text
            rejections.append(
                Rejection(trace_id, "render", reason, detail, step, exception=exception, record=text)
            )
    return jobs, rejections


def _fits(
    drawing: Planned, question_PN: Sequence[np.ndarray], unreadable: Exception | None, model: UnifiedModel
) -> tuple[Prompt, int, tuple[str, str, str | None] | None]:
    """The prompt, its tokens, and (reason, detail, exception) where the model cannot draw this."""
    if unreadable is not None and drawing.asks_for_pictures():
        return "", 0, ("picture_failed", str(unreadable), type(unreadable).__name__)
    prompt = drawing.with_pictures(question_PN)
    try:
        tokens = model.prompt_length(prompt)
    except ZeroEngineError:
        raise
    except Exception as error:  # one bad text must not stop its shard
        return prompt, 0, ("prompt_failed", str(error), type(error).__name__)
    if tokens > model.max_prompt_length:
        return prompt, tokens, ("prompt_too_long", f"{tokens} tokens > {model.max_prompt_length}", None)
    return prompt, tokens, None


def question_pictures(
    trace: ParsedTrace, model: UnifiedModel
) -> tuple[Sequence[np.ndarray], Exception | None]:
    """Codes (P, N) of the question's pictures, or the error of the first one that cannot be read."""
    try:
        return list(model.encode([decode_image(image) for image in trace.trace.question_images])), None
    except ZeroEngineError:
        raise
    except Exception as error:  # one bad picture must not stop its shard
        return [], error


def _request(job: _Job, render: Render, settings: str) -> Request:
    """The request for a drawing: its prompt, seed, and the prompts of the guidance branches u and i."""
    pictures = pictures_in(job.prompt)
    kept = pictures if render.unconditional == "pictures" else ()
    against: Prompt = (*kept, render.negative_prompt) if render.negative_prompt else kept
    seen = pictures if render.image_guidance is not None and pictures else None
    identity = job.planned.identity(settings) if job.planned.trace is not NOBODY else ""
    return Request(job.prompt, job.planned.seed, against, seen, identity)


def _draw(
    jobs: Sequence[_Job], model: UnifiedModel, render: Render, image_format: str, settings: str, count: Count
) -> list[_Drawn | BatchFailure]:
    sampling = Sampling(
        guidance=render.guidance,
        temperature=render.temperature,
        top_p=render.top_p,
        top_k=render.top_k,
        image_guidance=render.image_guidance or 0.0,
    )
    made: set[tuple[str, int, int]] = set()
    distinct: set[tuple[str, int, bytes]] = set()

    def told(batch: list[_Job], drawn: list[_Drawn]) -> list[_Drawn]:
        for job, drawing in zip(batch, drawn, strict=True):
            if job.planned.trace is not NOBODY:
                trace_id, step = job.planned.trace.trace.id, job.planned.step
                made.add((trace_id, step, job.planned.attempt))
                distinct.add((trace_id, step, drawing.codes_N.tobytes()))
        count(len(made), len(jobs), len(distinct))
        return drawn

    def draw(batch: list[_Job]) -> list[_Drawn]:
        drawings = model.draw([_request(job, render, settings) for job in batch], sampling)
        found = {
            "likelihood": drawings.likelihood,
            "unconditional": drawings.likelihood_unconditional,
            **drawings.scores,
        }
        drawn = [
            _Drawn(
                np.array(drawings.codes[row], np.uint16),  # a copy: a view would keep the whole batch
                # a likelihood that is not finite is left out here; the score stage reports what is missing
                {name: float(v[row]) for name, v in found.items() if v is not None and np.isfinite(v[row])},
                None if drawings.painted is None else encode_image(drawings.painted[row], image_format),
                drawings.origin,
            )
            for row in range(len(batch))
        ]
        return told(batch, drawn)

    def filler(size: int) -> _Job:
        """A drawing without a prompt: one node for all guidance branches of all fillers of a batch."""
        return _Job(Planned(NOBODY, 0, 0, 0, Written(""), ""), size, "")

    failed: dict[int, BatchFailure] = {}
    if isinstance(model, Prepares):
        prepared = model.prepare([_request(job, render, settings) for job in jobs])
        failed = {row: failure for row, failure in enumerate(prepared) if failure is not None}
    ready = [row for row in range(len(jobs)) if row not in failed]
    lengths = [room(jobs[row].prompt, jobs[row].tokens) for row in ready]
    at_once = batches_at_once(model) if render.batch_size == "auto" else 1
    size = batch_size_of(model, render)
    done = run_bucketed([jobs[row] for row in ready], lengths, draw, size, filler, at_once)
    results = {**failed, **dict(zip(ready, done, strict=True))}
    return [results[row] for row in range(len(jobs))]


def _rejection(drawing: Planned, what: str, failure: BatchFailure) -> Rejection:
    return Rejection(
        drawing.trace.trace.id,
        "render",
        f"{what}_{failure.reason}",
        failure.detail,
        drawing.step,
        drawing.attempt,
        failure.exception,
        drawing.text,
    )
