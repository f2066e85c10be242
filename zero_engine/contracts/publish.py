"""The published files: JSON schemas of row types and documents and Arrow schemas in schemas/, and docs/scores.md.

They are generated, and a test compares them with the code, so that what other programs rely on
never changes unseen. In JSON the bytes of a picture are base64.
"""

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zero_engine.contracts.keys import keys_page
from zero_engine.contracts.manifest import Manifest
from zero_engine.contracts.rows import (
    ROW_TYPES,
    SCHEMA_VERSION,
    Column,
    ColumnType,
    ListOf,
    Struct,
    arrow_type,
    features,
)
from zero_engine.contracts.scores import AUC_FROM, NEEDS, SCORES
from zero_engine.pipeline import Pipeline


def json_schema(columns: Sequence[Column], title: str) -> dict[str, Any]:
    """Closed JSON schema of one row; the bytes of a picture are base64 there."""
    return {"$schema": JSON_SCHEMA, "title": title, "version": SCHEMA_VERSION, **_json_struct(columns)}


def schemas() -> dict[str, str]:
    """Every published schema, as file name -> text."""
    made: dict[str, Any] = {f"{name}.schema.json": json_schema(c, name) for name, c in ROW_TYPES.items()}
    for name in ("trajectory", "candidate"):
        arrow = {c.name: str(arrow_type(c.type)) for c in ROW_TYPES[name]}
        made[f"{name}.arrow.json"] = {
            "title": name,
            "version": SCHEMA_VERSION,
            "arrow": arrow,
            "features": features(ROW_TYPES[name]),
        }
    for name, model in (("manifest", Manifest), ("pipeline", Pipeline)):
        made[f"{name}.schema.json"] = {"$schema": JSON_SCHEMA, **model.model_json_schema()}
    return {name: json.dumps(made[name], indent=2, ensure_ascii=False) + "\n" for name in sorted(made)}


def documents() -> dict[str, str]:
    """Every generated page of docs/, as file name -> text."""
    return {"keys.md": keys_page(), "scores.md": score_page()}


def score_rows() -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The table of scores as text, heads and rows: for docs/scores.md and `zero-engine schema scores`."""
    heads = ("score", "meaning", "better", "range", "unit", "needs", "default", "AUC", "AUC in a prompt")
    rows = [
        (
            name,
            score.meaning,
            score.better,
            f"{score.range[0]:g} to {score.range[1]:g}",
            score.unit,
            score.needs,
            "yes" if score.default else "no",
            *("-" if value is None else f"{value:.2f}" for value in (score.auc, score.auc_within)),
        )
        for name, score in SCORES.items()
    ]
    return heads, rows


def score_page() -> str:
    """docs/scores.md."""
    heads, rows = score_rows()
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (heads, *rows)]
    needs = [f"- **{name}**: {text}" for name, text in NEEDS.items()]
    optional = ", ".join(name for name, score in SCORES.items() if score.optional)
    paragraphs = [
        "Every score of a drawing that has a column of its own, in the order of the columns. `score.names` of a "
        "pipeline says which are computed; where it is left out, those with `default` yes. A plugin's score lands in "
        "the column `plugin_scores`.",
        "What a score needs:",
        f"A sound drawing can lack {optional}: the gate then lets it pass. A drawing that lacks any other score that "
        "the gate names is rejected as `<score>_missing`.",
        "**AUC** is the chance that a right drawing has the better score than a wrong one, ties half: 1 tells them "
        "apart, 0.5 says nothing, below 0.5 misleads. The first is over all drawings, which is what a threshold "
        "needs; the second among the drawings of one prompt, which is what ranking needs. Measured on the bundled "
        f"nano model, judged by its oracles (`{AUC_FROM}`). On another model, measure again before you rank by one.",
    ]
    intro, needed, missing, about_auc = (textwrap.fill(text, 118) for text in paragraphs)
    table = "\n".join([lines[0], "| --- " * len(heads) + "|", *lines[1:]])
    parts = ["# Scores", GENERATED, intro, table, needed, "\n".join(needs), missing, about_auc]
    return "\n\n".join(parts) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the schemas into one folder and the pages into a second, or with --check compare; returns the exit code."""
    paths = [Path(argument) for argument in arguments if argument != "--check"] or [Path("schemas")]
    wanted = dict(zip(paths, ((schemas(), "*.json"), (documents(), None)), strict=False))
    code = 0
    for folder, (current, pattern) in wanted.items():
        if "--check" in arguments:
            there = folder.glob(pattern) if pattern else [folder / name for name in current]
            found = {path.name: path.read_text(encoding="utf-8") for path in there if path.is_file()}
            changed = sorted(name for name in current.keys() | found if current.get(name) != found.get(name))
            if changed:
                print(
                    f"{folder}: {', '.join(changed)} differ from the code. "
                    f"Run python -m zero_engine.contracts {' '.join(map(str, paths))}."
                )
                code = 1
            continue
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in current.items():
            (folder / name).write_text(text, encoding="utf-8")
    return code


GENERATED = "<!-- Generated from zero_engine/contracts/scores.py by `make schemas`. Edit that file. -->"
JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"

_JSON_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "int32": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "int64": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "uint16": {"type": "integer", "minimum": 0, "maximum": 2**16 - 1},
    "float32": {"type": "number"},
    "json": {},
    "image": {
        "type": "object",
        "properties": {
            "bytes": {"type": "string", "contentEncoding": "base64"},
            "path": {"type": ["string", "null"]},
        },
        "required": ["bytes", "path"],
        "additionalProperties": False,
    },
}


def _json_struct(columns: Sequence[Column]) -> dict[str, Any]:
    properties = {c.name: {"description": c.doc, **_json_type(c.type, c.null)} for c in columns}
    return {
        "type": "object",
        "properties": properties,
        "required": [c.name for c in columns],
        "additionalProperties": False,
    }


def _json_type(kind: ColumnType, null: bool = False) -> dict[str, Any]:
    if isinstance(kind, ListOf):
        schema: dict[str, Any] = {"type": "array", "items": _json_type(kind.item)}
    elif isinstance(kind, Struct):
        schema = _json_struct(kind.columns)
    else:
        schema = dict(_JSON_TYPES[kind])
    if null and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    return schema
