"""The nano world: pairs of step text and picture, and oracles that judge a picture by program.

`KINDS` registers every kind of drawing; a new one is a `Kind` in one of the modules here. `sample` is a
pure function of its seed. No torch.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from zero_engine.world import geometry, grid, nothing, quantity, space
from zero_engine.world.kind import Kind, Spec
from zero_engine.world.splits import held_out_spec

KINDS: dict[str, Kind] = {
    kind.name: kind for module in (quantity, space, geometry, grid, nothing) for kind in module.KINDS
}

# How often a kind is drawn in training, up to which share of the run: equations first, which real traces ask for; then
# boards and letters, which take longer; at last the marks, which the model picks up only when all else is learnt.
MIXES: tuple[tuple[float, dict[str, float]], ...] = (
    (0.25, {"bars": 17, "chain": 13, "nothing": 6, "dots": 4, "rows": 5, "scatter": 4, "relation": 3, "mark": 7,
            "right_angle": 8, "altitude": 5, "median": 5, "rectangle": 6, "circle": 2, "place": 3, "goal": 4,
            "move": 6, "trail": 5}),
    (0.55, {"bars": 10, "chain": 13, "nothing": 5, "dots": 6, "rows": 6, "scatter": 4, "relation": 2, "mark": 10,
            "right_angle": 10, "altitude": 3, "median": 3, "rectangle": 8, "circle": 1, "place": 6, "goal": 8,
            "move": 9, "trail": 9}),
    (1.0, {"bars": 10, "chain": 9, "nothing": 5, "dots": 8, "rows": 4, "scatter": 3, "relation": 2, "mark": 26,
           "right_angle": 8, "altitude": 3, "median": 3, "rectangle": 9, "circle": 1, "place": 4, "goal": 5,
           "move": 6, "trail": 7}),
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """A specification with one text and one right picture of it."""

    kind: str
    spec: Spec
    text: str
    image: np.ndarray


def sample(
    rng: random.Random,
    kind: str | None = None,
    held_out: bool = False,
    new_phrasing: bool = False,
    progress: float = 0.0,
) -> Sample:
    """One pair; where no kind is named, one from the mix of this share of a training run.

    `held_out`: a specification never trained on; `new_phrasing`: a template never trained on.
    """
    mix = next(mix for end, mix in MIXES if progress <= end)
    chosen = KINDS[kind or rng.choices(list(mix), list(mix.values()))[0]]
    while True:
        spec = chosen.specify(rng)
        if held_out_spec(chosen.name, spec) == held_out:
            return Sample(chosen.name, spec, chosen.phrase(spec, rng, new_phrasing), chosen.draw(spec, rng))


def judge(kind: str, spec: Spec, image: np.ndarray) -> bool:
    """Whether a decoded uint8 picture is right for a specification."""
    return KINDS[kind].judge(spec, image)
