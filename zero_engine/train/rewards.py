"""Rewards: an answer judged by program. Pure functions of texts and codes.

    reward = (1 - w) (0.9 accuracy + 0.1 format) + w perception

Accuracy is 0 or 1, by the judgement that parsing notes with (`zero_engine/parse/equality.py`), in time linear in what a
model writes. What the answer is, and whether the form is kept, says `render/answers.py`; what pictures are worth,
`score/pictures.py`.

Others train with these too: `train/outside.py` has them in the forms of TRL and verl.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from zero_engine.parse import answers_equal, extract_answer
from zero_engine.render.answers import parse_completion
from zero_engine.render.sequences import Template

ACCURACY, FORMAT = 0.9, 0.1


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


def same_answer(answer: str | None, truth: str | None, choices: Sequence[str] = ()) -> bool:
    """Whether an answer is right: `parse.answers_equal` of what it states. Never for an empty one."""
    if not answer or not truth:
        return False
    return answers_equal(extract_answer(answer), truth, tuple(choices))
