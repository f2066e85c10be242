"""Splits: which specifications and which phrasings are never trained on.

One specification in ten is held out, by a hash of its content, so the split needs no stored list and no seed. Of every
list of templates each sixth is held out too.
"""

from __future__ import annotations

import functools
import hashlib
import tomllib
from collections.abc import Sequence
from importlib import resources
from typing import TypeVar

T = TypeVar("T")


def held_out_spec(kind: str, spec: tuple) -> bool:
    """Whether a specification belongs to the evaluation split."""
    return hashlib.sha256(f"{kind}:{spec!r}".encode()).digest()[0] < 26  # 26 of 256: 10 %


def spec_split(kind: str, spec: tuple) -> str:
    """train, validation or test: test is what is held out, validation another tenth."""
    place = hashlib.sha256(f"{kind}:{spec!r}".encode()).digest()[0]
    return "test" if place < 26 else "validation" if place < 52 else "train"


@functools.cache
def phrases(group: str, name: str) -> tuple[str, ...]:
    """A list of templates of `phrases.toml`."""
    text = resources.files(__package__).joinpath("phrases.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)[group][name])


def templates(options: Sequence[T], held_out: bool) -> list[T]:
    """The options of one side of the phrasing split; a list of fewer than six has no held-out side."""
    if len(options) < 6:
        return list(options)
    return [option for i, option in enumerate(options) if (i % 6 == 5) == held_out]
