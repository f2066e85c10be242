"""Spoken: equations said in words, as solutions say them between their sums.

`{a}` and `{b}` are the operands in the order in which they are drawn, `{c}` the result, `{f}` a fraction in words or
digits. The templates of one relation all mean the same drawing; each sixth is held out. They stand in `phrases.toml`.
"""

from __future__ import annotations

import random

from zero_engine.world import dressing, words
from zero_engine.world.splits import phrases, templates

ADD, SUBTRACT, MULTIPLY, DIVIDE, TWICE, FRACTION, DIFFERENCE = (
    phrases("spoken", name)
    for name in ("add", "subtract", "multiply", "divide", "twice", "fraction", "difference")
)
BY_OPERATOR = {"+": ADD, "-": SUBTRACT, "*": MULTIPLY, "/": DIVIDE}

_OPERATORS = {"": "", "+": "plus", "-": "minus", "*": "times", "/": "divided by"}
_PARTS = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth"}
_COUNTS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)


def say(options: tuple[str, ...], numbers: tuple[str, ...], rng: random.Random, held_out: bool) -> str:
    """A statement of one of the templates, dressed. `numbers` are a, b, c as drawn; a may be a fraction."""
    first, second, third = (spelled(number, rng) for number in numbers)
    text = words.fill(rng.choice(templates(options, held_out)), rng)
    for slot, number in (("{a}", first), ("{f}", first), ("{b}", second), ("{c}", third)):
        text = text.replace(slot, number)
    return dressing.dress(text, rng, held_out)


def say_chain(
    ops: tuple[str, ...], numbers: tuple[str, ...], result: str, rng: random.Random, held_out: bool
) -> str:
    """Two operators in words: `9 plus 9 plus 3 equals 21`."""
    terms = " ".join(
        f"{_OPERATORS[op]} {spelled(number, rng)}" for op, number in zip(ops, numbers, strict=True)
    )
    text = words.fill(rng.choice(templates(phrases("spoken", "chain"), held_out)), rng)
    return dressing.dress(
        text.replace("{e}", terms.strip()).replace("{c}", spelled(result, rng)), rng, held_out
    )


def spelled(number: str, rng: random.Random) -> str:
    """A number as texts spell it: with commas or a dollar sign, small ones in words, fractions in either way."""
    if "/" in number:
        return fraction(number, rng)
    if number.isdigit() and int(number) < len(_COUNTS) and rng.random() < 0.12:
        return _COUNTS[int(number)]
    if number.isdigit() and len(number) > 3 and rng.random() < 0.75:
        number = f"{int(number):,}"
    if number.endswith("%") and rng.random() < 0.25:
        return number[:-1] + " percent"
    return "$" + number if number[0].isdigit() and "%" not in number and rng.random() < 0.15 else number


def fraction(number: str, rng: random.Random) -> str:
    """1/2 -> half, 2/3 -> two thirds, or in digits."""
    above, below = map(int, number.split("/"))
    if below not in _PARTS or above >= len(_COUNTS) or rng.random() < 0.35:
        return number
    part = "fourth" if below == 4 and rng.random() < 0.5 else _PARTS[below]
    if above == 1:
        return "half" if below == 2 else f"{rng.choice(('a', 'one', 'a', 'one', 'one'))} {part}"
    return f"{_COUNTS[above]}{rng.choice((' ', '-', ' '))}{part}s"
