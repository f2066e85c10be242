"""Prompts and requests. A prompt is a sequence of text and pictures; a request is a prompt, a seed and its guidance.

Every model that draws takes requests. Their guidance is given as prompts, too: `against` is the prompt of the branch u,
`seen` that of the third branch i. Text is data: the model splits names of special tokens in it into ordinary tokens. A
picture is its codes, (N,) uint16, in the model's own codebook.
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
