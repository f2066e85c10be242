"""Geometry: auxiliary lines in triangles, and labelled figures.

A triangle's picture is canonical: the vertex an altitude or a median starts from is on top, a right angle is at the
bottom left, the other vertices follow in the order in which the text names them. So the letters carry the
difficulty, as they should, and the lines are few: each figure comes in two or three fixed forms.
"""

from __future__ import annotations

import random

import numpy as np

from zero_engine.world import canvas, dressing, words
from zero_engine.world.kind import Kind, Spec
from zero_engine.world.splits import phrases, templates

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_FORMS = {"tall": ((8, 8), (40, 48)), "wide": ((8, 24), (56, 48)), "even": ((8, 8), (48, 48))}
_UNITS = ("cm", "m", "feet", "inches", "meters", "yards", "units", "km", "ft", "mm")


def _specify_right(rng: random.Random) -> Spec:
    letters = "".join(rng.sample(_LETTERS, 3))
    return letters, rng.choice(letters), rng.choice(list(_FORMS))


def _draw_right(spec: Spec, rng: random.Random) -> np.ndarray:
    """The right angle at the bottom left; of the others, the first in the text on top, the second on the right."""
    letters, vertex, form = spec
    top, right = [letter for letter in letters if letter != vertex]
    (x, y_top), (x_right, y) = _FORMS[form]
    image = canvas.blank()
    for start, end in (((x, y_top), (x, y)), ((x, y), (x_right, y)), ((x, y_top), (x_right, y))):
        canvas.line(image, start, end)
    canvas.line(image, (x, y - 4), (x + 4, y - 4))
    canvas.line(image, (x + 4, y - 4), (x + 4, y))
    canvas.write(image, y_top // 8 - 1, 0, top)
    canvas.write(image, 7, 0, vertex)
    canvas.write(image, 7, x_right // 8, right)
    return image


def _judge_right(spec: Spec, image: np.ndarray) -> bool:
    """The form is free: the text does not say how long the sides are."""
    return any(canvas.same(image, _draw_right((*spec[:2], form), random.Random(0))) for form in _FORMS)


def _phrase_right(spec: Spec, rng: random.Random, held_out: bool) -> str:
    text = _template("right_angle", rng, held_out).replace("{abc}", spec[0]).replace("{v}", spec[1])
    return dressing.dress(words.fill(text, rng), rng, held_out)


def specify_line(rng: random.Random) -> Spec:
    """(triangle's letters in any order, the vertex, the base in any order, the foot, where the apex is)"""
    letters = rng.sample(_LETTERS, 4)
    foot, corners = letters[3], letters[:3]
    vertex = rng.choice(corners)
    base = [letter for letter in corners if letter != vertex]
    rng.shuffle(base)
    return "".join(corners), vertex, "".join(base), foot, rng.choice(("left", "right"))


def _draw_altitude(spec: Spec, rng: random.Random) -> np.ndarray:
    return draw_line(spec, "altitude")


def _draw_median(spec: Spec, rng: random.Random) -> np.ndarray:
    return draw_line(spec, "median")


def draw_line(spec: Spec, what: str | None) -> np.ndarray:
    """A triangle with its altitude or median from the top; or, without `what`, the triangle alone."""
    _, vertex, base, foot, side = spec
    apex = (24, 8) if side == "left" else (40, 8)
    end = (apex[0], 48) if what == "altitude" else (32, 48)
    image = canvas.blank()
    for corner in ((8, 48), (56, 48)):
        canvas.line(image, apex, corner)
    canvas.line(image, (8, 48), (56, 48))
    if what:
        canvas.line(image, apex, end, canvas.COLORS["red"])
        canvas.write(image, 7, end[0] // 8, foot)
    if what == "altitude":
        canvas.line(image, (end[0], 44), (end[0] + 4, 44), canvas.COLORS["red"])
        canvas.line(image, (end[0] + 4, 44), (end[0] + 4, 47), canvas.COLORS["red"])
    canvas.write(image, 0, apex[0] // 8, vertex)
    canvas.write(image, 7, 0, base[0])
    canvas.write(image, 7, 7, base[1])
    return image


def _judge_line(what: str):
    def judge(spec: Spec, image: np.ndarray) -> bool:
        return any(canvas.same(image, draw_line((*spec[:4], side), what)) for side in ("left", "right"))

    return judge


def _phrase_line(name: str):
    def phrase(spec: Spec, rng: random.Random, held_out: bool) -> str:
        corners, vertex, base, foot, _ = spec
        text = _template(name, rng, held_out).replace("{abc}", corners).replace("{v}", vertex)
        text = words.fill(text.replace("{xy}", base).replace("{f}", foot), rng)
        return dressing.dress(text, rng, held_out)

    return phrase


def _specify_rectangle(rng: random.Random) -> Spec:
    high = rng.choice((12, 60, 999))
    width = rng.randint(1, high)
    return width, width if rng.random() < 0.15 else rng.randint(1, high)


def _draw_rectangle(spec: Spec, rng: random.Random) -> np.ndarray:
    """The width on top, the height on the right; wide, tall or square, not to scale."""
    width, height = spec
    right, bottom = (36, 32) if width > height else (20, 60) if width < height else (36, 44)
    image = canvas.blank()
    corners = [(4, 12), (right, 12), (right, bottom), (4, bottom)]
    for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
        canvas.line(image, start, end)
    canvas.write(image, 0, 1, str(width))
    canvas.write(image, 2, right // 8 + 1, str(height))
    return image


def _phrase_rectangle(spec: Spec, rng: random.Random, held_out: bool) -> str:
    text = _template("rectangle", rng, held_out).replace("{w}", str(spec[0])).replace("{h}", str(spec[1]))
    return dressing.dress(words.fill(text.replace("{u}", rng.choice(_UNITS)), rng), rng, held_out)


def _specify_circle(rng: random.Random) -> Spec:
    return rng.choice(("radius", "diameter")), rng.randint(1, rng.choice((20, 99, 999)))


def _draw_circle(spec: Spec, rng: random.Random) -> np.ndarray:
    what, size = spec
    image = canvas.blank()
    for step in range(720):
        angle = step * np.pi / 360
        image[round(38 + 22 * np.sin(angle)), round(32 + 22 * np.cos(angle))] = canvas.BLACK
    canvas.line(image, (10 if what == "diameter" else 32, 38), (54, 38), canvas.COLORS["red"])
    canvas.write(image, 0, 1, f"{what[0]}={size}")
    return image


def _phrase_circle(spec: Spec, rng: random.Random, held_out: bool) -> str:
    text = _template("circle", rng, held_out).replace("{r}", spec[0]).replace("{n}", str(spec[1]))
    return dressing.dress(words.fill(text.replace("{u}", rng.choice(_UNITS)), rng), rng, held_out)


def _template(name: str, rng: random.Random, held_out: bool) -> str:
    return rng.choice(templates(phrases("geometry", name), held_out))


KINDS = (
    Kind("right_angle", "geometry", _specify_right, _phrase_right, _draw_right, _judge_right),
    Kind(
        "altitude",
        "geometry",
        specify_line,
        _phrase_line("altitude"),
        _draw_altitude,
        _judge_line("altitude"),
    ),
    Kind("median", "geometry", specify_line, _phrase_line("median"), _draw_median, _judge_line("median")),
    Kind(
        "rectangle",
        "geometry",
        _specify_rectangle,
        _phrase_rectangle,
        _draw_rectangle,
        canvas.judge_same(_draw_rectangle),
    ),
    Kind(
        "circle", "geometry", _specify_circle, _phrase_circle, _draw_circle, canvas.judge_same(_draw_circle)
    ),
)
