"""Reading figures back from pictures, and holding them against what a text says."""

import random

import numpy as np
import pytest

from zero_engine import world
from zero_engine.world import GIVEN, KINDS, canvas, scale
from zero_engine.world.reading import agrees, figures, read_figure, said

pytestmark = pytest.mark.slow

AMOUNTS = ("sum", "difference", "product", "quotient", "fraction", "percent", "line", "two")
WITHOUT_FIGURE = ("bars", "chain", "long", "dots", "nothing", *AMOUNTS)
EVERY = (*KINDS, *GIVEN)


def drawing(kind: str, *spec) -> np.ndarray:
    return world.kind_named(kind).draw(spec, random.Random(0))


def near_miss(kind: str, spec: tuple, rng: random.Random) -> np.ndarray | None:
    """A picture of the specification with one field of another, where the oracle calls it wrong."""
    other, place = KINDS[kind].specify(rng), rng.randrange(len(spec))
    image = KINDS[kind].draw((*spec[:place], other[place], *spec[place + 1 :]), rng)
    return None if KINDS[kind].judge(spec, image) else image


@pytest.mark.parametrize("new_phrasing", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", EVERY)
def test_a_right_picture_is_never_contradicted(kind, new_phrasing):
    rng = random.Random(f"right {kind}")
    for i in range(150):
        item = world.sample(rng, kind, held_out=i % 2 == 0, new_phrasing=new_phrasing)
        verdict = agrees(read_figure(item.image), item.text)
        assert verdict is (None if kind in WITHOUT_FIGURE else True), item.text


@pytest.mark.parametrize("new_phrasing", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in WITHOUT_FIGURE])
def test_a_near_miss_is_contradicted(kind, new_phrasing):
    rng = random.Random(f"wrong {kind}")
    verdicts = []
    while len(verdicts) < 60:
        item = world.sample(rng, kind, new_phrasing=new_phrasing)
        try:
            image = near_miss(kind, item.spec, rng)
        except (IndexError, ValueError):  # a move that leaves the board, an angle at no corner
            continue
        if image is not None:
            verdicts.append(agrees(read_figure(image), item.text))
    assert np.mean([verdict is False for verdict in verdicts]) >= 0.95


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in WITHOUT_FIGURE])
def test_a_figure_of_another_kind_a_broken_one_and_none_contradict_a_text_that_names_one(kind):
    rng = random.Random(f"other {kind}")
    other = "circle" if kind != "circle" else "rectangle"
    found = []
    for _ in range(40):
        item = world.sample(rng, kind)
        broken = item.image.copy()
        broken[:, 28:40] = 0
        pictures = (
            world.sample(rng, other).image,
            broken,
            canvas.blank(),
            world.sample(rng, "nothing").image,
        )
        found += [agrees(read_figure(picture), item.text) for picture in pictures]
    assert True not in found
    assert found.count(False) >= 0.9 * len(found)


@pytest.mark.parametrize("kind", EVERY)
def test_a_figure_survives_codec_noise(kind):
    rng, noise = random.Random(f"noise {kind}"), np.random.default_rng(0)
    for _ in range(20):
        image = world.sample(rng, kind).image
        noisy = np.clip(image + noise.normal(-1, 14, image.shape), 0, 255).astype(np.uint8)
        assert read_figure(noisy) == read_figure(image) is not None


@pytest.mark.parametrize("kind", AMOUNTS)
def test_an_amount_to_scale_is_read_with_its_equation(kind):
    rng = random.Random(f"amount {kind}")
    for _ in range(60):
        item = world.sample(rng, kind)
        assert read_figure(item.image).spec == item.spec


@pytest.mark.parametrize("kind", AMOUNTS)
def test_an_amount_whose_drawing_does_not_fit_its_numbers_is_no_figure(kind):
    rng = random.Random(f"misfit {kind}")
    seen = 0
    while seen < 40:
        item, other = world.sample(rng, kind), world.sample(rng, kind)
        mixed = other.image.copy()
        glyphs = item.image.max(-1, keepdims=True) < 104  # the numbers of one over the drawing of the other
        mixed[other.image.max(-1) < 104] = 255
        mixed = np.where(glyphs, item.image, mixed)
        if len(item.spec[1]) == len(other.spec[1]) and not any(
            scale.judge(item.spec, mixed, form) for form in (None, "line")
        ):
            assert not isinstance(read_figure(mixed), figures.Amount)
            seen += 1


def test_what_a_picture_shows_is_read():
    things = (("red", "star"), ("orange", "ring"))
    assert read_figure(drawing("mark", things, 1, "name")) == figures.Row(things, 1, ("orange", "ring"))
    assert read_figure(drawing("relation", *things[:1], "below", things[1])) == figures.Pair(
        ("orange", "ring"), ("red", "star"), upright=True
    )
    assert read_figure(drawing("scatter", 3, "red", "heart")) == figures.Group(
        3, ("red", "heart"), in_rows=False
    )
    assert read_figure(drawing("rectangle", 12, 9)) == figures.Rectangle("wide", "12", "9")
    assert read_figure(drawing("circle", "radius", 7)) == figures.Circle("radius", "7")
    assert read_figure(drawing("right_angle", "XRD", "D", "even")) == figures.RightTriangle("D", "X", "R")
    assert read_figure(drawing("median", "ABC", "A", "BC", "M", "left")) == figures.Cevian(
        "median", "A", "B", "C", "M"
    )
    assert read_figure(drawing("trail", (1, 1), (2, 1), "right", 2)) == figures.Board(
        {(1, 1): "step", (2, 1): "step", (2, 3): "robot"}
    )


def test_red_is_not_orange():
    assert agrees(read_figure(drawing("scatter", 2, "orange", "heart")), "Scatter 2 red hearts.") is False


def test_a_rectangle_must_have_the_form_of_its_numbers():
    image = drawing("rectangle", 9, 4)
    image[:24] = drawing("rectangle", 4, 4)[:24]  # the numbers of a square in a wide frame
    assert agrees(read_figure(image), "Draw a 4 by 4 rectangle.") is False


ROW = ("mark", (("red", "star"), ("blue", "ring"), ("green", "cross")), 1)
TRIANGLE = ("altitude", "ABC", "A", "BC", "D", "left")


@pytest.mark.parametrize(
    ("text", "picture"),
    [
        ("Mark the second one of a red star, a blue ring and a green cross.", (*ROW, "place")),
        ("Circled is the ring: red star, blue ring, green cross.", (*ROW, "name")),
        ("A red star is to the right of a blue ring.", ("relation", ("blue", "ring"), "left of", ("red", "star"))),
        ("The red star is above the ring.", ("relation", ("red", "star"), "above", ("blue", "ring"))),
        ("Of height 3 and width 5 is the rectangle.", ("rectangle", 5, 3)),
        ("The rectangle's area is 5 * 3 = 15 square feet.", ("rectangle", 5, 3)),
        ("So the perimeter of the rectangle is 2 * 5 + 2 * 3 = 16.", ("rectangle", 5, 3)),
        ("A pizza is a circle with a diameter of 12 inches.", ("circle", "diameter", 12)),
        ("Three red hearts are on the card.", ("rows", 3, "red", "heart")),
        ("Now there are 2 + 1 = 3 red hearts.", ("rows", 3, "red", "heart")),
        ("The flag stands at (2, 3) and the robot at (1, 1).", ("goal", (1, 1), (2, 3))),
        ("The robot moves 2 down from row 1, column 2 to row 3, column 2.", ("move", (1, 2), "down", 2)),
        ("At (2, 2) after (2, 1), the robot goes 1 step up.", ("trail", (2, 1), (2, 2), "up", 1)),
        ("Triangle ABC has its right angle at C.", ("right_angle", "ABC", "C", "tall")),
        ("A right angle at C makes ABC a right triangle.", ("right_angle", "ABC", "C", "tall")),
        ("In triangle ABC the altitude AD is 4 cm.", TRIANGLE),
        ("D is the foot of the perpendicular that starts at A and meets BC.", TRIANGLE),
    ],
)  # fmt: skip
def test_unfamiliar_words_for_what_is_drawn_agree(text, picture):
    assert agrees(read_figure(drawing(*picture)), text) is True


@pytest.mark.parametrize(
    ("text", "picture"),
    [
        ("Mark the third one of a red star, a blue ring and a green cross.", (*ROW, "place")),
        ("A red star, a green cross and a blue ring. The second one is right.", (*ROW, "place")),
        ("A red star is left of a blue ring.", ("relation", ("blue", "ring"), "left of", ("red", "star"))),
        ("Of height 5 and width 3 is the rectangle.", ("rectangle", 5, 3)),
        ("A pizza is a circle with a radius of 12 inches.", ("circle", "diameter", 12)),
        ("Four red hearts are on the card.", ("rows", 3, "red", "heart")),
        ("The flag stands at (1, 1) and the robot at (2, 3).", ("goal", (1, 1), (2, 3))),
        ("There are 2 rows of red hearts, 8 in all.", ("scatter", 8, "red", "heart")),
        ("From row 1, column 2 the robot moves 2 right.", ("move", (1, 2), "down", 2)),
        ("Triangle ABC has its right angle at B.", ("right_angle", "ABC", "C", "tall")),
        ("In triangle ABC the altitude BD is 4 cm.", TRIANGLE),
        ("In triangle ABC the median AD is 4 cm.", TRIANGLE),
    ],
)  # fmt: skip
def test_something_else_than_the_text_says_is_contradicted(text, picture):
    assert agrees(read_figure(drawing(*picture)), text) is False


@pytest.mark.parametrize(
    "text",
    [
        "The area of the garden is 12 square feet.",
        "She gave 3 of her 16 eggs away, which is right.",
        "The rectangular field costs $4 per square foot.",
        "The area of the rectangle is 3 * 4 = 12 square feet.",
        "He went up 3 floors and then 2 down.",
        "The circle of friends has 5 people.",
        "A diamond ring costs $500, and the blue one half of that.",
        "I think that A is greater than B.",
        "Triangle ABC has 3 sides.",
        "The points (7, 2) and (3, 9) lie on a line to the right.",
    ],
)
def test_a_step_without_a_figure_names_none(text):
    assert not said.names_figure(said.statement(text))
    for picture in (canvas.blank(), drawing("nothing", 0), drawing("bars", ("", "*"), ("3", "4"), "12")):
        assert agrees(read_figure(picture), text) is None
