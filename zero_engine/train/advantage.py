"""From the rewards of a group of answers to one question to the advantage of each.

The advantage is the reward less the group's mean; dividing by the standard deviation, as GRPO does, weighs easy and
hard questions alike and is left to choose (Dr. GRPO, arXiv 2503.20783). A group is learnt from where its answers differ
in *accuracy*: one in which all are right or all are wrong differs in form and pictures alone, and would teach just
those (DAPO filters likewise).
"""

from collections.abc import Sequence

import numpy as np

EPSILON = 1e-6


def advantages(rewards_G: Sequence[float], *, scale_by_std: bool = False) -> np.ndarray:
    """Reward minus mean, (G,) float32; over the standard deviation if asked."""
    rewards = np.asarray(rewards_G, np.float64)
    centred = rewards - rewards.mean()
    if scale_by_std:
        centred = centred / (rewards.std() + EPSILON)
    return centred.astype(np.float32)


def differs(accuracies_G: Sequence[float]) -> bool:
    """Whether a group's answers differ in accuracy."""
    return max(accuracies_G) - min(accuracies_G) > EPSILON


def overlong_penalty(length: int, longest: int, soft: int) -> float:
    """From 0 at `longest - soft` ids down to -1 at `longest` (DAPO's soft punishment)."""
    return -min(1.0, max(0.0, (length - (longest - soft)) / soft)) if soft else 0.0
