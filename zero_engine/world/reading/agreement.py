"""Agreement: a figure in a picture against the text of its step.

True where the figure shows what the text names, False where it shows something else, None where there is nothing to
compare. False needs certainty: where a text can be read in several ways, a figure that fits one of them agrees. The
order of letters and the place of numbers follow the world's conventions (`world.geometry`, `world.space`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations

from zero_engine.world.grid import MOVES, SIZE
from zero_engine.world.quantity import BARS
from zero_engine.world.reading import figures, said
from zero_engine.world.sight import boxed


def agrees(figure: figures.Figure | None, text: str) -> bool | None:
    """Whether a figure is the one that a text names; `figure` is None where a picture shows no whole one.

    A text that certainly names a figure is contradicted by any figure of another kind, by a broken one and by none.
    What an equation says is not compared here, only whether the dots that the text asks for are there. A given picture
    is not seen: of a drawing that starts from one, what the text names has to be there.
    """
    text = said.statement(text)
    verdict = _COMPARE[type(figure)](figure, text) if figure is not None else None
    if verdict is None and said.names_figure(text):
        return False
    return verdict


def _equation(figure: figures.Equation, text: str) -> bool | None:
    """False where dots or bar do not fit the equation above them, or the text asks for dots and there are none."""
    parts = re.fullmatch(r"(\d+)([-+])(\d+)=\d+", figure.text)
    if figure.dots:
        if not parts:
            return False
        second = "dot_orange" if parts[2] == "+" else "dot_gone"
        if figure.dots != ("dot_blue",) * int(parts[1]) + (second,) * int(parts[3]):
            return False
    operator = re.search(r"[-+*/]", figure.text)
    if figure.bar and not (operator and list(figure.bar) == BARS[operator[0]]):
        return False
    return False if said.says_dots(text) and not figure.dots else None


def _amount(figure: figures.Amount, text: str) -> bool | None:
    return False if said.says_dots(text) and figure.form not in ("array", "groups") else None


def _group(figure: figures.Group, text: str) -> bool | None:
    color, shape = figure.thing
    named, shapes = set(said.colored(text)), said.shapes(text)
    if not shapes:
        return None
    if shape not in shapes or (named and named != {figure.thing}):
        return False
    if said.says_rows(text) and not figure.in_rows:
        return False
    if not named and said.colors(text) and color not in said.colors(text):
        return False
    if said.relations(text) and len([m for m in said.mentions(text) if m.color]) > 1:
        return False
    counts = set(said.numbers(text)) or said.count_words(text, shape)
    return not counts or str(figure.count) in counts


def _row(figure: figures.Row, text: str) -> bool | None:
    named = said.mentions(text)
    if not any(mention.color for mention in named):
        return None
    listed, places = _listed(named)
    if len(listed) != len(figure.things):
        return False
    if not all(_fits(*pair) for pair in zip(listed, figure.things, strict=True)):
        return False
    by_place = said.ordinals(text)
    if len(places | by_place) != 1:
        return None if said.relations(text) else True
    sought = None if by_place else figure.things[figure.marked]
    return figure.marked in places | by_place and figure.sought == sought


def _listed(named: list[said.Mention]) -> tuple[list[tuple[str | None, str]], set[int]]:
    """The things of an enumeration, and the places of those that are named once more."""
    first = [mention for mention in named if not mention.definite]
    if len(first) < 2:
        first = named
    listed = list(dict.fromkeys((mention.color, mention.shape) for mention in first))
    again, places = list(named), set()
    for thing in listed:  # once each is the enumeration; what is left refers to it
        again.remove(next(m for m in first if (m.color, m.shape) == thing))
    for mention in again:
        fitting = [
            place
            for place, (color, shape) in enumerate(listed)
            if shape == mention.shape and mention.color in (None, color)
        ]
        if len(fitting) == 1:
            places.add(fitting[0])
    return listed, places


def _fits(named: tuple[str | None, str], thing: figures.Thing) -> bool:
    """Whether a thing may be meant by a shape and maybe a colour."""
    return named[1] == thing[1] and named[0] in (None, thing[0])


def _pair(figure: figures.Pair, text: str) -> bool | None:
    named, relations = said.mentions(text), said.relations(text)
    if len(named) != 2:  # each once, where it is first
        named = list({(mention.color, mention.shape): mention for mention in reversed(named)}.values())[::-1]
    things = [(mention.color, mention.shape) for mention in named]
    drawn = figure.first, figure.second
    if len(named) == 1 and relations:
        return any(_fits(things[0], thing) for thing in drawn)
    if len(named) < 2:
        return None
    orders = []
    for relation, where in relations:
        if len(named) == 2 and where < named[1].start:
            swapped = where < named[0].start  # left of the B is the A
            swapped ^= relation in ("right of", "below")
            orders.append((relation in ("above", "below"), things[::-1] if swapped else things))
    if orders:
        return any(
            upright == figure.upright and _fits(one, drawn[0]) and _fits(other, drawn[1])
            for upright, (one, other) in orders
        )
    both = any(_fits(things[0], drawn[i]) and _fits(things[1], drawn[1 - i]) for i in (0, 1))
    return len(named) == 2 and both and not said.ordinals(text)


def _board(figure: figures.Board, text: str) -> bool | None:
    path, icons = said.path(text), said.icons(text)
    if not path.cells:
        return _moved(figure, path)
    readings = []
    for name, count in path.moves:
        row, col = path.cells[-1]
        end = row + MOVES[name][0] * count, col + MOVES[name][1] * count
        if all(1 <= place <= SIZE for place in end):
            readings.append({**dict.fromkeys(path.cells, "step"), end: "robot"})
    if not path.certain or set(icons) - {"robot"}:
        in_order = said.cells(text)
        for chosen in combinations(icons, len(in_order)):  # a word for an icon may stand there for nothing
            readings.append(dict(zip(in_order, chosen, strict=True)))
    return figure.icons in readings if readings else set(figure.icons) == set(path.cells)


def _moved(figure: figures.Board, path: said.Path) -> bool | None:
    """A robot and the dot where it was, for a text that names the move alone."""
    places = {name: cell for cell, name in figure.icons.items()}
    if not path.moves or sorted(figure.icons.values()) != ["robot", "step"]:
        return None
    way = tuple(places["robot"][axis] - places["step"][axis] for axis in (0, 1))
    return way in [(MOVES[name][0] * count, MOVES[name][1] * count) for name, count in path.moves]


def _zoomed(figure: figures.Zoomed, text: str) -> bool | None:
    return True if said.says_quarter(text) else None


def _scene(figure: figures.Scene, text: str) -> bool | None:
    named = said.outermost(text)
    wanted = ("place", named) if named else said.boxed_thing(text)
    return tuple(boxed((figure.things, wanted))) == figure.boxed if wanted else None


def _rectangle(figure: figures.Rectangle, text: str) -> bool | None:
    if not re.search(r"\brectang|\b(?:a|the) square\b", text, re.IGNORECASE):
        return None
    width, height = int(figure.width), int(figure.height)
    if figure.form != ("wide" if width > height else "tall" if width < height else "square"):
        return False
    sides = said.numbers(text)
    if not sides:
        return None
    pairs = set(combinations(sides, 2)) or {(sides[0], sides[0])}
    if _height_first(text):
        pairs = {(second, first) for first, second in pairs}
    return (figure.width, figure.height) in pairs


def _height_first(text: str) -> bool:
    """Whether a text names the height before the width."""
    high = re.search(r"\b(height|high|tall)\b", text, re.IGNORECASE)
    wide = re.search(r"\b(width|wide|length|long|base)\b", text, re.IGNORECASE)
    return bool(high and wide and high.start() < wide.start())


def _circle(figure: figures.Circle, text: str) -> bool | None:
    words, sizes = said.circle_words(text), said.numbers(text)
    if not words or not sizes:
        return None
    return figure.what in words and figure.size in sizes


def _right_triangle(figure: figures.RightTriangle, text: str) -> bool | None:
    groups = said.letter_groups(text)
    names = [group for group in groups if len(group) == 3]
    if not names or said.speaks_of_cevian(text):
        return None
    corners = {group for group in groups if len(group) == 1}
    readings = []
    for name in names:
        for corner in (corners & set(name)) or set(name):
            others = [letter for letter in name if letter != corner]
            readings.append((corner, *others))
    return (figure.corner, figure.top, figure.right) in readings


def _cevian(figure: figures.Cevian, text: str) -> bool | None:
    groups, words = said.letter_groups(text), said.cevians(text)
    if not any(len(group) in (2, 3) for group in groups):
        silent = words and said.speaks_of_top(text) and len(groups) > 0
        return (figure.what in words and figure.foot in groups) if silent else None
    drawn = {figure.vertex, figure.left, figure.right}
    if (words and figure.what not in words) or figure.foot in drawn or len(drawn) < 3:
        return False
    base, corners = figure.left + figure.right, [set(group) for group in groups if len(group) == 3]
    lines = [group for group in groups if len(group) == 2]
    if base not in lines:  # only the triangle is named, and maybe the line in it
        whole = drawn in corners and not any(set(line) <= drawn for line in lines)
        return whole and (not lines or figure.vertex + figure.foot in lines)
    start, foot = _ends(groups, base, text)
    named = set("".join(groups))
    return figure.vertex in (start or named) and figure.foot in (foot or named)


def _ends(groups: list[str], base: str, text: str) -> tuple[set[str], set[str]]:
    """Letters that the start and the foot of a line on `base` may have; empty where a text does not say."""
    lines = [group for group in groups if len(group) == 2 and group != base]
    if lines:
        return {line[0] for line in lines}, {line[1] for line in lines}
    start = set(
        re.findall(r"\b(?:[Ff]rom|starts at|[Jj]oin|[Cc]onnect) (?:the )?(?:vertex )?([A-Z])\b", text)
    )
    singles = {group for group in groups if len(group) == 1}
    corners = {letter for group in groups if len(group) == 3 for letter in group} - set(base)
    start = (start or corners) & singles or start or corners
    return start, singles - start


_COMPARE: dict[type, Callable[..., bool | None]] = {
    figures.Equation: _equation,
    figures.Amount: _amount,
    figures.Zoomed: _zoomed,
    figures.Scene: _scene,
    figures.Group: _group,
    figures.Row: _row,
    figures.Pair: _pair,
    figures.Board: _board,
    figures.Rectangle: _rectangle,
    figures.Circle: _circle,
    figures.RightTriangle: _right_triangle,
    figures.Cevian: _cevian,
    figures.Nothing: lambda figure, text: None,
}
