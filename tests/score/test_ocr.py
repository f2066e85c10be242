"""OCR read-back of painted equations, right and wrong."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from zero_engine.errors import ModelError
from zero_engine.pipeline import Score
from zero_engine.score import ocr

pytestmark = pytest.mark.slow


def painted(text: str, size: int = 44) -> np.ndarray:
    image = Image.new("RGB", (512, 512), "white")
    ImageDraw.Draw(image).text((40, 200), text, fill="black", font=ImageFont.load_default(size=size))
    return np.array(image)


@pytest.fixture(scope="module")
def read():
    return ocr.load(Score(), "cpu")


CASES = [
    ("48 + 24 = 72", "48 + 24 = 72", 1.0),
    ("48 + 24 = 72", "48 + 24 = 73", 0.0),
    ("48 + 24 = 72", "48 - 24 = 72", 0.0),
    ("She pays 3 * 50 = $150.", "3 × 50 = 150", 1.0),
    ("She pays 3 * 50 = $150.", "3 × 60 = 150", 0.0),
    ("48 / 2 = 24 clips", "48 ÷ 2 = 24", 1.0),
    ("48 / 2 = 24 clips", "48 ÷ 3 = 24", 0.0),
    ("16 - 3 - 4 = 9", "16 - 3 - 4 = 9", 1.0),
    ("16 - 3 - 4 = 9", "16 - 3 = 13", 0.0),
    ("(3 + 4) * 2 = 14", "(3 + 4) * 2 = 14", 1.0),
    ("20% of 50 is 10", "20% * 50 = 10", 1.0),
    ("She has 16 eggs.", "16", 1.0),
    ("She has 16 eggs.", "15", 0.0),
    ("She has 16 eggs.", "hello", None),
]


def test_painted_equations_are_held_against_the_step(read):
    values = read([painted(drawn) for _, drawn, _ in CASES], [text for text, _, _ in CASES])
    wrong = [case for case, value in zip(CASES, values, strict=True) if value != case[2]]
    assert wrong == []


def test_a_picture_without_writing_is_absent(read):
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    assert read([np.full((512, 512, 3), 255, np.uint8), noise], ["3 + 4 = 7"] * 2) == [None, None]


def test_lines_are_read_as_equations_from_top_to_bottom():
    assert ocr.agreement(["48 +", "24", "= 72"], "48 + 24 = 72") == 1.0
    assert ocr.agreement(["48 + 24 = 72", "9 - 2 = 7"], "48 + 24 = 72") == 0.0
    assert ocr.agreement(["482=24"], "48 / 2 = 24") == 1.0  # a division sign that was not seen
    assert ocr.agreement(["483=24"], "48 / 2 = 24") == 0.0
    assert ocr.agreement([], "48 / 2 = 24") is None


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    def missing(name: str) -> str:
        raise ocr.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(ocr.metadata, "version", missing)
    with pytest.raises(ModelError, match=r"\[ocr\]"):
        ocr.fingerprint(Score())
