"""The rewards inside other trainers: TRL and verl decode answers without special tokens, so the brackets are gone.

    TRL    GRPOTrainer(reward_funcs=trl_reward_for(tokenizer), ...) reads `completion_ids`, which nobody has decoded;
           given a model (nano, a folder, a hub name) it also rewards the pictures that stand in the ids
    verl   custom_reward_function.path=THIS_FILE, .name=compute_score judges the text that verl hands over

In a text without brackets the answer is what stands behind its one `Final Answer:`. Where even that is absent it is
taken from where it must have stood, the end of the last line, and only if there is one way to read it: behind the one
full stop that no blank follows. `are 42.42` may be a 42 or a number, and earns nothing. A tokenizer from
`keep_brackets`, handed to either trainer, leaves no doubt.

A truth is taken as columns have it: text, a number, yes or no, or a list of answers of which each is right.
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
_BOLD = re.compile(r"[*_#]{1,4}[ \t]{0,3}Final Answer(?:[*_]{1,3}[ \t]{0,3}:|:[*_]{1,3}|(?P<open>:))")
"""`Final Answer:` in bold or as a heading, by itself or (`open`) with the answer."""


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
        completions: Sequence[Any],
        answer: Sequence[Any] | None = None,
        completion_ids: Any = None,
        **columns: Any,
    ) -> list[float]:
        if completion_ids is None:
            return trl_reward(completions, answer, **columns)
        asked = _asked(answer, columns.get("choices"))
        return [
            judge(ids, truth, given).total for ids, (truth, given) in zip(completion_ids, asked, strict=True)
        ]

    def judge(ids: Sequence[int], truth: Any, choices: tuple[str, ...]) -> Reward:
        text, pictures = vocabulary.read([one for one in ids if one >= 0])  # -100 pads
        seen = None
        if vocabulary.codebook is not None:
            seen = perception_reward(pictures, vocabulary.codebook, vocabulary.grid, options)
        return _best(
            text, truth, choices=choices, perception=seen, weight=options.perception, template=pieces
        )

    return zero_engine_reward


def trl_reward(completions: Sequence[Any], answer: Sequence[Any] | None = None, **kwargs: Any) -> list[float]:
    """TRL's reward function for answers as text: completions (texts or chats) and the `answer` column to numbers."""
    asked = _asked(answer, kwargs.get("choices"))
    pairs = zip(map(_text_of, completions), asked, strict=True)
    return [_best(readable(text), truth, choices=given).total for text, (truth, given) in pairs]


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: dict[str, Any] | None = None,
    **kwargs: Any,
) -> dict[str, float]:
    """verl's custom reward function, for a text with its brackets or without.

    `extra_info` may hold `choices`, and `perception`, the score of the answer's pictures (`perception_reward`).
    """
    extra = extra_info or {}
    found = _best(
        readable(solution_str),
        ground_truth,
        choices=_listed(extra.get("choices")),
        perception=extra.get("perception"),
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
    if found := _BOLD.search(text):
        rest = text[found.end() :].rstrip()
        rest = rest.rstrip("*_") if found["open"] else rest
        text = f"{text[: found.start()]}Final Answer:{rest}"
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


def _best(text: str, truth: Any, **options: Any) -> Reward:
    """The reward by the truth that pays most, where several are right."""
    truths = _listed(truth) or (None,)
    return max((reward(text, one, **options) for one in truths), key=lambda found: found.total)


def _asked(answer: Sequence[Any] | None, choices: Any) -> list[tuple[Any, tuple[str, ...]]]:
    """The truth and the choices of each completion."""
    if answer is None:
        raise PipelineError(
            "the dataset has no column answer. Rename the one that holds the truths to answer."
        )
    given = [()] * len(answer) if choices is None else map(_listed, choices)
    return list(zip(answer, given, strict=True))


def _listed(value: Any) -> tuple[str, ...]:
    """A column's value as texts: none of None, one of a text, a number or a yes, those of a list or an array."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, (list, tuple)):
        return tuple(text for one in value for text in _listed(one))
    if value is None or isinstance(value, str):
        return () if value is None else (value,)
    return (("yes" if value else "no") if isinstance(value, bool) else str(value),)


def _text_of(completion: Any) -> str:
    if isinstance(completion, str):
        return completion
    content = completion[-1].get("content") if completion else None
    return content if isinstance(content, str) else "".join(part.get("text") or "" for part in content or ())
