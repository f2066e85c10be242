"""The rewards inside other trainers: TRL and verl decode answers without special tokens, so the brackets are gone.

    TRL    GRPOTrainer(reward_funcs=trl_reward_for(tokenizer), ...) reads `completion_ids`, which nobody has decoded;
           given a model (nano, a folder, a hub name) it also rewards the pictures that stand in the ids
    verl   custom_reward_function.path=THIS_FILE, .name=compute_score judges the text that verl hands over

In a text without brackets the answer is what stands behind its one `Final Answer:`. Where even that is absent, it is
what the text ends with in other data's form, if it does so once: `\\boxed{42}`, `#### 42`, `<answer>42</answer>`. Else
it is taken from where it must have stood, the end of the last line, and only if there is one way to read it: behind the
one full stop that no blank follows. `are 42.42` may be a 42 or a number, and earns nothing. A tokenizer from
`keep_brackets`, handed to either trainer, leaves no doubt.

A truth is taken as columns have it: text, a whole solution that states its answer (GSM8K's `.. #### 18`), a number, the
place of a choice (MMLU's), yes or no, or a list of answers of which each is right.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from zero_engine.errors import PipelineError
from zero_engine.parse.answers import stated_answer
from zero_engine.render.answers import NAME, Vocabulary, token_names
from zero_engine.render.sequences import Template, pieces_of
from zero_engine.score.pictures import perception_reward
from zero_engine.train.config import Rewards
from zero_engine.train.rewards import Reward, reward

_GLUED = re.compile(r"(?<=[^\W\d])[.!?](?=[^\s\W])|(?<=[)\]}\"'])[.!?](?=[^\s\W])|(?<=\d)[!?](?=[^\s\W])")
"""A sentence's end with the next word right behind it; not between digits, where it may be a decimal point."""
_NAMED = re.compile(
    r"(?P<bold>[*_#]{1,4}[ \t]{0,3})?(?:Final Answer|(?:(?<=\n)|(?<=[*_#] )|(?<=[*_#])|\A)(?i:final answer))"
    r"(?:[*_]{1,3}[ \t]{0,3}:|:[*_]{1,3}|(?P<open>[ \t]?:))"
)
"""`Final Answer:` in bold or as a heading, by itself or (`open`) with the answer; in any case where a line begins."""
_BRACKET = pieces_of("omni_r1").answer.partition("{answer}")[0]
_CLOSINGS = (
    ("\\boxed", re.compile(r"\\boxed ?\{[^\n]{1,200}\}[\s$.*)\\\]]{0,8}\Z")),
    ("####", re.compile(r"(?<![^\n])#### ?[^\n#]{1,200}\Z")),
    ("<answer>", re.compile(r"<answer>(?:[^<]|<(?!/?answer>)){1,200}</answer>\Z")),
)
"""How answers of other data end: a mark that stands there once, and what is left of the text behind it."""


def trl_reward_for(
    tokenizer_or_model: Any, template: str | Template | None = None, options: Rewards | None = None
) -> Callable[..., list[float]]:
    """TRL's reward function for answers as ids: special tokens are read by id, and pictures are no text.

    Without a template an answer may have the brackets of `omni_r1`, or end as a text without brackets does.

    Takes a tokenizer, a processor, a model of ours, or a model's name or folder; of the last two the codebook is
    known, and pictures count as in PeRPO. The dataset needs `answer`, and may have `choices`. Raises ModelError for an
    unknown model.
    """
    pieces = None if template is None else pieces_of(template)
    options = options or Rewards()
    if options.by == "hidden":
        raise PipelineError(
            "rewards.by: hidden needs hidden states, which TRL does not hand over. Use codes."
        )
    vocabulary = Vocabulary(tokenizer_or_model, pieces or pieces_of("omni_r1"))

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
        text = text if pieces else closed(text)
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
    text = closed(text)
    if NAME.search(text) or "Final Answer:" in text:
        return text
    before, broken, last = text.rstrip().rpartition("\n")
    places = [found.end() for found in _GLUED.finditer(last)]
    if len(places) != 1:
        return text
    return f"{before}{broken}{last[: places[0]]}\nFinal Answer: {last[places[0] :]}"


def closed(text: str) -> str:
    """The text with its one `Final Answer:` as that is spelled here, or with one before the answer it ends with."""
    text = text.rstrip().removesuffix("</s>").rstrip()
    named = list(_NAMED.finditer(text))
    named = [found for found in named if "Final Answer" in found.group()] or named
    if len(named) == 1:
        rest = text[named[0].end() :].rstrip()
        rest = rest.rstrip("*_") if named[0]["bold"] and named[0]["open"] else rest
        return f"{text[: named[0].start()]}Final Answer:{rest}"
    if named or _BRACKET in text:
        return _NAMED.sub("Final Answer:", text)
    for mark, ending in _CLOSINGS:
        if text.count(mark) == 1 and (end := ending.search(text)):
            alone = not any(other in text[: end.start()] for other, _ in _CLOSINGS)
            answer = stated_answer(end.group()) if alone else None
            return f"{text}\nFinal Answer: {answer}" if answer else text
    return text


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


def _best(text: str, truth: Any, choices: tuple[str, ...] = (), **options: Any) -> Reward:
    """The reward by the truth that pays most, where several are right."""
    truths = tuple(_truths(truth, choices)) or (None,)
    return max(
        (reward(text, one, choices=choices, **options) for one in truths), key=lambda found: found.total
    )


def _truths(truth: Any, choices: tuple[str, ...]) -> Iterator[str]:
    """The texts that are right: a solution's stated answer beside it, a place among the choices as its letter."""
    truth = truth.tolist() if isinstance(truth, (np.ndarray, np.integer)) else truth
    if isinstance(truth, (list, tuple)):
        for one in truth:
            yield from _truths(one, choices)
    elif isinstance(truth, dict):
        raise PipelineError(
            f"the column answer holds a dictionary ({', '.join(map(str, truth))}). Give the text of the answer in it."
        )
    elif isinstance(truth, int) and not isinstance(truth, bool) and choices:
        yield chr(ord("A") + truth) if 0 <= truth < len(choices) else str(truth)
    elif isinstance(truth, (float, np.floating)):
        yield from _decimals(float(truth))
    else:
        for text in _listed(truth):
            yield text
            if (stated := stated_answer(text)) is not None:
                yield stated


def _decimals(value: float) -> Iterator[str]:
    """A number as it was before a column rounded it: 0.1 of a float32, 1/3 of 0.3333333333333333."""
    with np.errstate(over="ignore"):
        single = np.float32(value)
    yield str(single) if float(single) == value else str(value)
    if abs(value) < 1e6 and float(ratio := Fraction(value).limit_denominator(1000)) == value:
        yield str(ratio)


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
    if isinstance(value, bytes):
        return (value.decode(errors="replace"),)
    if value is None or isinstance(value, str):
        return () if value is None else (value,)
    return (("yes" if value else "no") if isinstance(value, bool) else str(value),)


def _text_of(completion: Any) -> str:
    if isinstance(completion, str):
        return completion
    last = completion[-1] if isinstance(completion, (list, tuple)) and completion else completion
    content = last.get("content") if isinstance(last, dict) else last
    if isinstance(content, str) or not content:
        return content or ""
    return "".join(part if isinstance(part, str) else part.get("text") or "" for part in content)
