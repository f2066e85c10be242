"""Paired contrasts over seeds and questions: how large, how sure, and whether two arms are equal within a margin.

What is compared is right or wrong of one question under one seed, the same question and seed in both arms. Arrays are
(S, Q), S seeds and Q questions. All is in points, hundredths of a share.

    interval       two-way cluster bootstrap: seeds and questions are drawn again, each by itself (Owen 2007, the
                   pigeonhole bootstrap), so the interval is for new seeds and new questions
    p              exact sign-flip test over the seeds' mean differences, two-sided: its least value is 2 / 2^S
    holm           Holm's step-down over the contrasts of one family
    equivalence    two one-sided sign-flip tests against a margin that was fixed beforehand (Schuirmann 1987)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

LEVEL = 0.05


@dataclass(frozen=True)
class Contrast:
    """One arm against another. `by_seed` are the mean differences of each seed, in points."""

    points: float
    low: float
    high: float
    p: float
    by_seed: tuple[float, ...]


def contrast(a_SQ: np.ndarray, b_SQ: np.ndarray, seed: int = 0, draws: int = 10_000) -> Contrast:
    """a - b with a 95 % interval and its p. Raises ValueError for arms of different shape."""
    by_pair = _differences(a_SQ, b_SQ)
    by_seed = by_pair.mean(1)
    low, high = np.quantile(_bootstrap(by_pair, seed, draws), [LEVEL / 2, 1 - LEVEL / 2])
    return Contrast(
        float(by_seed.mean()), float(low), float(high), sign_flip(by_seed), tuple(map(float, by_seed))
    )


def equivalence(a_SQ: np.ndarray, b_SQ: np.ndarray, margin: float) -> float:
    """p of the hypothesis that they differ by `margin` points or more: small means equal within the margin."""
    by_seed = _differences(a_SQ, b_SQ).mean(1)
    return max(_one_sided(by_seed + margin), _one_sided(margin - by_seed))


def sign_flip(differences_S: np.ndarray) -> float:
    """The share of the 2^S choices of signs whose mean is at least as far from 0, two-sided and exact."""
    means = _flipped(differences_S)
    return float(np.mean(np.abs(means) >= abs(differences_S.mean()) - 1e-9))


def holm(ps: list[float]) -> list[float]:
    """Adjusted p, in the given order: below a level where Holm's procedure rejects at that level."""
    order = np.argsort(ps, kind="stable")
    stepped = np.maximum.accumulate([ps[at] * (len(ps) - place) for place, at in enumerate(order)])
    adjusted = np.empty(len(ps))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted.tolist()


def _differences(a_SQ: np.ndarray, b_SQ: np.ndarray) -> np.ndarray:
    if a_SQ.shape != b_SQ.shape:
        raise ValueError(f"arms of different shape: {a_SQ.shape} and {b_SQ.shape}")
    return 100.0 * (a_SQ.astype(np.float64) - b_SQ.astype(np.float64))


def _bootstrap(by_pair_SQ: np.ndarray, seed: int, draws: int) -> np.ndarray:
    """Means of by_pair after seeds and questions were drawn again, (draws,)."""
    random = np.random.default_rng(seed)
    seeds, questions = by_pair_SQ.shape
    by_seed = random.multinomial(seeds, np.full(seeds, 1 / seeds), draws) / seeds
    by_question = random.multinomial(questions, np.full(questions, 1 / questions), draws) / questions
    return ((by_seed @ by_pair_SQ) * by_question).sum(1)


def _flipped(differences_S: np.ndarray) -> np.ndarray:
    signs = np.array(list(product((-1.0, 1.0), repeat=len(differences_S))))
    return signs @ differences_S / len(differences_S)


def _one_sided(differences_S: np.ndarray) -> float:
    """p of a mean of 0 or less."""
    return float(np.mean(_flipped(differences_S) >= differences_S.mean() - 1e-9))
