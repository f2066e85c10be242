"""What codes decode to: a drawing's picture, and with `output.pixels: decoded` a row's picture whatever it came from.

Pictures are decoded in batches of one size, equal codes once.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zero_engine.batches import BatchFailure, run_batched, run_distinct
from zero_engine.images import encode_image
from zero_engine.models.base import UnifiedModel
from zero_engine.records import Candidate, Rejection, Trajectory

DECODE_PIXELS = 1 << 20
"""Pixels decoded at once: 4 pictures of 512 x 512, and of small ones never more than a codec's own batch."""
AT_ONCE = 8
"""The batch in which codecs run small pictures (`models.pixels`); a larger one would be filled up for nothing."""


def decode_pictures(
    codes: Sequence[np.ndarray], model: UnifiedModel, image_format: str
) -> list[bytes | BatchFailure]:
    """The encoded picture of each drawing's codes, or its failure."""

    def decode(batch: list[np.ndarray]) -> list[bytes]:
        return [encode_image(image_HW3, image_format) for image_HW3 in model.decode(np.stack(batch))]

    rows, columns = model.grid
    blank_N = np.zeros(rows * columns, np.uint16)
    size = max(1, min(AT_ONCE, DECODE_PIXELS // model.image_size**2))
    return run_distinct(
        codes,
        lambda codes_N: codes_N.tobytes(),
        lambda distinct: run_batched(distinct, decode, size, blank_N),
    )


def has_own_pixels(candidate: Candidate | None) -> bool:
    """Whether its picture is something else than what its codes decode to."""
    return candidate is not None and candidate.origin != "drawn"


def as_decoded(
    rows: Sequence[Trajectory], model: UnifiedModel, image_format: str
) -> tuple[list[Trajectory], list[Rejection]]:
    """The rows with every picture as its codes decode, and a rejection for each row of which one does not decode."""
    kept = [v.candidate for row in rows for v in row.verdicts if has_own_pixels(v.candidate)]
    decoded = iter(decode_pictures([c.codes for c in kept if c is not None], model, image_format))
    shown: list[Trajectory] = []
    refused: list[Rejection] = []
    for row in rows:
        verdicts, failure = [], None
        for verdict in row.verdicts:
            if verdict.candidate is not None and has_own_pixels(verdict.candidate):
                image = next(decoded)
                if isinstance(image, BatchFailure):
                    failure = image
                    continue
                verdict = replace(verdict, candidate=replace(verdict.candidate, image=image))
            verdicts.append(verdict)
        if failure is None:
            shown.append(replace(row, verdicts=tuple(verdicts)))
        else:
            trace = row.parsed.trace
            refused.append(
                Rejection(
                    trace.id,
                    "gate",
                    f"decode_{failure.reason}",
                    failure.detail,
                    exception=failure.exception,
                    record=trace.record,
                )
            )
    return shown, refused
