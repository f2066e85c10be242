"""Guess the format and the column map of records that nobody has described, for `zero-engine init`.

First what the known corpora look like, each by columns that only it has; then names that people use for question,
rationale and answer, in any case and under any prefix (`deepseek_reasoning`, `Problem`); last the values themselves:
the longest text is the rationale, the shortest the answer. A guess is tried on the records before it is made: the
first that gives a trace from most of them is taken. Nothing here is used by a run; a run does what its pipeline file
says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from zero_engine.pipeline import Input
from zero_engine.read.columns import value_of
from zero_engine.read.corpora import SHEPHERD_MARK
from zero_engine.read.fields import Draft, Record, Unusable, find, unpacked_list
from zero_engine.read.formats import FORMATS
from zero_engine.read.gold import gold_path, is_one_answer, options_in_answers
from zero_engine.read.markers import answer_in_chat
from zero_engine.read.naming import (
    ANSWER,
    CHOICES,
    LONG,
    QUESTION,
    REPEAT_SHARE,
    RESPONSE,
    THOUGHT,
    guess_columns,
    is_opposite,
    share_of,
    text_columns,
)
from zero_engine.read.options import is_class, option_columns, options_template
from zero_engine.read.outputs import GENERATIONS, QUESTION_KEYS, json_output, text_of
from zero_engine.read.passages import CONTEXT
from zero_engine.read.picture_columns import picture_columns
from zero_engine.read.spelling import by_name, is_named, spelled
from zero_engine.read.tags import split_thinking
from zero_engine.read.turns import MESSAGES, is_chat, is_judged_by_step, is_texts, texts_by_turns


@dataclass(frozen=True, slots=True)
class Guess:
    """A format and a column map, with what they were guessed by."""

    format: str
    columns: dict[str, str] = field(default_factory=dict)
    why: str = ""
    where: str | None = None


OWN_GOLD = ("gsm8k", "aqua", "strategyqa", "prm800k", "zebra_cot", "thinkmorph", "bagel", "dataset")
"""Formats that know where their answer is."""


def guess(records: list[Record], is_dataset: bool = False) -> Guess | None:
    """The first guess that gives traces of most records, or None."""
    for one in _guesses(records, is_dataset):
        if _fits(one, records):
            return _with_pictures(_with_context(_with_gold(one, records), records), records)
    return None


def _with_pictures(one: Guess, records: list[Record]) -> Guess:
    """The guess that reads columns of pictures under other names than the format's, too."""
    reads = FORMATS[one.format].reads
    for name, column in picture_columns(records, {*one.columns.values(), *reads}):
        better = replace(one, columns={**one.columns, name: column})
        if name in reads and _fits(better, records):
            one = better
    return one


def _with_context(one: Guess, records: list[Record]) -> Guess:
    """The guess whose question begins with the passage or story that it asks about, where a column holds one.

    A record without one is asked without it.
    """
    if one.format not in ("generic", "math", "generations", "magpie"):
        return one
    field_name = FORMATS[one.format].fields[0]
    asked = one.columns.get(field_name, field_name)
    told = {*one.columns.values(), *FORMATS[one.format].reads}
    names = list(dict.fromkeys(str(name) for record in records for name in record))
    hint = ("hint",) if {"hint", "lecture"} <= set(names) else ()  # ScienceQA's passage
    for name in [name for word in (*CONTEXT, *hint) for name in names if spelled(name) == word]:
        if name in told or share_of(records, asked, lambda text: True) <= REPEAT_SHARE:
            continue
        texts = [
            (value_of(record, f"{{{{{name}}}}}"), str(record.get(asked)))
            for record in records
            if isinstance(record.get(name), str) or is_texts(record.get(name))
        ]
        if any(len(text) >= LONG and text not in question for text, question in texts):
            template = f"{{{{{name}}}}}\n\n{{{{{asked}}}}}"
            better = replace(one, columns={**one.columns, field_name: template})
            return better if _fits(better, records) else one
    return one


def _with_gold(one: Guess, records: list[Record]) -> Guess:
    """The guess with the gold answer that its format would not find by itself, where there is one."""
    if one.format in OWN_GOLD or "answer" in one.columns or "answer" not in FORMATS[one.format].reads:
        return one
    path = gold_path(records, spelled)
    top = (path or "answer").partition(".")[0]
    if path == "answer" or top in {
        *one.columns.values(),
        *FORMATS[one.format].fields,
        *MESSAGES,
        *QUESTION_KEYS,
    }:
        return one
    better = replace(one, columns={**one.columns, "answer": str(path)})
    return better if path and _fits(better, records) else one


def _guesses(records: list[Record], is_dataset: bool) -> Iterator[Guess]:
    first = records[0]
    names = list(dict.fromkeys(str(name) for record in records for name in record))

    def has(*wanted: str) -> bool:
        return all(name in names for name in wanted)

    if is_dataset or has("question", "steps", "source", "pipeline"):
        yield Guess("dataset", why="rows that a run wrote")
    if has("Question", "Text Reasoning Trace"):
        yield Guess("zebra_cot", why="the columns of Zebra-CoT")
    if any(re.fullmatch(r"rea?soning_thought_\d+", name) for name in names):
        yield Guess("thinkmorph", why="the columns of ThinkMorph")
    if has("image_list", "instruction_list"):
        yield Guess("bagel", why="the lists of BAGEL")
    if has("label") and isinstance(first.get("label"), dict) and "steps" in first["label"]:
        yield Guess("prm800k", why="the labels of PRM800K")
    if has("responses", "next_response"):
        yield Guess("prm800k", why="the columns of PRM800K's phase 1")
    if has("problem", "steps") and ("final_answer_correct" in names or "label" in names):
        yield Guess("processbench", why="the columns of ProcessBench")
    if has("facts", "question"):
        yield Guess("strategyqa", why="the columns of StrategyQA")
    if has("input", "label") and any(SHEPHERD_MARK in str(record.get("input")) for record in records):
        yield Guess("math_shepherd", why="the marks of Math-Shepherd")
    if has("options", "rationale", "correct"):
        yield Guess("aqua", why="the columns of AQuA")
    if has("rationale", "choices", "question") and ("image_id" in names or "context" in names):
        yield Guess("m3cot", why="the columns of M3CoT")
    if has("question", "answer") and any("####" in str(record.get("answer")) for record in records):
        yield Guess("gsm8k", why="`####` before the answer, as in GSM8K")
    if has("question", "output") and any(_is_json_output(record.get("output")) for record in records):
        yield Guess("zeroeval", why="outputs that are JSON")
    if has("prompt", "completions", "labels") and all(map(is_judged_by_step, records)):
        yield Guess(
            "generic", {"question": "prompt", "steps": "completions"}, "TRL's steps, each with a label"
        )
    yield from _several(records, names)
    yield from _chats(records, names)
    if has("instruction", "output") and "response" not in names:
        yield Guess("alpaca", why="the columns of Alpaca")
    if has("problem", "solution") and not _thought_columns(names):
        answer = {} if "answer" in names else _answer_map(records, ("problem", "solution"))
        yield Guess("math", answer, why="problem and solution, as in MATH")
    if has("instruction") and ("response" in names or "responses" in names):
        yield Guess("magpie", why="instruction and response, as in Magpie")
    yield from _by_columns(records)


def _several(records: list[Record], names: list[str]) -> Iterator[Guess]:
    """Several generations: a list of long texts, or numbered columns of them."""
    question = by_name([n for n in names if any(isinstance(r.get(n), str) for r in records)], QUESTION)
    if question is None:
        return
    lists = (
        "generations",
        "responses",
        "outputs",
        "completions",
        "solutions",
        "samples",
        "candidates",
        "positives",
    )
    for name in [name for name in lists if name in names] + sorted(n for n in names if n not in lists):
        value = next((record[name] for record in records if record.get(name)), None)
        many = (
            value
            if isinstance(value, list)
            else unpacked_list(value)
            if isinstance(value, str) and name in lists
            else None
        )
        if name in lists and many and all(item is None or text_of(item) for item in many):
            yield Guess(
                "generations", _with_answer({"generations": name}, question, records), "a list of generations"
            )
        elif name.endswith("_1") and f"{name[:-1]}2" in names and _length(records, name) >= LONG:
            yield Guess(
                "generations", _with_answer({"generations": name}, question, records), "numbered generations"
            )


def _chats(records: list[Record], names: list[str]) -> Iterator[Guess]:
    if {"prompt", "completion"} <= set(names):
        yield Guess("prompt_completion", why="prompt and completion, as TRL has them")
    key = next((key for key in MESSAGES if key in names and is_chat(records, key)), None)
    own = [name for name in names if name not in MESSAGES]
    texts = guess_columns([{name: record.get(name) for name in own} for record in records])
    if key and not (
        {"question", "rationale", "answer"} <= set(texts) and _has_thought(records, texts["rationale"])
    ):
        yield Guess("messages", {} if key in MESSAGES[:2] else {"messages": key}, "a list of messages")
    chat = next((name for name in own if is_chat(records, name) and not is_opposite(name)), None)
    if chat and "output" in names and chat == "input":
        yield Guess(
            "think", {"question": "input", "response": "output"}, "a list of messages and their output"
        )
    elif chat and not key:
        yield Guess("messages", {"messages": chat}, "a list of messages")


def _by_columns(records: list[Record]) -> Iterator[Guess]:
    found = guess_columns(records)
    if "question" in found and "rationale" in found:
        if not all(is_one_answer(find(record, found.get("answer", ""))) for record in records):
            found.pop("answer")
        gold = gold_path(records, spelled) if "answer" not in found else None
        if gold and gold.partition(".")[0] not in found.values():
            found["answer"] = gold
        columns = {role: name for role, name in found.items() if role != name}
        names = {str(name) for record in records for name in record}
        pool = [name for name in text_columns(records) if name not in found.values()]
        # what the model said after its thought shares the thought's prefix: deepseek_reasoning, deepseek_solution
        prefix = spelled(found["rationale"]).partition("_")[0]
        response = next(
            (name for word in RESPONSE for name in pool if spelled(name) in (f"{prefix}_{word}", word)), None
        )
        if response and response != found.get("answer") and not _has_thought(records, found["rationale"]):
            columns["response"] = response
        choices = next((name for name in CHOICES if name in names), None)
        if choices is None and (place := options_in_answers(records, spelled)):
            choices = next(name for name in names if spelled(name) == "answers")
            columns["answer"] = found["answer"] = place
        if choices is None and (options := option_columns(records)):
            choices = options_template(options, [find(record, found.get("answer", "")) for record in records])
        if choices and choices != "choices":
            columns["choices"] = choices
        if (
            choices is None
            and (answer := found.get("answer"))
            and is_class(records, answer, found["rationale"])
        ):
            columns.pop("answer", None)
        if {"premise", "hypothesis"} <= names:
            columns["question"] = "{{premise}}\n{{hypothesis}}"
        lists = [r[found["rationale"]] for r in records if isinstance(r.get(found["rationale"]), list)]
        if lists and all(len(one) == 1 for one in lists):
            columns["rationale"] = f"{found['rationale']}.0"
        elif lists:
            columns.pop("rationale", None)
            columns |= {} if found["rationale"] == "steps" else {"steps": found["rationale"]}
        yield Guess("generic", columns, "the columns' names and values")
    elif "rationale" in found and _has_thought(records, found["rationale"]):
        yield Guess("think", {"response": found["rationale"]}, "one text that holds a chat")
    elif "question" not in found and (texts := texts_by_turns(records)):
        yield Guess("messages", {"messages": texts}, "a list of texts by turns")


def _answer_map(records: list[Record], used: tuple[str, ...]) -> dict[str, str]:
    pool = [name for name in text_columns(records) if name not in used]
    name = by_name(pool, ANSWER[:-1])
    return {"answer": name} if name else {}


def _with_answer(columns: dict[str, str], question: str, records: list[Record]) -> dict[str, str]:
    if columns["generations"] in GENERATIONS:
        columns = {}
    if question not in QUESTION_KEYS:
        columns["question"] = question
    answer = _answer_map(records, (question,)).get("answer")
    return {**columns, "answer": answer} if answer and answer != "answer" else columns


def _length(records: list[Record], name: str) -> float:
    return text_columns(records).get(name, 0)


def _thought_columns(names: list[str]) -> list[str]:
    return [name for name in names if is_named(name, THOUGHT[:11])]


def _has_thought(records: list[Record], name: str) -> bool:
    return (
        share_of(
            records, name, lambda text: split_thinking(text) is not None or answer_in_chat(text) is not None
        )
        > 0
    )


def _is_json_output(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, str) and not {"output_not_json", "output_without_reasoning"} & set(
        json_output(first)[2]
    )


def _fits(one: Guess, records: list[Record]) -> bool:
    entry = FORMATS[one.format]
    if not set(one.columns) <= set(entry.reads):
        return False
    spec = Input(path="guess", format=one.format, columns=one.columns)
    good = sum(_gives_traces(entry.drafts, record, spec) for record in records)
    return good > REPEAT_SHARE * len(records) or (one.format == "prm800k" and good > 0)


def _gives_traces(drafts: Any, record: Record, spec: Input) -> bool:
    try:
        found: list[Draft] = drafts(record, spec)
    except Unusable as problem:
        return problem.reason == "candidate_step"
    return (
        bool(found)
        and all(draft.question.strip() or draft.images for draft in found)
        and any(draft.rationale.strip() or draft.steps for draft in found)
    )
