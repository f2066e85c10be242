"""Quantities: equations with a bar, dots, and counted shapes.

An equation is drawn as a column, one term a row, its operator in front (` 48`, `/2`, `=24`), and below it a bar that
says what the operation does: two bars joined (+), a bar partly struck out (-), a bar of equal pieces (*, /). The text
decides every cell, so that a picture can be judged cell by cell.
"""

from __future__ import annotations

import random

import numpy as np

from zero_engine.world import canvas, dressing, phrasing, scale, words
from zero_engine.world import glyphs as readback
from zero_engine.world.kind import Kind, Spec
from zero_engine.world.splits import templates

BARS = {
    "+": ["bar_blue"] * 3 + ["bar_orange"] * 3,
    "-": ["bar_blue"] * 4 + ["bar_gone"] * 2,
    "*": ["bar_piece"] * 6,
    "/": ["bar_piece"] * 2 + ["bar_orange"] * 4,
}
_COUNTS = tuple(range(1, 17))
# The order in which scattered places fill up: no two neighbours in a row.
_SCATTER = (5, 15, 0, 10, 3, 9, 6, 12, 2, 8, 7, 13)

_ROWS_TEXT = (
    "draw {n} {color} {shape}", "there are {n} {color} {shape}", "{n} {color} {shape} in rows",
    "show {n} {color} {shape}", "{name} draws {n} {color} {shape} in rows of four",
    "count the {color} {shape}: {n}", "{name} has {n} {color} {shape}", "a picture of {n} {color} {shape}",
    "{name} puts {n} {color} {shape} in rows", "there are {n} {color} {shape} on the board",
    "we see {n} {shape}, all {color}", "{n} {shape} ({color}), four in a row",
    "we have {n} {color} {shape}", "{name} gets {n} {color} {shape}",
    "the board has {n} {shape} that are {color}", "{name} counts {n} {color} {shape}",
    "{n} is the number of {color} {shape}", "the {color} {shape} are {n} in all",
    "{n} {color} {shape} stand in line", "put {n} {color} {shape} side by side",
    "{name} buys {n} {shape} of {color} paper", "with {n} {color} {shape} in order",
    "{name} lines up {n} {color} {shape}", "{n} {color} {shape} are left",
    "the {place} has {n} {color} {shape}", "{n} {shape}, each {color}", "arrange {n} {color} {shape}",
    "all {n} {shape} are {color}", "{name} wants {n} {color} {shape}",
    "the number of {shape} is {n} and they are {color}",
)  # fmt: skip
_SCATTER_TEXT = (
    "scatter {n} {color} {shape}", "{n} {color} {shape} are scattered around",
    "{name} scatters {n} {color} {shape}", "{n} {color} {shape} lie here and there",
    "{n} {color} {shape} are spread all over", "{n} scattered {color} {shape}",
    "{name} drops {n} {color} {shape} on the floor", "spread out {n} {color} {shape}",
    "there are {n} {color} {shape} scattered on the {place}", "{n} {shape}, {color}, in no order",
    "{name} spreads {n} {color} {shape} over the {place}", "{n} {color} {shape} fall on the floor",
    "throw {n} {color} {shape} on the table", "{n} {color} {shape}, all mixed up",
    "{n} {color} {shape} at random places", "{name} leaves {n} {color} {shape} lying around",
    "the {shape} are scattered: {n}, all {color}", "{n} {color} {shape} in a mess",
    "{n} {color} {shape} spread on the {place}", "the {color} {shape} lie apart, {n} of them",
    "we scatter {n} {shape}, all {color}", "{name} drops {n} {shape}, each {color}",
    "{n} {color} {shape} without order", "randomly placed: {n} {color} {shape}",
    "{n} {color} {shape} rolled all over the {place}", "around the {place} lie {n} {color} {shape}",
    "{n} {color} {shape} lie around", "{name} throws {n} {color} {shape}",
    "{color} {shape} are spread out, {n} in all", "{n} loose {color} {shape} on the floor",
)  # fmt: skip
_DOTS_TEXT = (
    "with dots: {e}", "{e}, shown with dots", "draw dots for {e}", "show {e} as dots",
    "use dots to see that {e}", "dots: {e}", "{name} counts dots: {e}", "counting the dots gives {e}",
    "{e} in dots", "use dots: {e}", "{e}, we count dots", "the dots say {e}", "we put dots: {e}",
    "count dots to find {e}", "dot by dot, {e}", "{name} draws dots to show {e}", "in dots, {e}",
    "{e} (count the dots)", "with the help of dots, {e}", "let the dots be {e}", "a dot picture of {e}",
    "dots make it clear: {e}", "{e} with dots", "{name} uses dots for {e}", "by counting dots, {e}",
    "{e} as rows of dots", "the sum in dots is {e}", "dots help: {e}", "we draw {e} as dots",
    "look at the dots: {e}",
)  # fmt: skip


def equation_terms(spec: Spec) -> tuple[list[tuple[str, str]], str]:
    """The terms (operator, number) and the result of an equation's specification."""
    return list(zip(spec[0], spec[1], strict=True)), spec[2]


def draw_equation(spec: Spec, rng: random.Random) -> np.ndarray:
    terms, result = equation_terms(spec)
    image = canvas.blank()
    for row, (op, number) in enumerate([*terms, ("=", result)]):
        canvas.write(image, row, 0, (op or " ") + number)
    for col, name in enumerate(BARS[terms[1][0]]):
        canvas.icon(image, 7, 1 + col, name)
    return image


def judge_equation(spec: Spec, image: np.ndarray) -> bool:
    """Right is the column with its sign, and the equation to scale, where it can be."""
    return judge_column(spec, image) or scale.judge(spec, image)


def judge_column(spec: Spec, image: np.ndarray) -> bool:
    """Whether a picture is the column of an equation with the sign of its operator."""
    terms, result = equation_terms(spec)
    wanted = "".join(op + number for op, number in terms) + "=" + result
    return readback.read_equation(image) == wanted and canvas.same(
        image, draw_equation(spec, random.Random(0))
    )


def _phrase_equation(spec: Spec, rng: random.Random, held_out: bool) -> str:
    return phrasing.equation_step(*equation_terms(spec), rng, held_out)


def _specify_bars(rng: random.Random) -> Spec:
    """`a op b = c` on integers up to 999; in one of four the result is wrong, so that it must be copied."""
    op = rng.choice("+-*/")
    a, b = _magnitude(rng), _magnitude(rng)
    if op == "+":
        a, b, c = a, b, a + b
    elif op == "-":
        a, b = max(a, b), min(a, b)
        c = a - b
    else:
        small, other = rng.randint(1, 60), rng.choice((rng.randint(1, 15), rng.randint(1, 99)))
        product = small * other
        a, b, c = (small, other, product) if op == "*" else (product, other, small)
    if rng.random() < 0.25 or max(a, b, c) > 999:
        a, b, c = (x if x <= 999 else _magnitude(rng) for x in (a, b, c))
        c = _magnitude(rng) if rng.random() < 0.7 else c
    return ("", op), (str(a), str(b)), str(c)


def specify_chain(rng: random.Random) -> Spec:
    """Longer equations: three to five terms, brackets, decimals, percentages, thousands."""
    count = rng.choices((2, 3, 4, 5), (5, 6, 2, 1))[0]
    ops = [rng.choice("+-*/") for _ in range(count - 1)]
    if rng.random() < 0.5:
        ops = [rng.choice("++-*")] * (count - 1)
    numbers = [_wild_number(rng, plain=count > 2 and rng.random() < 0.7) for _ in range(count)]
    if count > 2 and rng.random() < 0.3:
        start = rng.randint(0, count - 2)
        numbers[start], numbers[start + 1] = "(" + numbers[start], numbers[start + 1] + ")"
    result = _wild_number(rng, plain=rng.random() < 0.5)
    if count == 2 and all(x.isdigit() and len(x) < 4 for x in (*numbers, result)):
        numbers[0] = str(rng.randint(1000, 99999))
    if rng.random() < 0.05 and "-" not in result:
        result = "-" + result
    return ("", *ops), tuple(numbers), result


def _magnitude(rng: random.Random) -> int:
    return rng.choice((rng.randint(1, 12), rng.randint(2, 99), rng.randint(2, 99), rng.randint(100, 999)))


def _wild_number(rng: random.Random, plain: bool) -> str:
    draw = rng.random()
    if plain or draw < 0.25:
        return str(_magnitude(rng))
    if draw < 0.5:
        return str(rng.randint(1000, 9999) if rng.random() < 0.7 else rng.randint(10000, 99999))
    if draw < 0.85:
        places = rng.choice((1, 2, 2))
        whole = rng.choice(("", "0", str(rng.randint(0, 9)), str(rng.randint(1, 99))))
        return f"{whole}.{rng.randint(1, 10**places - 1):0{places}d}"
    return f"{rng.randint(1, 100)}%"


def _specify_rows(rng: random.Random) -> Spec:
    return rng.choice(_COUNTS), rng.choice(list(canvas.COLORS)), rng.choice(canvas.SHAPES)


def _specify_scatter(rng: random.Random) -> Spec:
    return rng.randint(1, 10), rng.choice(list(canvas.COLORS)), rng.choice(canvas.SHAPES)


def _draw_rows(spec: Spec, rng: random.Random) -> np.ndarray:
    return _place(range(spec[0]), spec)


def _draw_scatter(spec: Spec, rng: random.Random) -> np.ndarray:
    return _place(_SCATTER[: spec[0]], spec)


def _place(places, spec: Spec) -> np.ndarray:
    image = canvas.blank()
    for place in places:
        canvas.shape(image, place // 4 * 2, place % 4 * 2, spec[2], spec[1])
    return image


def _judge_rows(spec: Spec, image: np.ndarray) -> bool:
    return canvas.same(image, _draw_rows(spec, random.Random(0)))


def _judge_scatter(spec: Spec, image: np.ndarray) -> bool:
    """Right wherever the shapes lie: their number, form and colour count."""
    truth = canvas.blank()
    found = 0
    for place in range(16):
        one = _place([place], spec)
        row, col = place // 4 * 16, place % 4 * 16
        area = np.s_[row : row + 16, col : col + 16]
        if (image[area] < 150).any():
            truth[area] = one[area]
            found += 1
    return found == spec[0] and canvas.same(image, truth)


def _phrase_count(options: tuple[str, ...]):
    def phrase(spec: Spec, rng: random.Random, held_out: bool) -> str:
        count, color, shape = spec
        text = rng.choice(templates(options, held_out)).replace("{n}", str(count)).replace("{color}", color)
        text = text.replace("{shape}", shape + ("" if count == 1 else "es" if shape == "cross" else "s"))
        return dressing.dress(words.fill(text, rng), rng, held_out)

    return phrase


def _specify_dots(rng: random.Random) -> Spec:
    if rng.random() < 0.5:
        a, b = rng.randint(1, 8), rng.randint(1, 8)
        return a, "+", b, a + b
    a = rng.randint(1, 8)
    b = rng.randint(1, a)
    return a, "-", b, a - b


def _draw_dots(spec: Spec, rng: random.Random) -> np.ndarray:
    a, op, b, c = spec
    image = canvas.blank()
    canvas.write(image, 0, 0, f"{a}{op}{b}={c}")
    for col in range(a):
        canvas.icon(image, 3, col, "dot_blue")
    for col in range(b):
        canvas.icon(image, 5, col, "dot_orange" if op == "+" else "dot_gone")
    return image


def _judge_dots(spec: Spec, image: np.ndarray) -> bool:
    return canvas.same(image, _draw_dots(spec, random.Random(0)))


def _phrase_dots(spec: Spec, rng: random.Random, held_out: bool) -> str:
    a, op, b, c = spec
    blank = rng.choice(("", " "))
    equation = f"{a}{blank}{op}{blank}{b}{blank}={blank}{c}"
    text = rng.choice(templates(_DOTS_TEXT, held_out)).replace("{e}", equation)
    return dressing.dress(words.fill(text, rng), rng, held_out)


KINDS = (
    Kind("bars", "quantity", _specify_bars, _phrase_equation, draw_equation, judge_equation),
    Kind("chain", "quantity", specify_chain, _phrase_equation, draw_equation, judge_equation),
    Kind("dots", "quantity", _specify_dots, _phrase_dots, _draw_dots, _judge_dots),
    Kind("rows", "quantity", _specify_rows, _phrase_count(_ROWS_TEXT), _draw_rows, _judge_rows),
    Kind(
        "scatter", "quantity", _specify_scatter, _phrase_count(_SCATTER_TEXT), _draw_scatter, _judge_scatter
    ),
)
