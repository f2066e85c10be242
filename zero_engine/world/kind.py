"""What a kind of drawing is: a generator of specifications, a phrasing, a drawing and an oracle."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Spec = tuple


@dataclass(frozen=True)
class Kind:
    """One kind of drawing. A specification says what must be on the picture; text and drawing both follow from it."""

    name: str
    skill: str
    """quantity, space, geometry, grid, sight or nothing"""
    specify: Callable[[random.Random], Spec]
    phrase: Callable[[Spec, random.Random, bool], str]
    """(specification, rng, held-out phrasings?) -> the step's text"""
    draw: Callable[[Spec, random.Random], np.ndarray]
    """one right picture, uint8 (64, 64, 3)"""
    judge: Callable[[Spec, np.ndarray], bool]
    """the oracle: whether a decoded picture shows what the specification asks for"""
    given: Callable[[Spec, random.Random], np.ndarray] | None = None
    """the picture that a drawing starts from, where its text alone does not say what to draw"""
    split: Callable[[Spec], str] | None = None
    """the name under which a specification is held out, where kinds share specifications; else the kind's own"""

    def split_name(self, spec: Spec) -> str:
        return self.split(spec) if self.split else self.name
