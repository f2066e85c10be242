"""The nano world: pairs of step text and picture, and oracles that judge a picture by program.

`KINDS` registers every kind of drawing that a text alone decides, `GIVEN` those that start from a given picture; a new
one is a `Kind` in one of the modules here. `sample` is a pure function of its seed. No torch.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from zero_engine.world import amounts, geometry, grid, nothing, quantity, sight, space
from zero_engine.world.kind import Kind, Spec
from zero_engine.world.splits import held_out_spec

KINDS: dict[str, Kind] = {
    kind.name: kind for module in (quantity, amounts, space, geometry, grid, nothing) for kind in module.KINDS
}
GIVEN: dict[str, Kind] = {kind.name: kind for kind in sight.KINDS}

# How often a kind is drawn in training, up to which share of the run: equations first, which real traces ask for; then
# boards and letters, which take longer; at last the marks, which the model picks up only when all else is learnt. It
# lacks `bars` and `chain`: their texts are those of sum, difference, product, quotient, two and long, drawn to scale.
MIXES: tuple[tuple[float, dict[str, float]], ...] = (
    (0.25, {"sum": 6, "difference": 6, "product": 8, "quotient": 7, "fraction": 5, "percent": 5, "line": 4, "two": 6,
            "long": 6, "nothing": 5, "dots": 2, "rows": 3, "scatter": 2, "relation": 2, "mark": 3, "right_angle": 4,
            "altitude": 3, "median": 3, "rectangle": 3, "circle": 1, "place": 2, "goal": 2, "move": 3, "trail": 2,
            "zoom": 4, "box": 4, "auxiliary": 3, "predict": 4}),
    (0.55, {"sum": 5, "difference": 5, "product": 7, "quotient": 6, "fraction": 4, "percent": 5, "line": 5, "two": 8,
            "long": 5, "nothing": 5, "dots": 2, "rows": 3, "scatter": 2, "relation": 1, "mark": 6, "right_angle": 5,
            "altitude": 2, "median": 2, "rectangle": 4, "circle": 1, "place": 2, "goal": 3, "move": 3, "trail": 3,
            "zoom": 8, "box": 6, "auxiliary": 5, "predict": 6}),
    (1.0, {"sum": 5, "difference": 5, "product": 7, "quotient": 6, "fraction": 4, "percent": 5, "line": 5, "two": 9,
           "long": 4, "nothing": 5, "dots": 2, "rows": 3, "scatter": 2, "relation": 1, "mark": 10, "right_angle": 4,
           "altitude": 2, "median": 2, "rectangle": 4, "circle": 1, "place": 2, "goal": 2, "move": 3, "trail": 3,
           "zoom": 8, "box": 6, "auxiliary": 6, "predict": 6}),
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """A specification with one text and one right picture of it, and the picture that is given, if one is."""

    kind: str
    spec: Spec
    text: str
    image: np.ndarray
    given: np.ndarray | None = None


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
    chosen = kind_named(kind or rng.choices(list(mix), list(mix.values()))[0])
    while True:
        spec = chosen.specify(rng)
        if held_out_spec(chosen.split_name(spec), spec) == held_out:
            text = chosen.phrase(spec, rng, new_phrasing)
            given = chosen.given(spec, rng) if chosen.given else None
            return Sample(chosen.name, spec, text, chosen.draw(spec, rng), given)


def kind_named(name: str) -> Kind:
    """A kind of either registry. Raises KeyError for an unknown name."""
    return KINDS[name] if name in KINDS else GIVEN[name]


def judge(kind: str, spec: Spec, image: np.ndarray) -> bool:
    """Whether a decoded uint8 picture is right for a specification."""
    return kind_named(kind).judge(spec, image)


def spec_of(value: object) -> Spec:
    """A specification as JSON gives it back: lists are tuples again."""
    assert isinstance(value, (list, tuple)), "a specification is a list"
    return tuple(spec_of(part) if isinstance(part, (list, tuple)) else part for part in value)
