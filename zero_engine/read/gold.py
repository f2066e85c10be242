"""Gold: where a record keeps the answer that is known to be right, for the guess of `zero-engine init`.

Under one of the usual names; in an object under one (`answer: {value: 5}`, `reward_model: {ground_truth: 5}`); the
first of a list of answers that are all right (`answers: {text: [5, five]}`).
"""

from typing import Any

from zero_engine.read.fields import Record, unpacked_object
from zero_engine.read.naming import GOLD

NAMES = (*GOLD, "answers")
HOLDERS = ("reward_model", "verification_info", "extra_info", "meta", "metadata", "info")
"""Objects that may hold a column of one of the names."""
INSIDE = ("ground_truth", "value", "text", "answer", "final_answer", "target", "content")
"""What the answer is called inside an object of one of the names."""
PLACES = (
    "label",
    "correct",
    "answer",
    "answer_index",
    "answer_idx",
    "correct_index",
    "correct_answer",
    "correct_option",
)
"""What the place of the right option is called."""


def gold_path(records: list[Record], plain: Any) -> str | None:
    """A path for `input.columns.answer`, or None. `plain` spells a column's name in lower case with `_`."""
    first: Record = {}
    for record in records:
        first = {**{str(key): value for key, value in record.items() if value is not None}, **first}
    for holder in (None, *HOLDERS):
        inside = first if holder is None else first.get(holder)
        if isinstance(inside, str):
            inside = unpacked_object(inside)
        if not isinstance(inside, dict):
            continue
        by_name = {plain(str(key)): str(key) for key in reversed(inside)}
        for name in NAMES:
            if (key := by_name.get(name)) is None:
                continue
            if name == "answers" and options_in_answers(records, plain):
                continue
            path = key if holder is None else f"{holder}.{key}"
            if (found := _into(path, inside[key])) is not None:
                return found
    return None


def options_in_answers(records: list[Record], plain: Any) -> str | None:
    """The column with the place of the right one where `answers` holds options (ReClor), and not answers all right."""
    lists = [value for record in records for key, value in record.items() if plain(str(key)) == "answers"]
    if not lists or not all(isinstance(one, list) and len(one) > 1 for one in lists):
        return None
    names = dict.fromkeys(str(key) for record in records for key in record)
    for name in [name for word in PLACES for name in names if plain(name) == word]:
        places = [record.get(name) for record in records]
        if all(type(place) is int and -1 <= place < len(lists[0]) for place in places):
            return name
    return None


def is_one_answer(value: Any) -> bool:
    """Whether a value is taken as the answer as it stands."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value is None or isinstance(value, (str, int, float))


def _into(path: str, value: Any) -> str | None:
    if is_one_answer(value):
        return path
    if isinstance(value, dict):
        inner = next((name for name in INSIDE if value.get(name) not in (None, [])), None)
        return _into(f"{path}.{inner}", value[inner]) if inner else None
    return _into(f"{path}.0", value[0]) if isinstance(value, list) and value else None
