"""Column maps of chat-like corpora: messages, `<think>` texts, and outputs of other models.

A message list gives one trace for every assistant turn that reasons, from `reasoning_content`, from
typed content ({type: reasoning}) or from think tags inside the text. The question is the last user
turn before it; earlier turns and tool results stay in the record. Turns without reasoning are
counted in the note `turns_without_reasoning:n`.
"""

import json
import re
from typing import Any

from zero_engine.pipeline import Input
from zero_engine.read.fields import (
    Draft,
    Record,
    Unusable,
    first_text,
    missing,
    optional_text,
    text,
    texts,
    unpacked_list,
)
from zero_engine.read.tags import Thinking, split_thinking

QUESTION_KEYS = ("question", "instruction", "prompt", "problem", "query", "input")
RESPONSE_KEYS = ("response", "output", "completion", "generation", "text")
REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
REASONING_TYPES = ("reasoning", "thinking")
PLACEHOLDER = "<image>"
FENCE = re.compile(r"^\s*```\w*\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)


def messages(record: Record, spec: Input) -> list[Draft]:
    """One trace for each assistant turn that reasons; raises Unusable(no_reasoning) where none does."""
    key = "messages" if "messages" in record else "conversations"
    if key not in record:
        raise missing(record, "messages", "conversations")
    turns = unpacked_list(record[key]) if isinstance(record[key], str) else record[key]
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise Unusable("wrong_type", f"{key} must be a list of messages, got {type(turns).__name__}")
    pictures = _Pictures(record)
    question, images = "", ()
    drafts: list[Draft] = []
    silent = 0
    for turn in turns:
        role = turn.get("role", turn.get("from"))
        said, reasoned, shown = _content(turn)
        owned = pictures.take(said.count(PLACEHOLDER)) + shown
        if role in ("user", "human"):
            question, images = said, owned
        elif role in ("assistant", "gpt"):
            thinking = split_thinking(said, spec.think_tags)
            if reasoned is None and thinking is None:
                silent += 1
                continue
            thinking = thinking or Thinking("", said)
            rationale = "\n\n".join(part for part in (reasoned or "", thinking.rationale) if part)
            answer = thinking.answer.strip() or None
            drafts.append(Draft(question, rationale, answer, images=images, notes=thinking.notes))
    if not drafts:
        raise Unusable("no_reasoning", f"none of {silent} assistant turns has reasoning in it")
    notes = pictures.notes() + ((f"turns_without_reasoning:{silent}",) if silent else ())
    for draft in drafts:
        draft.notes += notes
    return drafts


def think(record: Record, spec: Input) -> list[Draft]:
    """A question and a text with the rationale between `input.think_tags`; what follows is the answer."""
    return [_tagged(record, spec.think_tags)]


def marco_o1(record: Record, spec: Input) -> list[Draft]:
    """`<Thought>...</Thought><Output>...</Output>`; the `think` format with these tags."""
    draft = _tagged(record, ("<Thought>", "</Thought>"))
    if draft.answer:
        draft.answer = draft.answer.removeprefix("<Output>").removesuffix("</Output>").strip() or None
    return [draft]


def magpie(record: Record, spec: Input) -> list[Draft]:
    """One trace for each of `responses`, also where the list is stored as a string (then noted)."""
    question = first_text(record, ("instruction", "question"))
    if "responses" not in record:
        return [Draft(question, first_text(record, ("response",)))]
    notes = ("list_from_string",) if isinstance(record["responses"], str) else ()
    responses = texts(record, "responses")
    if not responses:
        raise Unusable("missing_value", "responses is empty")
    return [Draft(question, response, notes=notes) for response in responses]


def zeroeval(record: Record, spec: Input) -> list[Draft]:
    """Each of `output` is JSON {reasoning, answer}, often fenced; what is not JSON stays as it is.

    The answer is the model's own; where the record's `answer` says otherwise that is noted
    (`answer_differs_from_gold`).
    """
    question = text(record, "question")
    outputs = (record["output"],) if isinstance(record.get("output"), str) else texts(record, "output")
    if not outputs:
        raise (
            missing(record, "output")
            if "output" not in record
            else Unusable("missing_value", "output is empty")
        )
    gold = (optional_text(record, "answer") or "").lstrip("# ").strip()
    drafts = []
    for output in outputs:
        reasoning, answer, notes = _json_output(output)
        if answer and gold and answer.replace(",", "") != gold.replace(",", ""):
            notes += ("answer_differs_from_gold",)
        drafts.append(Draft(question, reasoning, answer, notes=notes))
    return drafts


def _tagged(record: Record, tags: tuple[str, str]) -> Draft:
    question, response = first_text(record, QUESTION_KEYS), first_text(record, RESPONSE_KEYS)
    thinking = split_thinking(response, tags)
    if thinking is None:
        raise Unusable("no_reasoning", f"neither {tags[0]} nor {tags[1]} in the text; set input.think_tags")
    answer = thinking.answer.strip() or None
    return Draft(question, thinking.rationale, answer, notes=thinking.notes)


def _content(turn: Record) -> tuple[str, str | None, tuple[object, ...]]:
    """Text, reasoning and pictures of one message, whose content is a string or a typed list."""
    reasoned = next(
        (turn[key] for key in REASONING_KEYS if isinstance(turn.get(key), str) and turn[key]), None
    )
    content = turn.get("content", turn.get("value"))
    if content is None:
        return "", reasoned, ()
    if isinstance(content, str):
        return content, reasoned, ()
    if not isinstance(content, list):
        raise Unusable("wrong_type", f"content must be text or a list, got {type(content).__name__}")
    said, thoughts, shown = [], [reasoned] if reasoned else [], []
    for part in content:
        if isinstance(part, str):
            said.append(part)
            continue
        kind = part.get("type") if isinstance(part, dict) else None
        value = next((part[key] for key in (kind, "value", "text", "thinking", "content") if key in part), "")
        if kind in REASONING_TYPES and isinstance(value, str):
            thoughts.append(value)
        elif kind in ("image", "image_url"):
            shown.append(value.get("url") if kind == "image_url" and isinstance(value, dict) else value)
        elif kind == "text" and isinstance(value, str):
            said.append(value)
    return "\n".join(said), "\n\n".join(thoughts) or None, tuple(shown)


def _json_output(output: str) -> tuple[str, str | None, tuple[str, ...]]:
    """(reasoning, answer, notes) of a model's JSON output, fenced or not."""
    fenced = FENCE.match(output)
    try:
        found: Any = json.loads(fenced.group(1) if fenced else output, strict=False)
    except (ValueError, RecursionError):
        return output, None, ("output_not_json",)
    if not isinstance(found, dict) or not isinstance(found.get("reasoning"), str):
        return output, None, ("output_without_reasoning",)
    answer = found.get("answer")
    return found["reasoning"], None if answer is None else str(answer).strip() or None, ()


class _Pictures:
    """Deals out a record's `images` to the `<image>` placeholders of its turns, in order."""

    def __init__(self, record: Record) -> None:
        images = record.get("images") or []
        self._images = images if isinstance(images, list) else [images]
        self._taken = 0

    def take(self, count: int) -> tuple[object, ...]:
        start, self._taken = self._taken, self._taken + count
        return tuple(self._images[start : self._taken])

    def notes(self) -> tuple[str, ...]:
        if not self._images or self._taken == len(self._images):
            return ()
        return (f"image_placeholders:{self._taken}_of_{len(self._images)}",)
