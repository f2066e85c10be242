"""A small Zebra-CoT corpus with pictures of its own, and the same texts without them."""

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

KINDS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MARK = re.compile(r"[ \n]*<image_start>\[[^\]]*\]<image_end>")


def picture(number: int, kind: str = "PNG", size: tuple[int, int] = (40, 32)) -> bytes:
    """A coloured square on white, in any encoding; every seventh one has no background."""
    rng = np.random.default_rng(number)
    pixels_HW4 = np.full((size[1], size[0], 4), 255, np.uint8)
    pixels_HW4[..., 3] = 0 if number % 7 == 0 and kind == "PNG" else 255
    top, left = rng.integers(2, 12, 2)
    pixels_HW4[top : top + 14, left : left + 14] = (*rng.integers(0, 256, 3), 255)
    out = io.BytesIO()
    image = Image.fromarray(pixels_HW4)
    (image if number % 7 == 0 and kind == "PNG" else image.convert("RGB")).save(out, kind)
    return out.getvalue()


def given(number: int, step: int) -> bytes:
    """The picture of a step; the same one for the first step of records 10 and 11."""
    number = 10 if number == 11 and step == 1 else number
    return picture(100 * step + number, KINDS[(number + step) % len(KINDS)], (40 + 3 * step, 32))


def records(count: int = 40, with_pictures: bool = True) -> list[dict[str, Any]]:
    """Of 40, the pictures of four steps are missing or broken: `BROKEN`."""
    rows = []
    for number in range(count):
        rationale = (
            f"THOUGHT 0: Draw a square for case {number}. <image_start>[reasoning_image_1]<image_end>\n\n"
            f"THOUGHT 1: Move it by {number}.\n<image_start>[reasoning_image_2]<image_end>\n\n"
            f"THOUGHT 2: So it is {number}."
        )
        row = {
            "id": f"zebra-{number}",
            "Question": f"Where is square {number}? <image_start>[problem_image_1]<image_end> Say it.",
            "Text Reasoning Trace": rationale if with_pictures else MARK.sub("", rationale),
            "Final Answer": str(number),
            "problem_image_1": packed(picture(1000 + number)),
        }
        if with_pictures:
            row |= {f"reasoning_image_{step}": packed(given(number, step)) for step in (1, 2)}
            row |= {"reasoning_image_3": None, **BROKEN.get(number, {})}
        rows.append(row)
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def packed(image: bytes) -> dict[str, Any]:
    return {"bytes": base64.b64encode(image).decode(), "path": None}


BROKEN: dict[int, dict[str, Any]] = {
    3: {"reasoning_image_2": None},
    5: {"reasoning_image_1": packed(b"no picture at all")},
    7: {"reasoning_image_1": packed(picture(7)[:-30])},  # cut short
    9: {"reasoning_image_2": "not_there.png"},
}
REASONS = {
    ("zebra-3", 1): ("image_missing", "z.jsonl:4: reasoning_image_2: "),
    ("zebra-5", 0): ("not_a_picture", "z.jsonl:6: reasoning_image_1: "),
    ("zebra-7", 0): ("picture_broken", "z.jsonl:8: reasoning_image_1: "),
    ("zebra-9", 1): ("image_missing", "z.jsonl:10: reasoning_image_2: "),
}
