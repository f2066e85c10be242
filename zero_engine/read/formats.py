"""Column maps: how a known corpus says question, rationale, answer.

A format turns one record into one or more drafts, or raises `Unusable`. `input.columns` renames
fields of any format, e.g. `{question: prompt}` for a GSM8K-like file; for `generic` it is the whole
map. Names may be nested: `meta.id`, `turns.0.text`. To add a corpus: write a function here or in a
file beside it, and give it a line in FORMATS.
"""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass

from zero_engine.errors import InputError
from zero_engine.pipeline import Input
from zero_engine.read import chats
from zero_engine.read.fields import (
    Draft,
    Record,
    Unusable,
    find,
    first_text,
    missing,
    optional_text,
    text,
    texts,
)

ANSWER_LINE = re.compile(
    r"\n\s*(?:the\s+)?(?:correct\s+)?(?:answer|ans|option|choice)(?:\s+is)?\s*[:=\-]?\s*\(?([A-Ha-h])\)?\s*\.?\s*$",
    re.IGNORECASE,
)
OPTION_LABEL = re.compile(r"\s*\(?([A-Z])\s*[).:]\s*")
PLACEHOLDER = re.compile(r"\s*<image_start>\[([^\]\n]+)\]<image_end>")


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

    def drafts(self, record: Record, spec: Input) -> list[Draft]:
        """Traces of one record. Raises Unusable where there is none."""
        if spec.columns and self.name != "generic":
            renamed = {
                field: find(record, path) for field, path in spec.columns.items() if _has(record, path)
            }
            record = {**record, **renamed}
        return self.read(record, spec)


def format_named(name: str) -> Format:
    """Raises InputError for an unknown name."""
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(FORMATS)}."
        raise InputError(f"input.format: there is no format {name!r}. {hint}")
    return FORMATS[name]


def id_paths(spec: Input) -> tuple[str, ...]:
    """Where a record of this input may have its own id; the user's map goes before the format's."""
    return (spec.columns["id"],) if "id" in spec.columns else format_named(spec.format).ids


def generic(record: Record, spec: Input) -> list[Draft]:
    """id, question, rationale, answer, choices, steps, image under these names or under `columns`."""
    named = {field: spec.columns.get(field, field) for field in GENERIC_FIELDS}
    taken = {path: find(record, path) for path in named.values() if _has(record, path)}
    for field in ("question", "rationale"):
        if named[field] not in taken and not (field == "rationale" and named["steps"] in taken):
            raise missing(record, named[field])
    question = text(taken, named["question"])
    steps = texts(taken, named["steps"]) or None
    rationale = text(taken, named["rationale"]) if named["rationale"] in taken else "\n".join(steps or ())
    image = taken.get(named["image"])
    return [
        Draft(
            question,
            rationale,
            optional_text(taken, named["answer"]),
            steps,
            texts(taken, named["choices"]),
            tuple(image) if isinstance(image, list) else (image,) if image else (),
        )
    ]


def gsm8k(record: Record, spec: Input) -> list[Draft]:
    """`answer` holds the steps and, after `####`, the answer; socratic lines are `question ** step`."""
    question, solution = text(record, "question"), text(record, "answer")
    rationale, found, answer = solution.rpartition("####")
    if not found:
        rationale, answer = solution, ""
    steps = None
    if " ** " in rationale:
        lines = [line.partition(" ** ") for line in rationale.split("\n") if line.strip()]
        if all(sign for _, sign, _ in lines):
            steps = tuple(step.strip() for _, _, step in lines)
    return [Draft(question, rationale.strip(), answer.strip() or None, steps)]


def m3cot(record: Record, spec: Input) -> list[Draft]:
    """`rationale`, `choices`, a letter as `answer`, `context` put before the question, `image`."""
    context = optional_text(record, "context")
    question = text(record, "question")
    image = record.get("image")
    return [
        Draft(
            f"{context}\n{question}" if context else question,
            text(record, "rationale"),
            optional_text(record, "answer"),
            choices=texts(record, "choices"),
            images=tuple(image) if isinstance(image, list) else (image,) if image else (),
        )
    ]


def aqua(record: Record, spec: Input) -> list[Draft]:
    """`rationale` without its last line `Answer : A`; `options` without their letters; `correct`."""
    rationale = text(record, "rationale")
    last = ANSWER_LINE.search(rationale)
    answer = optional_text(record, "correct") or (last.group(1).upper() if last else None)
    return [
        Draft(
            text(record, "question"),
            rationale[: last.start()] if last else rationale,
            answer,
            choices=without_labels(texts(record, "options")),
        )
    ]


def strategyqa(record: Record, spec: Input) -> list[Draft]:
    """`facts` are the steps; a true or false `answer` becomes yes or no."""
    facts = texts(record, "facts")
    if "facts" not in record:
        raise missing(record, "facts")
    answer = record.get("answer")
    said = {True: "yes", False: "no"}[answer] if isinstance(answer, bool) else optional_text(record, "answer")
    return [Draft(text(record, "question"), "\n".join(facts), said, facts or None)]


def prm800k(record: Record, spec: Input) -> list[Draft]:
    """One trace for each finished solution (`is_solution`): `responses`, then `next_response`.

    The other rows rate a candidate for the next step; they hold no trace and are rejected as
    `candidate_step`, so that their number stays in the books.
    """
    if record.get("is_solution") is False:
        raise Unusable("candidate_step", "rates a candidate step; only rows with is_solution are traces")
    if "responses" not in record:
        raise missing(record, "responses")
    steps = texts(record, "responses")
    if record.get("next_response") is not None:
        steps = (*steps, text(record, "next_response"))
    question = first_text(record, ("instruction", "question", "problem"))
    answer = optional_text(record, "answer")
    return [Draft(question, "\n\n".join(steps), answer, steps or None)]


def zebra_cot(record: Record, spec: Input) -> list[Draft]:
    """`Question`, `Text Reasoning Trace`, `Final Answer`; pictures by key in `<image_start>[key]<image_end>`.

    Pictures of the question stay with it. Those of the trace are what this engine draws anew: their
    places are removed and noted `trace_images_dropped`; a key without a picture is noted by name.
    """
    question, rationale = text(record, "Question"), text(record, "Text Reasoning Trace")
    keys = PLACEHOLDER.findall(question)
    notes = [f"image_missing:{key}" for key in keys + PLACEHOLDER.findall(rationale) if not record.get(key)]
    if "<image_start>" in rationale:
        rationale = PLACEHOLDER.sub("", rationale)
        notes.append("trace_images_dropped")
    return [
        Draft(
            PLACEHOLDER.sub("", question),
            rationale,
            optional_text(record, "Final Answer"),
            images=tuple(record[key] for key in keys if record.get(key)),
            notes=tuple(notes),
        )
    ]


def math(record: Record, spec: Input) -> list[Draft]:
    """`problem`, `solution`; the answer is the last `\\boxed{}`, found when parsing, or `answer`."""
    question = first_text(record, ("problem", "question"))
    solution = text(record, "solution")
    answer = optional_text(record, "answer")
    return [Draft(question, solution, answer)]


def without_labels(options: tuple[str, ...]) -> tuple[str, ...]:
    """Options without `A)`, `(B)`, `C.` where every one has its own letter in order."""
    labels = [OPTION_LABEL.match(option) for option in options]
    if options and all(label and label.group(1) == chr(65 + i) for i, label in enumerate(labels)):
        return tuple(option[label.end() :] for option, label in zip(options, labels, strict=True) if label)
    return options


def _has(record: Record, path: str) -> bool:
    return path in record or ("." in path and find(record, path) is not None)


GENERIC_FIELDS = ("id", "question", "rationale", "answer", "choices", "steps", "image")
CHAT_IDS = ("id", "uuid")
FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format("generic", ("question", "rationale"), "Any names, by your own map", generic),
        Format("gsm8k", ("question", "answer"), "GSM8K, also socratic: steps a line, `#### answer`", gsm8k),
        Format("m3cot", ("question", "rationale"), "M3CoT: choices, letter, picture, rationale", m3cot),
        Format("aqua", ("question", "rationale"), "AQuA: options, letter, rationale", aqua),
        Format("strategyqa", ("question", "facts"), "StrategyQA: facts are steps", strategyqa, ("qid", "id")),
        Format("prm800k", ("instruction", "responses"), "PRM800K phase 1: one trace a solution", prm800k),
        Format(
            "zebra_cot", ("Question", "Text Reasoning Trace"), "Zebra-CoT: THOUGHT n, picture keys", zebra_cot
        ),
        Format("math", ("problem", "solution"), "MATH: \\boxed answer", math, ("unique_id", "id")),
        Format("messages", ("messages",), "Chats: a trace a reasoning turn", chats.messages, CHAT_IDS),
        Format("think", ("question", "response"), "<think> ... </think> in one text", chats.think, CHAT_IDS),
        Format("marco_o1", ("instruction", "response"), "Marco-o1: <Thought>", chats.marco_o1, CHAT_IDS),
        Format(
            "magpie", ("instruction", "responses"), "Magpie: a trace a response", chats.magpie, ("uuid", "id")
        ),
        Format("zeroeval", ("question", "output"), "ZeroEval: JSON", chats.zeroeval, ("id", "session_id")),
    )
}
"""Every format by name; `zero-engine schema formats` prints this table."""
