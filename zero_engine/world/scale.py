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
from zero_engine.world.ink import strip
from zero_engine.world.kind import Spec

UNITS = 16
"""Half cells in a row."""
LARGEST_COUNT = 32
Cells = tuple[str | None, ...]
"""Eight icons of a row; `'3` is a glyph, None is empty."""
Layout = tuple[tuple[Cells, ...], ...]
"""Eight rows, each with all cells that are right for it, first those to draw."""
_EMPTY: Cells = (None,) * canvas.CELLS


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
        all(
            any(_same_row(strips[row], cells) for cells in options)
            for row, options in enumerate(layout)
        )
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
    labels = [_label((op or " ") + number) for op, number in zip((*spec[0], "="), (*spec[1], spec[2]), strict=True)]
    if chosen == "bars":
        rows = _bars(terms)
        if rows is None:
            return ()
        pairs = [((label,), bar) for label, bar in zip(labels, rows, strict=True)]
        whole = [options for pair in pairs for options in pair]
        return (_filled(whole),)
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


Term = tuple[str, str, float]
"""Operator, number as written, value."""


def _terms(spec: Spec) -> tuple[Term, ...] | None:
    values = [value_of(number) for number in spec[1]]
    if None in values or not 2 <= len(values) <= 3:
        return None
    return tuple(zip(spec[0], spec[1], values, strict=True))


def _form(terms: tuple[Term, ...]) -> str | None:
    (_, _, a), (op, _, b) = terms[:2]
    if len(terms) == 2:
        if op in "+-" and (a < 0 or (op == "-" and 0 <= a < b)):
            return "line"
        if op == "*" and _whole(a, b) and min(a, b) >= 1 and min(a, b) <= 5 and max(a, b) <= 8:
            return "array"
        if op == "/" and _whole(a, b) and 1 <= b <= 5 and a % b == 0 and 1 <= a / b <= 6:
            return "groups"
    if _bars(terms) is not None:
        return "bars"
    return "area" if len(terms) == 2 and _sides(terms) else None


# bars: a row of options for every term and one for the result


def _bars(terms: tuple[Term, ...]) -> list[tuple[Cells, ...]] | None:
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


def _sum(terms: tuple[Term, ...]) -> list[tuple[Cells, ...]] | None:
    (_, _, a), (op, _, b) = terms
    whole = a + b if op == "+" else a
    if not whole or (op == "-" and b > a):
        return None
    if not _whole(a, b) or whole > UNITS:
        return _running(terms)
    size = 2 if whole <= canvas.CELLS else 1
    a, b = int(a), int(b)
    if op == "+":
        rows = ("blue", 0, a), ("orange", a, a + b), ("green", 0, a + b)
    else:
        rows = ("blue", 0, a), ("gone", a - b, a), ("green", 0, a - b)
    return [(_pieces(style, start, end, size),) for style, start, end in rows]


def _product(terms: tuple[Term, ...]) -> list[tuple[Cells, ...]] | None:
    (_, _, a), (_, _, b) = terms
    counts = [place for place, x in enumerate((a, b)) if _whole(x) and 1 <= x <= LARGEST_COUNT]
    if not counts:
        return None
    place = min(counts, key=lambda place: (a, b)[place])
    count = int((a, b)[place])
    rows = [_count_row("orange", 1, count), _count_row("green", count, count, solid=True)]
    return [*_in_order(place, _count_row("blue", count, count), rows[0]), rows[1]]


def _quotient(terms: tuple[Term, ...]) -> list[tuple[Cells, ...]] | None:
    (_, _, a), (_, _, b) = terms
    if a <= 0 or b <= 0:
        return None
    if _whole(b) and b <= LARGEST_COUNT:
        count, rows = int(b), ("blue", "orange")
        return [_count_row("green", count, count, solid=True), _count_row(rows[0], count, count),
                _count_row(rows[1], 1, count)]  # fmt: skip
    if abs(a / b - round(a / b)) < 1e-9 and a / b <= LARGEST_COUNT:
        count = round(a / b)
        return [_count_row("green", count, count, solid=True), _count_row("orange", 1, count),
                _count_row("blue", count, count)]  # fmt: skip
    return None if _sides(terms) else _running(terms) if 1 <= a / b <= UNITS else None


def _shaded(terms: tuple[Term, ...]) -> list[tuple[Cells, ...]] | None:
    """A part of a whole: the part shaded in its whole, the whole, the result."""
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
    shaded = tuple(
        _join(one, other)
        for one, other in zip(_solid("blue", 0, share * scale), _solid("pale", share * scale, scale), strict=False)
    ) if share < 1 else _solid("blue", 0, share * scale)  # fmt: skip
    return [*_in_order(place, shaded, _solid("green", 0, scale)), _solid("blue", 0, share * scale)]


def _running(terms: tuple[Term, ...]) -> list[tuple[Cells, ...]] | None:
    """Bars one after the other: each begins where the sum before ended; a factor stretches the bar before it."""
    base, sign, held = 0.0, 1, terms[0][2]
    style = "blue"
    bars = [(style, 0.0, held)]
    for op, _, value in terms[1:]:
        if op in "+-":
            base += sign * held
            sign, held, style = (1, value, "orange") if op == "+" else (-1, value, "gone")
        elif op == "/" and not value:
            return None
        else:
            held = held * value if op == "*" else held / value
        bars.append((style, base, base + held) if sign > 0 else (style, base - held, base))
    bars.append(("green", 0.0, base + sign * held))
    longest = max(end for _, _, end in bars)
    if not longest or min(min(start, end) for _, start, end in bars) < -1e-9:
        return None
    return [_solid(style, start * UNITS / longest, end * UNITS / longest) for style, start, end in bars]


# forms with the equation on top and a drawing in the five rows under it


def _array(terms: tuple[Term, ...]) -> list[list[tuple[Cells, ...]]]:
    down, across = int(terms[0][2]), int(terms[1][2])
    if down > 5 or across > canvas.CELLS:
        down, across = across, down
    return [[_cells(["dot_blue"] * across)] * down] if 1 <= down <= 5 and 1 <= across <= canvas.CELLS else []


def _groups(terms: tuple[Term, ...]) -> list[list[tuple[Cells, ...]]]:
    shares = int(terms[1][2])
    each = int(terms[0][2] / shares) if shares else 0
    if not (1 <= shares <= 5 and 1 <= each <= 6):
        return []
    return [[_cells(["cup_left", *["dot_blue"] * each, "cup_right"])] * shares]


def _sides(terms: tuple[Term, ...]) -> tuple[float, float] | None:
    """The sides of a block: the factors of a product, divisor and quotient of a quotient."""
    (_, _, a), (op, _, b) = terms
    if op not in "*/" or a <= 0 or b <= 0:
        return None
    short, long = sorted((a, b) if op == "*" else (b, a / b))
    return (short, long) if short > 1 and long / short <= canvas.CELLS else None


def _area(terms: tuple[Term, ...]) -> list[list[tuple[Cells, ...]]]:
    sides = _sides(terms)
    if not sides:
        return []
    down, across = canvas.CELLS * sides[0] / sides[1], float(canvas.CELLS)
    if down > 5:
        down, across = 5.0, 5 * sides[1] / sides[0]
    sizes = itertools.product(_near(down), _near(across))
    return [[_cells(["block"] * wide)] * high for high, wide in sizes if 1 <= high <= 5 and 1 <= wide <= canvas.CELLS]


def _line(terms: tuple[Term, ...]) -> list[list[tuple[Cells, ...]]]:
    (_, _, start), (op, _, step) = terms
    if op not in "+-" or step <= 0:
        return []
    end = start + step if op == "+" else start - step
    low, high = min(0.0, start, end), max(0.0, start, end)
    last = canvas.CELLS - 1
    if _whole(start, step) and high - low <= last:
        places = [[round(value - low)] for value in (0, start, end)]
    else:
        places = [_near((value - low) / (high - low) * last) for value in (0, start, end)]
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
            found.append([(_EMPTY,), _cells(hop), _cells(axis)])
    return found


# cells


def _near(exact: float) -> list[int]:
    """The whole numbers less than one off, the nearest first."""
    low = int(np.floor(exact + 1e-9))
    near = [low] if exact - low < 1e-9 else [low, low + 1]
    return sorted(near, key=lambda place: (abs(place - exact), -place))


def _solid(style: str, start: float, end: float) -> tuple[Cells, ...]:
    """Options of a bar between two places in half cells. A bar that is not empty is seen."""
    if end - start < 1e-9:
        return (_EMPTY,)
    found = []
    for low, high in itertools.product(_near(start), _near(end)):
        if high <= low:
            low, high = (low, low + 1) if low < UNITS else (UNITS - 1, UNITS)
        cells = _halves({place: style for place in range(low, high)})
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


def _join(one: Cells, other: Cells) -> Cells:
    """Two bars in one row that meet."""
    return tuple("+".join(filter(None, pair)) or None for pair in zip(one, other, strict=True))


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


def _count_row(style: str, pieces: int, of: int, solid: bool = False) -> tuple[Cells, ...]:
    """`pieces` from the left where `of` of them fit in the row, as large as they can be; or a solid bar as long."""
    if of <= canvas.CELLS:
        size = canvas.CELLS // of
        last = strip(style, "full" if solid else "piece")
        return _cells(([strip(style, "full")] * (size - 1) + [last]) * pieces)
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
    return _cells(cells)[0]


def _in_order(place: int, one: tuple[Cells, ...], other: tuple[Cells, ...]) -> list[tuple[Cells, ...]]:
    return [one, other] if place == 0 else [other, one]


def _cells(names: list[str | None]) -> tuple[Cells, ...]:
    return (tuple(names) + _EMPTY[len(names) :],)


def _label(text: str) -> Cells:
    return _cells([None if char == " " else "'" + char for char in text])[0]


def _filled(rows: list[tuple[Cells, ...]]) -> Layout:
    return tuple(rows) + ((_EMPTY,),) * (canvas.CELLS - len(rows))


def _whole(*values: float) -> bool:
    return all(value == int(value) for value in values)


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
