"""From one undecoded record to its traces, or to the one rejection that says why there is none."""

import json
import math
import re
from typing import Any

from zero_engine.errors import InputError
from zero_engine.hashing import digest_json, digest_texts
from zero_engine.pipeline import Input
from zero_engine.read.fields import Draft, Unusable, identity, without_surrogates
from zero_engine.read.files import COLUMNAR, InputFile
from zero_engine.read.formats import format_named, id_paths
from zero_engine.read.images import PictureRules, load_pictures
from zero_engine.read.jsontext import Refused
from zero_engine.read.pictured import with_its_picture
from zero_engine.read.places import PLACE, picture_of_question, without_places
from zero_engine.read.raw import place
from zero_engine.read.repeats import content_name
from zero_engine.read.where import keeps
from zero_engine.records import PICTURE, Given, Rejection, Source, Trace

SUFFIXED = re.compile(r"(?:~|-t)\d+\Z")
"""How names end that are made here. An own id that ends so always gets a number, which keeps names unique."""
NOT_ERRORS = ("candidate_step", "no_reasoning", "where_false")
"""Rejections that `strict` lets pass: the record is sound, there is just no trace in it."""
LOST_CHARS = 10_000
"""Characters kept of a record that is rejected undecoded."""
FLAT = frozenset((str, int, float, bool, type(None)))
DEEPEST = 64
"""Levels of lists and objects that a record may have."""


class Decoder:
    """Decodes the records of one chunk, and names their traces.

    A trace is called by its record's own id, else by the input's name and a digest of the record's bytes (of a columnar
    file: of the file and the row). `~position` is added where the name came before, `-t0`, `-t1` .. where a
    record holds several traces. Its `key`, from which seeds are made, is the own id, else a digest of its texts.
    """

    def __init__(self, spec: Input, repeats: frozenset[int] = frozenset()) -> None:
        """`repeats`: positions in the input of records whose name an earlier record had."""
        self.spec = spec
        self._repeats = repeats
        self.name = spec.name or spec.format
        self._drafts = format_named(spec.format).drafts
        self._id_paths = id_paths(spec)
        self._pictures = PictureRules.of(spec)
        self._where = spec.where
        self._odd: list[str] = []
        self._twice: list[str] = []
        self._json = json.JSONDecoder(
            parse_constant=self._odd.append, parse_float=self._finite, object_pairs_hook=self._object
        )

    def decode(self, raw: bytes, file: InputFile, row: int, position: int) -> list[Trace | Rejection]:
        """Traces of one JSON record, or its rejection."""
        if type(raw) is Refused:
            return self._refused(raw, file, row, self._name(None, content_name(raw), position))
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            lost = {"text": raw.decode(errors="replace")}
            detail = (
                f"invalid UTF-8, byte 0x{raw[error.start]:02x} at {error.start}; "
                "if the file is in another encoding, set input.encoding"
            )
            name = self._name(None, content_name(raw), position)
            return [self._reject(Unusable("invalid_utf8", detail), lost, file, row, name)]
        self._odd.clear()
        self._twice.clear()
        try:
            record = self._json.decode(text)
        except (ValueError, RecursionError) as error:
            said = "a number of over 4300 digits" if "integer string" in str(error) else error
            problem = Unusable("invalid_json", f"invalid JSON: {said}")
            name = self._name(None, content_name(raw), position)
            return [self._reject(problem, {"text": text}, file, row, name)]
        if type(record) is not dict or not FLAT.issuperset(map(type, record.values())):
            nested = raw.count(b"[") + raw.count(b"{") > DEEPEST and _is_too_deep(record)
        else:
            nested = False
        if nested:
            problem = Unusable("too_deep", f"lists and objects nested deeper than {DEEPEST}")
            name = self._name(None, content_name(raw), position)
            return [self._reject(problem, {"text": text[:LOST_CHARS]}, file, row, name)]
        if self._twice:
            problem = Unusable("duplicate_key", f"{self._twice[0]!r} stands in one object with two values")
            name = self._name(None, content_name(raw), position)
            return [self._reject(problem, {"text": text[:LOST_CHARS]}, file, row, name)]
        notes: tuple[str, ...] = ()
        if self._odd:
            notes = ("nonfinite_replaced",)
        if "\\ud" in text or "\\uD" in text:
            whole = without_surrogates(record)
            if whole != record:
                record, notes = whole, (*notes, "surrogate_replaced")
        return self._map(record, file, row, position, content_name(raw), notes)

    def map(
        self, record: dict[str, Any] | Refused, file: InputFile, row: int, position: int, content: str
    ) -> list[Trace | Rejection]:
        """Traces of one row of a columnar file, or its rejection; `content` names a row without an id."""
        if type(record) is Refused:
            return self._refused(record, file, row, self._name(None, content, position))
        return self._map(record, file, row, position, content, ())

    def _map(
        self, record: Any, file: InputFile, row: int, position: int, content: str, notes: tuple[str, ...]
    ) -> list[Trace | Rejection]:
        own = identity(record, self._id_paths) if isinstance(record, dict) else None
        base = self._name(own, content, position)
        try:
            if type(record) is not dict:
                raise Unusable("not_an_object", _not_an_object(record))
            drafts = self._drafts(with_its_picture(record, file.path), self.spec)
            pictures = [self._load(draft, file.path) if self._keeps(draft) else () for draft in drafts]
        except Unusable as problem:
            return [self._reject(problem, record, file, row, base)]
        source = Source(self.name, file.path, row, self.spec.license)
        kept = jsonable(record) if file.kind in COLUMNAR else record
        traces: list[Trace | Rejection] = []
        for turn, draft in enumerate(drafts):
            trace_id = base if len(drafts) == 1 else f"{base}-t{turn}"
            if self._where is not None and not keeps(self._where, draft, record):
                detail = f"{place(file.path, file.kind, row)}: not {self._where}"
                traces.append(Rejection(trace_id, "read", "where_false", detail, record=kept))
                continue
            question = draft.question
            if draft.images and self.spec.question_images == "drop":
                question = without_places(question)
            traces.append(
                Trace(
                    trace_id,
                    question,
                    draft.rationale,
                    draft.answer,
                    source,
                    draft.steps,
                    draft.choices,
                    pictures[turn],
                    notes + draft.notes if notes else draft.notes,
                    kept,
                    self._key(own, base, draft, turn if len(drafts) > 1 else None),
                    tuple(
                        Given(at, f"{place(file.path, file.kind, row)}: {key}", reference)
                        for at, key, reference in draft.given
                    )
                    if draft.given
                    else (),
                )
            )
        return traces

    def _refused(self, raw: Refused, file: InputFile, row: int, name: str) -> list[Trace | Rejection]:
        lost = {"text": raw.decode(errors="replace")}
        return [self._reject(Unusable(raw.reason, raw.detail), lost, file, row, name)]

    def _keeps(self, draft: Draft) -> bool:
        return bool(draft.images) and self.spec.question_images == "keep"

    def _load(self, draft: Draft, path: str) -> tuple[bytes, ...]:
        names = draft.image_names or tuple(map(picture_of_question, range(len(draft.images))))
        return load_pictures(draft.images, names, path, self._pictures)

    def _reject(self, problem: Unusable, record: Any, file: InputFile, row: int, name: str) -> Rejection:
        detail = f"{place(file.path, file.kind, row)}: {problem.detail}"
        if self.spec.strict and problem.reason not in NOT_ERRORS:
            raise InputError(f"{detail}. Fix the record, or set input.strict: false to reject it.")
        return Rejection(name, "read", problem.reason, detail, record=jsonable(record))

    def _name(self, own: str | None, content: str, position: int) -> str:
        if not own and self.spec.ids == "position":
            return f"{self.name}-{position:08d}"
        name = own or f"{self.name}-{content}"
        return f"{name}~{position}" if position in self._repeats or SUFFIXED.search(name) else name

    def _key(self, own: str | None, base: str, draft: Draft, turn: int | None) -> str:
        if own:
            return own if turn is None else f"{own}-t{turn}"
        if self.spec.ids == "position":
            return base if turn is None else f"{base}-t{turn}"
        question = draft.question.replace(PICTURE, PLACE) if draft.images else draft.question
        if draft.steps is None:
            return digest_texts(question, draft.rationale, None)[:16]
        return digest_json([question, draft.rationale, draft.steps])[:16]

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """An object of JSON; a key with two values is noted, for nobody knows which of them is meant."""
        made = dict(pairs)
        if len(made) != len(pairs):
            first: dict[str, Any] = {}
            self._twice += [key for key, value in pairs if first.setdefault(key, value) != value]
        return made

    def _finite(self, digits: str) -> float | None:
        number = float(digits)
        if math.isfinite(number):
            return number
        self._odd.append(digits)
        return None


def jsonable(value: Any) -> Any:
    """The value as strict JSON can hold it: encoded pictures become their size, dates their text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return f"<{len(value)} bytes>" if isinstance(value, (bytes, bytearray)) else str(value)


def _is_too_deep(record: Any) -> bool:
    level: list[Any] = [record] if isinstance(record, (dict, list)) else []
    depth = 0
    while level and depth <= DEEPEST:
        level = [
            item
            for value in level
            for item in (value.values() if isinstance(value, dict) else value)
            if isinstance(item, (dict, list))
        ]
        depth += 1
    return bool(level)


def _not_an_object(record: Any) -> str:
    return f"expected an object with named fields, got {type(record).__name__}"
