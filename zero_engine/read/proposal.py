"""What `zero-engine init` proposes for an input: how to open it, which format, which columns, and a first trace.

The input is opened as a run would open it; what a run would refuse with a hint (a split that is not there, records
wrapped in a document, another encoding) is tried here, and what helped becomes part of the proposal. Nothing is
asked.
"""

from dataclasses import dataclass

from zero_engine.errors import InputError
from zero_engine.parse import parse_trace
from zero_engine.pipeline import Input, Parse
from zero_engine.read.chunks import iter_chunks, read_chunk
from zero_engine.read.fields import Record, Unusable
from zero_engine.read.files import InputFile
from zero_engine.read.folders import find_inputs
from zero_engine.read.formats import format_named
from zero_engine.read.guess import Guess, guess
from zero_engine.read.looking import first_records, other_shape, wrapped_in
from zero_engine.read.splits import NoSuchPart
from zero_engine.records import ParsedTrace, Rejection, Trace

ENCODINGS = ("cp1252", "gb18030", "shift_jis")
"""Tried in this order where a file is not UTF-8."""
OPENINGS_TRIED = 6
TRACES_TRIED = 200


@dataclass(frozen=True, slots=True)
class Proposal:
    """An input as it would be read, and what was seen of it."""

    spec: Input
    files: list[InputFile]
    records: list[Record]
    guess: Guess
    parsed: ParsedTrace | None
    """The first trace as it would be cut."""
    problem: str | None
    """Why there is none."""
    given: bool
    """Whether the first records give pictures for their steps."""


def propose(spec: Input, parse: Parse | None = None) -> Proposal:
    """Look at an input and say how to read it. Raises InputError where no guess gives a trace."""
    spec, records = _opened(spec)
    if shape := other_shape(records):
        raise InputError(f"{spec.path}: holds {shape}.")
    files = find_inputs(spec)
    found = _as_said(spec, guess(records, is_dataset=_is_dataset(files)))
    if found is None:
        raise InputError(
            f"{spec.path}: no question and rationale found in the columns {columns_line(records)}. "
            "Name theirs with --set input.columns.question=.. --set input.columns.rationale=.."
        )
    spec = spec.model_copy(update={"format": found.format, "columns": {**found.columns, **spec.columns}})
    parsed, problem = _first_trace(spec, parse or Parse())
    return Proposal(spec, files, records, found, parsed, problem, _gives_pictures(spec, records))


def _as_said(spec: Input, found: Guess | None) -> Guess | None:
    """The guess, unless the user named another format, or a rationale that the guessed format does not take."""
    if "format" in spec.model_fields_set and (found is None or found.format != spec.format):
        return Guess(spec.format, why="as you said")
    if "rationale" in spec.columns and (
        found is None or "rationale" not in format_named(found.format).fields
    ):
        return Guess("generic", why="with the columns that you named")
    return found


def columns_line(records: list[Record]) -> str:
    """Names and types of the columns: `question (text), meta (object)`."""
    kinds: dict[str, str] = {}
    for record in records:
        for name, value in record.items():
            if value is not None:
                kinds.setdefault(str(name), _kind(value))
    return ", ".join(f"{name} ({kind})" for name, kind in list(kinds.items())[:40]) or "none"


def _opened(spec: Input) -> tuple[Input, list[Record]]:
    for _ in range(OPENINGS_TRIED):
        try:
            records = first_records(spec)
        except NoSuchPart as problem:
            if not problem.there:
                raise
            spec = spec.model_copy(update={problem.key: problem.there[0]})
            continue
        if not records and spec.encoding is None:
            spec, records = _in_another_encoding(spec)
        if not records:
            raise InputError(
                f"{spec.path}: no JSON object, table row or sample in the first records{_why(spec)}. Check the file."
            )
        if spec.field is None and (key := wrapped_in(records)) is not None:
            spec = spec.model_copy(update={"field": key})
            continue
        return spec, records
    raise InputError(
        f"{spec.path}: cannot be opened in any way that was tried. Set input.split and input.config."
    )


def _why(spec: Input) -> str:
    """What is wrong with the first record, in brackets; empty where nothing is known."""
    for chunk in iter_chunks(spec.model_copy(update={"limit": 1}), 1):
        for item in read_chunk(chunk, spec):
            if isinstance(item, Rejection):
                why = item.detail.removeprefix(str(spec.path)).lstrip(":, ")[:300]
                return f" ({'line ' if why[:1].isdigit() else ''}{why})"
    return ""


def _in_another_encoding(spec: Input) -> tuple[Input, list[Record]]:
    for encoding in ENCODINGS:
        tried = spec.model_copy(update={"encoding": encoding})
        try:
            if records := first_records(tried):
                return tried, records
        except InputError:
            continue
    return spec, []


def _first_trace(spec: Input, parse: Parse) -> tuple[ParsedTrace | None, str | None]:
    problem, tried = None, 0
    for chunk in iter_chunks(spec.model_copy(update={"limit": TRACES_TRIED}), 16):
        for item in read_chunk(chunk, spec):
            tried += 1
            found = parse_trace(item, parse) if isinstance(item, Trace) else item
            if isinstance(found, ParsedTrace):
                return found, None
            if isinstance(found, Rejection) and problem is None:
                problem = f"{found.reason}: {found.detail}"
    return None, problem


def _gives_pictures(spec: Input, records: list[Record]) -> bool:
    for record in records:
        try:
            if any(draft.given for draft in format_named(spec.format).drafts(record, spec)):
                return True
        except Unusable:
            continue
    return False


def _is_dataset(files: list[InputFile]) -> bool:
    return (
        False
        if not files
        else files[0].path.rpartition("/")[2].startswith("data-0000") and files[0].kind.startswith("arrow")
    )


def _kind(value: object) -> str:
    names = {
        str: "text",
        bool: "yes or no",
        int: "number",
        float: "number",
        dict: "object",
        list: "list",
        bytes: "bytes",
    }
    return names.get(type(value), type(value).__name__)
