"""Draw every step of a shard: the render stage.

Contract: each step of each trace gets `render.candidates` drawings, returned in (trace, step, attempt)
order. The seed of a drawing is a hash of its identity, and it is drawn in a batch of fixed size among
prompts of its own length bucket (`models.batching`), so its bytes do not depend on what else is in the
shard. Whatever cannot be drawn is a `Rejection` of stage `render`:

    not_prose        the step is drawing code, or holds no letter and no digit
    picture_failed   a picture of the question cannot be read, and `render.image_guidance` shows it
    prompt_too_long  more tokens than the model takes
    prompt_failed    the tokenizer raised
    draw_failed, decode_failed, draw_out_of_memory, decode_out_of_memory   with the exception's class

Memory: codes of the whole shard are kept (2 KB a picture at most), pixels only of one decoding batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zero_engine.errors import ModelError, ZeroEngineError
from zero_engine.hashing import seed_for
from zero_engine.images import decode_image, encode_image
from zero_engine.models.base import UnifiedModel
from zero_engine.models.batching import (
    BatchFailure,
    auto_batch_size,
    filler_prompt,
    run_batched,
    run_bucketed,
    run_distinct,
)
from zero_engine.pipeline import Render
from zero_engine.records import Candidate, ParsedTrace, Rejection
from zero_engine.render.prompts import compile_template, is_prose

DECODE_PIXELS = 1 << 20
"""Pixels decoded at once: 32 nano pictures at most, 4 of 512 x 512."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One drawing to make."""

    trace_id: str
    step: int
    attempt: int
    seed: int
    prompt: str
    tokens: int
    text: str
    pictures_PN: np.ndarray | None = None
    """Codes of the question's pictures, where the model is shown them."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    codes_N: np.ndarray
    scores: dict[str, float]


def draw_steps(
    parsed: Sequence[ParsedTrace], model: UnifiedModel, render: Render, seed: int, image_format: str
) -> tuple[list[Candidate], list[Rejection]]:
    """All drawings of a shard's steps, in (trace, step, attempt) order, and what could not be drawn."""
    if render.generator == "none":
        return [], []
    if render.image_guidance is not None and not getattr(model, "sees_pictures", False):
        raise ModelError(f"render.image_guidance: {model.name} draws from text alone. Drop the key.")
    jobs, rejections = _jobs(parsed, model, render, seed)
    drawn = _draw(jobs, model, render)
    images = _decode([d.codes_N for d in drawn if isinstance(d, _Drawn)], model, image_format)
    candidates: list[Candidate] = []
    next_image = iter(images)
    for job, drawing in zip(jobs, drawn, strict=True):
        image = next(next_image) if isinstance(drawing, _Drawn) else None
        if isinstance(drawing, BatchFailure):
            rejections.append(_rejection(job, "draw", drawing))
        elif isinstance(image, BatchFailure):
            rejections.append(_rejection(job, "decode", image))
        else:
            codes_N, scores = drawing.codes_N, drawing.scores
            candidates.append(
                Candidate(job.trace_id, job.step, job.attempt, job.seed, job.prompt, codes_N, image, scores)
            )
    return candidates, rejections


def _jobs(
    parsed: Sequence[ParsedTrace], model: UnifiedModel, render: Render, seed: int
) -> tuple[list[_Job], list[Rejection]]:
    prompt_of = compile_template(render.template)
    jobs: list[_Job] = []
    rejections: list[Rejection] = []
    for trace in parsed:
        pictures_PN, unreadable = _question_pictures(trace, model, render)
        for step in trace.steps:
            trace_id, reason, detail, exception = trace.trace.id, None, "", None
            if not is_prose(step.text):
                reason, detail = "not_prose", "no word or number outside drawing code"
            elif unreadable is not None:
                reason, detail, exception = "picture_failed", str(unreadable), type(unreadable).__name__
            else:
                prompt = prompt_of(trace, step)
                try:
                    tokens = model.prompt_length(prompt) + sum(len(codes) + 2 for codes in pictures_PN)
                except ZeroEngineError:
                    raise
                except Exception as error:  # one bad text must not cost its shard
                    reason, detail, exception = "prompt_failed", str(error), type(error).__name__
                else:
                    if tokens > model.max_prompt_length:
                        reason, detail = "prompt_too_long", f"{tokens} tokens > {model.max_prompt_length}"
            if reason is not None:
                rejections.append(
                    Rejection(
                        trace_id, "render", reason, detail, step.index, exception=exception, record=step.text
                    )
                )
                continue
            for attempt in range(render.candidates):
                own_seed = seed_for(seed, trace_id, step.index, attempt)
                jobs.append(
                    _Job(trace_id, step.index, attempt, own_seed, prompt, tokens, step.text, pictures_PN)
                )
    return jobs, rejections


def _question_pictures(
    trace: ParsedTrace, model: UnifiedModel, render: Render
) -> tuple[np.ndarray, Exception | None]:
    """Codes (P, N) of the pictures to show before the trace's prompts, or what is wrong with them."""
    images = trace.trace.question_images if render.image_guidance is not None else ()
    nothing = np.zeros((0, model.grid[0] * model.grid[1]), np.uint16)
    if not images:
        return nothing, None
    try:
        return model.encode([decode_image(image) for image in images]), None
    except ZeroEngineError:
        raise
    except Exception as error:  # one bad picture must not cost its shard
        return nothing, error


def _draw(jobs: Sequence[_Job], model: UnifiedModel, render: Render) -> list[_Drawn | BatchFailure]:
    nothing = np.zeros((0, model.grid[0] * model.grid[1]), np.uint16)

    def asked(batch: list[_Job]) -> dict[str, object]:
        """What not every model takes, and most pipelines do not ask for."""
        more: dict[str, object] = {}
        if render.negative_prompt is not None:
            more["negative_prompt"] = render.negative_prompt
        if render.image_guidance is not None:
            more["image_guidance"] = render.image_guidance
            more["pictures"] = [nothing if job.pictures_PN is None else job.pictures_PN for job in batch]
        return more

    def draw(batch: list[_Job]) -> list[_Drawn]:
        drawings = model.draw(
            [job.prompt for job in batch],
            [job.seed for job in batch],
            guidance=render.guidance,
            temperature=render.temperature,
            top_p=render.top_p,
            top_k=render.top_k,
            **asked(batch),
        )
        found = {
            "likelihood": drawings.likelihood,
            "unconditional": drawings.likelihood_unconditional,
            **drawings.scores,
        }
        return [
            _Drawn(
                np.array(drawings.codes[row], np.uint16),  # a copy: a view would keep the whole batch
                # a likelihood that is not finite is left out here; the score stage reports what is missing
                {name: float(v[row]) for name, v in found.items() if v is not None and np.isfinite(v[row])},
            )
            for row in range(len(batch))
        ]

    def filler(size: int) -> _Job:
        prompt = filler_prompt(model, size)
        return _Job("", 0, 0, 0, prompt, size, "")

    size = auto_batch_size(model) if render.batch_size == "auto" else render.batch_size
    return run_bucketed(jobs, [job.tokens for job in jobs], draw, size, filler)


def _decode(
    codes: Sequence[np.ndarray], model: UnifiedModel, image_format: str
) -> list[bytes | BatchFailure]:
    def decode(batch: list[np.ndarray]) -> list[bytes]:
        return [encode_image(image_HW3, image_format) for image_HW3 in model.decode(np.stack(batch))]

    rows, columns = model.grid
    blank_N = np.zeros(rows * columns, np.uint16)
    size = max(1, min(32, DECODE_PIXELS // model.image_size**2))
    return run_distinct(
        codes,
        lambda codes_N: codes_N.tobytes(),
        lambda distinct: run_batched(distinct, decode, size, blank_N),
    )


def _rejection(job: _Job, what: str, failure: BatchFailure) -> Rejection:
    return Rejection(
        job.trace_id,
        "render",
        f"{what}_{failure.reason}",
        failure.detail,
        job.step,
        job.attempt,
        failure.exception,
        job.text,
    )
