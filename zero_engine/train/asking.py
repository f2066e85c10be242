"""The questions of any file that a run reads, with their answers or, for `answer`, without.

A trace must have a rationale and a question needs none. Where it is absent, the question's own text stands in its place
and is not looked at: always under `generic`, and under the other formats where no record has what they need beside the
question (a GSM8K file without its answers, chats that end with the user).
"""

import re
from collections.abc import Iterator

from zero_engine.errors import InputError
from zero_engine.pipeline import Input
from zero_engine.read import read_traces
from zero_engine.read.fields import Record, Unusable, find
from zero_engine.read.formats import checked_format
from zero_engine.read.looking import first_records
from zero_engine.read.outputs import QUESTION_KEYS
from zero_engine.read.turns import MESSAGES
from zero_engine.records import Rejection, Trace


def read_questions(
    path: str, format: str, columns: dict[str, str], limit: int | None, judged: bool
) -> Iterator[Trace | Rejection]:
    """The traces that hold the questions. Raises InputError, with keys as an evaluation has them."""
    try:
        yield from read_traces(questions_input(path, format, columns, limit, judged))
    except InputError as error:
        raise InputError(re.sub(r"\binput\.(?=(?:columns|format)\b)", "", str(error))) from None


def questions_input(
    path: str, format: str, columns: dict[str, str], limit: int | None, judged: bool
) -> Input:
    """The input to read questions from; `judged` ones need the answers that their format keeps."""
    own = {name: place for name, place in columns.items() if name != "task"}
    if format == "generic":
        own.setdefault("question", "question")
        own["rationale"] = own["question"]
    spec = Input(path=path, format=format, columns=own, limit=limit)
    if judged or format == "generic":
        return spec
    records = first_records(spec)
    first, *rest = checked_format(spec).fields
    names = (own.get(first, first), *(MESSAGES if format == "messages" else QUESTION_KEYS))
    asked = next((name for name in names if any(find(record, name) is not None for record in records)), None)
    if asked is None or _gives_traces(spec, records):
        return spec
    said = _text_in(records, asked)
    kept = {name: own[name] for name in ("id", "answer", "choices", "image", "images") if name in own}
    same = spec.model_copy(update={"columns": own | dict.fromkeys(rest, said)})
    if _gives_traces(same, records):
        return same
    columns = kept | {"question": asked, "rationale": said}
    return spec.model_copy(update={"format": "generic", "columns": columns})


def _gives_traces(spec: Input, records: list[Record]) -> bool:
    """Whether the format reads any of the records."""
    drafts = checked_format(spec).drafts
    for record in records:
        try:
            if drafts(record, spec):
                return True
        except Unusable:
            continue
    return False


def _text_in(records: list[Record], asked: str) -> str:
    """The path of the text in a question's column, which may be a list of messages."""
    value = next(value for record in records if (value := find(record, asked)) is not None)
    ends = ("", ".-1.content", ".-1.value", ".-1.content.-1.text")
    found = [f"{asked}{end}" for end in ends if isinstance(find({asked: value}, f"{asked}{end}"), str)]
    return found[0] if found else asked
