"""A small corpus whose question has a picture."""

import base64
import json
from pathlib import Path

import numpy as np

from zero_engine.images import encode_image


def corpus(folder: Path) -> tuple[str, np.ndarray]:
    """The path of its file, and the picture, (64, 64, 3) uint8."""
    picture_HW3 = np.full((64, 64, 3), 255, np.uint8)
    picture_HW3[8:24, 8:40] = (220, 40, 40)
    image = base64.b64encode(encode_image(picture_HW3)).decode()
    row = {
        "question": "How many?",
        "rationale": "There are 3 + 4 = 7 eggs.\nSo 7 - 2 = 5 are left.",
        "answer": "5",
    }
    path = folder / "pictures.jsonl"
    path.write_text(json.dumps({**row, "image": image}) + "\n", encoding="utf-8")
    return str(path), picture_HW3
