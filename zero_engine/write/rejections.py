"""Rejections as JSON lines that any strict reader takes.

One object a line, all keys present, UTF-8 without surrogates, no NaN or Infinity (they become the strings
"NaN", "Infinity", "-Infinity"), no raw U+2028, U+2029 or U+0085 (some tools end a line there).
The input record is kept as it came, as far as JSON can hold it.
"""

import base64
import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from zero_engine.contracts.manifest import ShardFile
from zero_engine.contracts.rows import REJECTION
from zero_engine.records import Rejection
from zero_engine.write.atomic import durable_write
from zero_engine.write.columns import without_surrogates

FIELDS = tuple(column.name for column in REJECTION)
MAX_DEPTH = 200
"""Nesting of a record that is kept; what lies deeper becomes the string "..."."""

_LINE_ENDS = {ord(c): f"\\u{ord(c):04x}" for c in "\u0085\u2028\u2029"}


def write_rejections(path: str | Path, rows: Sequence[Rejection]) -> ShardFile:
    """Write rejections to exactly `path`. Raises OutputError for a full disk."""
    path, sha, size = Path(path), hashlib.sha256(), 0
    with durable_write(path) as file:
        for row in rows:
            line = rejection_line(row)
            sha.update(line)
            size += file.write(line)
    return ShardFile(path.name, len(rows), size, sha.hexdigest())


def read_rejections(path: str | Path) -> Iterator[Rejection]:
    """Rejections of a file, one at a time."""
    with open(path, "rb") as file:
        for line in file:
            yield Rejection(**json.loads(line))


def rejection_line(row: Rejection) -> bytes:
    """One rejection as a line of strict JSON."""
    value = {name: getattr(row, name) for name in FIELDS}
    try:
        line = _line(value)
        if line.count(b"[") + line.count(b"{") <= MAX_DEPTH:
            return line
    except (ValueError, TypeError, RecursionError):  # NaN, surrogates, bytes, a cycle or a deep nesting
        pass
    return _line({name: _strict(item, MAX_DEPTH) for name, item in value.items()})


def _line(value: dict) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return (text.translate(_LINE_ENDS) + "\n").encode("utf-8")


def _strict(value: object, depth: int) -> object:
    """The nearest value that strict JSON can hold."""
    if isinstance(value, str):
        return without_surrogates(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return (
            value if math.isfinite(value) else ("NaN" if value != value else f"{'-' * (value < 0)}Infinity")
        )
    if depth == 0:
        return "..."
    if isinstance(value, dict):
        return {without_surrogates(str(key)): _strict(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item, depth - 1) for item in value]
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode("ascii")}
    return without_surrogates(str(value))
