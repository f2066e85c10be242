"""Pictures as bytes."""

import io

import numpy as np
import pytest
from PIL import Image

from zero_engine.images import decode_image, encode_image, why_broken


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


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def drawn(mode: str) -> Image.Image:
    """A red square on white, or, in a mode with alpha, on nothing."""
    pixels_HW4 = np.zeros((24, 32, 4), np.uint8)
    pixels_HW4[4:20, 8:24] = (200, 0, 0, 255)
    image = Image.fromarray(pixels_HW4)
    if mode == "RGBA":
        return image
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert("RGB").convert(mode)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF"])
def test_what_is_transparent_lies_on_white(kind):
    data = encoded(drawn("RGBA"), kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert np.array_equal(decode_image(data), np.asarray(drawn("RGB")))


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("RGB", "GIF"), ("RGB", "BMP"), ("RGB", "TIFF"), ("P", "PNG"), ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("L", "PNG"),
        ("1", "PNG"), ("L", "JPEG"), ("LA", "PNG"),
    ],
)  # fmt: skip
def test_pictures_of_every_kind_are_rgb(mode, kind):
    pixels_HW3 = decode_image(encoded(drawn(mode), kind))
    assert pixels_HW3.shape == (24, 32, 3)
    background, square = pixels_HW3[1, 1], pixels_HW3[12, 16]
    assert background.min() > 240 and square[1:].max() < 100


def test_sixteen_bits_are_scaled_and_of_several_frames_the_first_is_seen():
    deep = Image.fromarray(np.full((4, 4), 40_000, np.uint16))
    assert (decode_image(encoded(deep, "PNG")) == 40_000 >> 8).all()
    frames = [drawn("RGB"), Image.new("RGB", (32, 24), "blue")]
    for kind in ("GIF", "PNG", "TIFF"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert tuple(decode_image(data)[12, 16]) == (200, 0, 0)


def test_a_photograph_is_seen_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    assert decode_image(encoded(drawn("RGB"), "JPEG", exif=exif)).shape == (32, 24, 3)
    assert decode_image(encoded(drawn("RGBA"), "PNG", exif=exif)).shape == (32, 24, 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
def test_a_picture_cut_short_is_broken(kind):
    data = encoded(Image.fromarray(picture(64)), kind)
    assert why_broken(data) is None
    assert "do not decode" in (why_broken(data[: len(data) // 2]) or "")
    assert why_broken(b"") is not None
