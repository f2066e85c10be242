"""Pictures as bytes: the one place where pixels are encoded and decoded.

RGB uint8 arrays (H, W, 3) on one side, lossless PNG or WebP on the other. The same pixels give the same
bytes, so a dataset can be compared by its files; OpenCV does the work, whose channel order (BGR) stays in
here. Pillow decodes what is transparent, or unknown to OpenCV. A picture that no model drew is fitted to the model's
size before it is encoded as codes.
"""

import io

import cv2
import numpy as np
from PIL import Image, ImageOps

_ENCODINGS = {
    "png": (".png", [cv2.IMWRITE_PNG_COMPRESSION, 6]),
    "webp": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 101]),  # above 100 OpenCV encodes without loss
}
_MAGIC = {"png": b"\x89PNG", "webp": b"RIFF"}
MOST_DB = 100.0
"""The PSNR given for equal pictures: theirs is infinite, and a score has to be finite."""


def encode_image(image_HW3: np.ndarray, image_format: str = "png") -> bytes:
    """Lossless bytes of an RGB uint8 picture; the format is `png` or `webp`."""
    if image_HW3.dtype != np.uint8 or image_HW3.ndim != 3 or image_HW3.shape[2] != 3:
        raise ValueError(f"a picture is uint8 (H, W, 3), got {image_HW3.dtype} {image_HW3.shape}")
    suffix, options = _ENCODINGS[image_format]
    done, encoded = cv2.imencode(suffix, cv2.cvtColor(image_HW3, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ValueError(f"OpenCV could not encode a picture of {image_HW3.shape} as {image_format}")
    return encoded.tobytes()


def decode_image(data: bytes) -> np.ndarray:
    """RGB uint8 (H, W, 3) of a picture, upright, on white where it is transparent; of several frames the first.

    Raises ValueError for bytes that are no whole picture.
    """
    image_HW3 = None
    if data and not _is_transparent(data):
        image_HW3 = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image_HW3 is not None:
        return cv2.cvtColor(image_HW3, cv2.COLOR_BGR2RGB)
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return np.asarray(on_white(ImageOps.exif_transpose(picture)))
    except Exception:  # whatever the decoder makes of bad bytes
        raise ValueError(f"{len(data)} bytes are not a readable picture") from None


def why_broken(data: bytes) -> str | None:
    """Why a picture cannot be decoded as a whole; None where it can."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
    except Exception as error:  # whatever the decoder makes of bad bytes
        return f"{len(data):,} bytes that do not decode ({type(error).__name__}: {error})"
    return None


def _is_transparent(data: bytes) -> bool:
    """Whether a picture says that it may have transparent pixels."""
    if data.startswith(_MAGIC["png"]):
        return data[25:26] in (b"\4", b"\6") or b"tRNS" in data[: max(0, data.find(b"IDAT"))]
    if data.startswith((b"\xff\xd8", b"BM")):
        return False
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.has_transparency_data
    except Exception:  # OpenCV may still read it
        return False


def convert_image(data: bytes, image_format: str) -> bytes:
    """The picture in another lossless encoding; the same bytes where it has that one already."""
    return data if data.startswith(_MAGIC[image_format]) else encode_image(decode_image(data), image_format)


def on_white(image: np.ndarray | Image.Image) -> Image.Image:
    """The picture in RGB, laid on white where it is transparent, truncated as in the Chameleon reference."""
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    if picture.mode == "RGB":
        return picture
    if picture.mode.startswith("I;16"):  # Pillow would make white of all but the darkest
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    rgba = np.asarray(picture.convert("RGBA"))
    alpha = rgba[..., 3:] / 255.0
    return Image.fromarray(((1 - alpha) * 255 + alpha * rgba[..., :3]).astype(np.uint8))


def fit(picture_HW3: np.ndarray, size: int) -> np.ndarray:
    """The picture resized until its shorter side is `size`, then cropped to the middle size x size."""
    picture = Image.fromarray(np.ascontiguousarray(picture_HW3))
    scale = size / min(picture.size)
    width, height = (max(size, round(side * scale)) for side in picture.size)
    if (width, height) != picture.size:
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    left, top = (width - size) // 2, (height - size) // 2
    return np.asarray(picture.crop((left, top, left + size, top + size)))


def psnr(one_HW3: np.ndarray, other_HW3: np.ndarray) -> float:
    """Peak signal-to-noise ratio of uint8 pictures in dB, at most MOST_DB; equal pictures have MOST_DB."""
    return min(MOST_DB, cv2.PSNR(np.ascontiguousarray(one_HW3), np.ascontiguousarray(other_HW3)))
