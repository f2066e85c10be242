"""The published files under schemas/: JSON schemas of row types and documents, and Arrow schemas.

They are generated, and a test compares them with the code, so that what other programs rely on
never changes unseen. In JSON the bytes of a picture are base64.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
from zero_engine.pipeline import Pipeline


def json_schema(columns: Sequence[Column], title: str) -> dict[str, Any]:
    """Closed JSON schema of one row; the bytes of a picture are base64 there."""
    return {"$schema": JSON_SCHEMA, "title": title, "version": SCHEMA_VERSION, **_json_struct(columns)}


def schemas() -> dict[str, str]:
    """Every published schema, as file name -> text."""
    documents: dict[str, Any] = {f"{name}.schema.json": json_schema(c, name) for name, c in ROW_TYPES.items()}
    for name in ("trajectory", "candidate"):
        arrow = {c.name: str(arrow_type(c.type)) for c in ROW_TYPES[name]}
        documents[f"{name}.arrow.json"] = {
            "title": name,
            "version": SCHEMA_VERSION,
            "arrow": arrow,
            "features": features(ROW_TYPES[name]),
        }
    for name, model in (("manifest", Manifest), ("pipeline", Pipeline)):
        documents[f"{name}.schema.json"] = {"$schema": JSON_SCHEMA, **model.model_json_schema()}
    return {
        name: json.dumps(documents[name], indent=2, ensure_ascii=False) + "\n" for name in sorted(documents)
    }


def main(arguments: Sequence[str]) -> int:
    """Write the schemas into a folder, or with --check compare; returns the exit code."""
    paths = [argument for argument in arguments if argument != "--check"]
    folder = Path(paths[0] if paths else "schemas")
    current = schemas()
    if "--check" in arguments:
        found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
        changed = sorted(name for name in current.keys() | found if current.get(name) != found.get(name))
        if changed:
            print(
                f"{folder}: {', '.join(changed)} differ from the code. "
                f"Run python -m zero_engine.contracts {folder}."
            )
        return 1 if changed else 0
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in current.items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"

_JSON_TYPES = {
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
