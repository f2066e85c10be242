"""Pixel checks on pictures whose answers are plain."""

import cv2
import numpy as np
import pytest

from zero_engine.score.pixels import blank, contrast, likeness, sharpness, thumbnail

WHITE = np.full((64, 64, 3), 255, np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
CHECKERS = (
    np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((8, 8)))[..., None].repeat(3, -1).astype(np.uint8) * 255
)


@pytest.mark.parametrize("colour", [0, 15, 16, 127, 128, 255])
def test_a_uniform_picture_is_blank_with_a_codecs_noise_too(colour):
    noise = np.random.default_rng(1).integers(-6, 7, (64, 64, 3))
    assert blank(np.full((64, 64, 3), colour, np.uint8)) == 1.0
    assert blank(np.clip(colour + noise, 0, 255).astype(np.uint8)) == 1.0


def test_blank_is_the_share_of_tiles_in_the_commonest_colour():
    picture = WHITE.copy()
    picture[:16] = (214, 39, 40)
    assert blank(picture) == 0.75
    picture[20, :] = 0
    assert blank(picture) == 0.625
    assert blank(NOISE) < 0.05


def test_contrast_runs_from_flat_to_black_and_white():
    assert contrast(WHITE) == 0.0
    assert contrast(CHECKERS) == pytest.approx(1.0)
    assert 0 < contrast(NOISE) < 1


def test_blurring_lowers_sharpness():
    values = [sharpness(cv2.GaussianBlur(CHECKERS, (0, 0), sigma)) for sigma in (0.5, 1, 2, 4, 8)]
    assert values == sorted(values, reverse=True)
    assert sharpness(WHITE) == 0.0
    assert 0.9 < values[0] < 1.0


def test_likeness_is_one_for_the_same_and_small_for_another():
    assert likeness(thumbnail(CHECKERS), thumbnail(CHECKERS)) == pytest.approx(1.0)
    assert likeness(thumbnail(CHECKERS), thumbnail(255 - CHECKERS)) == 0.0
    assert likeness(thumbnail(CHECKERS), thumbnail(NOISE)) < 0.3


def test_flat_pictures_are_like_each_other_and_nothing_else():
    assert likeness(thumbnail(WHITE), thumbnail(WHITE // 2)) == 1.0
    assert likeness(thumbnail(WHITE), thumbnail(CHECKERS)) == 0.0


@pytest.mark.parametrize("picture", [NOISE[:8, :8], NOISE[:33, :7], np.zeros((1, 1, 3), np.uint8)])
@pytest.mark.parametrize("score", [blank, contrast, sharpness])
def test_scores_of_odd_sizes_stay_in_range(score, picture):
    assert 0.0 <= score(picture) <= 1.0
