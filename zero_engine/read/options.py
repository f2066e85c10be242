"""Options in columns of their own, and answers that are numbers of classes, for the guess of `zero-engine init`.

Options: `opa`, `opb`, ..; `option_a`, `choiceB`, `A`, `B`; `option1`, `ending0`, `q_op1`. They run from the first on
without a gap.
"""

import re
from collections.abc import Sequence

from zero_engine.read.fields import Record, find

OPTION = re.compile(
    r"(|(?:q_)?(?:op|opt|option|choice)|ending|sol|answer_?option)[_ -]?(?:([a-h])|(\d))", re.IGNORECASE
)
CLASSES = 10
"""Classes have numbers below it."""


def option_columns(records: Sequence[Record]) -> list[str]:
    """The columns that hold an option each, in their order; empty without at least two."""
    columns = dict.fromkeys(str(name) for record in records for name in record)
    found: dict[tuple[str, bool], dict[int, str]] = {}
    for name in columns:
        told = OPTION.fullmatch(name)
        if told is None or not any(isinstance(record.get(name), (str, int, float)) for record in records):
            continue
        prefix, letter, digit = told.groups()
        if prefix or letter:
            place = ord(letter.lower()) - ord("a") if letter else int(digit)
            found.setdefault((prefix.lower(), bool(letter)), {})[place] = name
    for by_place in found.values():
        places = sorted(by_place)
        if (
            len(places) > 1
            and places[0] in (0, 1)
            and places == list(range(places[0], places[0] + len(places)))
        ):
            return [by_place[place] for place in places]
    return []


def options_template(columns: Sequence[str], places: Sequence[object]) -> str:
    """Options in columns as one text for `input.columns.choices`, a line each: lettered, or numbered where the answers
    are places that count from 1."""
    from_one = len(columns) in places and 0 not in places
    labels = [str(at + 1) if from_one else chr(ord("A") + at) for at in range(len(columns))]
    return "\n".join(f"{label}. {{{{{name}}}}}" for label, name in zip(labels, columns, strict=True))


def is_class(records: Sequence[Record], answer: str, rationale: str) -> bool:
    """Whether the answers are numbers of classes, which mean nothing without their names: small, and never said."""
    values = [find(record, answer) for record in records]
    if not all(type(value) is int and -1 <= value < CLASSES for value in values):
        return False
    return not any(
        re.search(rf"(?<!\d){value}(?!\d)", str(find(record, rationale)))
        for value, record in zip(values, records, strict=True)
    )
