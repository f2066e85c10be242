"""A prompt is a sequence of text and pictures; a request is a prompt, a seed, and what to steer away from.

This one type crosses the seam to every model that draws: guidance, history and question pictures are prompts, not
keywords. `against` is what the branch u of guidance sees, `seen` what the third branch i sees. Text is data: names of
special tokens in it are spelled out by the model. A picture is its codes, (N,) uint16, in the model's own codebook.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Segment = str | np.ndarray
Prompt = str | tuple[Segment, ...]
"""Text alone may be given as a str. The empty prompt, "" or (), conditions nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One drawing to make."""

    prompt: Prompt
    seed: int
    against: Prompt = ()
    """What guidance steers away from, the u of `u + g (c - u)`: nothing, a negative text, or pictures without text."""
    seen: Prompt | None = None
    """The i of `h (i - u)`; without it the third branch says nothing."""


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
    """The prompt's parts that say something."""
    parts = (prompt,) if isinstance(prompt, str) else prompt
    return tuple(part for part in parts if not isinstance(part, str) or part)


def is_empty(prompt: Prompt) -> bool:
    """Whether it conditions nothing."""
    return not segments(prompt)


def pictures_in(prompt: Prompt) -> tuple[np.ndarray, ...]:
    """The codes of the prompt's pictures, in order."""
    return tuple(part for part in segments(prompt) if not isinstance(part, str))


def text_of(prompt: Prompt, picture: str = "") -> str:
    """The prompt's text, with `picture` in the place of each picture."""
    return "".join(part if isinstance(part, str) else picture for part in segments(prompt))


def key_of(prompt: Prompt) -> tuple[str | bytes, ...]:
    """Equal for equal prompts."""
    return tuple(part if isinstance(part, str) else part.tobytes() for part in segments(prompt))
