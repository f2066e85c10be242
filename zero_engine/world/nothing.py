"""Nothing: steps that name nothing drawable get one clear sign, so that a gate can drop them.

The specification is a number that seeds the sentence: the text differs, the picture does not.
"""

from __future__ import annotations

import random

import numpy as np

from zero_engine.world import canvas, phrasing
from zero_engine.world import glyphs as readback
from zero_engine.world.kind import Kind, Spec


def draw_nothing(spec: Spec = (), rng: random.Random | None = None) -> np.ndarray:
    image = canvas.blank()
    canvas.stamp(image, 3, 3, canvas.nothing_mask())
    return image


def _specify(rng: random.Random) -> Spec:
    return (rng.randrange(1 << 30),)


def _phrase(spec: Spec, rng: random.Random, held_out: bool) -> str:
    own = random.Random(spec[0])
    text = phrasing.plain_step(own, held_out)
    if own.random() < 0.35:
        text += own.choice((". ", ", ", " and ", ", so ", " because ")) + phrasing.plain_step(own, held_out)
    if own.random() < 0.75:
        text = text[:1].upper() + text[1:]
    return text + own.choice((".", ".", "", "!"))


def _judge(spec: Spec, image: np.ndarray) -> bool:
    return readback.is_nothing(image)


KINDS = (Kind("nothing", "nothing", _specify, _phrase, draw_nothing, _judge),)
