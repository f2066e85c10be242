"""Space: where two things are, and which of several is meant.

`relation`: two shapes, one left of, right of, above or below the other. `mark`: two to four shapes in a row, in
the order in which the text names them, and an arrow under the one that is meant (visual prediction and marking in
the paper). One that is named by what it looks like is drawn on top first, to be found in the row: without that the
model stayed at chance, for it had to match a word with a picture in the same stroke that draws the arrow.
"""

from __future__ import annotations

import random

import numpy as np

from zero_engine.world import canvas, dressing, words
from zero_engine.world.kind import Kind, Spec
from zero_engine.world.splits import templates

_RELATIONS = {
    "left of": ("to the left of", "left of", "on the left of"),
    "right of": ("to the right of", "right of", "on the right of"),
    "above": ("above", "over", "on top of"),
    "below": ("below", "under", "beneath"),
}
_RELATION_TEXT = (
    "the {a} is {r} the {b}", "there is a {a} {r} a {b}", "draw a {a} {r} a {b}",
    "{name} puts the {a} {r} the {b}", "the {a} lies {r} the {b}", "a {a} {r} a {b}",
    "we see the {a} {r} the {b}", "the {a} must be {r} the {b}", "the {a} stays {r} the {b} in the {place}",
    "place a {a} {r} the {b}", "the {a} goes {r} the {b}", "the {a} is found {r} the {b}",
    "{r} the {b} there is a {a}", "{r} the {b} is the {a}", "the {a} sits {r} the {b}",
    "put the {a} {r} the {b}", "{name} sees a {a} {r} a {b}", "{name} draws the {a} {r} the {b}",
    "the {a} appears {r} the {b}", "you find the {a} {r} the {b}", "the {a} can be seen {r} a {b}",
    "{name} moved the {a} {r} the {b}", "the {a} was {r} the {b}", "the place of the {a} is {r} the {b}",
    "a {a} stands {r} the {b}", "the {a} has to be {r} the {b}", "only the {a} is {r} the {b}",
    "the {a} remains {r} the {b}", "keep the {a} {r} the {b}", "the {a} hangs {r} the {b}",
)  # fmt: skip
_ORDINALS = ("first", "second", "third", "fourth")
_MARK_TEXT = (
    "in a row: {list}. Mark {it}", "{list} in a row; {it} is the one", "there are {list}. Point at {it}",
    "{list}: mark {it}", "{name} sees {list}. {name} points at {it}",
    "from left to right: {list}. We mark {it}", "of {list}, choose {it}",
    "the objects are {list}. The answer is {it}", "given {list}, mark {it}",
    "look at {list} and point at {it}", "we have {list}. We want {it}", "among {list} we pick {it}",
    "{list} are in line, and {it} is meant", "{name} has {list} and takes {it}",
    "{list}; the arrow shows {it}", "here are {list}. {name} chooses {it}", "out of {list}, {it} is right",
    "draw {list} and an arrow to {it}", "the row is {list}. Select {it}",
    "{name} puts {list} in a row and marks {it}", "with {list}, {it} fits", "we compare {list}; {it} wins",
    "the row shows {list}, so pick {it}", "first draw {list}, then mark {it}",
    "take {list}. The one we look for is {it}", "{list}. The arrow goes under {it}",
    "between {list}, {name} wants {it}", "the choices are {list}, and it must be {it}",
    "on the table: {list}. {name} touches {it}", "{name} looks at {list} and finds {it}",
    "{list}. We are asked for {it}", "{list}. Which one fits? It is {it}",
    "we see {list}, and the arrow points at {it}", "{name} lays out {list} and picks {it}",
    "of the objects {list}, {it} is the odd one", "{list} are given; the answer is {it}",
    "in the row {list} we need {it}", "with {list} in a row, the arrow is under {it}",
    "{list} stand side by side; find {it}", "choose {it} from {list}", "pick {it} out of {list}",
    "{name} wants {it} and not the others: {list}",
)  # fmt: skip


def _specify_relation(rng: random.Random) -> Spec:
    return _thing(rng), rng.choice(list(_RELATIONS)), _thing(rng)


def _phrase_relation(spec: Spec, rng: random.Random, held_out: bool) -> str:
    first, relation, second = spec
    text = rng.choice(templates(_RELATION_TEXT, held_out))
    text = text.replace("{a}", " ".join(first)).replace("{b}", " ".join(second))
    text = text.replace("{r}", rng.choice(_RELATIONS[relation])).replace("a orange", "an orange")
    return dressing.dress(words.fill(text, rng), rng, held_out)


def _draw_relation(spec: Spec, rng: random.Random) -> np.ndarray:
    first, relation, second = spec
    places = {
        "left of": ((3, 0), (3, 6)),
        "right of": ((3, 6), (3, 0)),
        "above": ((0, 3), (6, 3)),
        "below": ((6, 3), (0, 3)),
    }
    image = canvas.blank()
    for (color, shape), (row, col) in zip((first, second), places[relation], strict=True):
        canvas.shape(image, row, col, shape, color)
    return image


def _specify_mark(rng: random.Random) -> Spec:
    """The shapes differ; the one meant is named by its shape or by its place."""
    count = rng.randint(2, 4)
    shapes = rng.sample(canvas.SHAPES, count)
    things = tuple((rng.choice(list(canvas.COLORS)), shape) for shape in shapes)
    return things, rng.randrange(count), rng.choice(("name", "name", "place"))


def _phrase_mark(spec: Spec, rng: random.Random, held_out: bool) -> str:
    things, meant, how = spec
    named = [f"{'an' if color == 'orange' else 'a'} {color} {shape}" for color, shape in things]
    listed = ", ".join(named[:-1]) + " and " + named[-1] if rng.random() < 0.7 else ", ".join(named)
    color, shape = things[meant]
    by_name = rng.choice((f"the {color} {shape}", f"the {shape}"))
    it = by_name if how == "name" else rng.choice((f"the {_ORDINALS[meant]} one", f"number {meant + 1}"))
    text = rng.choice(templates(_MARK_TEXT, held_out)).replace("{list}", listed).replace("{it}", it)
    return dressing.dress(words.fill(text, rng), rng, held_out)


def _draw_mark(spec: Spec, rng: random.Random) -> np.ndarray:
    things, meant, how = spec
    image = canvas.blank()
    if how == "name":
        color, shape = things[meant]
        canvas.shape(image, 0, 3, shape, color)
    for i, (color, shape) in enumerate(things):
        canvas.shape(image, 3, 2 * i, shape, color)
    canvas.stamp(image, 5, 2 * meant, canvas.arrow_mask())
    return image


def _thing(rng: random.Random) -> tuple[str, str]:
    return rng.choice(list(canvas.COLORS)), rng.choice(canvas.SHAPES)


KINDS = (
    Kind(
        "relation",
        "space",
        _specify_relation,
        _phrase_relation,
        _draw_relation,
        canvas.judge_same(_draw_relation),
    ),
    Kind("mark", "space", _specify_mark, _phrase_mark, _draw_mark, canvas.judge_same(_draw_mark)),
)
