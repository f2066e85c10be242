"""`schema`: keys of pipeline and training files, columns of a dataset, formats and scores, as tables or as JSON."""

import json as json_library
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from zero_engine.cli.completion import complete_schema, complete_section
from zero_engine.cli.options import AsJson, descriptions, print_json, table
from zero_engine.errors import InputError

COLUMNS = ("trajectory", "candidate", "trace", "rejection")
"""Row types."""
FILES = ("pipeline", "sft", "rl", "rounds", "eval", "manifest")
"""Documents with keys."""
LISTS = ("formats", "scores")
NAMES = (*FILES, *COLUMNS, "trajectory.arrow", "candidate.arrow", *LISTS)
WHAT = {
    "pipeline": "keys of a pipeline file",
    "sft": "keys of a training file for train sft",
    "rl": "keys of a training file for train rl",
    "rounds": "keys of a file of rounds for bootstrap",
    "eval": "keys of a file for eval --config",
    "manifest": "keys of a dataset's manifest.json",
    "trajectory": "columns of a dataset's rows (data/)",
    "candidate": "columns of its drawings (candidates/)",
    "trace": "fields of a trace, as read from a corpus",
    "rejection": "fields of a rejection (rejected/)",
    "trajectory.arrow": "Arrow types and datasets features of rows",
    "candidate.arrow": "Arrow types and datasets features of drawings",
    "formats": "values of input.format",
    "scores": "values of score.names",
}


def register(app: typer.Typer) -> None:
    app.command()(schema)


def schema(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help=f"One of {', '.join(NAMES)}. Without it, these are listed.",
            autocompletion=complete_schema,
        ),
    ] = None,
    section: Annotated[
        str | None,
        typer.Argument(
            metavar="[SECTION]",
            help="Only this section of the file, e.g. gate.",
            autocompletion=complete_section,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Show every key of a pipeline or training file, every column of a dataset, the formats and the scores."""
    if name is None:
        print_json(WHAT) if json else descriptions("schema", WHAT)
        return
    if name not in NAMES:
        raise InputError(f"schema {name}: unknown. Give one of {', '.join(NAMES)}.")
    if section is not None and name not in FILES:
        raise InputError(f"schema {name} has no sections. Leave {section} out.")
    if name in FILES:
        _document(name, section, json)
    elif name == "formats":
        from zero_engine.read.formats import FORMATS

        texts = {key: value.summary for key, value in FORMATS.items()}
        print_json(texts) if json else descriptions("format", texts)
    elif name == "scores":
        _scores(json)
    else:
        _columns(name, json)


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key of a section and of the sections in it, dotted, with its field."""
    for name, field in model.model_fields.items():
        inner = _section(field.annotation)
        if inner is None:
            yield prefix + name, field
        else:
            yield from keys_of(inner, f"{prefix}{name}.")


def model_named(name: str) -> type[BaseModel]:
    """The document of one of FILES."""
    if name == "pipeline":
        from zero_engine.pipeline import Pipeline

        return Pipeline
    if name == "manifest":
        from zero_engine.contracts.manifest import Manifest

        return Manifest
    if name == "rounds":
        from zero_engine.bootstrap.config import Bootstrap

        return Bootstrap
    if name == "eval":
        from zero_engine.train.evaluate import Evaluation

        return Evaluation
    from zero_engine.train.config import Rl, Sft

    return Sft if name == "sft" else Rl


def _document(name: str, section: str | None, json: bool) -> None:
    model = model_named(name)
    if section is not None:
        inner = _section(model.model_fields[section].annotation) if section in model.model_fields else None
        if inner is None:
            known = [key for key, field in model.model_fields.items() if _section(field.annotation)]
            raise InputError(f"schema {name} {section}: no such section. Give one of {', '.join(known)}.")
        model = inner
    if json:
        print_json(model.model_json_schema())
        return
    prefix = f"{section}." if section else ""
    rows = [
        (key, type_of(field), default_of(field), " ".join((field.description or "").split()))
        for key, field in keys_of(model, prefix)
    ]
    table("", ["key", "type", "default", "meaning"], rows, justify="left")


def _columns(name: str, json: bool) -> None:
    from zero_engine.contracts.publish import schemas

    text = schemas()[f"{name}.json" if name.endswith(".arrow") else f"{name}.schema.json"]
    if json:
        typer.echo(text.rstrip())
        return
    document = json_library.loads(text)
    if name.endswith(".arrow"):
        table("", ["column", "Arrow type"], list(document["arrow"].items()), justify="left")
        return
    rows = list(_properties(document, ""))
    table("", ["column", "type", "meaning"], rows, justify="left")


def _properties(document: dict[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, column in document["properties"].items():
        told = column.get("type", "any")
        kind = " or ".join(told) if isinstance(told, list) else told
        inner = column.get("items", {})
        if kind == "array":
            kind = f"list of {inner.get('type', 'any')}"
        yield prefix + name, kind.replace("null", "nothing"), column.get("description", "")
        if inner.get("properties") and "contentEncoding" not in str(inner.get("properties")):
            yield from _properties(inner, f"{prefix}{name}.")


def _scores(json: bool) -> None:
    from zero_engine.contracts.publish import score_rows

    heads, rows = score_rows()
    if json:
        print_json([dict(zip(heads, row, strict=True)) for row in rows])
        return
    facts = []
    for score, meaning, better, bounds, unit, needs, default, auc, within in rows:
        worth = f"; AUC {auc} over all, {within} in a prompt" if auc != "-" else ""
        usual = "; by default" if default == "yes" else ""
        where = f"{bounds} {unit}".rstrip()
        facts.append((score, better, f"{meaning}. {where}; needs {needs}{usual}{worth}"))
    table("", ["score", "better", "meaning"], facts, justify="left")


def type_of(field: FieldInfo) -> str:
    """`number, 0 to 20`; `text or nothing`; `one of png, webp`."""
    bounds = {}
    for rule in field.metadata:
        for sign in ("ge", "gt", "le", "lt"):
            if (value := getattr(rule, sign, None)) is not None:
                bounds[sign] = f"{value:g}" if isinstance(value, float) else str(value)
    low = bounds.get("ge") or (f"over {bounds['gt']}" if "gt" in bounds else "")
    high = bounds.get("le") or (f"under {bounds['lt']}" if "lt" in bounds else "")
    limits = (
        f"{low} to {high}"
        if low and high
        else f"at least {low}"
        if low
        else f"at most {high}"
        if high
        else ""
    )
    if "gt" in bounds and not high:
        limits = low
    kind = _kind(field.annotation)
    if not limits:
        return kind
    head, _, rest = kind.partition(" or ")
    return f"{head}, {limits}" + (f"; or {rest}" if rest else "")


def default_of(field: FieldInfo) -> str:
    """The value of a key that is left out."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "nothing" if value is None else json_library.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "nothing"}


def _kind(annotation: Any) -> str:
    if annotation in _WORDS:
        return _WORDS[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ("one of " if len(inner) > 1 else "") + ", ".join(map(str, inner))
    if origin is list:
        return f"list of {_kind(inner[0])}" if inner else "list"
    if origin is tuple:
        return "list of " + ", ".join(_kind(part) for part in inner)
    if origin is dict:
        named = _kind(inner[1])
        return "keys" if inner[1] is Any else f"{named} by {'name' if inner[0] is str else 'number'}"
    if inner:  # a union
        return " or ".join(_kind(part) for part in inner)
    return "keys" if isinstance(annotation, type) and issubclass(annotation, BaseModel) else str(annotation)


def _section(annotation: Any) -> type[BaseModel] | None:
    """The section that a key holds, if it holds one."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind if get_origin(annotation) not in (list, dict) else None
    return None
