"""Rewards: an answer judged by program. Pure functions of texts and codes.

    reward = (1 - w) (0.9 accuracy + 0.1 format) + w perception

Accuracy is 0 or 1, by the judgement that parsing notes with (`zero_engine/parse/equality.py`), in time linear in what a
model writes. The answer is what stands in the one answer bracket, or after the one `Final Answer:`; an answer
in the thought, a second one, or text behind it is no answer, so hedging earns nothing. What pictures are worth is in
`score/pictures.py`.

Others train with these too: `train/outside.py` has them in the forms of TRL and verl.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from zero_engine.parse import answers_equal, extract_answer
from zero_engine.train.config import TEMPLATES, Template

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
