"""Whether the text of an answer follows its pictures: is it likelier with them than with the same codes shuffled?

For every answer with a whole picture and text behind it, two forward passes: the answer as it is, and with the codes of
each of its pictures in another order. That keeps what codes there are and takes away what they show. `gain` is the mean
log p of the text behind the first picture with its own pictures, less that with the shuffled ones, in nats per token:
near 0 where the model does not look. The order is a function of the answer's name, so an evaluation that was stopped
ends with the same figures.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zero_engine.hashing import seed_for
from zero_engine.score.pictures import hidden_states_of, picture_starts

if TYPE_CHECKING:
    from zero_engine.models.chameleon.model import Chameleon


def gains(model: "Chameleon", sequences: Sequence[tuple[str, np.ndarray, int]]) -> list[float | None]:
    """The gain of each answer (name, ids, length of its prompt); None without a picture or without text behind it."""
    code_of = model.layout.code_of(len(model.module.lm_head.weight))
    found: list[float | None] = [None] * len(sequences)
    jobs: list[tuple[int, np.ndarray, np.ndarray]] = []
    for place, (name, ids, prompt) in enumerate(sequences):
        starts = picture_starts(ids, prompt, code_of, model.layout, model.codes_per_picture)
        text = text_behind(ids, starts, code_of, model)
        if len(text):
            jobs.append((place, ids, text))
            jobs.append((place, shuffled(name, ids, starts, model.codes_per_picture), text))
    means = _text_means(model, [(ids, text) for _, ids, text in jobs])
    for at in range(0, len(jobs), 2):
        found[jobs[at][0]] = means[at] - means[at + 1]
    return found


def shuffled(name: str, ids_T: np.ndarray, starts: Sequence[int], count: int) -> np.ndarray:
    """The ids with the codes of every picture in an order of their own."""
    changed = ids_T.copy()
    for number, start in enumerate(starts):
        order = np.random.default_rng(seed_for(0, name, number, 0)).permutation(count)
        changed[start : start + count] = ids_T[start : start + count][order]
    return changed


def text_behind(
    ids_T: np.ndarray, starts: Sequence[int], code_of: np.ndarray, model: "Chameleon"
) -> np.ndarray:
    """Positions of text behind the first picture: no code, and none of the marks around codes."""
    if not starts:
        return np.zeros(0, np.int64)
    behind = np.arange(starts[0] + model.codes_per_picture + 1, len(ids_T))
    marks = (model.layout.boi, model.layout.eoi)
    return behind[(code_of[ids_T[behind]] < 0) & ~np.isin(ids_T[behind], marks)]


def _text_means(model: "Chameleon", jobs: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    """Mean log p of the ids at these positions of each sequence, over the vocabulary without codes and their marks."""
    import torch

    head_VD = model.module.lm_head.weight
    code_of = model.layout.code_of(len(head_VD))
    pictured = torch.from_numpy(code_of >= 0).to(model.device)
    pictured[[model.layout.boi, model.layout.eoi]] = True
    means: list[float] = []
    with torch.no_grad():
        hidden = hidden_states_of(model, [ids for ids, _ in jobs])
        for (ids, text), hidden_TD in zip(jobs, hidden, strict=True):
            logits_MV = (hidden_TD[torch.from_numpy(text - 1)] @ head_VD.T).float()
            logp_MV = logits_MV.masked_fill(pictured, -torch.inf).log_softmax(-1)
            targets = torch.from_numpy(ids[text]).to(model.device)
            means.append(float(logp_MV.gather(1, targets[:, None]).mean()))
    return means
