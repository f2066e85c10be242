"""Scale: equations drawn so that one can count or compare.

Every number stands on a line of its own, its operator in front, and what it means is drawn under it, all to one scale:

    bars     two or three terms: under each number its bar. `+` goes on where the bar before ended, `-` strikes out its
             end, `*` and `/` cut it in pieces; a fraction or a percentage shades its part of the whole
    array    a small product: rows of dots           groups   a small quotient: a cup for each share
    area     a product of two large numbers: a block whose sides are in proportion
    line     a negative number, or a difference: a hop on a number line with a ring at zero

Small whole numbers come in pieces that can be counted: a cell, half a cell or a quarter of a cell a piece. Others are
sixteenths of the width, and a bar may end one sixteenth off: `layouts` lists all that is right, what to draw first.

A specification is (operators, numbers, result) as strings, `(("", "*"), ("3", "50"), "150")`. A picture is a function
of the terms; the result is written as it is said, and its bar is what the terms come to.
"""

from __future__ import annotations

import itertools
import random
from functools import lru_cache

import numpy as np

from zero_engine.world import canvas
from zero_engine.world.bars import EMPTY, Cells, Options, Term, are_whole, bars, cells_of, label, near, sides
from zero_engine.world.kind import Spec

Layout = tuple[Options, ...]
"""Eight rows, each with all cells that are right for it, first those to draw."""


def draw(spec: Spec, rng: random.Random | None = None, form: str | None = None) -> np.ndarray:
    """The picture of an equation, uint8 (64, 64, 3). Raises ValueError where there is none to scale."""
    found = layouts(spec, form)
    if not found:
        raise ValueError(f"{spec} cannot be drawn to scale")
    return picture([options[0] for options in found[0]])


def judge(spec: Spec, image: np.ndarray, form: str | None = None) -> bool:
    """Whether a picture shows an equation, all bars within a sixteenth of the width."""
    strips = image.reshape(canvas.CELLS, canvas.CELL, canvas.SIDE, 3)
    return any(
        all(any(_same_row(strips[row], cells) for cells in options) for row, options in enumerate(layout))
        for layout in layouts(spec, form)
    )


def picture(rows: list[Cells]) -> np.ndarray:
    """The uint8 picture of eight rows of cells."""
    return np.concatenate([_row(cells) for cells in rows])


def layouts(spec: Spec, form: str | None = None) -> list[Layout]:
    """All pictures that are right for an equation; none where it cannot be drawn to scale. `form`: line, or any."""
    return list(_layouts(spec, form))


def form_of(spec: Spec) -> str | None:
    """array, groups, area, line, bars, or None."""
    terms = _terms(spec)
    return _form(terms) if terms else None


@lru_cache(4096)
def _layouts(spec: Spec, form: str | None) -> tuple[Layout, ...]:
    terms = _terms(spec)
    chosen = form or (_form(terms) if terms else None)
    if not terms or not chosen or max(map(len, spec[1] + (spec[2],))) > canvas.CELLS - 1:
        return ()
    labels = [
        label((op or " ") + number) for op, number in zip((*spec[0], "="), (*spec[1], spec[2]), strict=True)
    ]
    if chosen == "bars":
        rows = bars(terms)
        if rows is None:
            return ()
        pairs = [((label,), bar) for label, bar in zip(labels, rows, strict=True)]
        rows8 = [options for pair in pairs for options in pair]
        return (_filled(rows8),)
    make = {"array": _array, "groups": _groups, "area": _area, "line": _line}[chosen]
    if len(terms) != 2:
        return ()
    return tuple(_filled([*((label,) for label in labels), *rows]) for rows in make(terms))


def value_of(number: str) -> float | None:
    """20% -> 0.2, 1/2 -> 0.5, -3 -> -3.0; None for what is no number."""
    try:
        if "/" in number:
            above, below = number.split("/")
            return int(above) / int(below)
        return float(number[:-1]) / 100 if number.endswith("%") else float(number)
    except (ValueError, ZeroDivisionError):
        return None


def is_bracketed(spec: Spec) -> bool:
    """Whether the first two of three terms stand in brackets: (48 + 24) / 3."""
    ops, numbers, _ = spec
    form = len(numbers) == 3 and ops[1] in "+-" and ops[2] in "*/"
    return form and numbers[0][0] == "(" and numbers[1][-1] == ")"


def _terms(spec: Spec) -> tuple[Term, ...] | None:
    numbers = [number.strip("()") for number in spec[1]] if is_bracketed(spec) else spec[1]
    values = [value for number in numbers if (value := value_of(number)) is not None]
    if len(values) != len(numbers) or not 2 <= len(values) <= 3:
        return None
    return tuple(zip(spec[0], spec[1], values, strict=True))


def _form(terms: tuple[Term, ...]) -> str | None:
    (_, _, a), (op, _, b) = terms[:2]
    if len(terms) == 2:
        if op in "+-" and (a < 0 or (op == "-" and 0 <= a < b)):
            return "line"
        if op == "*" and are_whole(a, b) and min(a, b) >= 1 and min(a, b) <= 5 and max(a, b) <= 8:
            return "array"
        if op == "/" and are_whole(a, b) and 1 <= b <= 5 and a % b == 0 and 1 <= a / b <= 6:
            return "groups"
    if bars(terms) is not None:
        return "bars"
    return "area" if len(terms) == 2 and sides(terms) else None


# forms with the equation on top and a drawing in the five rows under it


def _array(terms: tuple[Term, ...]) -> list[list[Options]]:
    down, across = int(terms[0][2]), int(terms[1][2])
    if down > 5 or across > canvas.CELLS:
        down, across = across, down
    return (
        [[cells_of(["dot_blue"] * across)] * down] if 1 <= down <= 5 and 1 <= across <= canvas.CELLS else []
    )


def _groups(terms: tuple[Term, ...]) -> list[list[Options]]:
    shares = int(terms[1][2])
    each = int(terms[0][2] / shares) if shares else 0
    if not (1 <= shares <= 5 and 1 <= each <= 6):
        return []
    return [[cells_of(["cup_left", *["dot_blue"] * each, "cup_right"])] * shares]


def _area(terms: tuple[Term, ...]) -> list[list[Options]]:
    found = sides(terms)
    if not found:
        return []
    short, long = found
    down, across = canvas.CELLS * short / long, float(canvas.CELLS)
    if down > 5:
        down, across = 5.0, 5 * long / short
    sizes = [
        (high, wide)
        for high, wide in itertools.product(near(down), near(across))
        if 1 <= high <= 5 and 1 <= wide <= canvas.CELLS
    ]
    return [[cells_of(["block"] * wide)] * high for high, wide in sizes]


def _line(terms: tuple[Term, ...]) -> list[list[Options]]:
    (_, _, start), (op, _, step) = terms
    if op not in "+-" or step <= 0:
        return []
    end = start + step if op == "+" else start - step
    low, high = min(0.0, start, end), max(0.0, start, end)
    last = canvas.CELLS - 1
    if are_whole(start, step) and high - low <= last:
        places = [[round(value - low)] for value in (0, start, end)]
    else:
        places = [near((value - low) / (high - low) * last) for value in (0, start, end)]
    found = []
    for zero, begin, finish in itertools.product(*places):
        if begin == finish:  # the hop is short: make room for it
            finish += 1 if op == "+" else -1
            if not 0 <= finish <= last:
                begin, finish = (begin - 1, begin) if op == "+" else (begin + 1, begin)
        hop: list[str | None] = [None] * canvas.CELLS
        for place in range(min(begin, finish), max(begin, finish)):
            hop[place] = "hop_line"
        hop[begin], hop[finish] = "hop_start", "hop_right" if finish > begin else "hop_left"
        axis = ["axis_zero" if place == zero else "axis" for place in range(canvas.CELLS)]
        if (op == "+") == (finish > begin):
            found.append([(EMPTY,), cells_of(hop), cells_of(axis)])
    return found


def _filled(rows: list[Options]) -> Layout:
    return tuple(rows) + ((EMPTY,),) * (canvas.CELLS - len(rows))


@lru_cache(16384)
def _row(cells: Cells) -> np.ndarray:
    image = canvas.blank()
    for col, name in enumerate(cells):
        if name and name[0] == "'":
            canvas.write(image, 0, col, name[1:])
        elif name:
            for part in name.split("+"):
                canvas.icon(image, 0, col, part)
    return image[: canvas.CELL]


def _same_row(strip_HWC: np.ndarray, cells: Cells) -> bool:
    off = np.abs(strip_HWC.astype(np.int16) - _row(cells)).max(-1) > canvas.OFF
    return int(off.reshape(canvas.CELL, canvas.CELLS, canvas.CELL).sum((0, 2)).max()) <= 1
