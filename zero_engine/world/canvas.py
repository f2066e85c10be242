"""Canvas: what the nano world draws with.

A picture is 64x64 RGB, white, with all ink on an 8-pixel lattice: 5x7 glyphs and 8-pixel icons in one cell,
16-pixel shapes in four. So a picture is 8x8 patches out of a few hundred distinct ones, every patch can have its own
code, and a program can read the picture back exactly. Cells are (row, col), both 0..7; lines go between pixel points.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable

import numpy as np

SIDE = 64
CELL = 8
CELLS = SIDE // CELL
WHITE = (255, 255, 255)
BLACK = (0, 0, 0)
GREY = (190, 190, 190)
OFF = 90
"""A pixel is off where a channel differs by more of 255: a codec blurs edges by 30, red and orange are 101 apart."""
COLORS = {"red": (214, 39, 40), "blue": (31, 88, 200), "green": (30, 160, 60), "orange": (245, 140, 20)}
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "cross", "ring")
ICONS = ("robot", "flag", "ball", "key", "tree")

# 5x7 bitmaps, one byte a column, lowest bit on top.
_FONT = {
    "0": "3E5149453E", "1": "00427F4000", "2": "7249494946", "3": "2141494D33", "4": "1814127F10",
    "5": "2745454539", "6": "3C4A494931", "7": "4121110907", "8": "3649494936", "9": "464949291E",
    "A": "7C1211127C", "B": "7F49494936", "C": "3E41414122", "D": "7F4141413E", "E": "7F49494941",
    "F": "7F09090901", "G": "3E41415173", "H": "7F0808087F", "I": "00417F4100", "J": "2040413F01",
    "K": "7F08142241", "L": "7F40404040", "M": "7F021C027F", "N": "7F0408107F", "O": "3E4141413E",
    "P": "7F09090906", "Q": "3E4151215E", "R": "7F09192946", "S": "2649494932", "T": "03017F0103",
    "U": "3F4040403F", "V": "1F2040201F", "W": "3F4038403F", "X": "6314081463", "Y": "0304780403",
    "Z": "6159494D43", "+": "08083E0808", "-": "0808080808", "*": "2214081422", "/": "08086B0808",
    "=": "1414141414", "(": "001C224100", ")": "0041221C00", ".": "0060600000", "%": "2313086462",
    "r": "007C080408", "d": "384444487F",
}  # fmt: skip
GLYPHS = tuple(_FONT)


def blank() -> np.ndarray:
    """An empty picture, uint8 (64, 64, 3)."""
    return np.full((SIDE, SIDE, 3), 255, np.uint8)


@functools.cache
def glyph_bitmap(char: str) -> np.ndarray:
    """The glyph's ink as a bool (8, 8) cell: five columns from 1, seven rows from 0. `*` is drawn ×, `/` is drawn ÷."""
    columns = bytes.fromhex(_FONT[char])
    bitmap = np.zeros((CELL, CELL), bool)
    for x, bits in enumerate(columns):
        for y in range(7):
            bitmap[y, x + 1] = bits >> y & 1
    return bitmap


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


@functools.cache
def shape_mask(name: str) -> np.ndarray:
    """The ink of a 16-pixel shape, bool (16, 16), symmetric, with a pixel of air around it."""
    y, x = np.mgrid[0:16, 0:16] - 7.5
    radius = np.hypot(x, y)
    if name == "circle":
        return radius <= 6.6
    if name == "ring":
        return (radius <= 6.6) & (radius > 3.6)
    if name == "square":
        return np.maximum(abs(x), abs(y)) <= 6
    if name == "diamond":
        return abs(x) + abs(y) <= 7
    if name == "cross":
        return (np.minimum(abs(x), abs(y)) <= 1.6) & (np.maximum(abs(x), abs(y)) <= 6.6)
    if name == "triangle":
        return (abs(x) <= (y + 7.5) / 2) & (y <= 6)
    if name == "heart":
        lobes = np.hypot(abs(x) - 3.2, y + 2.8) <= 3.6
        return lobes | ((abs(x) + y <= 6.6) & (y > -2.6) & (abs(x) <= 6.6))
    if name == "star":
        angle = np.arctan2(x, -y)
        wave = np.abs((angle / (2 * np.pi) * 5 + 0.5) % 1 - 0.5) * 2
        return radius <= 7.4 - 4.6 * wave
    raise KeyError(name)


@functools.cache
def icon_bitmaps() -> dict[str, tuple[np.ndarray, tuple[int, int, int]]]:
    """Name -> (ink of one cell, colour)."""
    y, x = np.mgrid[0:8, 0:8] - 3.5
    dot = np.hypot(x, y) <= 3
    drawn = {
        "robot": ("01111110 01000010 01011010 01111110 00111100 01111110 01011010 01100110", (90, 40, 160)),
        "flag": ("00100000 00111100 00111110 00111100 00100000 00100000 00100000 01110000", COLORS["red"]),
        "ball": ("00000000 00111100 01100110 01000110 01001110 01111110 00111100 00000000", COLORS["orange"]),
        "key": ("00000000 01110000 11011000 10001111 11011011 01110010 00000000 00000000", (150, 110, 0)),
        "tree": ("00011000 00111100 01111110 00111100 01111110 11111111 00011000 00011000", COLORS["green"]),
        "step": ("00000000 00000000 00000000 00111000 00111000 00111000 00000000 00000000", (90, 40, 160)),
        "bar_blue": (
            "00000000 11111111 11111111 11111111 11111111 11111111 11111111 00000000",
            COLORS["blue"],
        ),
        "bar_orange": (
            "00000000 11111111 11111111 11111111 11111111 11111111 11111111 00000000",
            COLORS["orange"],
        ),
        "bar_piece": (
            "00000000 11111110 11111110 11111110 11111110 11111110 11111110 00000000",
            COLORS["green"],
        ),
        "bar_gone": (
            "00000000 10010011 00100101 01001001 10010011 00100101 01001001 00000000",
            COLORS["red"],
        ),
        "tile": ("11111111 10000001 10000001 10000001 10000001 10000001 10000001 11111111", GREY),
    }
    table = {name: (_bits(rows), color) for name, (rows, color) in drawn.items()}
    table["dot_blue"] = (dot, COLORS["blue"])
    table["dot_orange"] = (dot, COLORS["orange"])
    table["dot_gone"] = ((np.abs(np.abs(x) - np.abs(y)) < 0.5) & (np.abs(x) < 3), COLORS["red"])
    return table


@functools.cache
def arrow_mask() -> np.ndarray:
    """A fat arrow that points up, bool (16, 16)."""
    y, x = np.mgrid[0:16, 0:16] - 7.5
    head = (abs(x) <= (y + 7.5) * 0.9) & (y <= -0.5)
    return (head & (abs(x) <= 6.6)) | ((abs(x) <= 2) & (y > -1) & (y <= 6))


@functools.cache
def nothing_mask() -> np.ndarray:
    """The sign of "no drawing fits": a struck-out ring, bool (16, 16)."""
    y, x = np.mgrid[0:16, 0:16] - 7.5
    radius = np.hypot(x, y)
    return ((radius <= 5.8) & (radius > 4.4)) | ((np.abs(x + y) < 0.8) & (radius <= 7.6))


def stamp(
    image: np.ndarray, row: int, col: int, mask: np.ndarray, color: tuple[int, int, int] = BLACK
) -> None:
    """Ink a 16-pixel mask in the four cells from (row, col)."""
    image[row * CELL : row * CELL + 16, col * CELL : col * CELL + 16][mask] = color


def _cell(image: np.ndarray, row: int, col: int) -> np.ndarray:
    return image[row * CELL : (row + 1) * CELL, col * CELL : (col + 1) * CELL]


def _bits(rows: str) -> np.ndarray:
    return np.array([[bit == "1" for bit in row] for row in rows.split()])


def judge_same(draw: Callable[[tuple, random.Random], np.ndarray]) -> Callable[[tuple, np.ndarray], bool]:
    """An oracle for kinds whose text decides every cell: the picture must be the one `draw` makes."""

    def judge(spec: tuple, image: np.ndarray) -> bool:
        return same(image, draw(spec, random.Random(0)))

    return judge
