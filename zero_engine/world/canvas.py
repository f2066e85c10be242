"""Canvas: what the nano world draws with.

A picture is 64x64 RGB, white, with all ink on an 8-pixel lattice: 5x7 glyphs and 8-pixel icons in one cell,
16-pixel shapes in four. So a picture is 8x8 patches out of a few hundred distinct ones, every patch can have its own
code, and a program can read the picture back exactly. Cells are (row, col), both 0..7; lines go between pixel points.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from zero_engine.world.ink import (
    BLACK,
    CELL,
    COLORS,
    GLYPHS,
    ICONS,
    PURPLE,
    SHAPES,
    arrow_mask,
    frame_mask,
    glyph_bitmap,
    icon_bitmaps,
    mini_mask,
    nothing_mask,
    shape_mask,
    tiny_mask,
)

__all__ = [
    "BLACK", "CELL", "CELLS", "COLORS", "GLYPHS", "ICONS", "PURPLE", "SHAPES", "SIDE", "arrow_mask", "blank",
    "glyph_bitmap", "icon", "icon_bitmaps", "judge_same", "line", "mini", "nothing_mask", "patches", "same", "shape",
    "shape_mask", "stamp", "tiny", "unpatch", "write",
]  # fmt: skip

SIDE = 64
CELLS = SIDE // CELL
OFF = 90
"""A pixel is off where a channel differs by more of 255: a codec blurs edges by 30, red and orange are 101 apart."""


def blank() -> np.ndarray:
    """An empty picture, uint8 (64, 64, 3)."""
    return np.full((SIDE, SIDE, 3), 255, np.uint8)


def write(image: np.ndarray, row: int, col: int, text: str, color: tuple[int, int, int] = BLACK) -> None:
    """Write `text` from a cell to the right, a character a cell. Raises IndexError where it leaves the picture."""
    if col < 0 or col + len(text) > CELLS or not 0 <= row < CELLS:
        raise IndexError(f"{text!r} at ({row}, {col}) leaves the canvas")
    for offset, char in enumerate(text):
        if char != " ":
            _cell(image, row, col + offset)[glyph_bitmap(char)] = color


def shape(image: np.ndarray, row: int, col: int, name: str, color: str) -> None:
    """A 16-pixel shape in the four cells from (row, col)."""
    image[row * CELL : row * CELL + 16, col * CELL : col * CELL + 16][shape_mask(name)] = COLORS[color]


def icon(image: np.ndarray, row: int, col: int, name: str) -> None:
    """An 8-pixel icon: dot, crossed (a dot struck out), bar, tick pieces, or one of ICONS."""
    cell = _cell(image, row, col)
    bitmap, color = icon_bitmaps()[name]
    cell[bitmap] = color


def mini(image: np.ndarray, row: int, col: int, name: str, color: str, boxed: bool = False) -> None:
    """A shape in one cell, maybe in a box."""
    cell = _cell(image, row, col)
    cell[mini_mask(name)] = COLORS[color]
    if boxed:
        cell[frame_mask()] = PURPLE


def tiny(image: np.ndarray, row: int, col: int, digit: str, large: bool = False) -> None:
    """A digit of 4x6 pixels in one cell; or twice as large, in the four cells from (row, col)."""
    mask = tiny_mask(digit)
    if large:
        stamp(image, row, col, mask.repeat(2, 0).repeat(2, 1), PURPLE)
    else:
        _cell(image, row, col)[mask] = PURPLE


def line(
    image: np.ndarray,
    start: tuple[int, int],
    end: tuple[int, int],
    color: tuple[int, int, int] = BLACK,
    dashed: bool = False,
) -> None:
    """A one-pixel line between (x, y) points, both ends drawn; dashed leaves out every other pair of pixels."""
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    for i in range(steps + 1):
        if dashed and i % 4 >= 2:
            continue
        x = round(start[0] + (end[0] - start[0]) * i / steps)
        y = round(start[1] + (end[1] - start[1]) * i / steps)
        if 0 <= x < SIDE and 0 <= y < SIDE:
            image[y, x] = color


def patches(image: np.ndarray) -> np.ndarray:
    """(64, 64, 3) -> (64, 192): the cells in raster order, each flattened as (y, x, channel)."""
    cells = image.reshape(CELLS, CELL, CELLS, CELL, 3).swapaxes(1, 2)
    return cells.reshape(CELLS * CELLS, CELL * CELL * 3)


def unpatch(cells: np.ndarray) -> np.ndarray:
    """The inverse of `patches`."""
    grid = cells.reshape(CELLS, CELLS, CELL, CELL, 3).swapaxes(1, 2)
    return grid.reshape(SIDE, SIDE, 3)


def same(image: np.ndarray, truth: np.ndarray, allowed: int = 1) -> bool:
    """Whether `image` shows `truth`: in no cell are more than `allowed` pixels off (`OFF`).

    One stroke too many or too few changes at least three pixels by 255.
    """
    wrong = np.abs(image.astype(np.int16) - truth.astype(np.int16)).max(-1) > OFF
    return int(wrong.reshape(CELLS, CELL, CELLS, CELL).sum((1, 3)).max()) <= allowed


def stamp(
    image: np.ndarray, row: int, col: int, mask: np.ndarray, color: tuple[int, int, int] = BLACK
) -> None:
    """Ink a 16-pixel mask in the four cells from (row, col)."""
    image[row * CELL : row * CELL + 16, col * CELL : col * CELL + 16][mask] = color


def _cell(image: np.ndarray, row: int, col: int) -> np.ndarray:
    return image[row * CELL : (row + 1) * CELL, col * CELL : (col + 1) * CELL]


def judge_same(draw: Callable[[tuple, random.Random], np.ndarray]) -> Callable[[tuple, np.ndarray], bool]:
    """An oracle for kinds whose text decides every cell: the picture must be the one `draw` makes."""

    def judge(spec: tuple, image: np.ndarray) -> bool:
        return same(image, draw(spec, random.Random(0)))

    return judge
