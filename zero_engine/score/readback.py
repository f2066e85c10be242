"""Read-back: what is written in the drawing, against what the step says.

A wrong drawing can be confident, and no likelihood says "I don't know". But a nano picture can be read, and what
the step does not say was invented.

    a figure is drawn                1 if it is whole and all of it is what the step names, 0 if it names another
    something else is drawn          0 if the step surely names a figure: another one, a broken one, or none
    an equation is drawn             1 if it is whole and the step contains it, else 0
    numbers are drawn, no equation   1 if each of them is in the step, else 0
    none of these                    absent: there is nothing to compare

Figures are those of the nano world: counted shapes, two shapes and their relation, a row with an arrow, boards,
rectangles, circles, triangles, dots (`world.reading`). A figure that fits one of several readings of a text
agrees with it, and a step whose numbers only stand in a sentence names no figure.

A step contains an equation if its numbers and operators hold that sequence, whatever words, units, brackets
or signs of currency stand between: `$3 x 4 = $12`, `3 apples * 4 = 12` and `3 \\times 4 = 12` all contain
3*4=12. It must not begin or end inside a longer sum: `2 + 3 * 4 = 14` does not contain 3*4=14, nor `60 * 4/5 =
240/5` 60*4/5=240. A step that writes
no `=`, or names an operator, says its equation in words (`3 times 4 makes 12`): there the numbers must all
be in it, and so must the operators where it names any. Numbers up to twenty count as words, too.

Reading is exact for the nano model's ink (its board's row and column numbers say nothing and are left
out), and tried on pictures of nano's size only; `read` makes room for an OCR of others. 4,000 pictures/s on one
core, texts included.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

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
_BULLET = re.compile(r"(?:^|(?<=[.,;:!?]\s)|(?<=\band\s)|(?<=\bso\s))\s*[-–*•]\s+", re.MULTILINE)
_UNIT = re.compile(  # a per b, two-thirds, a 15-year plan: no operators
    r"(?<=[^\W\d_])[-/](?=[^\W\d_])|/(?=[^\W\d_])|(?<=\d)-(?=[^\W\d_]{2})"
)
_LETTER_X = re.compile(
    r"(?:(?<=[\d)%])\s*|(?<=\s))[xX]\s*(?=[$(\d.])|(?<=[^\W\d_]{2})[xX](?=\$?[\d.])"  # 3 x 4, 3 pensx4
)
_WHOLE = re.compile(r"[^=]*\d[^=]*[-+*/][^=]*\d[^=]*=[^=]*\d[^=]*")
_TOKEN = re.compile(rf"({_NUMBER})|([-+*/=])|([^\W\d_]+)")
_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()
_WORD_OPERATORS = {"plus": "+", "minus": "-", "times": "*", "multiplied": "*", "divided": "/"}
_WORD_OPERATORS |= {"sum": "+", "adding": "+", "product": "*", "dividing": "/"}
_BETWEEN = {"and": "plus", "less": "minus", "take away": "minus", "over": "divided"}
_BETWEEN_NUMBERS = re.compile(  # 3 and 4 make 7, 9 less 2, 6 over 3
    rf"(?<=[\d%])\s+(?:(and)(?=\s+\$?(?:{_NUMBER})%?\s+makes?\b)|(less|take away|over)(?=\s+\$?[\d.]))"
)
_WORD_NUMBERS = {word: str(value) for value, word in enumerate(_WORDS)}


@dataclass(frozen=True, slots=True)
class _Said:
    """What a step says in numbers."""

    tokens: list[str]
    """Numbers and operators, in order."""
    starts: set[int]
    """Places of operators whose left side is a lone letter: `x - 3 = 4` goes on with nothing that stands before it."""
    numbers: Counter[str]
    """Those of the tokens, and those spelled as words, with how often each is named."""
    operators: set[str]
    """Likewise."""
    in_words: bool
    """Whether it may say an equation in words: it names an operator, or writes no `=`."""


Reader = Callable[[np.ndarray], tuple[str | None, list[str]]]
"""A picture to its equation (None where there is none) and the numbers in it."""


def readback(image_HW3: np.ndarray, text: str, read: Reader | None = None) -> float | None:
    """1 where what is drawn agrees with the step, 0 where it contradicts it, None where nothing compares."""
    if read is None and _nano_size(image_HW3):
        from zero_engine.world.reading import agrees, read_figure

        verdict = agrees(read_figure(image_HW3), text)
        if verdict is not None:
            return float(verdict)
    said = _parse(text)
    if not said.numbers:
        return None
    equation, drawn = (read or read_nano)(image_HW3)
    if equation is not None:
        return float(_is_whole(equation) and _contains(said, _parse(equation).tokens))
    if drawn:
        return float(all(_plain(number) in said.numbers for number in drawn))
    return None


def read_nano(image_HW3: np.ndarray) -> tuple[str | None, list[str]]:
    """The equation, whole or broken off, and the numbers in a nano picture; nothing in one of another size."""
    from zero_engine.world.glyphs import read_glyphs

    if not _nano_size(image_HW3):
        return None, []
    glyphs = read_glyphs(image_HW3)
    text = "".join(char for _, _, char in glyphs)
    return (text, []) if set(text) & set("+-*/") else (None, _runs(_without_board(glyphs)))


def is_nothing(image_HW3: np.ndarray) -> bool:
    """Whether a picture is the nano model's sign for "no drawing fits"."""
    from zero_engine.world import glyphs as nano

    return _nano_size(image_HW3) and nano.is_nothing(image_HW3)


def _nano_size(image_HW3: np.ndarray) -> bool:
    from zero_engine.world.canvas import SIDE

    return image_HW3.shape == (SIDE, SIDE, 3)


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
    return [number for number in numbers if re.fullmatch(_NUMBER, number)]


def _parse(text: str) -> "_Said":
    text = _FRACTION.sub(r" \1/\2 ", _NOTE.sub("", text))
    text = _BULLET.sub(" ", text)
    for spelling, operator in (_LATEX | _OPERATORS).items():
        text = text.replace(spelling, operator)
    text = _UNIT.sub(" ", _LETTER_X.sub("*", text))
    text = _BETWEEN_NUMBERS.sub(lambda found: f" {_BETWEEN[found[1] or found[2]]}", text)
    tokens: list[str] = []
    starts: set[int] = set()
    variable = False
    numbers: Counter[str] = Counter()
    operators: set[str] = set()
    in_words = False
    for found in _TOKEN.finditer(text):
        number, operator, word = found.groups()
        if operator and variable:
            starts.add(len(tokens))
        variable = bool(word) and len(word) == 1 and not text[max(found.start() - 1, 0)].isdigit()
        if number:
            tokens.append(_plain(number))
            numbers[tokens[-1]] += 1
        elif operator:
            tokens.append(operator)
            operators.add(operator)
        elif word.lower() in _WORD_NUMBERS:
            numbers[_WORD_NUMBERS[word.lower()]] += 1
        elif word.lower() in _WORD_OPERATORS:
            operators.add(_WORD_OPERATORS[word.lower()])
            in_words = True
    return _Said(tokens, starts, numbers, operators, in_words or "=" not in operators)


def _plain(number: str) -> str:
    """One spelling a number: 1,000 -> 1000, 05 -> 5, 2.50 -> 2.5, .5 -> 0.5."""
    whole, _, fraction = number.replace(",", "").partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def _is_whole(equation: str) -> bool:
    """Whether it has two sides, with an operator on the first, no letter but x, and brackets that close."""
    strange = re.search(r"[^\W\d_xX]", equation) or equation.count("(") != equation.count(")")
    return _WHOLE.fullmatch(equation) is not None and not strange


def _contains(said: _Said, equation: list[str]) -> bool:
    """Whether a step holds an equation, not as a part of a longer sum; or says it in words."""
    tokens, size = said.tokens, len(equation)
    for start in range(len(tokens) - size + 1):
        end = start + size
        begins_inside = start > 1 and tokens[start - 1] in "+-*/" and tokens[start - 2] not in "+-*/="
        ends_inside = (
            end + 1 < len(tokens)
            and end not in said.starts
            and tokens[end] in "+-*/"
            and tokens[end + 1] not in "+-*/="
        )
        if tokens[start:end] == equation and not begins_inside and not ends_inside:
            return True
    if not said.in_words:
        return False
    drawn = set(equation) & set("+-*/")
    terms, result = equation[:-1], equation[-1]
    return (
        set(equation) - set("+-*/=") <= set(said.numbers)
        and said.numbers[result] > (result in terms)  # 8 x 14 is not 14 unless 14 is named twice
        and (not said.operators or drawn <= said.operators)
    )
