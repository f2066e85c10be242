"""Figures: what the cells of a nano picture amount to.

A figure is read only where it is whole: every cell is what it must be and no ink is left over. Numbers are digit
strings, things are (colour, shape).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from zero_engine.world import canvas, scale
from zero_engine.world.reading import cells

Thing = tuple[str, str]
Cell = tuple[int, int]


@dataclass(frozen=True)
class Equation:
    """Glyphs, maybe an equation's, with what stands below them."""

    text: str
    dots: tuple[str, ...]
    """Icons of dots, row by row."""
    bar: tuple[str, ...]
    """Icons of the bar."""


@dataclass(frozen=True)
class Group:
    """`count` equal shapes, in rows from the top left or anywhere."""

    count: int
    thing: Thing
    in_rows: bool


@dataclass(frozen=True)
class Row:
    """Shapes in a row and an arrow under one of them, maybe with the one that is sought on top."""

    things: tuple[Thing, ...]
    marked: int
    sought: Thing | None


@dataclass(frozen=True)
class Pair:
    """Two shapes: the left or upper one first."""

    first: Thing
    second: Thing
    upright: bool


@dataclass(frozen=True)
class Board:
    """The icons on a board by (row, column), from 1; `step` is a dot of the robot's trail."""

    icons: dict[Cell, str]


@dataclass(frozen=True)
class Rectangle:
    """wide, tall or square, with the number on top and the one on the right."""

    form: str
    width: str
    height: str


@dataclass(frozen=True)
class Circle:
    """With its radius or diameter."""

    what: str
    size: str


@dataclass(frozen=True)
class RightTriangle:
    """Letters: of the right angle, which is at the bottom left, and of the other corners."""

    corner: str
    top: str
    right: str


@dataclass(frozen=True)
class Cevian:
    """A triangle with an altitude or a median: letters of its start, of the base's ends, of its foot."""

    what: str
    vertex: str
    left: str
    right: str
    foot: str


@dataclass(frozen=True)
class Amount:
    """An equation drawn to scale, all of it as its numbers ask for."""

    spec: tuple
    """(operators, numbers, result), as in `zero_engine.world.scale`"""
    form: str

    @property
    def text(self) -> str:
        """The equation, fractions in brackets."""
        ops, numbers, result = self.spec
        terms = [
            op + (f"({number})" if "/" in number else number) for op, number in zip(ops, numbers, strict=True)
        ]
        return "".join(terms) + "=" + result


@dataclass(frozen=True)
class Zoomed:
    """A quarter of a picture, twice as large: its digit and its shape."""

    digit: str
    thing: Thing


@dataclass(frozen=True)
class Scene:
    """Small shapes (row, column, colour, shape), and which of them are boxed."""

    things: tuple[tuple[int, int, str, str], ...]
    boxed: tuple[int, ...]


@dataclass(frozen=True)
class Nothing:
    """The sign "no drawing fits", or no ink."""


Counted = Equation | Amount | Group
Figure = Counted | Row | Pair | Board | Rectangle | Circle | RightTriangle | Cevian | Zoomed | Scene | Nothing


def read_figure(image_HW3: np.ndarray) -> Figure | None:
    """The figure in a uint8 (64, 64, 3) picture; None where there is none that is whole."""
    found = cells.read_cells(image_HW3)
    if cells.BROKEN in found:
        return None
    framed = cells.frame_of(found)
    if framed is not None:
        name, slots = framed
        return _framed(name, [(divmod(int(slot), canvas.CELLS), cells.label(found[slot])) for slot in slots])
    ink = {
        divmod(int(place), canvas.CELLS): cells.label(found[place])
        for place in np.flatnonzero(found != cells.WHITE)
    }
    kinds = {what[0] for what in ink.values()}
    if "large" in kinds:
        return _zoomed(found, ink)
    if "glyph" in kinds:
        return (_amount(ink) or _equation(ink)) if kinds <= {"glyph", "icon"} else None
    if kinds == {"mini"}:
        things = tuple((*cell, *what[1:3]) for cell, what in sorted(ink.items()))
        return Scene(things, tuple(i for i, cell in enumerate(sorted(ink)) if ink[cell][3]))
    if "shape" in kinds:
        return _shapes(ink)
    sign = {(3, 3): ("sign", 0), (3, 4): ("sign", 1), (4, 3): ("sign", 2), (4, 4): ("sign", 3)}
    return Nothing() if ink in ({}, sign) else None


def _framed(name: str, slots: list[tuple[Cell, cells.Label]]) -> Figure | None:
    if name == "board":
        return _board(slots)
    if any(what[0] not in ("glyph", "white") for _, what in slots):
        return None
    kind, _, form = name.partition(" ")
    by_row: dict[int, str] = {}
    for (row, _), what in slots:
        by_row[row] = by_row.get(row, "") + (what[1] if what[0] == "glyph" else " ")
    lines = [by_row[row].rstrip() for row in sorted(by_row)]
    if kind == "rectangle" and all(line.isdigit() for line in lines):
        return Rectangle(form, *lines)
    if kind == "circle" and re.fullmatch(form[0] + r"=\d+", lines[0]):
        return Circle(form, lines[0][2:])
    letters = "".join(lines)
    if kind == "right_angle" and re.fullmatch("[A-Z]{3}", letters):
        return RightTriangle(letters[1], letters[0], letters[2])
    if kind in ("altitude", "median") and re.fullmatch("[A-Z]{4}", letters):
        return Cevian(kind, letters[0], letters[1], letters[3], letters[2])
    return None


def _board(slots: list[tuple[Cell, cells.Label]]) -> Board | None:
    empty = ("white",), ("icon", "tile")  # grey reads as white
    icons = {cell: what for cell, what in slots if what not in empty}
    movable = {("icon", name) for name in (*canvas.ICONS, "step")}
    return Board({cell: what[1] for cell, what in icons.items()}) if set(icons.values()) <= movable else None


def _amount(ink: dict[Cell, cells.Label]) -> Amount | None:
    """An equation to scale, if every cell is one of those that its numbers allow."""
    labels: dict[int, str] = {}
    for (row, col), what in sorted(ink.items()):
        if what[0] == "glyph":
            labels[row] = labels.get(row, " " * col) + what[1]
    lines = [labels[row] for row in sorted(labels)]
    signs, numbers = [line[0] for line in lines], [line[1:] for line in lines]
    if not 3 <= len(lines) <= 4 or signs[0] != " " or signs[-1] != "=" or not set(signs[1:-1]) <= set("+-*/"):
        return None
    spec = ("", *signs[1:-1]), tuple(numbers[:-1]), numbers[-1]
    drawn: list[list[str | None]] = [[None] * canvas.CELLS for _ in range(canvas.CELLS)]
    for (row, col), what in ink.items():
        drawn[row][col] = "'" + what[1] if what[0] == "glyph" else what[1]
    for form in (None, "line"):
        for layout in scale.layouts(spec, form):
            if all(tuple(cells_8) in options for cells_8, options in zip(drawn, layout, strict=True)):
                named = form or scale.form_of(spec)
                assert named is not None, "what has a layout has a form"
                return Amount(spec, named)
    return None


def _zoomed(found_64: np.ndarray, ink: dict[Cell, cells.Label]) -> Zoomed | None:
    """A large digit and a shape, and nothing else."""
    digits, left = [], dict(ink)
    for row in range(0, canvas.CELLS, 2):
        for col in range(0, canvas.CELLS, 2):
            around = [(row + i // 2, col + i % 2) for i in range(4)]
            digit = cells.large_digit(tuple(int(found_64[r * canvas.CELLS + c]) for r, c in around))
            if digit:
                digits.append(digit)
                left = {cell: what for cell, what in left.items() if cell not in around}
    group = _shapes(left) if left and {what[0] for what in left.values()} == {"shape"} else None
    if len(digits) != 1 or not isinstance(group, Group) or group.count != 1:
        return None
    return Zoomed(digits[0], group.thing)


def _equation(ink: dict[Cell, cells.Label]) -> Equation | None:
    icons = [what[1] for _, what in sorted(ink.items()) if what[0] == "icon"]
    dots = tuple(name for name in icons if name.startswith("dot_"))
    bar = tuple(name for name in icons if name.startswith("bar_"))
    text = "".join(what[1] for _, what in sorted(ink.items()) if what[0] == "glyph")
    return Equation(text, dots, bar) if len(dots) + len(bar) == len(icons) else None


def _shapes(ink: dict[Cell, cells.Label]) -> Group | Row | Pair | None:
    things: dict[Cell, Thing] = {}
    arrows: list[Cell] = []
    left = dict(ink)
    for (row, col), what in sorted(ink.items()):
        if what[-1] != 0:
            continue
        around = ((row, col), (row, col + 1), (row + 1, col), (row + 1, col + 1))
        if [left.pop(cell, None) for cell in around] != [(*what[:-1], quarter) for quarter in range(4)]:
            return None
        if what[0] == "arrow":
            arrows.append((row, col))
        elif what[0] == "shape":
            things[row, col] = what[1], what[2]
    if left or len(things) * 4 + len(arrows) * 4 != len(ink):
        return None
    if arrows:
        return _row(things, arrows)
    for first, second in (((3, 0), (3, 6)), ((0, 3), (6, 3))):
        if set(things) == {first, second}:
            return Pair(things[first], things[second], upright=first[0] == 0)
    same = len(set(things.values())) == 1 and not any(row % 2 or col % 2 for row, col in things)
    in_rows = sorted(things) == [(place // 4 * 2, place % 4 * 2) for place in range(len(things))]
    return Group(len(things), next(iter(things.values())), in_rows) if same else None


def _row(things: dict[Cell, Thing], arrows: list[Cell]) -> Row | None:
    sought = things.pop((0, 3), None)
    row = [(3, 2 * place) for place in range(len(things))]
    if sorted(things) != row or len(arrows) != 1 or arrows[0] not in [(5, col) for _, col in row]:
        return None
    return Row(tuple(things[cell] for cell in row), arrows[0][1] // 2, sought)
