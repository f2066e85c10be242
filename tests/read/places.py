"""Pictures that can be told apart, and what came of a record that holds them."""

import base64
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from zero_engine.images import encode_image
from zero_engine.parse import parse_trace
from zero_engine.pipeline import Input, Parse
from zero_engine.read import read_traces
from zero_engine.read.given import loaded
from zero_engine.read.images import PictureRules
from zero_engine.records import PICTURE, ParsedTrace, Rejection

NAMES = "abcdefgh"


@cache
def picture(name: str) -> bytes:
    return encode_image(np.random.default_rng(ord(name)).integers(0, 256, (12, 16, 3), np.uint8))


def packed(name: str) -> dict[str, Any]:
    """As `datasets` stores a picture."""
    return {"bytes": base64.b64encode(picture(name)).decode(), "path": None}


def url(name: str) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture(name)).decode()}"


@dataclass
class Told:
    """A parsed trace with pictures as their names: the question has @a where picture a stands."""

    question: str
    unplaced: list[str]
    """The question's pictures that have no place in it."""
    steps: list[tuple[str, str | None]]
    """Each text with the name of its picture, or with the reason why it has none and the key."""
    parsed: ParsedTrace

    @property
    def notes(self) -> tuple[str, ...]:
        return self.parsed.notes


def told(folder: Path, record: dict[str, Any], format: str, **options: Any) -> list[Told | Rejection]:
    """What is read from a record beside which the pictures a.png to h.png lie."""
    for name in NAMES:
        (folder / f"{name}.png").write_bytes(picture(name))
    path = folder / "corpus.jsonl"
    path.write_text(json.dumps(record) + "\n")
    return from_file(path, format, **options)


def from_file(path: Path, format: str, **options: Any) -> list[Told | Rejection]:
    spec = Input(path=str(path), format=format, **options)
    found: list[Told | Rejection] = []
    for trace in read_traces(spec):
        if isinstance(trace, Rejection):
            found.append(trace)
            continue
        parsed = parse_trace(loaded(trace, PictureRules.of(spec)), Parse())
        assert isinstance(parsed, ParsedTrace), parsed
        found.append(_as_told(parsed))
    return found


def _as_told(parsed: ParsedTrace) -> Told:
    called = {picture(name): name for name in NAMES}
    shown = [called[image] for image in parsed.trace.question_images]
    pieces = parsed.trace.question.split(PICTURE)
    assert len(pieces) in (1, len(shown) + 1), (pieces, shown)
    question, unplaced = pieces[0], shown
    if len(pieces) > 1:
        question += "".join(f"@{name}{piece}" for name, piece in zip(shown, pieces[1:], strict=True))
        unplaced = []
    steps: list[tuple[str, str | None]] = []
    for step in parsed.steps:
        given = step.given
        key = given.name.rpartition(": ")[2] if given else ""
        problem = f"{given.problem[0]} {key}" if given and given.problem else None
        steps.append((step.text, called[given.image] if given and given.image else problem))
    texts = [question, parsed.trace.rationale, *(text for text, _ in steps), *parsed.trace.choices]
    for text in [*texts, parsed.answer or ""]:
        assert not any(mark in text for mark in ("<image", "<|image", "\ue000", "image_end>")), text
    return Told(question, unplaced, steps, parsed)
