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
from zero_engine.world.splits import templates

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_FORMS = {"tall": ((8, 8), (40, 48)), "wide": ((8, 24), (56, 48)), "even": ((8, 8), (48, 48))}
_RIGHT_TEXT = (
    "triangle {abc} has a right angle at {v}", "in triangle {abc}, the angle at {v} is 90 degrees",
    "{abc} is right-angled at {v}", "draw triangle {abc} with a right angle at {v}",
    "since angle {v} is a right angle in triangle {abc}, we draw it",
    "the right angle of triangle {abc} is at {v}", "right triangle {abc}, right angle at {v}",
    "let {abc} have its right angle at {v}", "{name} draws a triangle {abc} whose right angle is {v}",
    "in {abc} the sides meet at {v} at 90 degrees",
    "the triangle {abc} is a right triangle with the right angle at {v}",
    "angle {v} of triangle {abc} is right", "triangle {abc} is right at {v}",
    "the legs of right triangle {abc} meet at {v}", "{v} is the right-angle vertex of {abc}",
    "in right triangle {abc}, angle {v} is the right one",
    "the corner {v} of triangle {abc} measures 90 degrees", "a right angle is at {v} in triangle {abc}",
    "triangle {abc}, with 90 degrees at {v}", "we draw {abc}, right angle {v}",
    "angle {v} = 90 degrees in {abc}", "the 90 degree angle of {abc} is {v}",
    "triangle {abc} is right-angled and {v} is that vertex", "vertex {v} of {abc} has the right angle",
    "{abc} is a triangle where {v} is a right angle",
    "as {abc} has a right angle, namely at {v}, we mark it", "for {abc}, the right angle lies at {v}",
    "{name} marks the right angle {v} of triangle {abc}", "put the right angle of {abc} at {v}",
    "{abc} has perpendicular sides at {v}",
    "{v} is where triangle {abc} has its right angle",
    "in triangle {abc}, {v} is the vertex with the right angle",
    "vertex {v} of triangle {abc} is a right angle", "the vertex {v} has the right angle in {abc}",
    "corner {v} is the right angle of {abc}", "triangle {abc} has its 90 degrees at the corner {v}",
    "the two legs of {abc} meet at {v}", "{abc} has its legs at {v} at a right angle",
    "the sides at {v} are perpendicular in triangle {abc}",
    "triangle {abc} has perpendicular legs that meet at {v}",
    "two sides of {abc} are perpendicular and meet at {v}", "{abc}: right angle {v}",
    "in the right triangle {abc} the angle {v} measures 90 degrees",
    "{abc}, with the right angle at the vertex {v}", "{v} is a right angle of {abc}",
    "at {v}, triangle {abc} has a right angle", "at vertex {v} of {abc} the angle is 90 degrees",
    "because angle {v} is 90 degrees, {abc} is a right triangle",
    "{name} sees that {abc} is right-angled at {v}", "the angle at {v} of {abc} is a right angle",
    "perpendicular sides meet at {v} in triangle {abc}", "triangle {abc} is perpendicular at {v}",
    "the legs at {v} of triangle {abc} are perpendicular",
    "{abc} has two perpendicular sides, which meet at {v}",
    "{v}, a vertex of triangle {abc}, has a right angle", "which angle of {abc} is right? It is {v}",
    "a right triangle {abc} has its right corner at {v}", "the square corner of triangle {abc} is {v}",
    "{name} says {v} has the right angle in {abc}", "with {v} as the right angle, {abc} is drawn",
    "let triangle {abc} be right with angle {v} = 90 degrees",
    "angle {v} is the right angle, the triangle is {abc}", "we know the right angle of {abc}: {v}",
    "the right angle {v} belongs to triangle {abc}", "vertex {v}: right angle of triangle {abc}",
    "in {abc} the vertex of the right angle is {v}",
)  # fmt: skip
_ALTITUDE_TEXT = (
    "draw the altitude from {v} to {xy} in triangle {abc}, with foot {f}",
    "in triangle {abc}, {v}{f} is the altitude to {xy}",
    "let {f} be the foot of the altitude from {v} to {xy} in triangle {abc}",
    "drop the perpendicular {v}{f} from {v} to {xy}",
    "the height of triangle {abc} from {v} meets {xy} at {f}",
    "triangle {abc}: altitude {v}{f} on side {xy}", "the perpendicular from {v} meets {xy} at {f}",
    "add the height {v}{f} onto {xy}", "{name} draws the altitude {v}{f} to {xy}",
    "height {v}{f} stands on {xy}", "{v}{f} is perpendicular to {xy}",
    "from {v} we draw a perpendicular to {xy} with foot {f}", "the altitude from {v} hits {xy} at {f}",
    "{f} is the foot of the perpendicular from {v} on {xy}", "the altitude of {abc} on {xy} is {v}{f}",
    "construct the height {v}{f} of {abc} on the base {xy}",
    "we drop a height from {v} onto {xy}; its foot is {f}", "segment {v}{f} is the height on {xy}",
    "with base {xy}, the height is {v}{f}", "the line {v}{f} is an altitude and meets {xy} at {f}",
    "{v}{f} and {xy} meet at a right angle at {f}", "let {v}{f} be the altitude to {xy}",
    "in {abc} draw the height from {v} to {xy}, ending at {f}", "altitude from {v} to {xy}: {v}{f}",
    "the foot of the height from {v} on {xy} is {f}", "we need the perpendicular {v}{f} to side {xy}",
    "the height onto {xy} starts at {v} and ends at {f}", "draw {v}{f} perpendicular to {xy}",
    "{name} drops a perpendicular from {v} to {xy} and calls its foot {f}",
    "height {v}{f} of triangle {abc} on {xy}",
    "segment {v}{f} is the altitude to {xy}", "the segment {v}{f} is a height of {abc} on {xy}",
    "line {v}{f} is the height to {xy}", "segment {v}{f} is perpendicular to the side {xy}",
    "height {v}{f} to the base {xy} of triangle {abc}", "altitude {v}{f} of triangle {abc} to {xy}",
    "altitude {v}{f} of {abc} onto side {xy}", "the height {v}{f} of {abc} stands on {xy}",
    "{v}{f} is the height of triangle {abc} on {xy}", "the height {v}{f} reaches {xy} at a right angle",
    "draw segment {v}{f}, the height onto {xy}", "the height is {v}{f} and the base is {xy}",
    "{xy} is the base and {v}{f} the height", "{name} adds segment {v}{f} as the altitude on {xy}",
    "altitude {v}{f}, base {xy}", "height: {v}{f} on {xy}", "a height {v}{f} is drawn onto {xy}",
    "the altitude {v}{f} of {abc} meets {xy} at {f}", "take {v}{f} as the height on base {xy}",
    "the height from vertex {v} falls on {xy} at {f}", "from vertex {v} the height {v}{f} goes to {xy}",
    "line {v}{f} is perpendicular to line {xy}", "segment {v}{f} stands perpendicular on {xy}",
    "as {v}{f} is the altitude on {xy}, we draw it", "triangle {abc} has the height {v}{f} on the side {xy}",
    "triangle {abc} with height {v}{f} on base {xy}", "on {xy} we raise the height {v}{f}",
    "the height of {abc} over {xy} is the segment {v}{f}",
    "to get the area of {abc} we draw the height {v}{f} on {xy}",
    "for base {xy} the altitude is the segment {v}{f}",
)  # fmt: skip
_MEDIAN_TEXT = (
    "draw the median from {v} to {xy} in triangle {abc}, with midpoint {f}",
    "in triangle {abc}, {v}{f} is the median to {xy}",
    "let {f} be the midpoint of {xy} and draw the median {v}{f} of triangle {abc}",
    "{f} is the midpoint of {xy}; draw median {v}{f}",
    "the median of triangle {abc} from {v} meets {xy} at {f}", "triangle {abc}: median {v}{f} on side {xy}",
    "the median from {v} halves {xy} at {f}", "add the median {v}{f} onto {xy}",
    "{name} draws the median {v}{f} to {xy}", "median {v}{f} ends on {xy}", "{v}{f} is the median on {xy}",
    "from {v} we draw the median to the midpoint {f} of {xy}", "the median from {v} hits {xy} at {f}",
    "{f} is the middle of {xy} and {v}{f} is the median", "the median of {abc} on {xy} is {v}{f}",
    "construct the median {v}{f} of {abc} to the side {xy}", "we join {v} to the midpoint {f} of {xy}",
    "segment {v}{f} is the median to {xy}", "with {f} the midpoint of {xy}, the median is {v}{f}",
    "the line {v}{f} is a median and cuts {xy} in half at {f}", "connect {v} with the middle {f} of {xy}",
    "let {v}{f} be the median to {xy}", "in {abc} draw the median from {v} to {xy}, ending at {f}",
    "median from {v} to {xy}: {v}{f}", "the midpoint of {xy} is {f}, so {v}{f} is a median",
    "we need the median {v}{f} to side {xy}", "the median onto {xy} starts at {v} and ends at {f}",
    "draw {v}{f} so that {f} halves {xy}", "{name} marks the midpoint {f} of {xy} and joins it to {v}",
    "median {v}{f} of triangle {abc} on {xy}",
    "segment {v}{f} is a median of {abc} on {xy}", "the segment {v}{f} is the median on side {xy}",
    "line {v}{f} is the median to {xy}", "median {v}{f} to the side {xy} of triangle {abc}",
    "median {v}{f} of {abc} onto {xy}", "the median {v}{f} of {abc} ends at {f} on {xy}",
    "draw segment {v}{f}, the median onto {xy}", "{name} adds segment {v}{f} as the median on {xy}",
    "a median {v}{f} is drawn to {xy}", "from vertex {v} the median {v}{f} goes to {xy}",
    "{v}{f} is the median of triangle {abc} to {xy}", "segment {v}{f} joins {v} with the midpoint of {xy}",
    "triangle {abc} has the median {v}{f} on the side {xy}", "median: {v}{f} on {xy}",
    "as {v}{f} is the median on {xy}, we draw it", "for side {xy} the median is the segment {v}{f}",
    "line {v}{f} halves the side {xy}", "{f} cuts {xy} into halves and {v}{f} is the median",
)  # fmt: skip
_RECTANGLE_TEXT = (
    "a rectangle is {w} {u} wide and {h} {u} high", "draw a {w} by {h} rectangle",
    "the rectangle has width {w} and height {h}", "the rectangle measures {w} x {h} {u}",
    "a rectangle with a width of {w} {u} and a height of {h} {u}",
    "{name}'s rectangle is {w} {u} by {h} {u}", "the rectangular {place} is {w} {u} wide and {h} {u} tall",
    "rectangle: {w} wide, {h} high", "let the rectangle be {w} by {h}",
    "we draw a rectangle, width {w}, height {h}",
    "the width of the rectangle is {w} {u} and its height is {h} {u}",
    "the rectangle is {w} {u} long and {h} {u} high", "a rectangle of {w} {u} by {h} {u}",
    "the sides of the rectangle are {w} and {h} {u}", "the rectangle's width is {w}, its height {h}",
    "a {w} x {h} rectangle", "{name} draws a rectangle {w} wide and {h} tall",
    "a rectangle with sides {w} {u} and {h} {u}", "the {adj} rectangle is {w} by {h} {u}",
    "width {w} {u}, height {h} {u}: a rectangle", "the rectangular {place} measures {w} by {h} {u}",
    "our rectangle has the sides {w} and {h}", "{name} has a rectangular {place}, {w} {u} by {h} {u}",
    "the rectangle has a length of {w} {u} and a width of {h} {u}", "rectangle {w} by {h}",
    "since the rectangle is {w} {u} wide and {h} {u} high, we draw it",
    "make the rectangle {w} {u} wide and {h} {u} high", "the dimensions of the rectangle are {w} and {h}",
    "a rectangle, {w} {u} across and {h} {u} up", "the rectangle is {w} {u} x {h} {u}",
)  # fmt: skip
_CIRCLE_TEXT = (
    "a circle has {r} {n}", "draw a circle with {r} {n}", "the {r} of the circle is {n} {u}",
    "circle: {r} {n}", "the circle has a {r} of {n} {u}", "{name} draws a circle whose {r} is {n} {u}",
    "the circular {place} has a {r} of {n} {u}", "a circle of {r} {n} {u}", "let the circle's {r} be {n}",
    "we see a circle, {r} {n}", "the circle with {r} {n} {u}", "the {r} is {n} {u} in the circle",
    "its {r} is {n} {u}, it is a circle", "a circle whose {r} measures {n} {u}",
    "with a {r} of {n}, draw the circle", "{name}'s circle has {r} {n}", "the circle's {r} equals {n} {u}",
    "{n} {u} is the {r} of the circle", "the round {place} is a circle with a {r} of {n} {u}",
    "take a circle of {r} {n}", "circle with {r} = {n}", "{r} {n} {u}: that circle",
    "a {adj} circle with {r} {n} {u}", "for a circle of {r} {n} {u}", "the {r} {n} of the circle",
    "since the circle has {r} {n}, we draw it", "{name} measures the circle's {r}: {n} {u}",
    "we are given a circle, its {r} is {n}", "the circle is {n} {u} in {r}", "one circle, {r} {n} {u}",
)  # fmt: skip
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
    text = rng.choice(templates(_RIGHT_TEXT, held_out)).replace("{abc}", spec[0]).replace("{v}", spec[1])
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


def _phrase_line(options: tuple[str, ...]):
    def phrase(spec: Spec, rng: random.Random, held_out: bool) -> str:
        corners, vertex, base, foot, _ = spec
        text = rng.choice(templates(options, held_out)).replace("{abc}", corners).replace("{v}", vertex)
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
    text = (
        rng.choice(templates(_RECTANGLE_TEXT, held_out))
        .replace("{w}", str(spec[0]))
        .replace("{h}", str(spec[1]))
    )
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
    text = rng.choice(templates(_CIRCLE_TEXT, held_out)).replace("{r}", spec[0]).replace("{n}", str(spec[1]))
    return dressing.dress(words.fill(text.replace("{u}", rng.choice(_UNITS)), rng), rng, held_out)


KINDS = (
    Kind("right_angle", "geometry", _specify_right, _phrase_right, _draw_right, _judge_right),
    Kind(
        "altitude",
        "geometry",
        specify_line,
        _phrase_line(_ALTITUDE_TEXT),
        _draw_altitude,
        _judge_line("altitude"),
    ),
    Kind("median", "geometry", specify_line, _phrase_line(_MEDIAN_TEXT), _draw_median, _judge_line("median")),
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
