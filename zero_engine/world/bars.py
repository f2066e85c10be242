"""Bars: what stands under each number of an equation, as rows of cells (`zero_engine.world.scale` says which).

A row is a tuple of options, each eight icons, the one to draw first. Places and lengths count in half cells.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from zero_engine.world import canvas
from zero_engine.world.ink import strip

UNITS = 16
"""Half cells in a row."""
LARGEST_COUNT = 32
Cells = tuple[str | None, ...]
"""Eight icons of a row; `'3` is a glyph, None is empty."""
Options = tuple[Cells, ...]
Term = tuple[str, str, float]
"""Operator, number as written, value."""
EMPTY: Cells = (None,) * canvas.CELLS


def bars(terms: tuple[Term, ...]) -> list[Options] | None:
    if min(value for _, _, value in terms) < 0:
        return None
    if len(terms) == 2:
        op = terms[1][0]
        if _is_part(terms[0]) != _is_part(terms[1]) and op == "*":
            return _shaded(terms)
        if any("/" in number or "%" in number for _, number, _ in terms):
            return None if op in "*/" else _running(terms)
        return {"+": _sum, "-": _sum, "*": _product, "/": _quotient}[op](terms)
    return _running(terms)


def _is_part(term: Term) -> bool:
    return "/" in term[1] or "%" in term[1] or (0 < term[2] < 1)


def _sum(terms: tuple[Term, ...]) -> list[Options] | None:
    (_, _, a), (op, _, b) = terms
    whole = a + b if op == "+" else a
    if not whole or (op == "-" and b > a):
        return None
    if not are_whole(a, b) or whole > UNITS:
        return _running(terms)
    size = 2 if whole <= canvas.CELLS else 1
    a, b = int(a), int(b)
    if op == "+":
        rows = ("blue", 0, a), ("orange", a, a + b), ("green", 0, a + b)
    else:
        rows = ("blue", 0, a), ("gone", a - b, a), ("green", 0, a - b)
    return [(_pieces(style, start, end, size),) for style, start, end in rows]


def _product(terms: tuple[Term, ...]) -> list[Options] | None:
    (_, _, a), (_, _, b) = terms
    counts = [place for place, x in enumerate((a, b)) if are_whole(x) and 1 <= x <= LARGEST_COUNT]
    if not counts:
        stretched = [place for place, x in enumerate((a, b)) if 1 < x < UNITS and not are_whole(x)]
        return _shaded(terms, stretched[0]) if stretched else None
    place = min(counts, key=lambda place: (a, b)[place])
    count = int((a, b)[place])
    rows = [_count_row("orange", 1, count), _count_row("green", count, count, solid=True)]
    return [*_in_order(place, _count_row("blue", count, count), rows[0]), rows[1]]


def _quotient(terms: tuple[Term, ...]) -> list[Options] | None:
    (_, _, a), (_, _, b) = terms
    if a <= 0 or b <= 0:
        return None
    if are_whole(b) and b <= LARGEST_COUNT:
        count, rows = int(b), ("blue", "orange")
        return [_count_row("green", count, count, solid=True), _count_row(rows[0], count, count),
                _count_row(rows[1], 1, count)]  # fmt: skip
    if abs(a / b - round(a / b)) < 1e-9 and a / b <= LARGEST_COUNT:
        count = round(a / b)
        return [_count_row("green", count, count, solid=True), _count_row("orange", 1, count),
                _count_row("blue", count, count)]  # fmt: skip
    return None if sides(terms) else _running(terms) if 1 <= a / b <= UNITS else None


def _shaded(terms: tuple[Term, ...], place: int | None = None) -> list[Options] | None:
    """A part of a whole, or one and a half of it: the share shaded in its whole, the whole, the result."""
    if place is None:
        place = 0 if _is_part(terms[0]) else 1
    share, whole = terms[place][2], terms[1 - place][2]
    if not share or not whole:
        return None
    above, _, below = terms[place][1].partition("/")
    if below and share <= 1 and int(below) <= canvas.CELLS:
        size = 2 * (canvas.CELLS // int(below))
        length, end = size * int(below), size * int(above)
        cut = (_blocks(int(above), int(below), size // 2),)
        return [*_in_order(place, cut, _solid("green", 0, length)), _solid("blue", 0, end)]
    scale = UNITS / max(1.0, share)
    if share > UNITS:
        return None
    if share >= 1:
        shaded = _solid("blue", 0, share * scale)
    else:
        ends = [min(max(end, 1), UNITS - 1) for end in near(share * UNITS)]
        styles = ["blue"] * UNITS, ["pale"] * UNITS
        shaded = tuple(
            _halves(dict(enumerate(styles[0][:end] + styles[1][end:]))) for end in dict.fromkeys(ends)
        )
    return [*_in_order(place, shaded, _solid("green", 0, scale)), _solid("blue", 0, share * scale)]


def _running(terms: tuple[Term, ...]) -> list[Options] | None:
    """Bars one after the other: each begins where the sum before ended; a factor stretches the bar before it."""
    base, sign, held = 0.0, 1, terms[0][2]
    style = "blue"
    bars = [(style, 0.0, held)]
    for op, number, value in terms[1:]:
        if op in "+-":
            base += sign * held
            sign, held, style = (1, value, "orange") if op == "+" else (-1, value, "gone")
        elif op == "/" and not value:
            return None
        else:
            held = held * value if op == "*" else held / value
        bars.append((style, base, base + held) if sign > 0 else (style, base - held, base))
        if number.endswith(")"):  # what is in brackets goes on as one
            base, sign, held, style = 0.0, 1, base + sign * held, "blue"
    bars.append(("green", 0.0, base + sign * held))
    longest = max(end for _, _, end in bars)
    if not longest or min(min(start, end) for _, start, end in bars) < -1e-9:
        return None
    return [_solid(style, start * UNITS / longest, end * UNITS / longest) for style, start, end in bars]


# cells


def sides(terms: tuple[Term, ...]) -> tuple[float, float] | None:
    """The sides of a block: the factors of a product, divisor and quotient of a quotient."""
    (_, _, a), (op, _, b) = terms
    if op not in "*/" or a <= 0 or b <= 0:
        return None
    short, long = sorted((a, b) if op == "*" else (b, a / b))
    return (short, long) if short > 1 and long / short <= canvas.CELLS else None


def near(exact: float) -> list[int]:
    """The whole numbers less than one off, the nearest first."""
    low = int(np.floor(exact + 1e-9))
    near = [low] if exact - low < 1e-9 else [low, low + 1]
    return sorted(near, key=lambda place: (abs(place - exact), -place))


def _solid(style: str, start: float, end: float) -> Options:
    """Options of a bar between two places in half cells. A bar that is not empty is seen."""
    if end - start < 1e-9:
        return (EMPTY,)
    found = []
    for low, high in itertools.product(near(start), near(end)):
        if high <= low:
            low, high = (low, low + 1) if low < UNITS else (UNITS - 1, UNITS)
        cells = _halves(dict.fromkeys(range(low, high), style))
        if cells not in found:
            found.append(cells)
    return tuple(found)


def _halves(styles: dict[int, str]) -> Cells:
    cells: list[str | None] = []
    for left in range(0, UNITS, 2):
        pair = styles.get(left), styles.get(left + 1)
        if pair[0] == pair[1]:
            cells.append(strip(pair[0], "full") if pair[0] else None)
        else:
            halves = [strip(s, form) for s, form in zip(pair, ("left", "right"), strict=True) if s]
            cells.append("+".join(halves))
    return tuple(cells)


def _pieces(style: str, start: int, end: int, size: int) -> Cells:
    """Pieces from `start` to `end`, each a cell (size 2) or half of one (size 1)."""
    cells: list[str | None] = [None] * canvas.CELLS
    for cell in range(canvas.CELLS):
        if size == 2:
            cells[cell] = strip(style, "piece") if start <= cell < end else None
            continue
        left, right = start <= 2 * cell < end, start <= 2 * cell + 1 < end
        form = "two" if left and right else "one_left" if left else "one_right" if right else None
        cells[cell] = strip(style, form) if form else None
    return tuple(cells)


def _count_row(style: str, pieces: int, of: int, solid: bool = False) -> Options:
    """`pieces` from the left where `of` of them fit in the row, as large as they can be; or a solid bar as long."""
    if of <= canvas.CELLS:
        size = canvas.CELLS // of
        last = strip(style, "full" if solid else "piece")
        return cells_of(([strip(style, "full")] * (size - 1) + [last]) * pieces)
    a_cell = 2 if of <= 2 * canvas.CELLS else 4
    cells: list[str | None] = []
    for first in range(0, a_cell * canvas.CELLS, a_cell):
        here = min(max(pieces - first, 0), a_cell)
        if a_cell == 4:
            cells.append(strip(style, f"quarter{here}") if here else None)
        elif solid and here:
            cells.append(strip(style, "full" if here == a_cell else "left"))
        else:
            cells.append(strip(style, "two" if here == a_cell else "one_left") if here else None)
    return (tuple(cells),)


def _blocks(shaded: int, of: int, size: int) -> Cells:
    """`of` pieces of `size` cells, the first `shaded` of them dark."""
    cells: list[str | None] = []
    for piece in range(of):
        style = "blue" if piece < shaded else "pale"
        cells += [strip(style, "full")] * (size - 1) + [strip(style, "piece")]
    return cells_of(cells)[0]


def _in_order(place: int, one: Options, other: Options) -> list[Options]:
    return [one, other] if place == 0 else [other, one]


def cells_of(names: Sequence[str | None]) -> Options:
    return (tuple(names) + EMPTY[len(names) :],)


def label(text: str) -> Cells:
    return cells_of([None if char == " " else "'" + char for char in text])[0]


def are_whole(*values: float) -> bool:
    return all(value == int(value) for value in values)
