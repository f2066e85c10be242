"""The score `ocr`: compares the equations in a picture of any size, read by OCR, with those of the step.

RapidOCR (PP-OCR on ONNX Runtime; its wheel holds the weights, so nothing is fetched) reads the picture's lines. The
score is 1 where every equation read is one of the step's, compared as a whole as in `score.readback`, else 0. Without
an equation it is 1 where every number read is in the step, else 0. It is absent where no digit is read.

The recogniser's alphabet lacks × and ÷. Where a left side has no operator, both are tried at every place; this finds a
wrong number, but not × in place of ÷. A picture of 512 x 512 takes about half a second on one core.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import metadata

import numpy as np

from zero_engine.errors import ModelError, install_extra
from zero_engine.hashing import digest
from zero_engine.pipeline import Score
from zero_engine.score.readback import says_equation
from zero_engine.score.readback.spelling import NUMBER, plain, written
from zero_engine.score.readback.statements import named_numbers

_NOT_AN_EQUATION = re.compile(r"[^\d.,+\-*/=()%xX]")
LEAST_CONFIDENCE = 0.5
"""Lines with a lower confidence of the recogniser are ignored."""


def load(score: Score, device: str) -> Callable[[Sequence[np.ndarray], Sequence[str]], list[float | None]]:
    """A function from RGB pictures and texts to 1, 0 or None. Raises ModelError where the extra is missing."""
    engine = _engine()

    def values(images: Sequence[np.ndarray], texts: Sequence[str]) -> list[float | None]:
        return [agreement(_lines(engine, image), text) for image, text in zip(images, texts, strict=True)]

    return values


def fingerprint(score: Score) -> str:
    """A digest of the versions that the values depend on. Raises ModelError where the extra is missing."""
    return digest("ocr", "1", *(f"{name} {_version(name)}" for name in ("rapidocr", "onnxruntime")))


def agreement(lines: Sequence[str], text: str) -> float | None:
    """1, 0 or None for the lines read in a picture, from top to bottom, and the step's text."""
    whole = "".join(_NOT_AN_EQUATION.sub("", plain(line)) for line in lines)
    equations = [line for line in map(_equation, lines) if line]
    if not equations and "=" in whole:  # an equation that runs over several lines
        equations = [whole]
    if equations:
        return float(all(_is_said(equation, text) for equation in equations))
    numbers = re.findall(NUMBER, " ".join(map(plain, lines)))
    if not numbers:
        return None
    named = named_numbers(text)
    return float(all(written(number) in named for number in numbers))


def _equation(line: str) -> str | None:
    """The characters of an equation in a line, None where it holds none with two sides."""
    signs = _NOT_AN_EQUATION.sub("", plain(line))
    return signs if re.search(r"[\d)%]=-?[\d(.]", signs) else None


def _is_said(equation: str, text: str) -> bool:
    return any(says_equation(text, reading) for reading in _readings(equation))


def _readings(equation: str) -> Iterator[str]:
    """The equation as read; where it has no operator, also with × or ÷ inserted at each place."""
    left, _, right = equation.replace(",", "").partition("=")
    if re.search(r"[-+*/xX]", left.lstrip("-")):
        yield f"{left}={right}".replace("x", "*").replace("X", "*")
        return
    for place in range(1, len(left)):
        for op in "*/":
            yield f"{left[:place]}{op}{left[place:]}={right}"


def _lines(engine: Callable, image_HW3: np.ndarray) -> list[str]:
    """The lines of text in an RGB picture, from top to bottom."""
    found = engine(np.ascontiguousarray(image_HW3[..., ::-1]))
    if found.txts is None:
        return []
    rows = [(float(box[:, 1].mean()), float(box[:, 0].min()), line)
            for box, line, trust in zip(found.boxes, found.txts, found.scores, strict=True)
            if trust >= LEAST_CONFIDENCE]  # fmt: skip
    return [line for _, _, line in sorted(rows)]


@cache
def _engine() -> Callable:
    _version("rapidocr"), _version("onnxruntime")
    from rapidocr import RapidOCR

    threads = {
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    return RapidOCR(params={"Global.log_level": "error", **threads})


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        raise ModelError(f"score.names has ocr, which needs {name}: {install_extra('ocr')}") from None
