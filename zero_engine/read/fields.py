"""What a column map hands on, and how it takes a field from a record.

Every getter says what is wrong in the same three words, which are the rejection's reason:
`missing_column` (no such key), `missing_value` (null), `wrong_type`.
"""

import ast
import json
import re
from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]
NAMES_SHOWN = 12
SURROGATE = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"


@dataclass(slots=True)
class Draft:
    """A trace before it has an identity, a source and decoded pictures."""

    question: str
    rationale: str
    answer: str | None = None
    steps: tuple[str, ...] | None = None
    choices: tuple[str, ...] = ()
    images: tuple[object, ...] = ()
    """References to the question's pictures: bytes, base64, data URL, path, or datasets' {bytes, path}."""
    notes: tuple[str, ...] = ()


class Unusable(Exception):
    """There is no trace in this record; becomes a Rejection with this reason and detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def text(record: Record, key: str) -> str:
    """A field that must be text."""
    value = record.get(key)
    if type(value) is str:
        return value
    if key not in record:
        raise missing(record, key)
    if value is None:
        raise Unusable("missing_value", f"{key} is null")
    raise Unusable("wrong_type", f"{key} must be text, got {type(value).__name__} {_short(value)}")


def first_text(record: Record, keys: tuple[str, ...]) -> str:
    """The first of several names that the record has."""
    for key in keys:
        if record.get(key) is not None:
            return text(record, key)
    for key in keys:
        if key in record:
            return text(record, key)
    raise missing(record, *keys)


def optional_text(record: Record, key: str) -> str | None:
    """Text, a number as text, or None where the field is absent, null or blank."""
    value = record.get(key)
    if value is None:
        return None
    if isinstance(value, (int, float)):
        return str(value)
    return text(record, key).strip() or None


def identity(record: Record, paths: tuple[str, ...]) -> str | None:
    """The record's own id, as text: the first of these fields that holds a text or a whole number."""
    for path in paths:
        value = find(record, path)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


def find(record: Record, path: str) -> Any:
    """The field of that name, or the nested one that a dotted path leads to (`turns.0.text`); else None."""
    if path in record or "." not in path:
        return record.get(path)
    value: Any = record
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def texts(record: Record, key: str) -> tuple[str, ...]:
    """A list of texts, also one stored as a string; empty where absent or null."""
    value = record.get(key)
    if value is None:
        return ()
    if isinstance(value, str):
        value = unpacked_list(value)
    if not isinstance(value, list) or not all(isinstance(item, (str, int, float)) for item in value):
        raise Unusable("wrong_type", f"{key} must be a list of texts, got {_short(record[key])}")
    return tuple(str(item) for item in value)


def unpacked_list(value: str) -> list[Any] | None:
    """The list that a string holds as JSON or as Python source, or None."""
    if not value.lstrip().startswith("["):
        return None
    for decode in (json.loads, ast.literal_eval):
        try:
            found = decode(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return found if isinstance(found, list) else None
    return None


def missing(record: Record, *keys: str) -> Unusable:
    """The problem of a record that has none of these names."""
    there = [str(key) for key in list(record)[:NAMES_SHOWN]]
    more = ", ..." if len(record) > NAMES_SHOWN else ""
    wanted = " or ".join(repr(key) for key in keys)
    return Unusable("missing_column", f"no column {wanted}; there is {', '.join(there) or 'none'}{more}")


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."


def without_surrogates(value: Any) -> Any:
    """The value with lone surrogates, which UTF-8 cannot hold, replaced by U+FFFD, at any depth."""
    if isinstance(value, str):
        return SURROGATE.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    return value
