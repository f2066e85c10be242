"""The rewards inside other trainers: TRL and verl decode answers without special tokens, so the brackets are gone.

    TRL    GRPOTrainer(reward_funcs=trl_reward_for(tokenizer), ...) reads `completion_ids`, which nobody has decoded;
           given a model (nano, a folder, a hub name) it also rewards the pictures that stand in the ids
    verl   custom_reward_function.path=THIS_FILE, .name=compute_score judges the text that verl hands over

In a text without brackets the answer is what stands behind its one `Final Answer:`. Where even that is absent it is
taken from where it must have stood, the end of the last line, and only if there is one way to read it: behind the one
full stop that no blank follows. `are 42.42` may be a 42 or a number, and earns nothing. A tokenizer from
`keep_brackets`, handed to either trainer, leaves no doubt.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from zero_engine.errors import PipelineError
from zero_engine.render.answers import NAME, Vocabulary, token_names
from zero_engine.render.sequences import Template, pieces_of
from zero_engine.score.pictures import perception_reward
from zero_engine.train.config import Rewards
from zero_engine.train.rewards import Reward, reward

_GLUED = re.compile(r"(?<=[^\W\d])[.!?](?=[^\s\W])|(?<=[)\]}\"'])[.!?](?=[^\s\W])|(?<=\d)[!?](?=[^\s\W])")
"""A sentence's end with the next word right behind it; not between digits, where it may be a decimal point."""


def trl_reward_for(
    tokenizer_or_model: Any, template: str | Template = "omni_r1", options: Rewards | None = None
) -> Callable[..., list[float]]:
    """TRL's reward function for answers as ids: special tokens are read by id, and pictures are no text.

    Takes a tokenizer, a processor, a model of ours, or a model's name or folder; of the last two the codebook is
    known, and pictures count as in PeRPO. The dataset needs `answer`, and may have `choices`. Raises ModelError for an
    unknown model.
    """
    pieces = pieces_of(template)
    options = options or Rewards()
    if options.by == "hidden":
        raise PipelineError(
            "rewards.by: hidden needs hidden states, which TRL does not hand over. Use codes."
        )
    vocabulary = Vocabulary(tokenizer_or_model, pieces)

    def zero_engine_reward(
        completions: Sequence[Any], answer: Sequence[str | None], completion_ids: Any = None, **columns: Any
    ) -> list[float]:
        if completion_ids is None:
            return trl_reward(completions, answer, **columns)
        choices = columns.get("choices") or [()] * len(answer)
        judged = zip(completion_ids, answer, choices, strict=True)
        return [judge(ids, truth, given or ()).total for ids, truth, given in judged]

    def judge(ids: Sequence[int], truth: str | None, choices: Sequence[str]) -> Reward:
        text, pictures = vocabulary.read(ids)
        seen = None
        if vocabulary.codebook is not None:
            seen = perception_reward(pictures, vocabulary.codebook, vocabulary.grid, options)
        return reward(
            text, truth, choices=choices, perception=seen, weight=options.perception, template=pieces
        )

    return zero_engine_reward


def trl_reward(completions: Sequence[Any], answer: Sequence[str | None], **kwargs: Any) -> list[float]:
    """TRL's reward function for answers as text: completions (texts or chats) and the `answer` column to numbers."""
    choices = kwargs.get("choices") or [()] * len(completions)
    texts = [_text_of(completion) for completion in completions]
    triples = zip(texts, answer, choices, strict=True)
    return [reward(readable(text), truth, choices=given or ()).total for text, truth, given in triples]


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str | None,
    extra_info: dict[str, Any] | None = None,
    **kwargs: Any,
) -> dict[str, float]:
    """verl's custom reward function, for a text with its brackets or without.

    `extra_info` may hold `choices`, and `perception`, the score of the answer's pictures (`perception_reward`).
    """
    extra = extra_info or {}
    choices, perception = extra.get("choices"), extra.get("perception")
    found = reward(
        readable(solution_str),
        ground_truth,
        choices=() if choices is None else tuple(choices),
        perception=perception,
        weight=kwargs.get("weight", 0.05),
    )
    return {
        "score": found.total,
        "acc": found.accuracy,
        "format": found.format,
        "perception": found.perception,
    }


def readable(text: str) -> str:
    """The text, with `Final Answer:` put before an answer whose brackets are gone, if there is one way to read it."""
    if NAME.search(text) or "Final Answer:" in text:
        return text
    before, broken, last = text.rstrip().rpartition("\n")
    places = [found.end() for found in _GLUED.finditer(last)]
    if len(places) != 1:
        return text
    return f"{before}{broken}{last[: places[0]]}\nFinal Answer: {last[places[0] :]}"


def keep_brackets(tokenizer: Any, template: str | Template = "omni_r1") -> Any:
    """A copy of a tokenizer, ids and all, that keeps a template's brackets when it decodes without special tokens."""
    pieces = pieces_of(template)
    wanted = token_names(pieces)
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    for token in backend["added_tokens"]:
        token["special"] = token["special"] and token["content"] not in wanted
    import copy

    from tokenizers import Tokenizer

    found = copy.deepcopy(tokenizer)
    found._tokenizer = Tokenizer.from_str(json.dumps(backend))
    return found


def _text_of(completion: Any) -> str:
    if isinstance(completion, str):
        return completion
    content = completion[-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text") or "" for part in content)
