"""Likelihood scores from the model that drew: of the drawing given its prompt, and of the step given the drawing.

Mean log-probabilities in nats, from teacher-forced passes in batches of fixed shape across traces.

    likelihood     mean log p(codes | prompt) per code; the drawing loop computes it anyway
    unconditional  mean log p(codes | empty prompt) per code; so is this, with guidance
    caption        mean log p(step | codes) per token
    alignment      likelihood - unconditional (pointwise mutual information)
    perception     mean |W h - E[c]|^2 of the trained projection W (no log-probability, but the same kind of pass)

Each function takes one item per candidate and returns one value, or a `BatchFailure`, per candidate. Equal items are
scored once.
"""

from collections.abc import Callable, Sequence

import numpy as np

from zero_engine.batches import BatchFailure, padded, run_bucketed, run_distinct
from zero_engine.models.base import UnifiedModel
from zero_engine.models.batching import auto_batch_size
from zero_engine.models.prompt import Prompt, key_of, text_of

Value = float | BatchFailure
_Item = tuple[Prompt, np.ndarray]


def likelihood(model: UnifiedModel, prompts: Sequence[Prompt], codes: Sequence[np.ndarray]) -> list[Value]:
    """Mean log p(codes | prompt), nats per code; the empty prompt is unconditional."""

    def score(batch: list[_Item]) -> list[float]:
        return _floats(model.log_likelihood([text for text, _ in batch], np.stack([c for _, c in batch])))

    return _each_once(model, list(zip(prompts, codes, strict=True)), score)


def caption(model: UnifiedModel, codes: Sequence[np.ndarray], texts: Sequence[str]) -> list[Value]:
    """Mean log p(text | codes), nats per token of the text."""

    def score(batch: list[_Item]) -> list[float]:
        return _floats(
            model.caption_likelihood(np.stack([c for _, c in batch]), [text_of(text) for text, _ in batch])
        )

    return _each_once(model, list(zip(texts, codes, strict=True)), score)


def perception(model: UnifiedModel, prompts: Sequence[Prompt], codes: Sequence[np.ndarray]) -> list[Value]:
    """L_Pe of each drawing given its prompt; the model must have a projection."""

    def score(batch: list[_Item]) -> list[float]:
        return _floats(model.perception([text for text, _ in batch], np.stack([c for _, c in batch])))

    return _each_once(model, list(zip(prompts, codes, strict=True)), score)


def _each_once(
    model: UnifiedModel, items: Sequence[_Item], score: Callable[[list[_Item]], list[float]]
) -> list[Value]:
    def key(item: _Item) -> tuple[object, bytes]:
        return key_of(item[0]), item[1].tobytes()

    return run_distinct(items, key, lambda distinct: _bucketed(model, distinct, score))


def _bucketed(
    model: UnifiedModel, items: Sequence[_Item], score: Callable[[list[_Item]], list[float]]
) -> list[Value]:
    """Scores the items whose prompt fits the model, in buckets of the length of prompt and codes together."""
    if not items:
        return []
    codes_per_picture = model.grid[0] * model.grid[1]
    blank_N = np.zeros(codes_per_picture, np.uint16)
    results: dict[int, Value] = {}
    lengths: dict[int, int] = {}
    tokens_of: dict[object, int] = {}
    for position, (prompt, _) in enumerate(items):
        key = key_of(prompt)
        if key not in tokens_of:
            tokens_of[key] = model.prompt_length(prompt)
        if tokens_of[key] > model.max_prompt_length:
            detail = f"{tokens_of[key]} tokens > {model.max_prompt_length}"
            results[position] = BatchFailure("too_long", detail)
        else:
            lengths[position] = tokens_of[key] + codes_per_picture
    scored = run_bucketed(
        [items[position] for position in lengths],
        list(lengths.values()),
        score,
        auto_batch_size(model),
        lambda size: (filler_prompt(model, size, extra=codes_per_picture), blank_N),
    )
    results.update(zip(lengths, scored, strict=True))
    return [results[position] for position in range(len(items))]


def filler_prompt(model: UnifiedModel, size: int, extra: int = 0) -> str:
    """A harmless prompt, made of zeros, that has the padded length `size` together with `extra` more tokens."""
    zeros = 1
    for _ in range(16):
        length = model.prompt_length("0" * zeros) + extra
        if padded(length) == size:
            break
        zeros = max(1, zeros + size - length)
    return "0" * zeros


def _floats(values_B: np.ndarray) -> list[float]:
    return [float(value) for value in values_B]
