"""What a column map hands on, and how it takes a field from a record.

Every getter says what is wrong in the same three words, which are the rejection's reason:
`missing_column` (no such key), `missing_value` (null), `wrong_type`. What a column may be called by the user (a path,
a template) is `columns`; here a field has one name.
"""

import ast
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Record = dict[str, Any]
NAMES_SHOWN = 12
LONGEST_LITERAL = 1 << 20
"""Characters of a list in a string that Python's own, recursive parser is asked to read."""
SURROGATE = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"
NOT_AN_ANSWER = ("nan", "null", "none", "n/a")
"""What tables hold where an answer is absent, in lower case; `None` and `NaN` that became text."""


@dataclass(slots=True)
class Draft:
    """A trace before it has an identity, a source and decoded pictures."""

    question: str
    rationale: str
    answer: str | None = None
    """The gold answer, where the corpus has one. It always wins over what a model said."""
    steps: tuple[str, ...] | None = None
    choices: tuple[str, ...] = ()
    images: tuple[object, ...] = ()
    """References to the question's pictures: bytes, base64, data URL, path, or datasets' {bytes, path}."""
    image_names: tuple[str, ...] = ()
    """Their keys, for rejections; empty where no key tells them apart."""
    pictures: tuple[tuple[str, object], ...] = ()
    """Key and reference of every picture that a mark in a text stands for (`places`)."""
    given: tuple[tuple[int, str, object], ...] = ()
    """Pictures of the rationale: `Given.at`, key and reference."""
    notes: tuple[str, ...] = ()
    said: str | None = None
    """What the model said after its thought: the answer where there is no gold."""
    facts: dict[str, Any] = field(default_factory=dict)
    """More that `input.where` may ask for, e.g. `correctness` of this generation."""


class Unusable(Exception):
    """There is no trace in this record; becomes a Rejection with this reason and detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Unreadable:
    """Stands for a value of a column that cannot be decoded; a trouble only where the column is needed."""

    def __init__(self, why: str) -> None:
        self.why = why

    def __repr__(self) -> str:
        return f"<unreadable: {self.why}>"


def text(record: Record, key: str) -> str:
    """A field that must be text."""
    value = record.get(key)
    if type(value) is str:
        return value
    if key not in record:
        raise missing(record, key)
    if value is None:
        raise Unusable("missing_value", f"{key} is null")
    if isinstance(value, float) and math.isnan(value):
        raise Unusable("missing_value", f"{key} is NaN")
    if isinstance(value, Unreadable):
        raise Unusable("invalid_utf8" if "UTF-8" in value.why else "wrong_type", f"{key}: {value.why}")
    raise Unusable("wrong_type", f"{key} must be text, got {type(value).__name__} {_short(value)}")


def first_text(record: Record, keys: tuple[str, ...]) -> str:
    """The first of several names that the record has."""
    return text(record, first_key(record, keys))


def first_key(record: Record, keys: Iterable[str]) -> str:
    """The first of several names with a value in the record, else the first that it has."""
    keys = tuple(keys)
    for key in keys:
        if record.get(key) is not None:
            return key
    for key in keys:
        if key in record:
            return key
    raise missing(record, *keys)


def optional_text(record: Record, key: str) -> str | None:
    """Text, a number as text, or None where the field is absent, null, NaN or blank."""
    value = record.get(key)
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return None if math.isnan(value) else str(value)
    if isinstance(value, Decimal):
        return None if value.is_nan() else str(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)) and len(value) == 1:
        return optional_text({key: value[0]}, key)
    return text(record, key).strip() or None


def gold_text(record: Record, key: str) -> str | None:
    """The gold answer in a field; what tables write for "no value" is none."""
    found = optional_text(record, key)
    if found and found[:2] in ('["', "['") and (items := unpacked_list(found)) and len(items) == 1:
        found = optional_text({key: items[0]}, key)  # `["5"]` as text (Skywork-OR1)
    return None if found and found.lower() in NOT_AN_ANSWER else found


def gold_choice(record: Record, key: str, choices: tuple[str, ...]) -> str | None:
    """The gold answer; a whole number that is none of the choices is the place of one, and gives its letter.

    Places count from 0, and from 1 in a text of options that are numbered so. -1 is no place: datasets write it where
    the answer is hidden. The number of choices itself is none either: it tells that the corpus counts from 1.
    """
    value = record.get(key)
    options = record.get("choices")
    first = int(isinstance(options, str) and options.lstrip("( \n")[:1] == "1")
    if isinstance(value, float) and choices and value.is_integer() and str(value) not in choices:
        record = {key: (value := int(value))}  # a column of places with a gap in it is one of floats
    if type(value) is not int or not choices or str(value) in choices:
        return gold_text(record, key)
    if 0 <= value - first < min(len(choices), 26):
        return chr(ord("A") + value - first)
    if value == len(choices) and not re.search(rf"(?<!\d){value}(?!\d)", " ".join(choices)):
        raise Unusable(
            "answer_no_choice",
            f"the answer is {value}, and places of options count from 0; if they count "
            'from 1 here, number them: choices: "1. {{options.0}}\\n2. {{options.1}}"',
        )
    return None if value == -1 else gold_text(record, key)


def step_text(item: Any) -> str | None:
    """The text of a step, which may be an object that has one."""
    if not isinstance(item, dict):
        return item if isinstance(item, str) else None
    keys = ("text", "step", "content", "value", "thought", "description")
    return next((item[key] for key in keys if isinstance(item.get(key), str)), None)


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
    """The field of that name, or the nested one that a path leads to (`turns.0.text`, `turns[-1].text`); else None.

    A path goes into JSON that a text holds, too (`verification_info.ground_truth`, SYNTHETIC-1).
    """
    if path in record or not ("." in path or "[" in path):
        return record.get(path)
    value: Any = record
    for part in path_parts(path):
        if isinstance(value, str):
            value = unpacked_object(value)
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, (list, tuple)) and _is_index(part) and -len(value) <= int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def path_parts(path: str) -> list[str]:
    """`a.b[-1].c` as a, b, -1, c."""
    return [part for part in path.replace("[", ".").replace("]", "").split(".") if part]


def _is_index(part: str) -> bool:
    return part.removeprefix("-").isdecimal() and len(part) < 10


def texts(record: Record, key: str) -> tuple[str, ...]:
    """A list of texts, also one stored as a string; empty where absent or null."""
    value = record.get(key)
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        value = unpacked_list(value) or lettered(value)
    if isinstance(value, dict):  # AQuA-like {"A": "5", "B": "6"} and ARC-like {"label": [..], "text": [..]}
        value = value["text"] if isinstance(value.get("text"), list) else list(value.values())
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, (str, int, float)) for item in value):
        raise Unusable("wrong_type", f"{key} must be a list of texts, got {_short(record[key])}")
    return tuple(str(item) for item in value)


LETTERED = re.compile(r"(?:^|[\s,;])\(?([A-Za-z])[ ]?[).:][ \t]*(?=\S)")
LABELLED_LINE = re.compile(r"\(?([A-Za-z]|\d{1,2})[ ]?[).:][ \t]*(.*)")
MOST_LETTERED = 10_000
"""Characters of a text that is searched for options."""


def lettered(value: str) -> list[str] | None:
    """The options of one text, `a ) 38 , b ) 27` or a line each (allenai/math_qa, dataset card), or None.

    The letters must run from the first on, and the text must begin with it. Where every line has one, or a number
    from 1 on, nothing inside of a line parts it; the last options may be empty.
    """
    text = value[:MOST_LETTERED].strip()
    lines = [LABELLED_LINE.fullmatch(line.strip()) for line in text.split("\n")]
    labels = [line[1].lower() for line in lines if line]
    letters = [chr(ord("a") + at) for at in range(len(lines))]
    numbers = [str(at + 1) for at in range(len(lines))]
    if 1 < len(lines) <= 26 and labels in (letters, numbers):
        told = [line[2] for line in lines if line]
        while told and not told[-1]:
            told.pop()
        return told if len(told) > 1 and all(told) and len(value) <= MOST_LETTERED else None
    marks: list[re.Match[str]] = []
    for found in LETTERED.finditer(text):
        if found[1].lower() == chr(ord("a") + len(marks)):
            marks.append(found)
    if len(marks) < 2 or marks[0].start() > 0 or len(value) > MOST_LETTERED:
        return None
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    options = [text[mark.end() : end].strip(" \t\r\n,;") for mark, end in zip(marks, ends, strict=True)]
    return options if all(options) else None


def unpacked_list(value: str) -> list[Any] | None:
    """The list that a string holds as JSON, as Python source, or as NumPy prints it, or None."""
    stripped = value.strip()
    if not stripped.startswith("["):
        return None
    decoders = (json.loads, _literal, _numpy_list)
    for decode in decoders:
        try:
            found = decode(stripped)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list):
            return without_surrogates(found)
    return None


def unpacked_object(value: str) -> dict[str, Any] | list[Any] | None:
    """The object or list that a text holds as JSON, or None."""
    if value[:1] not in ("{", "[") or len(value) > LONGEST_LITERAL:
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return without_surrogates(found) if isinstance(found, (dict, list)) else None


def _literal(value: str) -> Any:
    if len(value) > LONGEST_LITERAL:
        raise ValueError("too long")
    found = ast.literal_eval(value)
    if isinstance(found, list) and len(found) == 1 and NUMPY_ITEM.match(value):
        raise ValueError("NumPy's list: Python would join its texts to one")
    return found


NUMPY_ITEM = re.compile(r"\[\s*(?:'[^'\\\n]*'|\"[^\"\\\n]*\")\s+['\"]")
NUMPY_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")


def _numpy_list(value: str) -> list[str]:
    """`['red' 'blue']`, which is how a NumPy array of texts looks in a CSV file."""
    items = [single or double for single, double in NUMPY_TEXT.findall(value)]
    if not value.endswith("]") or NUMPY_TEXT.sub("", value).strip("[] \t\r\n,"):
        raise ValueError("not a list of quoted texts")
    return items


def without_surrogates(value: Any) -> Any:
    """The value with every lone surrogate as U+FFFD."""
    if isinstance(value, str):
        return SURROGATE.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    return value


def missing(record: Record, *keys: str) -> Unusable:
    """The problem of a record that has none of these names."""
    there = [str(key) for key in list(record)[:NAMES_SHOWN]]
    more = ", ..." if len(record) > NAMES_SHOWN else ""
    wanted = " or ".join(repr(key) for key in keys)
    return Unusable("missing_column", f"no column {wanted}; there is {', '.join(there) or 'none'}{more}")


def _short(value: object) -> str:
    shown = repr(value) if not isinstance(value, (list, dict)) else f"{type(value).__name__} of {len(value)}"
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
