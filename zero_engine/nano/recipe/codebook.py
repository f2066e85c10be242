"""Codebook: every distinct patch of the world is one code.

The textbook learns a codebook; a prototype's EMA one blurred digits together and gave plain white 189 codes. Here all
ink lies on the lattice, so the few hundred patches that exist are counted and each gets a code, most frequent first
(code 0 is white). Codes are local: a cell's code depends on that cell alone. The vectors are the patches' principal
components, 128 of them, so that distance between codes is distance between patches.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from zero_engine import world
from zero_engine.world import canvas
from zero_engine.world.ink import SEAMS

EMBED_DIM = 128


@dataclass
class Codebook:
    """`patches` uint8 (K, 192), `vectors` float32 (K, 128)."""

    patches: np.ndarray
    vectors: np.ndarray
    _code: dict[bytes, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._code = {patch.tobytes(): code for code, patch in enumerate(self.patches)}

    def __len__(self) -> int:
        return len(self.patches)

    def codes(self, image: np.ndarray) -> np.ndarray:
        """Codes int64 (64,) of a picture of the world, exact. Raises KeyError for a patch that is not in the book."""
        return np.array([self._code[patch.tobytes()] for patch in canvas.patches(image)])

    def picture(self, codes: np.ndarray) -> np.ndarray:
        """The uint8 picture that codes (64,) stand for, without any codec."""
        return canvas.unpatch(self.patches[codes])


def build(samples: int = 20_000, seed: int = 0) -> Codebook:
    """Count the patches of `samples` pictures, given ones too, and of every glyph, icon and shape by itself."""
    counts: Counter[bytes] = Counter()
    rng = random.Random(f"codebook-{seed}")
    for _ in range(samples):
        item = world.sample(rng, progress=rng.random())
        for image in (item.image, item.given):
            if image is not None:
                counts.update(patch.tobytes() for patch in canvas.patches(image))
    for image in _parts():
        counts.update(patch.tobytes() for patch in canvas.patches(image))
    ordered = sorted(counts, key=lambda patch: (-counts[patch], patch))
    patches = np.stack([np.frombuffer(patch, np.uint8) for patch in ordered])
    return Codebook(patches, principal_components(patches))


def principal_components(patches: np.ndarray) -> np.ndarray:
    """(K, 128) vectors of mean square 1: the leading principal components of the distinct patches, scaled together."""
    pixels = patches.astype(np.float64) / 127.5 - 1
    centred = pixels - pixels.mean(0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    vectors = left[:, :EMBED_DIM] * sizes[:EMBED_DIM]
    vectors *= np.sign(vectors[np.abs(vectors).argmax(0), np.arange(EMBED_DIM)])
    return (vectors / np.sqrt((vectors**2).mean())).astype(np.float32)


def _parts() -> list[np.ndarray]:
    images = []
    for char in canvas.GLYPHS:
        images.append(canvas.blank())
        canvas.write(images[-1], 0, 0, char)
    for name in (*canvas.icon_bitmaps(), *SEAMS):
        images.append(canvas.blank())
        for part in name.split("+"):
            canvas.icon(images[-1], 0, 0, part)
    for digit in "0123456789":
        images.append(canvas.blank())
        canvas.tiny(images[-1], 0, 0, digit)
        canvas.tiny(images[-1], 2, 2, digit, large=True)
    for name in canvas.SHAPES:
        for color in canvas.COLORS:
            images.append(canvas.blank())
            canvas.shape(images[-1], 0, 0, name, color)
            canvas.mini(images[-1], 3, 3, name, color)
            canvas.mini(images[-1], 3, 5, name, color, boxed=True)
    return images
