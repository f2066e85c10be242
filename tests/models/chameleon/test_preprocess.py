"""Pixels for the codec: transformers' numbers to the bit, and settings that are none."""

import json

import numpy as np
import pytest
from PIL import Image
from transformers.models.chameleon.image_processing_pil_chameleon import ChameleonImageProcessorPil

from zero_engine.models.chameleon.preprocess import Preprocessor

SIZES = [(32, 32), (100, 37), (37, 100), (5, 9), (33, 31), (700, 33)]
SETTINGS: list[dict] = [
    {},
    {"size": 48},
    {"size": {"height": 20, "width": 50}},
    {"crop_size": 31, "resample": 3},
    {"crop_size": {"height": 64, "width": 20}},
    {"do_resize": False, "do_normalize": False},
    {"do_center_crop": False, "rescale_factor": 1 / 127.5},
    {"do_rescale": False, "image_mean": [0.1, 2, 3.5], "image_std": [2, 0.3, 1]},
]


@pytest.mark.parametrize("changes", SETTINGS, ids=lambda changes: "-".join(changes) or "published")
def test_pixels_have_the_bits_of_transformers_own_processor(tmp_path, changes):
    settings = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}, **changes}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    ours = Preprocessor.model_validate(settings)
    theirs = ChameleonImageProcessorPil.from_pretrained(tmp_path)
    rng = np.random.default_rng(0)
    for width, height in SIZES:
        picture = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        expected = np.asarray(theirs(picture)["pixel_values"][0], np.float32)
        assert np.array_equal(ours(picture), expected)


def test_what_is_saved_is_read_again_by_both(tmp_path):
    ours = Preprocessor.of(tmp_path, 64).model_copy(update={"do_pad": None})
    ours.save(tmp_path)
    assert Preprocessor.of(tmp_path, 64).model_dump() == {
        **ours.model_dump(),
        "image_processor_type": "ChameleonImageProcessor",
    }
    assert ChameleonImageProcessorPil.from_pretrained(tmp_path).crop_size["height"] == 64


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("[]", "preprocessor_config.json: "),
        ("{", "preprocessor_config.json: "),
        ('{"size": "large"}', "size: "),
        ('{"size": {"shortest_edge": 64, "longest_edge": 99}}', "size: height and width or a shortest_edge"),
        ('{"size": {"height": 64}}', "size: height and width or a shortest_edge"),
        ('{"crop_size": {"shortest_edge": 64}}', "crop_size: height and width"),
        ('{"crop_size": 0}', "crop_size: height and width"),
        ('{"image_mean": 3}', "image_mean: "),
        ('{"resample": 99}', "resample: "),
        ('{"crop_size": 32}', "gives 32 x 32 pixels, the codec of config.json takes 64 x 64"),
        ('{"crop_size": {"height": 64, "width": 128}}', "gives 64 x 128 pixels"),
        ('{"do_center_crop": false}', "gives pictures of many sizes"),
        ('{"do_center_crop": false, "do_resize": false, "size": {"height": 64, "width": 64}}', "many sizes"),
    ],
)
def test_settings_that_are_none_are_an_error_of_value(tmp_path, settings, says):
    (tmp_path / "preprocessor_config.json").write_text(settings)
    with pytest.raises(ValueError, match=says) as caught:
        Preprocessor.of(tmp_path, 64)
    assert "\n" not in str(caught.value) and "pydantic" not in str(caught.value)


def test_pictures_that_are_squeezed_need_no_crop(tmp_path):
    settings = '{"do_center_crop": false, "size": {"height": 64, "width": 64}}'
    (tmp_path / "preprocessor_config.json").write_text(settings)
    assert Preprocessor.of(tmp_path, 64)(np.zeros((9, 50, 3), np.uint8)).shape == (3, 64, 64)
