"""Row types: each is written once, as a tuple of `Column`s, and everything else is derived from that.

Version 2 is closed: no open dicts, every column present in every file, null only where it has a meaning
(`Column.null`). A column says since which version it is there, so folders of version 1 stay readable. Lists are
spelled `Sequence`, and lists of structs `[{..}]`, which datasets 3.x and 5.x both read. Pictures are `datasets`
images, a struct {bytes, path} over plain `binary`: with `large_binary` datasets 5.2 no longer takes the column for
an image and decodes nothing. `write.shards` keeps every record batch far below the 2 GiB that `binary` can hold.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zero_engine.contracts.scores import SCORES

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class ListOf:
    """A column type: a list of one type."""

    item: "ColumnType"


@dataclass(frozen=True, slots=True)
class Struct:
    """A column type: named fields."""

    columns: tuple["Column", ...]


ColumnType = str | ListOf | Struct
"""string, int32, int64, uint16, float32, image, json (in rejections only), a list or a struct."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column or field, with its published description."""

    name: str
    type: ColumnType
    doc: str
    null: bool = False
    """Whether null has a meaning here; elsewhere a null is a fault that `validate` reports."""
    since: int = 1
    """The schema version that brought it."""


ORIGIN = (
    "Where the picture comes from: drawn, given, painted, or served (its bytes are what a server answered)."
)
SCORE_COLUMNS = tuple(
    Column(
        name,
        "float32",
        f"Score: {score.meaning}. Null where not computed.",
        null=True,
        since=score.since,
    )
    for name, score in SCORES.items()
)
PLUGIN_SCORES = Column(
    "plugin_scores",
    ListOf(
        Struct((Column("name", "string", "Name of the score."), Column("value", "float32", "Its value.")))
    ),
    "Scores of plugins, by name, in the order of their names. Null where nothing was drawn.",
    null=True,
)
SOURCE = Struct(
    (
        Column("name", "string", "Short name of the corpus."),
        Column("path", "string", "File as the user named it."),
        Column("row", "int64", "Zero-based position of the record in its file."),
        Column("license", "string", "Licence of the corpus.", null=True),
    )
)
GIVEN = Struct(
    (
        Column(
            "at", "int64", "Characters of the rationale before it; index of its step where `steps` is there."
        ),
        Column("name", "string", "Where it stands in the input: file, record and key."),
        Column("reference", "json", "The reference as the corpus has it.", null=True),
        Column("image", "image", "The picture, once loaded.", null=True),
        Column("problem", "json", "Reason and detail where it could not be loaded.", null=True),
    )
)
STEP = Struct(
    (
        Column("index", "int32", "Position of the step in the rationale, from 0; ascending in a row."),
        Column("text", "string", "The step."),
        Column(
            "image",
            "image",
            "The picture that was kept: what its codes decode to where it was drawn (or `output.pixels` says decoded), "
            "else in its own pixels; null where the step stays text-only.",
            null=True,
        ),
        Column(
            "codes",
            ListOf("uint16"),
            "VQ indices of the picture, row-major, by the model's own encoder where it did not draw it; never "
            "vocabulary ids.",
            null=True,
        ),
        Column("seed", "int64", "Seed of the drawing; 0 for a given picture.", null=True),
        Column("attempt", "int32", "Which of the candidates was kept.", null=True),
        Column("prompt", "string", "Text the drawing was made from.", null=True),
        Column(
            "origin",
            "string",
            ORIGIN,
            null=True,
            since=2,
        ),
        *SCORE_COLUMNS,
        PLUGIN_SCORES,
        Column("verdict", "string", "kept or text_only."),
        Column("reason", "string", "Why nothing was kept.", null=True),
    )
)
QUESTION = "The question; U+FFFC stands where a picture of it stands, or nowhere where the corpus does not place them."
TRAJECTORY = (
    Column("id", "string", "Identity of the trace; unique in a dataset."),
    Column("question", "string", QUESTION),
    Column("question_images", ListOf("image"), "Pictures that belong to the question."),
    Column("answer", "string", "The answer, extracted.", null=True),
    Column("choices", ListOf("string"), "Answers to choose from; empty where the question is open."),
    Column("steps", ListOf(STEP), "The steps that stay, in order, each with its drawing or none."),
    Column(
        "rule", "string", "How the rationale was cut: given, markers, blank_lines, lines, sentences, whole."
    ),
    Column("notes", ListOf("string"), "Codes of what reading or parsing repaired or cut."),
    Column("source", SOURCE, "Where the trace came from."),
    Column("pipeline", "string", "Fingerprint of the pipeline."),
    Column("model", "string", "Fingerprint of the model that drew.", null=True),
)
CANDIDATE = (
    Column("trace_id", "string", "Identity of the trace."),
    Column("step", "int32", "Index of the step."),
    Column("attempt", "int32", "Which drawing of the step this is, from 0."),
    Column(
        "seed",
        "int64",
        "Seed of the drawing: a hash of run seed, the trace's key, step and attempt; 0 for a given picture.",
    ),
    Column("text", "string", "The step."),
    Column("prompt", "string", "Text the drawing was made from."),
    Column(
        "image", "image", "The picture: what its codes decode to where it was drawn, else in its own pixels."
    ),
    Column("codes", ListOf("uint16"), "VQ indices of the picture, row-major; never vocabulary ids."),
    Column(
        "origin",
        "string",
        ORIGIN,
        since=2,
    ),
    Column(
        "identity",
        "string",
        "What makes the drawing what it is, 32 hex digits: model, sampling, dtype, batch size, prompt, seed; of a "
        "given picture, the model and its bytes.",
        since=2,
    ),
    *SCORE_COLUMNS,
    PLUGIN_SCORES,
)
REJECTION = (
    Column("trace_id", "string", "Identity of the trace."),
    Column("step", "int32", "Index of the step; null where the whole trace is rejected.", null=True),
    Column("stage", "string", "Stage that rejected it: read, parse, render, score, gate or run."),
    Column("attempt", "int32", "Which drawing; null for a step or a whole trace.", null=True),
    Column("reason", "string", "Reason code."),
    Column("detail", "string", "The reason in words and numbers."),
    Column("exception", "string", "Class of the exception, where there was one.", null=True),
    Column("record", "json", "Input record of a whole trace, text of a step.", null=True),
)
TRACE = (
    Column("id", "string", "Identity of the trace."),
    Column("question", "string", QUESTION),
    Column("rationale", "string", "The chain of thought as read."),
    Column("answer", "string", "The answer as read.", null=True),
    Column("source", SOURCE, "Where the trace came from."),
    Column("steps", ListOf("string"), "Steps, where the corpus marks them itself.", null=True),
    Column("choices", ListOf("string"), "Answers to choose from."),
    Column("question_images", ListOf("image"), "Pictures that belong to the question."),
    Column("notes", ListOf("string"), "Codes of what reading had to repair."),
    Column("record", "json", "The input record.", null=True),
    Column(
        "key", "string", "What seeds are made of: the record's own id, else a digest of its texts.", since=2
    ),
    Column("given", ListOf(GIVEN), "Pictures of the rationale or its steps, in their order.", since=2),
)
ROW_TYPES = {"trace": TRACE, "trajectory": TRAJECTORY, "candidate": CANDIDATE, "rejection": REJECTION}


def stored_scores(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores exactly as a file gives them back: float32, NaN absent.

    Gate on these, so that a gate on fresh drawings and one on candidates read back decide alike.
    """
    with np.errstate(over="ignore"):
        rounded = {name: float(np.float32(value)) for name, value in scores.items()}
    return {name: value for name, value in rounded.items() if value == value}


def scores_in(row: Mapping[str, Any]) -> dict[str, float]:
    """The scores that a stored drawing (a candidate, or a step of a row) has, plugins' after those with a column."""
    scores = {name: row[name] for name in SCORES if row.get(name) is not None}
    scores.update((plugin["name"], plugin["value"]) for plugin in row[PLUGIN_SCORES.name] or ())
    return scores


@cache
def columns_at(columns: tuple[Column, ...], version: int) -> tuple[Column, ...]:
    """The columns, and the fields inside them, that a schema version had."""
    return tuple(replace(c, type=_type_at(c.type, version)) for c in columns if c.since <= version)


@cache
def arrow_schema(
    columns: tuple[Column, ...], version: int = SCHEMA_VERSION, more: tuple[tuple[str, str], ...] = ()
) -> "pa.Schema":
    """Arrow schema of a row type, with the Hugging Face features, our version and `more` as metadata."""
    import pyarrow as pa

    ours = {"schema": _name_of(columns), "version": version, **dict(more)}
    metadata = {
        "huggingface": json.dumps({"info": {"features": features(columns, version)}}),
        "zero_engine": json.dumps(ours),
    }
    fields = [pa.field(c.name, arrow_type(c.type)) for c in columns_at(columns, version)]
    return pa.schema(fields, metadata=metadata)


def metadata_of(schema: "pa.Schema") -> dict[str, Any]:
    """What our files say of themselves: schema, version, and more; empty for a file of somebody else's."""
    try:
        found = json.loads((schema.metadata or {})[b"zero_engine"])
    except (KeyError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def arrow_type(kind: ColumnType) -> "pa.DataType":
    """Arrow type of a column type. Every field is nullable: datasets knows no other."""
    import pyarrow as pa

    if isinstance(kind, ListOf):
        return pa.list_(arrow_type(kind.item))
    if isinstance(kind, Struct):
        return pa.struct([pa.field(c.name, arrow_type(c.type)) for c in kind.columns])
    if kind == "image":
        return pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
    return pa.type_for_alias(kind)


def features(columns: tuple[Column, ...], version: int = SCHEMA_VERSION) -> dict[str, Any]:
    """The columns as `datasets.Features.from_dict` takes them, without importing datasets."""
    return {c.name: _feature(c.type, version) for c in columns_at(columns, version)}


def _type_at(kind: ColumnType, version: int) -> ColumnType:
    if isinstance(kind, ListOf):
        return ListOf(_type_at(kind.item, version))
    return Struct(columns_at(kind.columns, version)) if isinstance(kind, Struct) else kind


def _name_of(columns: tuple[Column, ...]) -> str:
    return next(name for name, row_type in ROW_TYPES.items() if row_type == columns)


def _feature(kind: ColumnType, version: int) -> Any:
    if isinstance(kind, ListOf):
        item = _feature(kind.item, version)
        if version == 1:
            return {"feature": item, "_type": "List"}
        return [item] if isinstance(kind.item, Struct) else {"feature": item, "_type": "Sequence"}
    if isinstance(kind, Struct):
        return {c.name: _feature(c.type, version) for c in kind.columns}
    return {"_type": "Image"} if kind == "image" else {"dtype": kind, "_type": "Value"}
