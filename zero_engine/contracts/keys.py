"""docs/keys.md: every key of a pipeline with its type, range, default and meaning, from the pipeline's JSON schema."""

import json
from collections.abc import Iterator
from typing import Any

from zero_engine.pipeline import Pipeline

GENERATED = "<!-- Generated from zero_engine/pipeline.py by `make schemas`. Edit that file. -->"
HEADS = ("key", "type", "default", "meaning")
_BOUNDS = {
    "minimum": ">= {:g}",
    "exclusiveMinimum": "> {:g}",
    "maximum": "<= {:g}",
    "exclusiveMaximum": "< {:g}",
}


def keys_page() -> str:
    """The page: one table, in the order of a pipeline file; keys are dotted, as `--set` takes them."""
    schema = Pipeline.model_json_schema()
    lines = [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (HEADS, *_rows(schema))
    ]
    table = "\n".join([lines[0], "|---" * len(HEADS) + "|", *lines[1:]])
    intro = (
        "Every key of a pipeline file. On the command line: `--set render.guidance=3`. A key that is not here is an "
        "error.\n`zero-engine schema pipeline` prints the same as JSON schema."
    )
    return "\n\n".join(["# Keys of a pipeline", GENERATED, intro, table]) + "\n"


def _rows(schema: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    def under(properties: dict[str, Any], required: list[str], prefix: str) -> Iterator[tuple[str, ...]]:
        for name, field in properties.items():
            nested = _reference(field)
            if nested is None or "description" in field:
                default = "required" if name in required else f"`{json.dumps(field.get('default'))}`"
                yield f"`{prefix}{name}`", _type(field), default, " ".join(field["description"].split())
            if nested is not None:
                section = schema["$defs"][nested]
                yield from under(section["properties"], section.get("required", []), f"{prefix}{name}.")

    yield from under(schema["properties"], schema.get("required", []), "")


def _reference(field: dict[str, Any]) -> str | None:
    """The name of the section that a field holds."""
    found = [kind["$ref"] for kind in (field, *field.get("anyOf", [])) if "$ref" in kind]
    return found[0].rpartition("/")[2] if found else None


def _type(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(map(_type, field["anyOf"]))
    if "$ref" in field:
        return "section"
    if "enum" in field or "const" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if field["type"] == "array":
        return "pair" if "prefixItems" in field else f"list of {_type(field['items'])}"
    if field["type"] == "object":
        return f"mapping to {_type(field['additionalProperties'])}"
    bounds = [text.format(field[name]) for name, text in _BOUNDS.items() if name in field]
    return " ".join([field["type"], ", ".join(bounds)]).strip()
