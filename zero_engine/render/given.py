"""Given pictures as candidates: in their own pixels, encoded by the model's VQ, scored like drawings.

A given picture is what it is by its bytes and the model's codec; what its scores depend on besides, its prompt, is
compared when they are taken over (`run.drawings`). Encoding and the decoding for `roundtrip` go in batches, equal
pictures once; a picture that cannot be decoded or encoded rejects its step, by name:

    encode_failed, encode_out_of_memory   with the exception's class
    picture_failed                        a picture of the question that stands in the prompt cannot be read
"""

import hashlib
from collections.abc import Sequence
from itertools import groupby

import numpy as np

from zero_engine.batches import BatchFailure, run_batched, run_distinct
from zero_engine.images import decode_image, encode_image, fit, psnr
from zero_engine.models.base import UnifiedModel
from zero_engine.models.prompt import pictures_in
from zero_engine.records import Candidate, Rejection
from zero_engine.render.decoding import DECODE_PIXELS
from zero_engine.render.planned import Planned
from zero_engine.render.renderer import question_pictures

AT_ONCE = 8
"""Pictures encoded at once, at most: those of a corpus can be large."""


def take_given(planned: Sequence[Planned], model: UnifiedModel) -> tuple[list[Candidate], list[Rejection]]:
    """A candidate for each of these given pictures, in their order, and a rejection for each that failed."""
    encoded = _encode([wanted.image or b"" for wanted in planned], model)
    candidates: list[Candidate] = []
    rejections: list[Rejection] = []
    for _, of_trace in groupby(zip(planned, encoded, strict=True), key=lambda pair: pair[0].trace.trace.id):
        pairs = list(of_trace)
        shows = any(wanted.asks_for_pictures() for wanted, _ in pairs)
        question_PN, unreadable = question_pictures(pairs[0][0].trace, model) if shows else ([], None)
        for wanted, found in pairs:
            if isinstance(found, BatchFailure):
                rejections.append(rejection(wanted, f"encode_{found.reason}", found.detail, found.exception))
            elif unreadable is not None and wanted.asks_for_pictures():
                kind = type(unreadable).__name__
                rejections.append(rejection(wanted, "picture_failed", str(unreadable), kind))
            else:
                shown = pictures_in(wanted.with_pictures(question_PN))
                candidates.append(_candidate(wanted, *found, shown))
    return candidates, rejections


def rejection(wanted: Planned, reason: str, detail: str, exception: str | None = None) -> Rejection:
    """The rejection of a step's given picture, with its place in the input."""
    name = wanted.given.name if wanted.given else ""
    return Rejection(
        wanted.trace.trace.id,
        "render",
        reason,
        f"{name}: {detail}",
        wanted.step,
        wanted.attempt,
        exception,
        wanted.text,
    )


def _candidate(
    wanted: Planned, codes_N: np.ndarray, roundtrip: float, shown: tuple[np.ndarray, ...]
) -> Candidate:
    return Candidate(
        trace_id=wanted.trace.trace.id,
        step=wanted.step,
        attempt=wanted.attempt,
        seed=wanted.seed,
        prompt=wanted.prompt,
        codes=codes_N,
        image=wanted.image or b"",
        scores={"roundtrip": roundtrip},
        identity=wanted.identity(""),
        origin="given",
        shown=shown,
    )


def _encode(images: Sequence[bytes], model: UnifiedModel) -> list[tuple[np.ndarray, float] | BatchFailure]:
    """Codes and the PSNR of what they decode to, for each encoded picture."""

    def encode(batch: list[bytes]) -> list[tuple[np.ndarray, float]]:
        pictures = [decode_image(image) for image in batch]
        codes_BN = model.encode(pictures)
        decoded = model.decode(codes_BN)
        return [
            (np.array(codes_N, np.uint16), psnr(fit(picture_HW3, model.image_size), decoded_HW3))
            for codes_N, picture_HW3, decoded_HW3 in zip(codes_BN, pictures, decoded, strict=True)
        ]

    size = max(1, min(AT_ONCE, DECODE_PIXELS // model.image_size**2))
    blank = encode_image(np.zeros((model.image_size, model.image_size, 3), np.uint8))
    return run_distinct(
        images,
        lambda image: hashlib.sha256(image).digest(),
        lambda distinct: run_batched(distinct, encode, size, blank),
    )
