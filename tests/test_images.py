"""Pictures as bytes."""

import numpy as np
import pytest

from zero_engine.images import decode_image, encode_image


def picture(side: int) -> np.ndarray:
    return np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)


@pytest.mark.parametrize("image_format", ["png", "webp"])
@pytest.mark.parametrize("side", [1, 64, 200])
def test_encoding_loses_nothing(image_format, side):
    assert np.array_equal(decode_image(encode_image(picture(side), image_format)), picture(side))


@pytest.mark.parametrize("image_format", ["png", "webp"])
def test_equal_pixels_give_equal_bytes(image_format):
    assert encode_image(picture(64), image_format) == encode_image(
        np.array(picture(64), order="F"), image_format
    )


def test_red_stays_red_for_another_reader():
    import io

    from PIL import Image

    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    assert Image.open(io.BytesIO(encode_image(red))).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_bytes_that_are_no_picture_are_an_error(data):
    with pytest.raises(ValueError, match="not a readable picture"):
        decode_image(data)


def test_floats_are_refused():
    with pytest.raises(ValueError, match="float64"):
        encode_image(np.zeros((8, 8, 3)))
