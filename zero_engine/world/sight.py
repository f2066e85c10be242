"""Sight: drawings that start from a given picture. The text alone does not say what to draw.

zoom       four quarters, a digit too small to read in each: one of them twice as large
box        small shapes all over the picture: those that are named in boxes
auxiliary  a triangle with its letters: the same with its altitude or its median from the top
predict    a board with a robot: the board after its move, a dot where it was

`Kind.given` draws the picture that is given, a question's or the drawing before. The letters, the cells and the digits
stand in it, and in the drawing, and nowhere else.
"""

from __future__ import annotations

import random

import numpy as np

from zero_engine.world import canvas, dressing, geometry, grid, words
from zero_engine.world.kind import Kind, Spec
from zero_engine.world.splits import phrases, templates

QUARTERS = ("top left", "top right", "bottom left", "bottom right")
_HALF = canvas.CELLS // 2
PLACES = ("leftmost", "rightmost", "topmost", "bottommost")
_UPPER = {"top": ("top", "top", "upper"), "bottom": ("bottom", "bottom", "lower")}
_EVERY = ("every {t}", "each {t}", "every {t}", "any {t}")
_LINE_WORDS = {"altitude": ("altitude", "height", "perpendicular"), "median": ("median",)}


def _specify_zoom(rng: random.Random) -> Spec:
    """((digit, colour, shape, place of the digit, place of the shape) of each quarter, the quarter that is meant)"""
    quarters = []
    for _ in QUARTERS:
        digit, thing = rng.sample(range(_HALF * _HALF), 2)
        quarters.append(
            (str(rng.randrange(10)), rng.choice(list(canvas.COLORS)), rng.choice(canvas.SHAPES), digit, thing)
        )
    return tuple(quarters), rng.randrange(len(QUARTERS))


def _given_zoom(spec: Spec, rng: random.Random) -> np.ndarray:
    image = canvas.blank()
    for quarter, (digit, color, shape, at, by) in enumerate(spec[0]):
        row, col = quarter // 2 * _HALF, quarter % 2 * _HALF
        canvas.tiny(image, row + at // _HALF, col + at % _HALF, digit)
        canvas.mini(image, row + by // _HALF, col + by % _HALF, shape, color)
    return image


def _draw_zoom(spec: Spec, rng: random.Random) -> np.ndarray:
    digit, color, shape, at, by = spec[0][spec[1]]
    image = canvas.blank()
    canvas.tiny(image, 2 * (at // _HALF), 2 * (at % _HALF), digit, large=True)
    canvas.shape(image, 2 * (by // _HALF), 2 * (by % _HALF), shape, color)
    return image


def phrase_zoom(spec: Spec, rng: random.Random, held_out: bool) -> str:
    high, side = QUARTERS[spec[1]].split()
    named = f"{rng.choice(_UPPER[high])}{rng.choice((' ', ' ', '-'))}{side}"
    return _say(
        rng.choice(templates(phrases("sight", "zoom"), held_out)).replace("{q}", named), rng, held_out
    )


def _specify_box(rng: random.Random) -> Spec:
    """(the things as (row, column, colour, shape), what is boxed)

    What is boxed: ("thing", colour, shape), ("color", colour), ("shape", shape) or ("place", one of PLACES).
    """
    while True:
        cells = rng.sample(range(canvas.CELLS**2), rng.randint(4, 9))
        colors, shapes = rng.sample(list(canvas.COLORS), 2), rng.sample(canvas.SHAPES, rng.randint(2, 3))
        things = tuple(
            (*divmod(cell, canvas.CELLS), rng.choice(colors), rng.choice(shapes)) for cell in sorted(cells)
        )
        _, _, color, shape = rng.choice(things)
        named = rng.choice(
            (("thing", color, shape), ("thing", color, shape), ("color", color), ("shape", shape),
             ("place", rng.choice(PLACES)))
        )  # fmt: skip
        spec = things, named
        if named[0] != "place" or len(boxed(spec)) == 1:
            return spec


def boxed(spec: Spec) -> list[int]:
    """Which of the things are boxed. The outermost of several in a line are all."""
    things, (how, *names) = spec
    if how == "place":
        axis, sign = {"leftmost": (1, 1), "rightmost": (1, -1), "topmost": (0, 1), "bottommost": (0, -1)}[
            names[0]
        ]
        best = min(sign * thing[axis] for thing in things)
        return [i for i, thing in enumerate(things) if sign * thing[axis] == best]
    wanted = {"thing": lambda t: t[2:] == tuple(names), "color": lambda t: t[2] == names[0],
              "shape": lambda t: t[3] == names[0]}[how]  # fmt: skip
    return [i for i, thing in enumerate(things) if wanted(thing)]


def _scene(spec: Spec, marked: list[int]) -> np.ndarray:
    image = canvas.blank()
    for i, (row, col, color, shape) in enumerate(spec[0]):
        canvas.mini(image, row, col, shape, color, boxed=i in marked)
    return image


def _draw_box(spec: Spec, rng: random.Random) -> np.ndarray:
    return _scene(spec, boxed(spec))


def _given_box(spec: Spec, rng: random.Random) -> np.ndarray:
    return _scene(spec, [])


def phrase_box(spec: Spec, rng: random.Random, held_out: bool) -> str:
    how, *names = spec[1]
    if how == "place":
        it = f"the {names[0]} {rng.choice(('object', 'shape', 'thing', 'one'))}"
    else:
        thing = {"thing": " ".join(names), "color": f"{names[0]} {rng.choice(('object', 'shape', 'thing'))}",
                 "shape": names[0]}[how]  # fmt: skip
        it = rng.choice(_EVERY).replace("{t}", thing)
    return _say(rng.choice(templates(phrases("sight", "box"), held_out)).replace("{it}", it), rng, held_out)


def _specify_auxiliary(rng: random.Random) -> Spec:
    return rng.choice(("altitude", "median")), geometry.specify_line(rng)


def _given_auxiliary(spec: Spec, rng: random.Random) -> np.ndarray:
    return geometry.draw_line(spec[1], None)


def _draw_auxiliary(spec: Spec, rng: random.Random) -> np.ndarray:
    return geometry.draw_line(spec[1], spec[0])


def phrase_auxiliary(spec: Spec, rng: random.Random, held_out: bool) -> str:
    text = rng.choice(templates(phrases("sight", "auxiliary"), held_out)).replace(
        "{w}", rng.choice(_LINE_WORDS[spec[0]])
    )
    return _say(text.replace("{f}", spec[1][3]), rng, held_out)


def _specify_predict(rng: random.Random) -> Spec:
    """(where the robot is, direction, count, where it was before or None)"""
    start, name, count = grid.specify_move(rng)
    down, right = grid.MOVES[name]
    end = start[0] + count * down, start[1] + count * right
    while True:
        came = (rng.randint(1, grid.SIZE), rng.randint(1, grid.SIZE)) if rng.random() < 0.7 else None
        if came not in (start, end):
            return start, name, count, came


def _given_predict(spec: Spec, rng: random.Random) -> np.ndarray:
    image = grid.board()
    if spec[3]:
        grid.put(image, spec[3], "step")
    grid.put(image, spec[0], "robot")
    return image


def _draw_predict(spec: Spec, rng: random.Random) -> np.ndarray:
    return grid.draw_move(spec[:3], rng)


def phrase_predict(spec: Spec, rng: random.Random, held_out: bool) -> str:
    text = rng.choice(templates(phrases("sight", "predict"), held_out)).replace(
        "{m}", grid.steps(spec[1], spec[2], rng)
    )
    return _say(text, rng, held_out)


def _say(text: str, rng: random.Random, held_out: bool) -> str:
    return dressing.dress(words.fill(text, rng), rng, held_out)


def _kind(name: str, specify, phrase, draw, given) -> Kind:
    return Kind(name, "sight", specify, phrase, draw, canvas.judge_same(draw), given)


KINDS = (
    _kind("zoom", _specify_zoom, phrase_zoom, _draw_zoom, _given_zoom),
    _kind(
        "box",
        _specify_box,
        phrase_box,
        lambda spec, rng: _scene(spec, boxed(spec)),
        lambda spec, rng: _scene(spec, []),
    ),
    _kind("auxiliary", _specify_auxiliary, phrase_auxiliary, _draw_auxiliary, _given_auxiliary),
    _kind("predict", _specify_predict, phrase_predict, _draw_predict, _given_predict),
)
