"""The user's column map, `input.columns`: names, paths and templates; and what it says wrong, in one line.

    {question: problem}                          a column
    {id: meta.id, rationale: turns.-1.text}      a path: keys by dots, list indices from either end, also in JSON texts
    {question: "{{instruction}}\n{{input}}"}     a template over columns and paths; an absent one leaves nothing

A template is a plain substitution, no language: there is nothing in it that could run. Blank lines that an empty
column leaves at either end go. A key that the format does not read is refused, and so is a path that no record has,
each with the nearest name.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from zero_engine.errors import InputError
from zero_engine.read.fields import NAMES_SHOWN, Record, Unusable, find, missing, optional_text

PLACE = re.compile(r"\{\{\s*([^{}\n]{1,200}?)\s*\}\}")
LONGEST_TEMPLATE = 2000
PATHS_LISTED = 200


def is_template(path: str) -> bool:
    return "{{" in path


def has(record: Record, path: str) -> bool:
    """Whether the record has what a column's path or template names; of a template, any of its columns."""
    if is_template(path):
        return any(has(record, name) for name in PLACE.findall(path))
    return path in record or (("." in path or "[" in path) and find(record, path) is not None)


def value_of(record: Record, path: str) -> Any:
    """What a column's path or template names in this record, or None."""
    if not is_template(path):
        return find(record, path)
    names = PLACE.findall(path)
    if not any(has(record, name) for name in names):
        raise missing(record, *names)
    return PLACE.sub(lambda place: _as_text(record, place.group(1)), path).strip()


def mapped(record: Record, columns: dict[str, str]) -> Record:
    """The record with the map's fields under the format's own names, beside what it already has.

    A mapped field that this record lacks is absent, also where another column happens to bear its name.
    """
    renamed = dict(record)
    for field, path in columns.items():
        if has(record, path):
            renamed[field] = value_of(record, path)
        elif field != path:
            renamed.pop(field, None)
    return renamed


def check_keys(columns: dict[str, str], fields: Iterable[str], format_name: str) -> None:
    """Raises InputError for a key of the map that the format does not read."""
    known = list(fields)
    for key, path in columns.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"It reads {', '.join(known)}."
            raise InputError(f"input.columns: the format {format_name} reads no field {key!r}. {hint}")
        if key == "id" and is_template(path):
            raise InputError("input.columns.id: an id is one column, not a template. Name the column.")
        if len(path) > LONGEST_TEMPLATE:
            raise InputError(f"input.columns.{key}: longer than {LONGEST_TEMPLATE} characters. Shorten it.")
        if is_template(path) and not PLACE.search(path):
            raise InputError(
                f"input.columns.{key}: no {{{{column}}}} in the template {path[:60]!r}. Name a column in it."
            )


def check_paths(columns: dict[str, str], records: list[Record]) -> None:
    """Raises InputError for a column of the map that none of these records has."""
    if not records:
        return
    seen = f"{len(records)} records" if len(records) > 1 else "record"
    there = list(dict.fromkeys(path for record in records for path in paths_in(record)))
    for key, path in columns.items():
        for name in PLACE.findall(path) if is_template(path) else [path]:
            if any(has(record, name) for record in records):
                continue
            near = difflib.get_close_matches(name, there, n=1)
            top = list(dict.fromkeys(str(column) for record in records for column in record))
            shown = ", ".join(top[:NAMES_SHOWN]) + (", ..." if len(top) > NAMES_SHOWN else "")
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise InputError(
                f"input.columns.{key}: no column {name!r} in the first {seen}. "
                f"{hint}There is {shown or 'none'}."
            )


def paths_in(record: Record) -> Iterator[str]:
    """Paths of a record that a map may name, outer ones first, at most `PATHS_LISTED`."""
    waiting: list[tuple[str, Any]] = [(str(key), value) for key, value in record.items()]
    given = 0
    while waiting and given < PATHS_LISTED:
        path, value = waiting.pop(0)
        yield path
        given += 1
        if isinstance(value, dict):
            waiting += [(f"{path}.{key}", inner) for key, inner in list(value.items())[:PATHS_LISTED]]
        elif isinstance(value, list) and value and isinstance(value[0], (dict, str)):
            waiting.append((f"{path}.0", value[0]))


def _as_text(record: Record, path: str) -> str:
    value = find(record, path)
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, int, float)) for item in value):
        return "\n".join(str(item) for item in value)
    try:
        return optional_text({path: value}, path) or ""
    except Unusable as problem:
        raise Unusable(problem.reason, f"in a template: {problem.detail}") from None
