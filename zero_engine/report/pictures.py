"""A picture as a page shows it: small ones as they are, with hard edges when enlarged; large ones as thumbnails."""

import base64
import io
from dataclasses import dataclass

from PIL import Image

PIXEL_ART_SIDE = 96
"""Longest side, in pixels, of a picture that is enlarged with hard edges."""
ENLARGED_SIDE = 128
THUMBNAIL_SIDE = 384
SHOWN_SIDE = 192
"""Longest side of a large picture on the page, in CSS pixels."""


@dataclass(frozen=True)
class Picture:
    """The attributes of an `img` element."""

    source: str
    width: int
    height: int
    hard_edges: bool


def image_format_of(image: bytes) -> str:
    """`png` or `webp`, by content."""
    return "webp" if image[:4] == b"RIFF" else "png"


def shown_picture(image: bytes, side: int = THUMBNAIL_SIDE) -> Picture:
    """A picture as a data URI, with its size on the page; one that is larger than `side` becomes a thumbnail.

    A picture that cannot be read is an empty one, for which a page shows its description.
    """
    image_format = image_format_of(image)
    try:
        with Image.open(io.BytesIO(image)) as opened:
            width, height = opened.size
            longest = max(width, height)
            if longest > max(side, PIXEL_ART_SIDE):
                small = opened.convert("RGB")
                small.thumbnail((side, side))
                buffer = io.BytesIO()
                small.save(buffer, "WEBP", quality=85)
                image, image_format = buffer.getvalue(), "webp"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        width = height = longest = PIXEL_ART_SIDE
        image = b""
    hard_edges = longest <= PIXEL_ART_SIDE
    zoom = max(2, ENLARGED_SIDE // longest) if hard_edges else min(1.0, SHOWN_SIDE / longest)
    encoded = base64.b64encode(image).decode("ascii")
    return Picture(
        f"data:image/{image_format};base64,{encoded}", round(width * zoom), round(height * zoom), hard_edges
    )
