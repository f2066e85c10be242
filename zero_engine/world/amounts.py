"""Amounts: kinds of equations that are drawn to scale (`zero_engine.world.scale`).

sum, difference, product, quotient, fraction, percent, line (a negative number, or a difference), two (two operators),
and `long`: equations that no scale fits, in a column as before. Their texts write the equation, or say it in words.

They hold out the same equations as `bars` and `chain`, whose texts are the same and whose drawings they replace.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from zero_engine.world import phrasing, quantity, scale, spoken
from zero_engine.world.kind import Kind, Spec
from zero_engine.world.scale import value_of

IN_WORDS = 0.4
"""The share of right equations that are said in words."""
CHAIN_IN_WORDS = 0.15
WRONG = 0.12
"""The share of equations whose result is not what the terms come to: it has to be copied, not computed."""


def equation_split(spec: Spec) -> str:
    """bars for two whole numbers up to 999, else chain: whose held-out equations a specification belongs to."""
    plain = len(spec[1]) == 2 and all(number.isdigit() and len(number) < 4 for number in (*spec[1], spec[2]))
    return "bars" if plain else "chain"


def written(value: float) -> str:
    """A number as drawn: whole, or with at most two decimals."""
    return str(round(value)) if abs(value - round(value)) < 1e-9 else f"{value:.2f}".rstrip("0").rstrip(".")


def is_right(spec: Spec) -> bool:
    """Whether the result is what the terms come to, up to rounding; by the rules of precedence."""
    return abs(result_of(spec) - (value_of(spec[2]) or 0.0)) < 0.006


def result_of(spec: Spec) -> float:
    """What the terms come to."""
    base, sign, held = 0.0, 1, _value(spec[1][0].strip("("))
    for op, number in zip(spec[0][1:], spec[1][1:], strict=True):
        value = _value(number.strip("()"))
        if op in "+-":
            base, sign, held = base + sign * held, (1 if op == "+" else -1), value
        else:
            held = held * value if op == "*" else held / value
        if number.endswith(")"):
            base, sign, held = 0.0, 1, base + sign * held
    return base + sign * held


def _value(number: str) -> float:
    value = value_of(number)
    assert value is not None, f"a term is a number, not {number!r}"
    return value


def _amount(rng: random.Random, largest: int = 99999) -> float:
    """A number as word problems have them."""
    draw = rng.random()
    if draw < 0.45:
        value: float = rng.randint(1, 20)
    elif draw < 0.7:
        value = rng.randint(11, 99)
    elif draw < 0.85:
        value = rng.choice((rng.randint(100, 999), 10 * rng.randint(10, 99), 100 * rng.randint(1, 9)))
    elif draw < 0.92:
        value = rng.choice((rng.randint(1000, 99999), 1000 * rng.randint(1, 99), 100 * rng.randint(10, 99)))
    else:
        value = rng.choice((rng.randint(1, 99) / 2, rng.randint(1, 999) / 100, rng.randint(1, 99) / 10))
    return value if value <= largest else rng.randint(1, largest)


def _spec(
    ops: tuple[str, ...], values: tuple[float | str, ...], rng: random.Random, wrong: float = WRONG
) -> Spec:
    numbers = tuple(value if isinstance(value, str) else written(value) for value in values)
    result = written(result_of((ops, numbers, "0")))
    if rng.random() < wrong:
        result = written(abs(_amount(rng)))
    return ops, numbers, result


def _specifier(
    make: Callable[[random.Random], Spec], form: str | None = None
) -> Callable[[random.Random], Spec]:
    """Specifications of `make` that can be drawn."""

    def specify(rng: random.Random) -> Spec:
        while True:
            spec = make(rng)
            if scale.layouts(spec, form):
                return spec

    return specify


def _sum(rng: random.Random) -> Spec:
    return _spec(("", "+"), (_amount(rng), _amount(rng)), rng)


def _difference(rng: random.Random) -> Spec:
    a, b = sorted((_amount(rng), _amount(rng)), reverse=True)
    return _spec(("", "-"), (a, b), rng)


def _product(rng: random.Random) -> Spec:
    a: float
    b: float
    draw = rng.random()
    if draw < 0.3:
        a, b = rng.randint(1, 5), rng.randint(1, 8)
    elif draw < 0.75:
        a, b = rng.randint(2, 32), _amount(rng)
    else:
        a, b = _amount(rng, 999), _amount(rng, 999)
    return _spec(("", "*"), (a, b) if rng.random() < 0.5 else (b, a), rng)


def _quotient(rng: random.Random) -> Spec:
    b: float
    c: float
    draw = rng.random()
    if draw < 0.3:
        b, c = rng.randint(1, 5), rng.randint(1, 6)
    elif draw < 0.8:
        b, c = rng.randint(2, 32), _amount(rng, 999)
    else:
        b, c = _amount(rng, 999), rng.randint(1, 99)
    if rng.random() < 0.1:
        return _spec(("", "/"), (rng.randint(1, 99), rng.choice((2, 4, 5, 8, 10))), rng)
    return _spec(("", "/"), (written(b * c), b), rng)


def _fraction(rng: random.Random) -> Spec:
    below = rng.choice((2, 2, 3, 3, 4, 4, 5, 6, 7, 8))
    above = rng.randint(1, below - 1) if rng.random() < 0.6 else 1
    whole: float = below * rng.randint(1, 60) if rng.random() < 0.8 else _amount(rng)
    part = f"{above}/{below}"
    return _spec(("", "*"), (part, whole) if rng.random() < 0.7 else (whole, part), rng)


def _percent(rng: random.Random) -> Spec:
    share = rng.choice(
        (5 * rng.randint(1, 20), 10 * rng.randint(1, 10), rng.randint(1, 100), 25 * rng.randint(1, 8))
    )
    number = f"{share}%"
    if rng.random() < 0.4:
        number = written(share / 100)
    whole = rng.choice((10 * rng.randint(1, 100), rng.randint(1, 99), _amount(rng)))
    return _spec(("", "*"), (number, whole) if rng.random() < 0.5 else (whole, number), rng)


def _line(rng: random.Random) -> Spec:
    draw, high = rng.random(), rng.choice((7, 12, 40, 99, 500))
    a, b = rng.randint(0, high), rng.randint(1, high)
    if draw < 0.15:
        return _spec(("", "+"), (-b, rng.randint(1, high)), rng, wrong=0)
    if draw < 0.3:
        return _spec(("", "-"), (-b, rng.randint(1, high)), rng, wrong=0)
    return _spec(("", "-"), (a, b) if draw < 0.7 else (min(a, b), max(a, b)), rng, wrong=0)


def _two(rng: random.Random) -> Spec:
    """Two operators, the kinds of pairs that word problems have most often more often."""
    pairs = ("++", "++", "++", "--", "-+", "+-", "**", "*+", "+*", "*-", "-*", "*/", "/+", "//", "+/",
             "(+*", "(-*", "(+/", "(-/")  # fmt: skip
    while True:
        ops = rng.choice(pairs)
        in_brackets, ops = ops[0] == "(", ops.strip("(")
        small = [_amount(rng, 99) if op in "*/" else _amount(rng) for op in ("+", *ops)]
        if ops[0] in "*/" and ops[1] in "+-":
            small[0] = _amount(rng, 999)
        if rng.random() < 0.6:
            small = [float(round(value)) or 1.0 for value in small]
        numbers = tuple(written(value) for value in small)
        if in_brackets:
            numbers = "(" + numbers[0], numbers[1] + ")", numbers[2]
        spec = ("", *ops), numbers, "0"
        if "0" in numbers or is_fraction(spec):
            continue
        total = result_of(spec)
        if 0 <= total < 1e6 and (abs(total * 100 - round(total * 100)) < 1e-6):
            return _spec(spec[0], numbers, rng)


def is_fraction(spec: Spec) -> bool:
    """Whether the three terms are a proper fraction of something: 3/4 * 60, 60 * 3/4. Those are drawn as such."""
    ops, numbers, _ = spec
    places = {("", "/", "*"): (0, 1), ("", "*", "/"): (1, 2)}.get(ops)
    if not places or not all(numbers[place].isdigit() for place in places):
        return False
    return int(numbers[places[0]]) < int(numbers[places[1]]) <= 16


def _long(rng: random.Random) -> Spec:
    while True:
        spec = quantity.specify_chain(rng)
        if not scale.layouts(spec) and not is_fraction(spec):
            return spec


def _phrase(options: Callable[[Spec], tuple[str, ...]], always: bool = False):
    """Says right equations in words, or writes them; `always`: in words where no minus sign says what is drawn."""

    def phrase(spec: Spec, rng: random.Random, held_out: bool) -> str:
        ops, numbers, result = spec
        in_words = always and not any("-" in number for number in (*numbers, result))
        if in_words or (len(numbers) == 2 and is_right(spec) and rng.random() < IN_WORDS):
            part_last = value_of(numbers[1]) is not None and ("/" in numbers[1] or "%" in numbers[1])
            said = (numbers[1], numbers[0]) if part_last else numbers
            return spoken.say(options(spec), (*said, result), rng, held_out)
        if len(numbers) == 3 and "(" not in numbers[0] and is_right(spec) and rng.random() < CHAIN_IN_WORDS:
            return spoken.say_chain(ops, numbers, result, rng, held_out)
        numbers = tuple(_grouped(number, rng) for number in numbers)
        return phrasing.equation_step(list(zip(ops, numbers, strict=True)), result, rng, held_out)

    return phrase


def _grouped(number: str, rng: random.Random) -> str:
    """A fraction as it is written in an equation, in brackets or not."""
    return f"({number})" if "/" in number and rng.random() < 0.5 else number


def _words_for(spec: Spec) -> tuple[str, ...]:
    ops, numbers, _ = spec
    if ops[1] == "*" and numbers[0] == "2":
        return spoken.TWICE + spoken.MULTIPLY
    if ops[1] == "*" and any("/" in number or "%" in number for number in numbers):
        return spoken.FRACTION
    return spoken.BY_OPERATOR[ops[1]]


def _kind(name: str, make: Callable[[random.Random], Spec], form: str | None = None) -> Kind:
    return Kind(
        name,
        "quantity",
        _specifier(make, form),
        _phrase(
            lambda spec: spoken.DIFFERENCE if form == "line" and spec[0][1] == "-" else _words_for(spec),
            form == "line",
        ),
        lambda spec, rng: scale.draw(spec, rng, form),
        lambda spec, image: scale.judge(spec, image, form),
        split=equation_split,
    )


def _draw_long(spec: Spec, rng: random.Random) -> np.ndarray:
    return quantity.draw_equation(spec, rng)


KINDS = (
    _kind("sum", _sum),
    _kind("difference", _difference),
    _kind("product", _product),
    _kind("quotient", _quotient),
    _kind("fraction", _fraction),
    _kind("percent", _percent),
    _kind("line", _line, "line"),
    _kind("two", _two),
    Kind(
        "long",
        "quantity",
        _long,
        _phrase(_words_for),
        _draw_long,
        quantity.judge_column,
        split=equation_split,
    ),
)
