"""Formats: which columns of a corpus are question, rationale and answer. The registry, and the way of one record.

A record goes one way whatever its format: the user's column map (`columns`), the format's own reading of the columns
(a function here named, in `corpora`, `outputs`, `chats`, `pictured`), then what every rationale may hold: chat markers,
thought tags, the gold answer (`finish`).

A format turns one record into one or more drafts, or raises `Unusable`. To add a corpus: write a function in the file
it belongs to, and give it a line in FORMATS.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from zero_engine.errors import InputError
from zero_engine.pipeline import Input
from zero_engine.read import chats, corpora, generic, outputs, pictured
from zero_engine.read.columns import check_keys, mapped
from zero_engine.read.fields import Draft, Record
from zero_engine.read.finish import finished
from zero_engine.read.generic import leave_unread
from zero_engine.read.places import holds_picture, without_marks
from zero_engine.read.turns import MESSAGES

PICTURE_COLUMNS = ("image", "images", "step_images")
"""Columns by which a record is one with pictures, also where it has none."""


@dataclass(frozen=True, slots=True)
class Format:
    """A column map by name."""

    name: str
    fields: tuple[str, ...]
    """Fields it needs, as `input.columns` may rename them."""
    summary: str
    read: Callable[[Record, Input], list[Draft]]
    ids: tuple[str, ...] = ("id",)
    """Fields that may hold the record's own id; the first that does counts."""
    optional: tuple[str, ...] = ()
    """Fields that it reads where they are."""
    by_people: bool = False
    """Whether people wrote its rationales: then only tags that open and close are tags, and others are text."""
    pictured: bool = False
    """Whether a mark such as `<image>` means a picture also where a record has none."""

    def drafts(self, record: Record, spec: Input) -> list[Draft]:
        """Traces of one record. Raises Unusable where there is none."""
        if spec.columns:
            record = mapped(record, spec.columns)
        drafts = self.read(record, spec)
        if record.get("image") or record.get("images"):
            leave_unread(drafts, record)
        for draft in drafts:
            self._take_marks(draft, record)
        return [finished(draft, spec, self.by_people) for draft in drafts]

    def _take_marks(self, draft: Draft, record: Record) -> None:
        """No mark of a picture is left in a text, whatever the format did with those that have a place."""
        given = (one for *_, one in (*draft.pictures, *draft.given))
        if pictures := (*draft.images, *given):
            without_marks(draft, pictures)
        elif (
            self.pictured
            or any(name in record for name in PICTURE_COLUMNS)
            or any(map(holds_picture, (draft.answer or "", draft.said or "", *draft.choices)))
        ):
            without_marks(draft, None)

    @property
    def reads(self) -> tuple[str, ...]:
        """All keys that `input.columns` may have."""
        return tuple(dict.fromkeys(("id", *self.fields, *self.optional)))


def format_named(name: str) -> Format:
    """Raises InputError for an unknown name."""
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(FORMATS)}."
        raise InputError(f"input.format: there is no format {name!r}. {hint}")
    return FORMATS[name]


def checked_format(spec: Input) -> Format:
    """The format of an input. Raises InputError for an unknown one, and for a column map that it does not read."""
    entry = format_named(spec.format)
    check_keys(spec.columns, entry.reads, entry.name)
    return entry


def id_paths(spec: Input) -> tuple[str, ...]:
    """Where a record of this input may have its own id; the user's map goes before the format's."""
    return (spec.columns["id"],) if "id" in spec.columns else format_named(spec.format).ids


CHAT_IDS = ("id", "uuid")
GOLD = ("answer", "choices")
FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format(
            "generic",
            ("question", "rationale"),
            "Any names, by your own map",
            generic.generic,
            ("id", "uuid"),
            ("answer", "response", "choices", "steps", "image", "images", "step_images"),
        ),
        Format(
            "gsm8k",
            ("question", "answer"),
            "GSM8K, also socratic: steps a line, `#### answer`",
            corpora.gsm8k,
            by_people=True,
        ),
        Format(
            "m3cot",
            ("question", "rationale"),
            "M3CoT: choices, letter, picture, rationale",
            pictured.m3cot,
            optional=("answer", "choices", "context", "image"),
            by_people=True,
            pictured=True,
        ),
        Format(
            "aqua",
            ("question", "rationale"),
            "AQuA: options, letter, rationale",
            corpora.aqua,
            optional=("options", "correct"),
            by_people=True,
        ),
        Format(
            "strategyqa",
            ("question", "facts"),
            "StrategyQA: facts are steps",
            corpora.strategyqa,
            ("qid", "id"),
            ("answer",),
            by_people=True,
        ),
        Format(
            "prm800k",
            ("instruction", "responses"),
            "PRM800K, labels or phase 1: one trace a solution",
            corpora.prm800k,
            optional=("question", "problem", "label", "next_response", "is_solution", "answer"),
            by_people=True,
        ),
        Format(
            "processbench",
            ("problem", "steps"),
            "ProcessBench: steps as they are, correctness",
            corpora.processbench,
            optional=("question", "answer", "final_answer_correct"),
        ),
        Format(
            "math_shepherd",
            ("input", "label"),
            "Math-Shepherd: steps with verdicts, correctness",
            corpora.math_shepherd,
        ),
        Format(
            "zebra_cot",
            ("Question", "Text Reasoning Trace"),
            "Zebra-CoT: THOUGHT n, picture keys",
            pictured.zebra_cot,
            optional=("Final Answer",),
            by_people=True,
            pictured=True,
        ),
        Format(
            "thinkmorph",
            ("question",),
            "ThinkMorph: thoughts between pictures",
            pictured.thinkmorph,
            ("pid", "id"),
            ("answer", "resoning_thought_0"),
            by_people=True,
            pictured=True,
        ),
        Format(
            "bagel",
            ("image_list", "instruction_list"),
            "BAGEL, and ThinkMorph's loader: pictures with texts between",
            pictured.bagel,
            optional=("output_text_list", "answer"),
            by_people=True,
            pictured=True,
        ),
        Format(
            "math",
            ("problem", "solution"),
            "MATH, NuminaMath: \\boxed answer",
            corpora.math,
            ("unique_id", "id", "uuid"),
            ("question", "answer"),
        ),
        Format(
            "alpaca",
            ("instruction", "output"),
            "Alpaca: instruction, input, output",
            corpora.alpaca,
            optional=("input", "response", "answer"),
        ),
        Format(
            "messages",
            ("messages",),
            "Chats: a trace a reasoning turn",
            chats.messages,
            CHAT_IDS,
            (*MESSAGES[1:], *GOLD, "images", "image"),
            pictured=True,
        ),
        Format(
            "prompt_completion",
            ("prompt", "completion"),
            "TRL: prompt and completion, text or messages",
            chats.prompt_completion,
            CHAT_IDS,
            ("answer", "images", "image"),
            pictured=True,
        ),
        Format(
            "think",
            ("question", "response"),
            "A response with its thought in tags, in one text",
            outputs.think,
            CHAT_IDS,
            (*outputs.QUESTION_KEYS[1:], *outputs.RESPONSE_KEYS[1:], *GOLD),
        ),
        Format(
            "generations",
            ("question", "generations"),
            "Several generations, each with its correctness",
            outputs.generations,
            ("uuid", "id"),
            (*outputs.QUESTION_KEYS[1:], *outputs.GENERATIONS[1:], *outputs.CORRECTNESS, *GOLD),
        ),
        Format(
            "marco_o1",
            ("instruction", "response"),
            "Marco-o1: <Thought>",
            outputs.marco_o1,
            CHAT_IDS,
            (*outputs.QUESTION_KEYS, *outputs.RESPONSE_KEYS, *GOLD),
        ),
        Format(
            "magpie",
            ("instruction", "responses"),
            "Magpie: a trace a response",
            outputs.magpie,
            ("uuid", "id"),
            ("question", "response", "answer"),
        ),
        Format(
            "zeroeval", ("question", "output"), "ZeroEval: JSON", outputs.zeroeval, ("id", "session_id"), GOLD
        ),
        Format(
            "dataset",
            ("question", "steps"),
            "Rows that an earlier run wrote",
            corpora.dataset,
            optional=("rationale", "answer", "choices", "question_images"),
            by_people=True,
        ),
    )
}
"""Every format by name; `zero-engine schema formats` prints this table."""
