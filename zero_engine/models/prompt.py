"""Prompts, requests and sampling settings: all that a model needs to draw. Imports no torch.

A prompt is a sequence of text and pictures. A request is a prompt, a seed, and the prompts of its guidance: `against`
is the prompt of the branch u, `seen` that of the third branch i. One `Sampling` holds for all requests of a call.
Text is data: the model splits names of special tokens in it into ordinary tokens. A picture is its codes,
(N,) uint16, in the model's own codebook.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Segment = str | np.ndarray
Prompt = str | tuple[Segment, ...]
"""A prompt of text alone may be a str. The empty prompt, "" or (), is no condition."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One drawing to make."""

    prompt: Prompt
    seed: int
    against: Prompt = ()
    """The prompt of u in `u + g (c - u)`, which guidance steers away from: empty, a negative text, or pictures."""
    seen: Prompt | None = None
    """The prompt of i in `h (i - u)`; with None this term is 0."""
    identity: str = ""
    """The identity of the drawing, under which a server's answer is kept; empty for a filler of a batch."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling settings. The defaults sample the model's own distribution; temperature 0 is greedy."""

    guidance: float = 1.0
    """The g of `u + g (c - u) + h (i - u)`; with 1 and no h there is no branch u."""
    temperature: float = 1.0
    top_p: float = 1.0
    """Top-p; 1 keeps every code."""
    top_k: int | None = None
    """Top-k; None keeps every code."""
    image_guidance: float = 0.0
    """The h of `h (i - u)`; with 0 there is no third branch."""

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1 or (self.top_k is not None and self.top_k < 1):
            raise ValueError(f"temperature must be >= 0, top_p in (0, 1], top_k >= 1; got {self}")


def requests(
    prompts: Sequence[Prompt],
    seeds: Sequence[int],
    against: Prompt = (),
    seen: Sequence[Prompt | None] | None = None,
) -> list[Request]:
    """A request for each prompt and its seed. Raises ValueError where their numbers differ."""
    if len(prompts) != len(seeds):
        raise ValueError(f"one seed per prompt: got {len(prompts)} prompts and {len(seeds)} seeds")
    shown = [None] * len(prompts) if seen is None else seen
    return [Request(p, s, against, i) for p, s, i in zip(prompts, seeds, shown, strict=True)]


def segments(prompt: Prompt) -> tuple[Segment, ...]:
    """The prompt's parts, without empty texts."""
    parts = (prompt,) if isinstance(prompt, str) else prompt
    return tuple(part for part in parts if not isinstance(part, str) or part)


def is_empty(prompt: Prompt) -> bool:
    """Whether the prompt is empty, so that drawing is unconditional."""
    return not segments(prompt)


def pictures_in(prompt: Prompt) -> tuple[np.ndarray, ...]:
    """The codes of the prompt's pictures, in order."""
    return tuple(part for part in segments(prompt) if not isinstance(part, str))


def text_of(prompt: Prompt, picture: str = "") -> str:
    """The prompt's text, with `picture` in the place of each picture."""
    return "".join(part if isinstance(part, str) else picture for part in segments(prompt))


def key_of(prompt: Prompt) -> tuple[str | bytes, ...]:
    """A hashable key: equal for equal prompts, different for different ones."""
    return tuple(part if isinstance(part, str) else part.tobytes() for part in segments(prompt))
