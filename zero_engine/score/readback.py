"""Read-back: what is written in the drawing, against what the step says.

A wrong drawing can be confident, and no likelihood says "I don't know". But an equation in a picture can be
read, and one that the step does not contain was invented.

    an equation is drawn         1 if the step contains it, else 0
    numbers are drawn, no equation   1 if each of them is in the step, else 0
    neither, or a step without a number   absent: there is nothing to compare

A step contains an equation if its numbers and operators hold that sequence, whatever words, units, brackets
or signs of currency stand between: `$3 x 4 = $12`, `3 apples * 4 = 12` and `3 \\times 4 = 12` all contain
3*4=12. It must not begin inside a longer sum: `2 + 3 * 4 = 14` does not contain 3*4=14.

Reading is exact for the nano model's glyphs, and tried on any picture of nano's size; `read` makes room for
an OCR of other pictures.
"""

import re
from collections.abc import Callable

import numpy as np

_NUMBER = r"\d[\d,]*(?:\.\d+)?|\.\d+"
_OPERATORS = {
    "×": "*",
    "∗": "*",
    "⋅": "*",
    "·": "*",
    "÷": "/",
    "∕": "/",
    "−": "-",
    "–": "-",
    "＝": "=",
    "＋": "+",
}
_LATEX = {r"\times": "*", r"\cdot": "*", r"\div": "/", r"\ast": "*"}
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_NOTE = re.compile(r"<<[^<>]*>>")
_BULLET = re.compile(r"^\s*[-–*•]\s+", re.MULTILINE)
_LETTER_X = re.compile(r"(?<=[\d)%])\s*[xX]\s*(?=[$(\d.])")
_TOKEN = re.compile(rf"({_NUMBER})|([-+*/=])|([^\W\d_]+)")
_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()
_WORD_NUMBERS = {word: str(value) for value, word in enumerate(_WORDS)}

Reader = Callable[[np.ndarray], tuple[str | None, list[str]]]
"""A picture to its equation (None where there is none) and the numbers in it."""


def readback(image_HW3: np.ndarray, text: str, read: Reader | None = None) -> float | None:
    """1 where what is drawn agrees with the step, 0 where it contradicts it, None where nothing compares."""
    tokens, worded = _tokens(text)
    numbers = {token for token in tokens if token not in "+-*/="} | worded
    if not numbers:
        return None
    equation, drawn = (read or read_nano)(image_HW3)
    if equation is not None:
        return float(_contains(tokens, _tokens(equation)[0]))
    if drawn:
        return float(all(_plain(number) in numbers for number in drawn))
    return None


def read_nano(image_HW3: np.ndarray) -> tuple[str | None, list[str]]:
    """The equation and the numbers in a picture of the nano model; nothing in a picture of another size."""
    from zero_engine.models.nano.readback import read_equation, read_glyphs
    from zero_engine.models.nano.world.canvas import SIDE

    if image_HW3.shape != (SIDE, SIDE, 3):
        return None, []
    glyphs = read_glyphs(image_HW3)
    return read_equation(image_HW3), _runs(glyphs)


def is_nothing(image_HW3: np.ndarray) -> bool:
    """Whether a picture is the nano model's sign for "no drawing fits"."""
    from zero_engine.models.nano import readback as nano
    from zero_engine.models.nano.world.canvas import SIDE

    return image_HW3.shape == (SIDE, SIDE, 3) and nano.is_nothing(image_HW3)


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
    return [number for number in numbers if re.fullmatch(_NUMBER, number)]


def _tokens(text: str) -> tuple[list[str], set[str]]:
    """Numbers and operators of a text in order, and the numbers that it spells as words."""
    text = _FRACTION.sub(r" \1/\2 ", _NOTE.sub("", text))
    text = _BULLET.sub(" ", text)
    for spelling, operator in (_LATEX | _OPERATORS).items():
        text = text.replace(spelling, operator)
    text = _LETTER_X.sub("*", text)
    tokens: list[str] = []
    worded: set[str] = set()
    for number, operator, word in _TOKEN.findall(text):
        if number:
            tokens.append(_plain(number))
        elif operator:
            tokens.append(operator)
        elif word.lower() in _WORD_NUMBERS:
            worded.add(_WORD_NUMBERS[word.lower()])
    return tokens, worded


def _plain(number: str) -> str:
    """One spelling a number: 1,000 -> 1000, 05 -> 5, 2.50 -> 2.5, .5 -> 0.5."""
    whole, _, fraction = number.replace(",", "").partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def _contains(tokens: list[str], equation: list[str]) -> bool:
    """Whether the tokens hold the equation, not as the tail of a longer sum."""
    size = len(equation)
    for start in range(len(tokens) - size + 1):
        inside_longer = start > 1 and tokens[start - 1] in "+-*/" and tokens[start - 2] not in "+-*/="
        if tokens[start : start + size] == equation and not inside_longer:
            return True
    return False
