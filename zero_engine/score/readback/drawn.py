"""Drawn: what can be read in a nano picture.

Exact for the nano world's ink, on pictures of its size only. A board's row and column numbers say nothing and are left
out. `world.glyphs` and `world.reading` do the reading.
"""

import re

import numpy as np

from zero_engine.score.readback.spelling import NUMBER


def is_nano_size(image_HW3: np.ndarray) -> bool:
    from zero_engine.world.canvas import SIDE

    return image_HW3.shape == (SIDE, SIDE, 3)


def is_nothing(image_HW3: np.ndarray) -> bool:
    """Whether a picture is the nano model's sign for "no drawing fits"."""
    from zero_engine.world import glyphs

    return is_nano_size(image_HW3) and glyphs.is_nothing(image_HW3)


def is_readable(image_HW3: np.ndarray) -> bool:
    """Whether any cell of a nano picture holds ink of the nano world."""
    from zero_engine.world.reading import cells

    found = cells.read_cells(image_HW3)
    return bool(((found != cells.WHITE) & (found != cells.BROKEN)).any())


def read_nano(image_HW3: np.ndarray, figure: object = None) -> tuple[str | None, list[str]]:
    """The equation, whole or broken off, and the numbers in a nano picture; nothing in one of another size.

    An equation to scale has its fractions in brackets, as they stand on one line. `figure` is what `read_figure` found,
    if it was asked.
    """
    from zero_engine.world.glyphs import read_glyphs
    from zero_engine.world.reading import figures, read_figure

    if not is_nano_size(image_HW3):
        return None, []
    figure = figure or read_figure(image_HW3)
    if isinstance(figure, figures.Amount | figures.Equation):
        text = figure.text
        if isinstance(figure, figures.Amount) or set(text) & set("+-*/="):
            return text, []
    glyphs = read_glyphs(image_HW3)
    text = "".join(char for _, _, char in glyphs)
    return (text, []) if set(text) & set("+-*/=") else (None, _runs(_without_board(glyphs)))


def _without_board(glyphs: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The glyphs without a board's numbering: 1, 2, 3, .. along the top row and down the left column."""
    found, size = set(glyphs), 0
    while {(0, size + 1, str(size + 1)), (size + 1, 0, str(size + 1))} <= found:
        size += 1
    if size < 3:
        return glyphs
    return [(row, column, char) for row, column, char in glyphs if row and column]


def _runs(glyphs: list[tuple[int, int, str]]) -> list[str]:
    """Numbers in a picture: digits (and points) that stand side by side in one row."""
    numbers: list[str] = []
    last = None
    for row, column, char in glyphs:
        beside = last == (row, column - 1)
        last = (row, column) if char.isdigit() or char == "." else None
        if last is not None and beside:
            numbers[-1] += char
        elif last is not None:
            numbers.append(char)
    return [number for number in numbers if re.fullmatch(NUMBER, number)]
