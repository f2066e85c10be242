"""Reading equations back from pictures."""

import random

import numpy as np
import pytest

from zero_engine import world
from zero_engine.world import canvas
from zero_engine.world.glyphs import is_nothing, read_equation, read_glyphs


def column(*rows: str) -> np.ndarray:
    image = canvas.blank()
    for row, text in enumerate(rows):
        canvas.write(image, row, 0, text)
    return image


@pytest.mark.parametrize(
    ("rows", "equation"),
    [
        ((" 48", "/2", "=24"), "48/2=24"),
        ((" 16", "-3", "-4", "=9"), "16-3-4=9"),
        ((" (3", "+4)", "*2", "=14"), "(3+4)*2=14"),
        ((" 2.50", "*4", "=10"), "2.50*4=10"),
        (("3+4=7",), "3+4=7"),
        ((" 20%", "*50", "=10"), "20%*50=10"),
    ],
)
def test_equation_is_read_row_by_row(rows, equation):
    assert read_equation(column(*rows)) == equation


@pytest.mark.parametrize("rows", [(" 48", "/2"), (" 48",), ("=24",), (), (" 4", "=4", "=4")])
def test_half_an_equation_is_none(rows):
    assert read_equation(column(*rows)) is None


def test_glyphs_come_with_their_cells():
    image = canvas.blank()
    canvas.write(image, 2, 3, "7A")
    assert read_glyphs(image) == [(2, 3, "7"), (2, 4, "A")]


def test_every_glyph_survives_codec_noise_and_truncation():
    noise = np.random.default_rng(0)
    for char in canvas.GLYPHS:
        image = canvas.blank()
        canvas.write(image, 4, 4, char)
        noisy = np.clip(image + noise.normal(-1, 14, image.shape), 0, 255).astype(np.uint8)
        assert read_glyphs(noisy) == [(4, 4, char)]


def test_shapes_icons_and_lines_are_no_glyphs():
    rng = random.Random(0)
    for kind in ("rows", "scatter", "relation", "nothing"):
        assert read_glyphs(world.sample(rng, kind).image) == []


def test_the_sign_for_nothing_and_white_are_nothing_but_a_digit_is_something():
    assert is_nothing(world.sample(random.Random(0), "nothing").image)
    assert is_nothing(canvas.blank())
    assert not is_nothing(column(" 3"))


def test_a_picture_off_the_lattice_is_refused():
    with pytest.raises(ValueError, match="multiples of 8"):
        read_glyphs(np.zeros((30, 64, 3), np.uint8))
