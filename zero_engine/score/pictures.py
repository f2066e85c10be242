"""What the pictures of one answer are worth to a reward, from 0 to 1: each by its codes, or by the hidden states at it.

    by codes     1 / (1 + tv / tau), the smoothness in code space (`codebook`)
    by hidden    1 / (1 + L_Pe / tau), L_Pe the distance of the projected hidden states to the codes' vectors

Both are the reference's (arXiv 2601.09536; ModalityDance/Omni-R1, src/PeRPO/rewards.py at 63fb24e), which takes the
worst picture of an answer (`over: min`), hidden states at the codes themselves (shift 0), and a projection that nobody
trained. Here the projection is the one that PeSFT left beside the checkpoint, with its shift. A blank picture, one
drawn before, and a missing one score 0, which the reference does not say.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from zero_engine.score.codebook import total_variation

if TYPE_CHECKING:
    from torch import Tensor

    from zero_engine.models.chameleon.layout import TokenLayout
    from zero_engine.models.chameleon.model import Chameleon
    from zero_engine.models.chameleon.perception import Projection

AT_ONCE = 8
"""Sequences in one forward pass."""


class Options(Protocol):
    """The part of `train.config.Rewards` that is about pictures."""

    @property
    def min_pictures(self) -> int: ...
    @property
    def tau(self) -> float: ...
    @property
    def blank(self) -> float: ...
    @property
    def over(self) -> str: ...


def perception_reward(
    pictures: Sequence[np.ndarray],
    codebook_KD: np.ndarray,
    grid: tuple[int, int],
    options: Options,
    distances: Sequence[float] | None = None,
) -> float:
    """The mean or the least of the pictures' scores; 0 with fewer pictures than are asked for.

    `distances`, one L_Pe a picture, judges by hidden states.
    """
    if len(pictures) < max(1, options.min_pictures):
        return 0.0
    seen: set[bytes] = set()
    scores = []
    for place, codes_N in enumerate(pictures):
        key = np.asarray(codes_N, np.uint16).tobytes()
        usable = key not in seen and not is_blank(codes_N, options.blank)
        seen.add(key)
        if not usable:
            scores.append(0.0)
        elif distances is None:
            scores.append(total_variation(codes_N, codebook_KD, grid, options.tau))
        else:
            scores.append(1.0 / (1.0 + distances[place] / options.tau))
    return min(scores) if options.over == "min" else float(np.mean(scores))


def is_blank(codes_N: np.ndarray, share: float) -> bool:
    """Whether one code makes up at least this share of a picture."""
    return bool(np.bincount(np.asarray(codes_N, np.int64)).max() >= share * len(codes_N))


def picture_distances(
    model: "Chameleon", projection: "Projection", sequences: Sequence[tuple[np.ndarray, int]]
) -> list[list[float]]:
    """L_Pe of each whole picture of each sequence (ids, length of its prompt): those that stand behind the prompt.

    One forward pass over the sequences, `AT_ONCE` at a time, padded on the right, which changes nothing before it.
    """
    import torch

    code_of, count = model.layout.code_of(len(model.module.lm_head.weight)), model.codes_per_picture
    codebook_KE = torch.from_numpy(model.codebook()).to(model.device)
    found: list[list[float]] = []
    with torch.no_grad():
        hidden = hidden_states_of(model, [ids for ids, _ in sequences])
        for (ids, prompt), hidden_TD in zip(sequences, hidden, strict=True):
            starts = picture_starts(ids, prompt, code_of, model.layout, count)
            found.append(distances_at(hidden_TD, code_of[ids], starts, count, projection, codebook_KE))
    return found


def hidden_states_of(model: "Chameleon", sequences: Sequence[np.ndarray]) -> Iterator["Tensor"]:
    """The last hidden states (T, D) of each sequence of ids; `AT_ONCE` go through one forward pass."""
    import torch

    from zero_engine.models.chameleon.training_forward import hidden_states

    for at in range(0, len(sequences), AT_ONCE):
        part = sequences[at : at + AT_ONCE]
        ids_BT = np.zeros((len(part), max(map(len, part))), np.int64)
        for row, ids in enumerate(part):
            ids_BT[row, : len(ids)] = ids
        hidden_BTD = hidden_states(model.module, torch.from_numpy(ids_BT).to(model.device))
        yield from (hidden_TD[: len(ids)] for hidden_TD, ids in zip(hidden_BTD, part, strict=True))


def picture_starts(
    ids_T: np.ndarray, first: int, code_of: np.ndarray, layout: "TokenLayout", count: int
) -> list[int]:
    """Where whole pictures begin, from `first` on: BOI, exactly `count` codes, EOI, as `render.answers` has them."""
    begun = np.flatnonzero(ids_T == layout.boi)
    return [
        int(at) + 1
        for at in begun[begun >= first]
        if at + count + 1 < len(ids_T)
        and ids_T[at + count + 1] == layout.eoi
        and bool((code_of[ids_T[at + 1 : at + count + 1]] >= 0).all())
    ]


def distances_at(
    hidden_TD: "Tensor",
    codes_T: np.ndarray,
    starts: Sequence[int],
    count: int,
    projection: "Projection",
    codebook_KE: "Tensor",
) -> list[float]:
    """L_Pe of the pictures that begin at these positions of one sequence."""
    import torch

    from zero_engine.models.chameleon.perception import perception

    found = []
    for start in starts:
        codes_N = torch.from_numpy(codes_T[start : start + count]).to(hidden_TD.device)
        span_ND = hidden_TD[start - projection.shift : start - projection.shift + count]
        found.append(perception(span_ND, projection.linear, codebook_KE, codes_N).mean().item())
    return found
