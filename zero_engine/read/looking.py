"""A look at the beginning of an input, before anything is drawn from it; and the whole of it in one process.

A run that can write no row is refused here, in one line, with what to do: a column that is not there, a format that
fits no record, a rationale that the format would leave aside, a document that wraps its records, a file in another
encoding.
"""

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any

from zero_engine.errors import InputError
from zero_engine.pipeline import Input
from zero_engine.read.chunks import Chunk, Lines, groups, iter_chunks, no_records, read_chunk
from zero_engine.read.columns import check_paths
from zero_engine.read.decode import NOT_ERRORS
from zero_engine.read.fields import Record, Unusable
from zero_engine.read.folders import find_inputs, look_for
from zero_engine.read.formats import Format, checked_format
from zero_engine.read.guess import guess
from zero_engine.read.jsontext import Refused
from zero_engine.read.naming import QUESTION
from zero_engine.read.spelling import is_named
from zero_engine.read.tables import read_rows
from zero_engine.read.where import check_where, compiled
from zero_engine.records import Rejection, Trace

RECORDS_TRIED = 20
MISFIT = ("missing_column", "invalid_json", "invalid_utf8", "not_an_object")
"""Rejections that say more of the format than of the record."""
RECORDS_SEARCHED = 2000
"""Records looked at where those before hold no trace, each for a sound reason."""
RATIONALE_NAMES = (
    "rationale",
    "reasoning",
    "reasoning_content",
    "solution",
    "cot",
    "chain_of_thought",
    "explanation",
    "thought",
    "thinking",
    "steps",
)
"""Columns that hold a rationale under any format; left unread, they are the trace that the user meant."""


SHARD = re.compile(r"(?P<stem>.+)-(?P<place>\d{5})-of-(?P<count>\d{5})\b.*")
NUMBER = re.compile(r"[-+$]?\d[\d.,]{0,20}%?")
SENTENCE = re.compile(r"\w+ \w+ \w+.*[.?!=]")
CHAT_KEYS = {"role", "from", "speaker"}
LONGEST_LABEL = 100
"""Characters of a text beside a list of records; a longer one is a record's own."""


def read_traces(spec: Input, rows_per_chunk: int = 256) -> Iterator[Trace | Rejection]:
    """The whole input in order, for parsing and previews in one process.

    Raises InputError like `check_input` and `iter_chunks`.
    """
    check_input(spec)
    for chunk in iter_chunks(spec, rows_per_chunk):
        yield from read_chunk(chunk, spec)


def check_input(spec: Input, must_give_rows: bool = False) -> None:
    """Read the first records and raise InputError if the format fits none of them.

    With `must_give_rows`, also where it fits, and yet each of them is rejected: a run would write nothing.
    """
    entry = checked_format(spec)
    if spec.where is not None:
        compiled(spec.where)
    tried = 0
    lenient = spec.model_copy(
        update={"strict": False, "question_images": "drop", "where": None, "duplicates": "keep"}
    )
    for parts in groups(spec, find_inputs(spec), RECORDS_TRIED):
        items = read_chunk(Chunk(0, 0, 0, "", tuple(parts)), lenient)
        if tried == 0:
            records = records_of(parts, lenient)
            if not spec.columns and (shape := other_shape(records)):
                raise InputError(f"{spec.path}: holds {shape}.")
            _check_paths(spec, records)
            _check_left_aside(entry, spec, records)
            if spec.where is not None:
                _check_where(entry, spec, records)
        tried += len(items)
        problems = [item for item in items if isinstance(item, Rejection)]
        if len(problems) < len(items):
            return
        real = [item for item in problems if item.reason not in NOT_ERRORS]
        if real and (must_give_rows or len([item for item in real if item.reason in MISFIT]) == len(items)):
            raise _misfit(spec, real[0], tried, records_of(parts, lenient))
        if tried >= RECORDS_SEARCHED or not must_give_rows:
            return
    if tried == 0:
        raise no_records(spec)
    if tried < RECORDS_SEARCHED:
        raise InputError(f"no trace in any of the {tried} records: {problems[0].detail}. Set input.format.")


def first_records(spec: Input, count: int = RECORDS_TRIED) -> list[Record]:
    """The first decoded records of an input that are objects, with nothing mapped."""
    parts = next(groups(spec, find_inputs(spec), count), None)
    if parts is None:
        raise no_records(spec)
    return records_of(parts, spec)


def records_of(parts: list[Any], spec: Input) -> list[Record]:
    """Decoded records of the parts of a chunk, those that are objects."""
    records: list[Any] = []
    for part in parts:
        if isinstance(part, Lines):
            for raw in part.records:
                try:
                    records.append(None if type(raw) is Refused else json.loads(raw.decode()))
                except (ValueError, RecursionError):
                    continue
        else:
            limit = spec.max_record_bytes
            records += read_rows(part.file.path, part.file.kind, part.start, part.stop, limit)
    return [record for record in records if isinstance(record, dict)]


def passed_over(spec: Input) -> list[str]:
    """A line for each file of the input's folders and archives that is not read, with its reason."""
    found = look_for(spec)
    lines = [f"{name}: not read: {why}" for name, why in found.passed_over]
    shards: dict[tuple[str, str], set[int]] = {}
    for file in found.files:
        if shard := SHARD.fullmatch(file.path):
            shards.setdefault((shard["stem"], shard["count"]), set()).add(int(shard["place"]))
    for (stem, count), there in shards.items():
        lost = [place for place in range(min(int(count), 10_000)) if place not in there]
        if lost:
            lines.append(
                f"{stem}-*-of-{count}: {len(lost)} of {int(count)} files are not there, first {lost[0]:05d}"
            )
    return lines


def _check_paths(spec: Input, records: list[Record]) -> None:
    """Raises InputError for a column of the map that no record has; an optional one may be rare, so many are asked."""
    try:
        check_paths(spec.columns, records)
    except InputError:
        if len(records) < RECORDS_TRIED:
            raise
        check_paths(spec.columns, first_records(spec, RECORDS_SEARCHED))


def _check_where(entry: Format, spec: Input, records: list[Record]) -> None:
    drafts = []
    for record in records:
        try:
            drafts += [(draft, record) for draft in entry.drafts(record, spec)]
        except Unusable:
            continue
    if drafts:
        check_where(spec.where or "", drafts)


def _check_left_aside(entry: Format, spec: Input, records: list[Record]) -> None:
    """Refuses a format that reads an answer as the rationale while the record has a rationale of its own."""
    if entry.name != "gsm8k" or "answer" in spec.columns:
        return
    left = next(
        (name for name in RATIONALE_NAMES if records and all(_is_text(record, name) for record in records)),
        None,
    )
    if left and not any(
        "####" in str(record.get("answer")) or "\n" in str(record.get("answer")) for record in records
    ):
        columns = "" if left == "rationale" else f" and input.columns={{rationale: {left}}}"
        raise InputError(
            f"{spec.path}: the format gsm8k takes the steps from 'answer' and would leave the column {left!r} aside. "
            f"Set input.format=generic{columns}."
        )


def _is_text(record: Record, name: str) -> bool:
    return isinstance(record.get(name), (str, list)) and bool(record[name])


def _misfit(spec: Input, problem: Rejection, tried: int, records: list[Record]) -> InputError:
    shown = "the first record" if tried == 1 else f"any of the first {tried} records"
    hint = "set input.format, or map names with input.columns; zero-engine init FILE proposes both."
    if problem.reason == "invalid_utf8":
        hint = "set input.encoding, e.g. cp1252."
    elif wrapped := wrapped_in(records):
        hint = f"the records are the list {wrapped!r} inside: set input.field={wrapped}."
    elif problem.reason == "missing_column" and (near := _near(problem, records)):
        hint = f"{near}; zero-engine init FILE writes a pipeline."
    detail = problem.detail.rstrip(".")
    return InputError(f"{detail}. The format {spec.format} does not fit {shown}: {hint}")


def wrapped_in(records: list[Record]) -> str | None:
    """The key of a document whose value is a list of records; a document with a question is a record itself."""
    if len(records) != 1 or any(is_named(key, QUESTION[:5]) and value for key, value in records[0].items()):
        return None
    lists = [
        key
        for key, value in records[0].items()
        if isinstance(value, list)
        and value
        and all(isinstance(item, dict) and not CHAT_KEYS & set(item) for item in value)
    ]
    texts = [value for value in records[0].values() if isinstance(value, str) and len(value) > LONGEST_LABEL]
    lists = ["train"] if "train" in lists else lists
    if texts or len(lists) > 1:
        return None
    inner = [
        f"{key}.{name}"
        for key, value in records[0].items()
        if isinstance(value, dict)
        for name, held in value.items()
        if isinstance(held, list)
        and held
        and all(isinstance(item, dict) and not CHAT_KEYS & set(item) for item in held)
    ]
    paths = lists or inner
    return paths[0] if len(paths) == 1 else None


def other_shape(records: list[Record]) -> str | None:
    """What to do where the one record is no record: it holds the records by a key, or the columns as lists."""
    if records and is_without_names(records[0]):
        return "a record where the names of its columns should be: add a first line of names"
    values = list(records[0].values()) if len(records) == 1 else []
    if len(values) < 2:
        return None
    objects = [value for value in values if isinstance(value, dict)]
    if (
        len(objects) == len(values)
        and all(one.keys() == objects[0].keys() for one in objects)
        and guess(objects[:20])
    ):
        return f"{len(values)} records by a key, of which one would be read: write its values as a list"
    if len(objects) == len(values) and len(objects[0]) > 1 and all(map(_is_by_row, objects)):
        return f"columns of {len(objects[0])} values each, no records: write one object a record"
    lists = [
        value
        for value in values
        if isinstance(value, list) and not any(isinstance(one, dict) for one in value)
    ]
    if len(lists) == len(values) and 1 < len(lists[0]) == min(map(len, lists)) == max(map(len, lists)):
        return f"columns of {len(lists[0])} values each, no records: write one object a record"
    return None


def is_without_names(record: Record) -> bool:
    """Whether the names of a table's columns are values: a number among them, and a sentence."""
    names = [str(name) for name in record]
    return any(NUMBER.fullmatch(name) for name in names) and any(SENTENCE.search(name) for name in names)


def _is_by_row(column: Record) -> bool:
    """Whether an object holds the values of a column by the numbers of rows, as pandas writes it."""
    return list(column) == [str(at) for at in range(len(column))]


def _near(problem: Rejection, records: list[Record]) -> str | None:
    """How the records could be read, where that can be guessed, or the column that was probably meant."""
    wanted = problem.detail.partition("no column ")[2].partition(";")[0].partition(" or ")[0].strip("' ")
    there = [str(key) for record in records[:1] for key in record]
    if found := guess(records):
        columns = ", ".join(f"{field}: {path}" for field, path in found.columns.items())
        return f"try input.format={found.format}" + (f" with input.columns={{{columns}}}" if columns else "")
    near = difflib.get_close_matches(wanted, there, n=1)
    return f"did you mean {near[0]!r}?" if near else None
