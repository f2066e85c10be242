"""Configuration files: closed sections, YAML, `--set` overrides, and mistakes told in one line.

Every section is a frozen pydantic model with `extra="forbid"`, so an unknown key or a bad value is an error that names
key, value, allowed range and file. Pipelines (`pipeline.py`) and trainings (`train/config.py`) are made of sections.

YAML is data that somebody may have handed over. An alias stands for all that it names, and aliases of aliases grow
without end, so a document is counted before it is built: `parse_yaml` bounds its bytes, its nodes with every alias
written out, and its depth.
"""

import datetime
import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from zero_engine.errors import OutputError, PipelineError, command

LARGEST_YAML_CHARS = 4 << 20
MOST_NODES = 200_000
DEEPEST_YAML = 100


class Section(BaseModel):
    """A part of a pipeline file: closed and frozen, its numbers finite, its fields' docstrings their help."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what pydantic would take for 1 and 0; YAML says `yes`, `no`, `on` and `off` so, too."""
        kinds = _kinds(cls.model_fields[str(info.field_name)].annotation)
        number = (int in kinds or float in kinds) and bool not in kinds and Any not in kinds
        if number and isinstance(value, bool):
            raise ValueError("must be a number")
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if number and any(isinstance(one, bool) for one in inside):
            raise ValueError("must hold numbers")
        return value


def _kinds(annotation: Any) -> list[Any]:
    """What an annotation is made of: `int` and `str` of `list[int | str]`."""
    parts = get_args(annotation)
    return [kind for part in parts for kind in _kinds(part)] if parts else [annotation]


_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)
"""An address such as s3://bucket/x, also with the slash that `Path` takes from it."""


def refuse_address(path: str | Path) -> None:
    """Raises OutputError for an address where only a local path can be written: a folder of that name would be made."""
    if found := _ADDRESS.fullmatch(str(path)):
        raise OutputError(
            f"{found[1]}://{found[2]}: only a run writes to an address. Name a local folder and copy it."
        )


def _is_local(path: str) -> str:
    try:
        refuse_address(path)
    except OutputError as error:
        raise ValueError(str(error).rstrip(".")) from None
    return path


def at_home(path: str) -> str:
    """The path with `~` as the home folder: a file of settings is read by no shell. Raises ValueError for no path."""
    if not path.strip() or "\0" in path:
        raise ValueError("must be a path")
    return os.path.expanduser(path)


HomePath = Annotated[str, AfterValidator(at_home)]
LocalPath = Annotated[str, AfterValidator(at_home), AfterValidator(_is_local)]


def read_yaml(path: str | Path) -> object:
    """The document in a pipeline or training file. Raises PipelineError where there is none to be read."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise PipelineError(f"{path}: cannot read the file: {error.strerror}. Check the path.") from None
    except UnicodeDecodeError as error:
        raise PipelineError(f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8.") from None
    try:
        return parse_yaml(text, str(path), twice=False)
    except PipelineError as error:
        if Path(path).suffix.lower() in (".yaml", ".yml"):
            raise
        raise PipelineError(
            f"{error} For a file of data, `{command('init', path)}` writes a pipeline."
        ) from None


_PATTERNS = {
    r"^[\w.-]+$": "letters, digits, dots, - and _",
    r"^https?://": "an address such as http://host:8000/v1",
    r"^([0-9]+x[0-9]+|auto)$": "a size such as 1024x1024, or auto",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "the name of an environment variable",
    "^(b64_json|url)$": "b64_json or url",
}
_SHAPES = dict.fromkeys(("dict_type", "model_type"), "keys with values, as {key: value}")
_SHAPES["list_type"] = "a list, as [one, two]"
_KINDS = {list: "a list", str: "a text", type(None): "nothing"}
_TOLD_BY = {
    "input": "a pipeline file, for zero-engine run",
    "data": "a training file, for zero-engine train",
    "draw": "a file of rounds, for zero-engine bootstrap",
}
"""Keys by which a file tells what it is for."""


def parse_config(model: type[Section], document: object, where: str, overrides: Sequence[str] = ()) -> Any:
    """Validate a YAML document, with overrides, against a section; also used for training files."""
    if not isinstance(document, dict):
        raise PipelineError(f"{where}: expected `key: value` lines, got {kind_of(document)}.")
    for key, what in _TOLD_BY.items():
        if key in document and key not in model.model_fields:
            raise PipelineError(f"{where}: this is {what}. Give it to that command.")
    for override in overrides:
        _apply(document, override)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        said = _one_line(error, model, where)
        if isinstance(document.get("data"), list):  # a training's list of datasets, which has no `sources`
            said = said.replace("data.sources.", "data.")
        raise PipelineError(said) from None


def kind_of(document: object) -> str:
    """What a YAML document is, in words."""
    return _KINDS.get(type(document), f"the value {_shown(document)}")


def parse_yaml(text: str, where: str, twice: bool = True) -> object:
    """The document in a YAML text. Raises PipelineError for what is no YAML, or more of it than can be meant.

    Unless keys may be there `twice`, that is an error, too: YAML takes the last one, and the others are lost.
    """
    if len(text) > LARGEST_YAML_CHARS:
        raise PipelineError(
            f"{where}: over {LARGEST_YAML_CHARS} characters of YAML. This is no settings file."
        )
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_size(node, where, twice)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise PipelineError(f"{where}{line}: {problem}. Fix the YAML syntax.") from None
    except (ValueError, OverflowError) as error:  # a date or a number that YAML allows and Python does not
        raise PipelineError(
            f"{where}: {(str(error).splitlines() or ['not a value'])[0]}. Fix the value."
        ) from None
    except RecursionError:
        raise PipelineError(f"{where}: nested too deeply. Flatten the YAML.") from None


def _check_size(root: yaml.Node, where: str, twice: bool) -> None:
    """Raises PipelineError for a document that is too deep, holds itself, or too much with its aliases written out."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node, depth: int) -> int:
        if id(node) in sizes:
            return sizes[id(node)]
        if depth > DEEPEST_YAML or id(node) in open_nodes:
            raise PipelineError(
                f"{where}: nested deeper than {DEEPEST_YAML} levels, or in itself. Flatten the YAML."
            )
        open_nodes.add(id(node))
        total = 1
        if isinstance(node, yaml.SequenceNode):
            total += sum(size(child, depth + 1) for child in node.value)
        elif isinstance(node, yaml.MappingNode):
            if not twice:
                _check_keys(node, where)
            total += sum(size(key, depth + 1) + size(value, depth + 1) for key, value in node.value)
        open_nodes.discard(id(node))
        if total > MOST_NODES:
            raise PipelineError(
                f"{where}: over {MOST_NODES} values with every alias written out. Use fewer aliases."
            )
        sizes[id(node)] = total
        return total

    size(root, 0)


def _check_keys(node: yaml.MappingNode, where: str) -> None:
    """Raises PipelineError for a key that is there twice."""
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        if (key.tag, key.value) in seen:
            line = key.start_mark.line + 1
            raise PipelineError(
                f"{where}, line {line}: the key {key.value} is there twice. Leave one of them."
            )
        seen.add((key.tag, key.value))


def _apply(document: dict[str, Any], override: str) -> None:
    key, found, value = override.partition("=")
    if not found or not all(key.strip().split(".")):
        raise PipelineError(f"--set {override}: expected key=value, e.g. --set render.guidance=3.")
    *parents, last = key.strip().split(".")
    node = document
    for depth, parent in enumerate(parents, 1):
        own = _own_key(node, parent)
        child = node.get(own)
        if isinstance(child, list):
            whole = ".".join(parents[:depth])
            raise PipelineError(
                f"--set {key.strip()}: {whole} is a list in the file. Give all of it, as --set {whole}=[..]."
            )
        node[own] = dict(child) if isinstance(child, dict) else {}
        node = node[own]
    node[_own_key(node, last)] = parse_yaml(value, f"--set {key}")


def _own_key(node: dict[Any, Any], said: str) -> Any:
    """The key as the file has it: YAML reads the one of `change: {2: ..}` as a number."""
    return next((key for key in node if key != said and str(key) == said), said)


def _one_line(error: ValidationError, model: type[Section], where: str) -> str:
    """The first problem as `key must be ..., got value (file). hint`, and how many more there are."""
    problems = error.errors(include_url=False)
    first = problems[0]
    key = _key(first["loc"])
    others = {_key(p["loc"]) for p in problems} - {key}
    more = f" ({len(others)} more after this one)" if others else ""
    if first["type"] == "extra_forbidden":
        allowed = _keys_at(model, first["loc"][:-1])
        near = difflib.get_close_matches(str(first["loc"][-1]), allowed, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Allowed: {', '.join(allowed)}."
        return f"{where}: unknown key {key} (value {_shown(first['input'])}). {hint}{more}"
    if first["type"] == "missing":
        return f"{where}: {key} is required. Add it to the file or pass --set {key}=...{more}"
    if first["type"] == "value_error" and not first["loc"]:
        return f"{where}: {first['ctx']['error']}.{more}"
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    message = message.split(", unable to parse")[0].split(", got a number")[0]
    if first["type"] in _SHAPES:
        message = f"must be {_SHAPES[first['type']]}"
    if first["type"] == "string_pattern_mismatch":
        message = f"must be {_PATTERNS.get(first['ctx']['pattern'], first['ctx']['pattern'])}"
    return f"{where}: {key} {message}, got {_shown(first['input'])}.{more}"


def _shown(value: object) -> str:
    if isinstance(value, datetime.date):
        return f"the date {value}: quote it to make it text"
    shown = "nothing" if value is None else repr(value)
    return shown if len(shown) <= 200 else f"{shown[:197]}..."


def _key(location: Sequence[object]) -> str:
    return ".".join(str(part) for part in location if not _is_union_branch(part)) or "the file"


def _is_union_branch(part: object) -> bool:
    """pydantic puts the branch of a union (`int`, `literal['auto']`) into the location; users need the key."""
    text = str(part)
    return text in ("int", "str", "float") or text.startswith(("literal[", "list[", "function-"))


def _keys_at(model: type[BaseModel], location: Sequence[object]) -> list[str]:
    for part in location:
        annotation = model.model_fields[str(part)].annotation
        kinds = (annotation, *get_args(annotation))  # a section that may be left out is `Section | None`
        sections = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if len(sections) != 1:
            return []
        model = sections[0]
    return list(model.model_fields)
