"""The nano world: oracles accept what they should and nothing else, splits are disjoint, sampling is reproducible."""

import random

import numpy as np
import pytest

from zero_engine import world
from zero_engine.world import canvas
from zero_engine.world.splits import held_out_spec, phrases, templates

pytestmark = pytest.mark.slow

EVERY = (*world.KINDS, *world.GIVEN)
DRAWN = [name for name in EVERY if name != "nothing"]


@pytest.mark.parametrize("kind", EVERY)
def test_oracle_accepts_the_drawing_of_its_own_specification(kind):
    rng = random.Random(kind)
    for _ in range(60):
        item = world.sample(rng, kind)
        assert world.judge(kind, item.spec, item.image), item.spec


@pytest.mark.parametrize("kind", DRAWN)
def test_oracle_refuses_the_drawing_of_another_specification(kind):
    rng = random.Random(kind)
    for _ in range(40):
        item, other = world.sample(rng, kind), world.sample(rng, kind)
        if not np.array_equal(item.image, other.image) and item.spec[:2] != other.spec[:2]:
            assert not world.judge(kind, item.spec, other.image), (item.spec, other.spec)


@pytest.mark.parametrize("kind", DRAWN)
def test_oracle_refuses_a_blank_and_a_single_changed_cell(kind):
    rng = random.Random(kind)
    item = world.sample(rng, kind)
    assert not world.judge(kind, item.spec, canvas.blank())
    inked = next(i for i, patch in enumerate(canvas.patches(item.image)) if (patch < 120).sum() >= 12)
    cells = canvas.patches(item.image).copy()
    cells[inked] = 255
    assert not world.judge(kind, item.spec, canvas.unpatch(cells))


def test_oracles_tell_all_colours_apart():
    for wanted in canvas.COLORS:
        for color in canvas.COLORS:
            image = world.KINDS["rows"].draw((2, color, "heart"), random.Random(0))
            assert world.judge("rows", (2, wanted, "heart"), image) == (wanted == color)


@pytest.mark.parametrize("kind", EVERY)
def test_oracle_forgives_the_blur_of_a_codec(kind):
    rng = random.Random(kind)
    noise = np.random.default_rng(0)
    item = world.sample(rng, kind)
    blurred = np.clip(item.image + noise.normal(0, 12, item.image.shape), 0, 255).astype(np.uint8)
    assert world.judge(kind, item.spec, blurred)


def test_scattered_shapes_may_lie_anywhere():
    image = canvas.blank()
    for row, col in ((0, 0), (2, 6), (6, 4)):
        canvas.shape(image, row, col, "star", "red")
    assert world.judge("scatter", (3, "red", "star"), image)
    assert not world.judge("scatter", (2, "red", "star"), image)
    assert not world.judge("scatter", (3, "blue", "star"), image)


def test_sampling_is_a_function_of_its_seed():
    first, second = (world.sample(random.Random(5)) for _ in range(2))
    assert (first.kind, first.spec, first.text) == (second.kind, second.spec, second.text)
    assert np.array_equal(first.image, second.image)


@pytest.mark.parametrize("kind", EVERY)
def test_training_and_held_out_specifications_are_disjoint(kind):
    rng, split = random.Random(kind), world.kind_named(kind).split_name

    def held_out(spec: tuple) -> bool:
        return held_out_spec(split(spec), spec)

    assert not any(held_out(world.sample(rng, kind).spec) for _ in range(30))
    assert all(held_out(world.sample(rng, kind, held_out=True).spec) for _ in range(10))


def test_held_out_templates_are_never_training_templates():
    options = tuple(range(20))
    assert not set(templates(options, True)) & set(templates(options, False))
    assert set(templates(options, True)) | set(templates(options, False)) == set(options)


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("spoken", ("add", "subtract", "multiply", "divide", "fraction", "difference")),
        ("sight", ("zoom", "box", "auxiliary", "predict")),
    ],
)
def test_a_statement_has_thirty_templates_at_least_and_some_are_held_out(group, names):
    for name in names:
        options = phrases(group, name)
        assert len(set(options)) == len(options) >= 30
        assert len(templates(options, True)) >= 5


def test_every_slot_of_a_template_is_filled():
    rng = random.Random(0)
    for _ in range(3000):
        text = world.sample(rng, new_phrasing=rng.random() < 0.5).text
        assert "{" not in text and "}" not in text, text


def test_equations_stand_in_the_text_as_they_are_drawn():
    rng = random.Random(1)
    tight = 0
    for _ in range(200):
        item = world.sample(rng, "bars")
        numbers = [*item.spec[1], item.spec[2]]
        tight += all(number in item.text.replace(",", "") for number in numbers)
    assert tight == 200


def test_patches_and_unpatch_are_inverse():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert np.array_equal(canvas.unpatch(canvas.patches(image)), image)
