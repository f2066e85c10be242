"""Raw records: the undecoded bytes of one JSON object each, with their place in the file.

JSON Lines are cut at newlines and nowhere else (U+2028, U+0085 and VT are text). What else is text is cut by `jsontext`
and `csvtext`; samples of a webdataset and rows of a columnar file that workers cannot open become JSON here. All
stream: memory holds one record and a read buffer, however large the file. A record that cannot be decoded is passed
on as it is; the worker rejects it. One that is longer than the limit is passed on as `Refused`, unread.
"""

import base64
import io
import json
from collections.abc import Iterator
from typing import IO, Any

from zero_engine.errors import InputError
from zero_engine.pipeline import Input
from zero_engine.read.csvtext import table_records
from zero_engine.read.files import InputFile, open_unpacked, tar_members
from zero_engine.read.folders import sample_key
from zero_engine.read.jsontext import SKIPPED_LIMITS, Refused, json_records, too_large
from zero_engine.read.pictured import NUMBERED
from zero_engine.read.tables import all_rows

BYTE_BLANKS = b" \t\r\n\x1e"
"""What may stand around a record; JSON text sequences have a record separator before each (RFC 7464)."""
BOM = b"\xef\xbb\xbf"
SKIP_BYTES = 1 << 20
PICTURES = ("png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff")


def raw_records(file: InputFile, spec: Input) -> Iterator[tuple[int, bytes]]:
    """(zero-based row, bytes of one JSON value) of every record; blank lines are no records.

    The row is the line for JSON Lines, and counts records otherwise.
    """
    limit = spec.max_record_bytes
    if file.kind == "hub":
        return enumerate(_hub_rows(file.path, spec))
    if spec.field is not None and file.kind in ("json_lines", "json_array", "json_values"):
        return enumerate(_json(file, spec.field, limit))
    if file.kind == "json_lines":
        return _lines(file, limit)
    if file.kind in ("json_array", "json_values"):
        return enumerate(_json(file, None, limit))
    if file.kind == "csv":
        return enumerate(_table(file, limit))
    if file.kind == "webdataset":
        return enumerate(_samples(file.path, limit))
    if file.kind.endswith("_rows"):
        return enumerate(_columnar(file, limit))
    return iter(())


def place(path: str, kind: str, row: int) -> str:
    """Where a record is, as people count: `file:3`, `file, record 3`."""
    return f"{path}:{row + 1}" if kind == "json_lines" else f"{path}, record {row + 1}"


def _lines(file: InputFile, limit: int) -> Iterator[tuple[int, bytes]]:
    with open_unpacked(file.path) as packed:
        lines = packed if file.encoding == "utf-8" else _Transcoded(packed, file)
        row = -1
        while line := lines.readline(limit + 1):
            row += 1
            if len(line) > limit and not line.endswith(b"\n"):
                _skip_line(lines, limit, f"{file.path}:{row + 1}")
                yield row, too_large(line, limit)
                continue
            if row == 0:
                line = line.removeprefix(BOM)
            if record := line.strip(BYTE_BLANKS):
                yield row, record


def _skip_line(lines: Any, limit: int, where: str) -> None:
    passed = 0
    while (block := lines.readline(SKIP_BYTES)) and not block.endswith(b"\n"):
        passed += len(block)
        if passed > SKIPPED_LIMITS * limit:
            raise InputError(
                f"{where}: a line of over {passed + limit} bytes. Fix the file, or raise input.max_record_bytes."
            )


class _Transcoded:
    """Lines of a text in another encoding, as UTF-8; bytes that are no text stay bytes, and are rejected."""

    def __init__(self, packed: IO[bytes], file: InputFile) -> None:
        self._path = file.path
        self._encoding = file.encoding
        self._text = io.TextIOWrapper(packed, encoding=file.encoding, errors="surrogateescape", newline="\n")

    def readline(self, size: int) -> bytes:
        try:
            return self._text.readline(size).encode("utf-8", "surrogateescape")
        except UnicodeError as error:
            raise InputError(
                f"{self._path}: not {self._encoding} text: {error}. Set input.encoding."
            ) from None


def _json(file: InputFile, field: str | None, limit: int) -> Iterator[bytes]:
    with open_unpacked(file.path) as packed:
        yield from json_records(packed, file.path, file.encoding, field, limit)


def _table(file: InputFile, limit: int) -> Iterator[bytes]:
    encoding = "utf-8-sig" if file.encoding == "utf-8" else file.encoding
    with open_unpacked(file.path) as packed:
        reader = io.TextIOWrapper(packed, encoding=encoding, errors="surrogateescape", newline="")
        try:
            yield from table_records(iter(lambda: reader.readline(limit + 1), ""), file.path, limit)
        except UnicodeError as error:
            raise InputError(f"{file.path}: not {encoding} text: {error}. Set input.encoding.") from None


def _samples(path: str, limit: int) -> Iterator[bytes]:
    """Samples of a webdataset: files of one key as one record. JSON's own fields join it, pictures are base64."""
    key: str | None = None
    sample: dict[str, Any] = {}
    size = 0
    for info, file in tar_members(path):
        stem, extension = sample_key(info.name)
        if stem.rpartition("/")[2] == "" or info.name.rpartition("/")[2].startswith((".", "_")):
            continue
        if key is not None and stem != key:
            yield _sample(sample, size, limit, key)
            sample, size = {}, 0
        key = stem
        size += info.size
        sample.setdefault("__key__", stem)
        if size <= limit:
            _join(sample, extension, file.read())
    if key is not None:
        yield _sample(sample, size, limit, key)


def _join(sample: dict[str, Any], extension: str, content: bytes) -> None:
    last = extension.rpartition(".")[2]
    if last in PICTURES:
        sample[extension] = base64.b64encode(content).decode()
        name = extension.removesuffix(last).rstrip(
            "."
        )  # `key.reasoning_image_1.png` is a column of that name
        if name:
            sample.setdefault(f"image_{name}" if name.isdecimal() else name, sample[extension])
        if not NUMBERED.fullmatch(f"image_{name}" if name.isdecimal() else name):
            sample.setdefault("image", sample[extension])
        return
    text = content.decode("utf-8", "surrogateescape")
    if last == "json":
        try:
            found = json.loads(text, parse_int=str if len(text) > 4000 else None)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            sample.update({key: value for key, value in found.items() if key != "__key__"})
            return
    sample[extension] = text


def _sample(sample: dict[str, Any], size: int, limit: int, key: str) -> bytes:
    if size > limit:
        return too_large(key.encode("utf-8", "replace"), limit)
    try:
        return json.dumps(sample, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except (UnicodeError, RecursionError, ValueError):
        return json.dumps(sample["__key__"]).encode()


def _columnar(file: InputFile, limit: int) -> Iterator[bytes]:
    for row in all_rows(file.path, file.kind.removesuffix("_rows"), limit):
        yield row if isinstance(row, Refused) else _as_json(row, limit)


def _hub_rows(name: str, spec: Input) -> Iterator[bytes]:
    """Rows of a dataset on the hub, streamed; pictures as base64 of their encoded bytes."""
    path, _, config = name.partition(":")
    try:
        import datasets

        rows = datasets.load_dataset(path, config or spec.config, split=spec.split, streaming=True)
        for row in rows.decode(False) if rows.features else rows:  # pictures inside of lists, too
            yield _as_json(row, spec.max_record_bytes)
    except Exception as error:  # whatever the network, the hub or a reader of another's files raises
        problem = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(
            f"{name}: neither a local file nor a dataset that can be reached on the hub ({problem}). "
            "Check input.path, or download the dataset and give its folder."
        ) from None


def _as_json(row: dict[str, Any], limit: int) -> bytes:
    record = json.dumps(row, default=_json_value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return record if len(record) <= limit else too_large(record, limit)


def _json_value(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
