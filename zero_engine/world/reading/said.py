"""Said: what a step's text names that can be drawn.

Found by form, not by template: a colour before a shape, `row R, column C` or `(R, C)`, a direction with a count, groups
of capital letters, numbers. What cannot be read with certainty is left out, so that nothing is held against it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from zero_engine.world import canvas
from zero_engine.world.grid import MOVES, SIZE

_COLOR = "|".join(canvas.COLORS)
_SHAPE = "|".join(canvas.SHAPES)
_COUNT_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
).split()
_ORDINALS = ("first", "second", "third", "fourth")
_LEAD = re.compile(r"^\s*(?:step\s+)?\d[\d.,]*\s*[.:)]\s+", re.IGNORECASE)
_AREA = re.compile(
    r"\bsquare (?=(?:feet|foot|ft|inch|inches|yards?|miles?|units?|roots?|acres?|[ckm]?m"
    r"|(?:centi|kilo|milli)?met(?:er|re)s?)\b)",
    re.IGNORECASE,
)
_THING = re.compile(rf"\b(?:(an?|the)\s+)?(?:({_COLOR})[- ])?({_SHAPE})\b", re.IGNORECASE)
_SHAPES = re.compile(rf"\b(?:({_COLOR})[- ])?({_SHAPE})(?:e?s)?\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\d.,])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\d])")
_CELL = re.compile(
    r"(?:\b(?:the )?(?:cell|square|field) )?(?:\brow (\d+)(?:,| and)*(?: in)? column (\d+)|\((\d+),\s*(\d+)\))",
    re.IGNORECASE,
)
_ICON = re.compile(rf"\b({'|'.join(canvas.ICONS)})\b", re.IGNORECASE)
_WAY = "|".join(MOVES)
_MOVE = re.compile(
    rf"\b(\d+) (?:(?:steps?|cells?|squares?|fields?|places?) )?(?:to the )?({_WAY})\b|\b({_WAY})(?: by)? (\d+)\b",
    re.IGNORECASE,
)
_BARE_MOVE = re.compile(rf"\b({_WAY})\b(?! of\b)", re.IGNORECASE)
_RELATIONS = re.compile(
    r"\b(left of|right of|(?<!see )above|over|on top of|below|under|beneath)\b", re.IGNORECASE
)
_MEANING = {"over": "above", "on top of": "above", "under": "below", "beneath": "below"}
_ORDINAL = re.compile(
    rf"\b(?:({'|'.join(_ORDINALS)}) (?:one|shape|thing|object|figure)|(?:number|no\.) ?(\d+))\b",
    re.IGNORECASE,
)
_EQUATION = re.compile(r"\d[^=]*[-+*/×÷–−xX][^=]*\d[^=]*=|\d[^=]*\b(?:plus|minus|times)\b")


@dataclass(frozen=True)
class Mention:
    """A shape that is named in the singular, where it starts, and maybe its colour."""

    color: str | None
    shape: str
    definite: bool
    start: int


@dataclass(frozen=True)
class Path:
    """Cells in the order in which they are visited, the move that follows, and whether it is certain."""

    cells: list[tuple[int, int]]
    moves: list[tuple[str, int]]
    certain: bool


def statement(text: str) -> str:
    """The text without its step's number in front, and without units of area."""
    return _AREA.sub("", _LEAD.sub("", text))


def mentions(text: str) -> list[Mention]:
    return [
        Mention(
            color.lower() if color else None, shape.lower(), (article or "").lower() == "the", found.start()
        )
        for found in _THING.finditer(text)
        for article, color, shape in (found.groups(),)
    ]


def colored(text: str) -> list[tuple[str, str]]:
    """All (colour, shape) that stand side by side, singular or plural."""
    return [(color.lower(), shape.lower()) for color, shape in _SHAPES.findall(text) if color]


def shapes(text: str) -> set[str]:
    return {shape.lower() for _, shape in _SHAPES.findall(text)}


def colors(text: str) -> set[str]:
    return {color.lower() for color in re.findall(rf"\b({_COLOR})\b", text, re.IGNORECASE)}


def numbers(text: str) -> list[str]:
    """Numbers in digits, in order, without thousands commas."""
    return [number.replace(",", "") for number in _NUMBER.findall(text)]


def count_words(text: str, shape: str) -> set[str]:
    """Numbers spelled as words, or an article in the singular, in front of a shape and maybe its colour."""
    words = "|".join(_COUNT_WORDS)
    plural = re.findall(rf"\b({words})\s+(?:\w+\s+)?{shape}(?:e?s)?\b", text, re.IGNORECASE)
    single = re.search(rf"\ban?\s+(?:\w+\s+)?{shape}\b", text, re.IGNORECASE)
    return {str(_COUNT_WORDS.index(word.lower())) for word in plural} | ({"1"} if single else set())


def ordinals(text: str) -> set[int]:
    """Places, from 0, of `the second one` or `number 2`."""
    return {
        _ORDINALS.index(word.lower()) if word else int(number) - 1 for word, number in _ORDINAL.findall(text)
    }


def relations(text: str) -> list[tuple[str, int]]:
    """(left of | right of | above | below, where) in order."""
    found = []
    for match in _RELATIONS.finditer(text):
        word = match[1].lower()
        found.append((_MEANING.get(word, word), match.start()))
    return found


def cells(text: str) -> list[tuple[int, int]]:
    """Cells (row, column) of a board, in order; nothing where one of them would lie outside it."""
    found = [(int(a or c), int(b or d)) for a, b, c, d in _CELL.findall(text)]
    return found if all(1 <= place <= SIZE for cell in found for place in cell) else []


def icons(text: str) -> list[str]:
    """Icons named in the singular, each once, in order."""
    return list(dict.fromkeys(name.lower() for name in _ICON.findall(text)))


def path(text: str) -> Path:
    """The cells that a text names, last the one where the next move starts, and that move.

    A move with a number is certain. A direction alone is one of the moves that may be meant.
    """
    visited = list(dict.fromkeys(cells(text)))
    pieces = _CELL.sub("§", text)
    between = pieces.split("§")[1:-1]
    if len(visited) == len(between) + 1 == 2 and re.search(r"\b(after|from)\b", between[0], re.IGNORECASE):
        visited.reverse()  # at X after W; at X, where it came from W
    found = [(match.start(), match.groups()) for match in _MOVE.finditer(pieces)]
    if len(visited) > 1 and found and found[0][0] < pieces.rfind("§"):
        visited.pop()  # moves 2 down from W to X: X is where the move ends
    counted = {((way or way_2).lower(), int(count or count_2)) for _, (count, way, way_2, count_2) in found}
    bare = {(way.lower(), 1) for way in _BARE_MOVE.findall(pieces)}
    return Path(visited, sorted(counted or bare), len(counted) == 1)


def letter_groups(text: str) -> list[str]:
    """Groups of one to four capitals that stand alone, in order, without the word I and an article A."""
    article = r"I\b|A [a-z]*(?:right|triangle|perpendicular|median|height|line)\b"
    return re.findall(rf"(?<![\w'.])(?!{article})([A-Z]{{1,4}})(?![\w'])", text)


def speaks_of_cevian(text: str) -> bool:
    """Whether a text names a line in a triangle, by words and by letters of which one is not a corner."""
    groups = letter_groups(text)
    return any(len(group) == 2 for group in groups) and len(set("".join(groups))) > 3 and bool(cevians(text))


def says_equation(text: str) -> bool:
    return _EQUATION.search(text) is not None


def says_right_angle(text: str) -> bool:
    return _has(r"\bright\b|\b90\b|\bperpendicular\b", text)


def cevians(text: str) -> set[str]:
    """Those of altitude and median that words of a text speak for."""
    words = {
        "altitude": r"\b(altitude|height|perpendicular|foot)\b",
        "median": r"\b(median|midpoint|middle|halves|bisects)\b",
    }
    return {what for what, pattern in words.items() if _has(pattern, text)}


def names_figure(text: str) -> bool:
    """Whether a text certainly names something that the nano world draws, and no equation, which is drawn instead."""
    if says_equation(text):
        return False
    counted = rf"\b(?:an?|the|\d+)\s+(?:{_COLOR})[- ](?:{_SHAPE})(?:e?s)?\b"
    if _has(counted, text):
        return True
    if cells(text) and (icons(text) or path(text).certain or _has(r"\b(row|cell)\b", text)):
        return True
    measured = len(numbers(text))
    if _has(r"\brectang(le|ular)\b", text) and measured == 2:
        return True
    if _has(r"\bcirc(le|ular)\b", text) and circle_words(text) and measured == 1:
        return True
    if shapes(text) and colors(text) and measured == 1 and re.search(rf"\d+ (?:{_SHAPE})(?:e?s)?\b", text):
        return True
    sizes = {len(group) for group in letter_groups(text)}
    return (3 in sizes and says_right_angle(text)) or speaks_of_cevian(text)


def says_quarter(text: str) -> bool:
    """Whether a text asks for a part of the picture to be drawn large."""
    return _has(r"\b(top|bottom|upper|lower)[- ](left|right)\b", text)


def outermost(text: str) -> str | None:
    """leftmost, rightmost, topmost or bottommost, where a text names one of them."""
    found = set(re.findall(r"\b(left|right|top|bottom)most\b", text, re.IGNORECASE))
    return found.pop().lower() + "most" if len(found) == 1 else None


def boxed_thing(text: str) -> tuple[str, ...] | None:
    """("thing", colour, shape), ("color", colour) or ("shape", shape): what a text asks to be boxed."""
    found = set(
        re.findall(rf"\b(?:({_COLOR})[- ])?({_SHAPE}|object|shape|thing|one)(?:e?s)?\b", text, re.IGNORECASE)
    )
    named = {
        (color.lower(), shape.lower()) for color, shape in found if color or shape.lower() in canvas.SHAPES
    }
    if len(named) != 1:
        return None
    color, shape = named.pop()
    if shape not in canvas.SHAPES:
        return ("color", color)
    return ("thing", color, shape) if color else ("shape", shape)


def speaks_of_top(text: str) -> bool:
    """Whether a line in a triangle starts at the top, or ends on the base, of a picture that is given."""
    return _has(r"\b(top|upper|base|triangle|foot)\b", text)


def says_dots(text: str) -> bool:
    """Whether a text asks for dots, other than the ones it counts."""
    return _has(r"(?<!\d )(?<!polka )\bdots?\b", text)


def says_rows(text: str) -> bool:
    return _has(r"\b(in (?:\w+ )?rows?|rows? of|lines up|in line|side by side)\b", text)


def circle_words(text: str) -> set[str]:
    return {word.lower() for word in re.findall(r"\b(radius|diameter)\b", text, re.IGNORECASE)}


def _has(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None
