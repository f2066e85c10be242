"""Ink: the bitmaps that the nano world draws with.

5x7 glyphs, 16-pixel shapes, 8-pixel icons, and what bars are made of. A bar is a row of cells; each cell is full, half
full, or cut into pieces that can be counted, in one of five styles. Small copies of the shapes, and digits of 4x6
pixels, are what a picture shows before a part of it is drawn large.
"""

from __future__ import annotations

import functools

import numpy as np

CELL = 8
WHITE = (255, 255, 255)
BLACK = (0, 0, 0)
GREY = (190, 190, 190)
PURPLE = (90, 40, 160)
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

STYLES = {"blue": COLORS["blue"], "orange": COLORS["orange"], "green": COLORS["green"], "gone": COLORS["red"],
          "pale": (150, 190, 255)}  # fmt: skip
"""Styles of a bar. `gone` is hatched; `pale` is the part of a whole that is not shaded."""
_FORMS = {
    "full": "11111111", "left": "11110000", "right": "00001111",
    "piece": "11111110", "two": "11101110", "one_left": "11100000", "one_right": "00001110",
    "quarter1": "10000000", "quarter2": "10100000", "quarter3": "10101000", "quarter4": "10101010",
}  # fmt: skip
"""A cell of a bar, as the columns that have ink: solid, or pieces of a cell, half a cell, a quarter of a cell."""
_OLD_NAMES = {"strip_blue_full": "bar_blue", "strip_orange_full": "bar_orange", "strip_gone_full": "bar_gone",
              "strip_green_piece": "bar_piece"}  # fmt: skip
_MINIS = {
    "circle": "001110 011111 011111 011111 001110 000000",
    "square": "111111 111111 111111 111111 111111 111111",
    "triangle": "001100 001100 011110 011110 111111 111111",
    "star": "001100 001100 111111 011110 011110 110011",
    "heart": "010010 111111 111111 011110 001100 000000",
    "diamond": "001100 011110 111111 111111 011110 001100",
    "cross": "001100 001100 111111 111111 001100 001100",
    "ring": "011110 110011 100001 100001 110011 011110",
}
_TINY = {
    "0": "0110 1001 1001 1001 1001 0110", "1": "0010 0110 1010 0010 0010 0111", "2": "1110 0001 0011 0110 1000 1111",
    "3": "1111 0010 0110 0001 0001 1110", "4": "0010 0110 1010 1111 0010 0010", "5": "1111 1000 1110 0001 1001 0110",
    "6": "0011 0100 1000 1110 1001 0110", "7": "1111 0001 0010 0100 0100 0100", "8": "0110 1001 0110 0110 1001 0110",
    "9": "0110 1001 0111 0001 0010 1100",
}  # fmt: skip


def strip(style: str, form: str) -> str:
    """The icon's name of a bar's cell."""
    name = f"strip_{style}_{form}"
    return _OLD_NAMES.get(name, name)


SEAMS = (strip("blue", "left") + "+" + strip("pale", "right"),)
"""Cells in which two bars meet."""


@functools.cache
def glyph_bitmap(char: str) -> np.ndarray:
    """The glyph's ink as a bool (8, 8) cell: five columns from 1, seven rows from 0. `*` is drawn ×, `/` is drawn ÷."""
    columns = bytes.fromhex(_FONT[char])
    bitmap = np.zeros((CELL, CELL), bool)
    for x, bits in enumerate(columns):
        for y in range(7):
            bitmap[y, x + 1] = bits >> y & 1
    return bitmap


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
        "block": ("11111110 11111110 11111110 11111110 11111110 11111110 11111110 00000000", COLORS["green"]),
        "cup_left": (
            "00001111 00011000 00110000 00110000 00110000 00110000 00011000 00001111",
            COLORS["orange"],
        ),
        "cup_right": (
            "11110000 00011000 00001100 00001100 00001100 00001100 00011000 11110000",
            COLORS["orange"],
        ),
        "axis": ("00000000 00000000 00011000 11111111 11111111 00011000 00000000 00000000", PURPLE),
        "axis_zero": ("00111100 01100110 11000011 11000011 11000011 11000011 01100110 00111100", PURPLE),
        "hop_start": (
            "00000000 00111100 01111110 01111110 01111110 01111110 00111100 00000000",
            COLORS["red"],
        ),
        "hop_line": (
            "00000000 00000000 00000000 11111111 11111111 00000000 00000000 00000000",
            COLORS["red"],
        ),
        "hop_left": (
            "00010000 00110000 01110000 11111111 11111111 01110000 00110000 00010000",
            COLORS["red"],
        ),
        "hop_right": (
            "00001000 00001100 00001110 11111111 11111111 00001110 00001100 00001000",
            COLORS["red"],
        ),
        "tile": ("11111111 10000001 10000001 10000001 10000001 10000001 10000001 11111111", GREY),
    }
    table = {name: (_bits(rows), color) for name, (rows, color) in drawn.items()}
    table["dot_blue"] = (dot, COLORS["blue"])
    table["dot_orange"] = (dot, COLORS["orange"])
    table["dot_gone"] = ((np.abs(np.abs(x) - np.abs(y)) < 0.5) & (np.abs(x) < 3), COLORS["red"])
    hatch = _bits(drawn["bar_gone"][0])
    for style, color in STYLES.items():
        for form, columns in _FORMS.items():
            mask = np.zeros((CELL, CELL), bool)
            mask[1:7] = [bit == "1" for bit in columns]
            # narrow pieces are too thin for a hatch: a gone one is low
            if style == "gone":
                mask = mask & hatch if form in ("full", "left", "right") else mask & (y > -1)
            table.setdefault(strip(style, form), (mask, color))
    return table


@functools.cache
def mini_mask(shape: str) -> np.ndarray:
    """The ink of a shape in one cell, bool (8, 8), with a pixel of air around it."""
    mask = np.zeros((CELL, CELL), bool)
    mask[1:7, 1:7] = _bits(_MINIS[shape])
    return mask


@functools.cache
def frame_mask() -> np.ndarray:
    """A box around one cell, bool (8, 8)."""
    mask = np.ones((CELL, CELL), bool)
    mask[1:7, 1:7] = False
    return mask


@functools.cache
def tiny_mask(digit: str) -> np.ndarray:
    """A digit of 4x6 pixels in one cell, bool (8, 8)."""
    mask = np.zeros((CELL, CELL), bool)
    mask[1:7, 2:6] = _bits(_TINY[digit])
    return mask


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


def _bits(rows: str) -> np.ndarray:
    return np.array([[bit == "1" for bit in row] for row in rows.split()])
