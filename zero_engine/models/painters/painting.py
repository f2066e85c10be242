"""Generators without codes of their own, such as diffusion: they paint, and the unified model reads what they painted.

`PaintedModel` makes a painter look like any `UnifiedModel`, so nothing after it knows the difference: each picture is
brought to the reader's size, encoded by its VQ, and what is kept is those codes and the picture that they decode to.
How much of the painting the codes hold is the score `roundtrip`, PSNR in dB; what a painter cut of its prompt is
`unread`, in tokens, where the painter has a method of that name. Likelihoods are the reader's, of the codes given the
prompt. Everything but drawing is the reader's own.

A painter promises what a model promises: a picture depends on its own prompt and seed, at a given batch size.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from PIL import Image

from zero_engine.models.base import Drawings, UnifiedModel

MOST_DB = 100.0
"""Of equal pictures, whose PSNR is infinite; a score has to be finite."""


class Painter(Protocol):
    """Makes pictures from text."""

    name: str

    def paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> Sequence[np.ndarray]:
        """One RGB uint8 picture (H, W, 3) of any size per prompt, in their order."""


class PaintedModel:
    """A `UnifiedModel` that draws with a painter and does everything else with its reader."""

    sees_pictures = False
    footprint = None
    """The reader's says nothing of what a painter needs, so the batch size goes by the table."""

    def __init__(self, reader: UnifiedModel, painter: Painter):
        self.reader, self.painter = reader, painter
        self.name = f"{painter.name}, read by {reader.name}"

    def __getattr__(self, name: str) -> Any:
        if name == "reader":  # not set yet, while being unpickled
            raise AttributeError(name)
        return getattr(self.reader, name)

    def draw(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        guidance: float = 1.0,
        temperature: float = 1.0,
        top_p: float = 1.0,
        top_k: int | None = None,
        negative_prompt: str | None = None,
    ) -> Drawings:
        """Paint one picture per prompt. How codes would be sampled has no meaning here and is ignored, and the
        painter knows of a negative prompt from the pipeline."""
        painted = [fit(picture, self.reader.image_size) for picture in self.painter.paint(prompts, seeds)]
        codes_BN = self.reader.encode(painted)
        kept = self.reader.decode(codes_BN)
        roundtrip = [min(MOST_DB, psnr(one, other)) for one, other in zip(painted, kept, strict=True)]
        scores = {"roundtrip": np.array(roundtrip, np.float32)}
        if hasattr(self.painter, "unread"):
            scores["unread"] = np.array(self.painter.unread(prompts), np.float32)
        return Drawings(
            codes=codes_BN,
            likelihood=self.reader.log_likelihood(prompts, codes_BN),
            likelihood_unconditional=None,
            scores=scores,
        )


def fit(picture_HW3: np.ndarray, size: int) -> np.ndarray:
    """A picture brought to size x size: the shorter side to `size`, then the middle of the longer one."""
    picture = Image.fromarray(np.ascontiguousarray(picture_HW3))
    scale = size / min(picture.size)
    width, height = (max(size, round(side * scale)) for side in picture.size)
    if (width, height) != picture.size:
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    left, top = (width - size) // 2, (height - size) // 2
    return np.asarray(picture.crop((left, top, left + size, top + size)))


def psnr(one_HW3: np.ndarray, other_HW3: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of uint8 pictures; infinite for equal ones."""
    error = float(np.mean((one_HW3.astype(np.float64) - other_HW3) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf
