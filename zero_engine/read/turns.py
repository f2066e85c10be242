"""Lists of messages, in every shape that holds one: as they are, packed into a string, a struct of lists, pairs.

Who speaks is read under any name in use, in any case. An entry that holds a question and its answer by the speakers'
names (`{human: .., assistant: ..}`, as XTuner and Firefly have them) is two messages. In a list of texts
(UltraChat) the user and the assistant speak by turns. A list of texts with a label for each is no chat, but the steps
of one solution (TRL).
"""

from typing import Any

from zero_engine.read.fields import Record, Unusable, missing, unpacked_list
from zero_engine.read.markers import ASSISTANT, ROLES, TOOL, USER

MESSAGES = ("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "turns")
PAIRS = (("human", "assistant"), ("user", "assistant"), ("input", "output"), ("question", "answer"))


def message_list(record: Record) -> list[Record]:
    """The messages of a record. Raises Unusable where there is no list of them."""
    key = next((key for key in MESSAGES if record.get(key) is not None), None)
    key = key or next((key for key in MESSAGES if key in record), None)
    if key is None:
        raise missing(record, "messages", "conversations")
    return turn_list(record[key], key)


def role_of(turn: Record) -> str:
    """Who speaks in a message; the tool where that is not known."""
    name = next((turn[key] for key in ("role", "from", "speaker", "author", "sender") if turn.get(key)), None)
    if isinstance(name, dict):
        name = name.get("role")
    return ROLES.get(name.strip().lower(), TOOL) if isinstance(name, str) else TOOL


def turn_list(value: Any, key: str) -> list[Record]:
    turns = unpacked_list(value) if isinstance(value, str) else value
    if isinstance(turns, dict) and all(isinstance(column, list) for column in turns.values()):
        lengths = {
            len(column) for column in turns.values()
        }  # a struct of lists, as datasets once stored them
        turns = (
            [dict(zip(turns, cells, strict=True)) for cells in zip(*turns.values(), strict=True)]
            if len(lengths) == 1
            else turns
        )
    if isinstance(turns, list) and turns and all(isinstance(turn, str) for turn in turns):
        return [{"role": (USER, ASSISTANT)[at % 2], "content": turn} for at, turn in enumerate(turns)]
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise Unusable("wrong_type", f"{key} must be a list of messages, got {type(turns).__name__}")
    return [one for turn in turns for one in _parted(turn)]


def _parted(turn: Record) -> list[Record]:
    """The messages of an entry that holds a question and its answer by the speakers' names (XTuner, Firefly)."""
    pair = next((pair for pair in PAIRS if pair[0] in turn and pair[1] in turn), None)
    if pair is None or "role" in turn or "from" in turn:
        return [turn]
    return [{"role": USER, "content": turn[pair[0]]}, {"role": ASSISTANT, "content": turn[pair[1]]}]


def as_turns(value: Any, role: str) -> list[Record]:
    if isinstance(value, str) and not (
        value.lstrip().startswith("[{") and isinstance(unpacked_list(value), list)
    ):
        return [{"role": role, "content": value}]
    return turn_list(value, "prompt" if role == "user" else "completion")


def is_texts(value: Any) -> bool:
    """Whether a value is a list of texts, and not empty."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def is_judged_by_step(record: Record) -> bool:
    """Whether `completions` are the steps of one solution: as many labels, and each True or False."""
    steps, labels = record.get("completions") or [], record.get("labels")
    return (
        is_texts(steps) and isinstance(labels, list) and [type(one) for one in labels] == [bool] * len(steps)
    )


def is_chat(records: list[Record], key: str) -> bool:
    """Whether a column holds lists of messages, by the first record that has it."""
    value = next((record[key] for record in records if record.get(key)), None)
    if isinstance(value, str) and value.lstrip().startswith("[{"):
        value = unpacked_list(value)
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], dict)
        and bool({"role", "from", "speaker", "author"} & set(value[0]) or _is_pair(value[0], key))
    )


def _is_pair(turn: Record, key: str) -> bool:
    return key in MESSAGES and any(question in turn and answer in turn for question, answer in PAIRS)


def texts_by_turns(records: list[Record]) -> str | None:
    """The column that is a list of texts in every record, one of the user and one of the assistant by turns."""

    def alternates(value: Any) -> bool:
        return is_texts(value) and len(value) % 2 == 0

    return next(
        (name for name in records[0] if all(alternates(record.get(name)) for record in records)), None
    )
