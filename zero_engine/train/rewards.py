"""Rewards: an answer judged by program. Pure functions of texts and codes.

    reward = (1 - w) (0.9 accuracy + 0.1 format) + w perception

Accuracy is 0 or 1, by the judgement that parsing notes with (`zero_engine/parse/equality.py`), in time linear in what a
model writes. The answer is what stands in the one answer bracket, or after the one `Final Answer:`; an answer
in the thought, a second one, or text behind it is no answer, so hedging earns nothing. Perception is the mean
smoothness of the pictures in code space; a blank picture, one drawn before, and a missing one score 0.

Others train with these too: `train/outside.py` has them in the forms of TRL and verl.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zero_engine.parse import answers_equal, extract_answer
from zero_engine.score.codebook import total_variation
from zero_engine.train.config import TEMPLATES, Rewards, Template

ACCURACY, FORMAT = 0.9, 0.1


@dataclass(frozen=True, slots=True)
class Parsed:
    """A completion taken apart."""

    answer: str | None
    """None where there is not exactly one, in its place."""
    well_formed: bool


@dataclass(frozen=True, slots=True)
class Reward:
    total: float
    accuracy: float
    format: float
    perception: float


def reward(
    text: str,
    truth: str | None,
    *,
    choices: Sequence[str] = (),
    perception: float | None = None,
    weight: float = 0.05,
    template: Template | None = None,
) -> Reward:
    """The reward of a completion, special tokens written out. Without `perception` only text counts."""
    parsed = parse_completion(text, template)
    accuracy = float(same_answer(parsed.answer, truth, choices))
    said = ACCURACY * accuracy + FORMAT * parsed.well_formed
    if perception is None:
        return Reward(said, accuracy, float(parsed.well_formed), 0.0)
    total = (1 - weight) * said + weight * perception
    return Reward(total, accuracy, float(parsed.well_formed), perception)


def perception_reward(
    pictures: Sequence[np.ndarray], codebook_KD: np.ndarray, grid: tuple[int, int], options: Rewards
) -> float:
    """Mean smoothness, from 0 to 1, of the pictures of one answer; 0 with fewer than are asked for."""
    if len(pictures) < max(1, options.min_pictures):
        return 0.0
    seen: set[bytes] = set()
    scores = []
    for codes_N in pictures:
        key = np.asarray(codes_N, np.uint16).tobytes()
        usable = key not in seen and not is_blank(codes_N, options.blank)
        seen.add(key)
        scores.append(total_variation(codes_N, codebook_KD, grid, options.tau) if usable else 0.0)
    return float(np.mean(scores))


def is_blank(codes_N: np.ndarray, share: float) -> bool:
    """Whether one code makes up at least this share of a picture."""
    return bool(np.bincount(np.asarray(codes_N, np.int64)).max() >= share * len(codes_N))


def parse_completion(text: str, template: Template | None = None) -> Parsed:
    """Answer and form of a completion. Without a template: of `omni_r1` where it has brackets, else of `plain`."""
    text = text.strip().removesuffix("</s>").rstrip()
    if template is None:
        bracket = TEMPLATES["omni_r1"].answer.partition("{answer}")[0]
        template = TEMPLATES["omni_r1" if bracket in text else "plain"]
    before, _, after = (piece.strip() for piece in template.answer.partition("{answer}"))
    if not before:  # the answer is the last line
        thought, found, answer = text.rpartition("\n")
        return Parsed(answer.strip() or None, bool(found and answer.strip()))
    if text.count(before) != 1 or (after and text.count(after) != 1):
        return Parsed(None, False)
    thought, _, rest = text.partition(before)
    answer, closed, tail = rest.partition(after) if after else (rest, True, "")
    if not closed or tail.strip() or not answer.strip():
        return Parsed(None, False)
    opening, closing, thought = template.open.strip(), template.close.strip(), thought.strip()
    if opening and thought.count(opening) > thought.count(closing):
        return Parsed(None, False)  # the answer stands in the thought
    whole = bool(thought) and thought.startswith(opening) and thought.endswith(closing)
    once = all(not mark or thought.count(mark) == 1 for mark in (opening, closing))
    inside = thought.removeprefix(opening).removesuffix(closing).strip()
    return Parsed(answer.strip(), whole and once and bool(inside))


def same_answer(answer: str | None, truth: str | None, choices: Sequence[str] = ()) -> bool:
    """Whether an answer is right: `parse.answers_equal` of what it states. Never for an empty one."""
    if not answer or not truth:
        return False
    return answers_equal(extract_answer(answer), truth, tuple(choices))
