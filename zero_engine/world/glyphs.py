"""Read a nano picture back: which glyphs stand where, and which equation they spell.

Exact template matching on the 8-pixel lattice, with room for a codec's noise: a cell is a glyph when its ink differs
from that glyph's bitmap in at most two pixels and from every other glyph's in more. No model, no OCR, numpy only.

    read_equation(image) -> "48/2=24" or None
"""

from __future__ import annotations

import functools
import re

import numpy as np

from zero_engine.world import canvas

_EQUATION = re.compile(r"-?[\d.(%)]+(?:[-+*/][\d.(%)]+)+=-?[\d.]+%?")
_INK_BELOW = 104  # a glyph is black on white; coloured ink never has all three channels this low
_TOLERANCE = 2  # pixels of 64


def read_equation(image_HW3: np.ndarray) -> str | None:
    """The equation drawn in a uint8 picture, in ASCII operators and without spaces; None where there is none.

    Terms are read row by row, left to right, as the nano world lays them out. A picture whose glyphs do not form one
    well-made equation (`48/2=`, `4=4=4`) reads as None.
    """
    text = "".join(char for _, _, char in read_glyphs(image_HW3))
    return text if _EQUATION.fullmatch(text) else None


def read_glyphs(image_HW3: np.ndarray) -> list[tuple[int, int, str]]:
    """All glyphs as (row, col, character), in raster order. Icons, shapes and lines are not glyphs.

    Raises ValueError where the picture is not uint8 with sides that are multiples of 8.
    """
    _require_lattice(image_HW3)
    height, width = image_HW3.shape[0] // 8, image_HW3.shape[1] // 8
    ink = (
        (image_HW3 < _INK_BELOW)
        .all(-1)
        .reshape(height, 8, width, 8)
        .swapaxes(1, 2)
        .reshape(height * width, 64)
    )
    inked = np.flatnonzero(ink.any(1))
    cells, templates = ink[inked].astype(np.float32), _templates()
    # pixels that differ: |a xor b| = |a| + |b| - 2 |a and b|, exact in float32
    distance = cells.sum(1)[:, None] + templates.sum(1) - 2 * cells @ templates.T
    best = distance.argmin(1)
    found = []
    for cell, glyph, ranked in zip(inked, best, np.sort(distance, axis=1), strict=True):
        if ranked[0] <= _TOLERANCE and ranked[0] < ranked[1]:
            found.append((int(cell // width), int(cell % width), canvas.GLYPHS[glyph]))
    return found


def is_nothing(image_HW3: np.ndarray) -> bool:
    """Whether the picture is the sign "no drawing fits", or all white."""
    _require_lattice(image_HW3)
    if image_HW3.shape != (canvas.SIDE, canvas.SIDE, 3):
        return bool((image_HW3 > 200).all())
    sign = canvas.blank()
    canvas.stamp(sign, 3, 3, canvas.nothing_mask())
    return canvas.same(image_HW3, sign) or bool((image_HW3 > 200).all())


@functools.cache
def _templates() -> np.ndarray:
    return np.stack([canvas.glyph_bitmap(char).reshape(64) for char in canvas.GLYPHS]).astype(np.float32)


def _require_lattice(image_HW3: np.ndarray) -> None:
    if image_HW3.dtype != np.uint8 or image_HW3.ndim != 3 or image_HW3.shape[0] % 8 or image_HW3.shape[1] % 8:
        raise ValueError(
            f"expected uint8 (H, W, 3), sides multiples of 8, got {image_HW3.dtype} {image_HW3.shape}"
        )
