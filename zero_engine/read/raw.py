"""Raw records: the undecoded bytes of one JSON object each, with their place in the file.

JSON Lines are cut at newlines and nowhere else (U+2028, U+0085 and VT are text). A JSON array is
cut by decoding its elements from a sliding buffer. A CSV row becomes the bytes of a JSON object
with the header's names as keys. All three stream: memory holds one record and a read buffer,
however large the file. A row that cannot be decoded is passed on as it is; the worker rejects it.
"""

import base64
import csv
import io
import itertools
import json
from collections.abc import Iterator
from typing import Any

from zero_engine.errors import InputError
from zero_engine.pipeline import Input
from zero_engine.read.files import InputFile, open_unpacked

BLANKS = " \t\r\n"
BYTE_BLANKS = BLANKS.encode()
BOM = b"\xef\xbb\xbf"
BUFFER_CHARS = 1 << 20
LONGEST_CELL_CHARS = 1 << 30


def raw_records(file: InputFile, spec: Input) -> Iterator[tuple[int, bytes]]:
    """(zero-based row, bytes of one JSON value) of every record; blank lines are no records.

    The row is the line for JSON Lines, and counts records otherwise.
    """
    if file.kind == "json_lines":
        return _lines(file.path)
    if file.kind == "json_array":
        return enumerate(_array_elements(file.path))
    if file.kind == "csv":
        return enumerate(_table_rows(file.path))
    if file.kind == "hub":
        return enumerate(_hub_rows(file.path, spec))
    return iter(())


def place(path: str, kind: str, row: int) -> str:
    """Where a record is, as people count: `file:3`, `file, record 3`."""
    return f"{path}:{row + 1}" if kind == "json_lines" else f"{path}, record {row + 1}"


def _lines(path: str) -> Iterator[tuple[int, bytes]]:
    with open_unpacked(path) as file:
        for row, line in enumerate(file):
            if row == 0:
                line = line.removeprefix(BOM)
            if record := line.strip(BYTE_BLANKS):
                yield row, record


def _array_elements(path: str) -> Iterator[bytes]:
    """Elements of a top-level array. Raises InputError with the element's number where it breaks."""
    decoder = json.JSONDecoder()
    with open_unpacked(path) as file:
        reader = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        buffer = reader.read(BUFFER_CHARS)
        position, elements, at_end = buffer.index("[") + 1, 0, False
        while True:
            start = _skip_blanks(buffer, position)
            if elements and buffer[start : start + 1] == ",":
                start = _skip_blanks(buffer, start + 1)
            if buffer[start : start + 1] == "]":
                return
            try:
                _, end = decoder.raw_decode(buffer, start)
                is_whole = end < len(buffer) or at_end
            except (ValueError, RecursionError) as error:
                is_whole, problem = False, error
            if is_whole:
                yield buffer[start:end].encode("utf-8", "surrogateescape")
                position, elements = end, elements + 1
            elif at_end:
                raise InputError(
                    f"{path}: the JSON array breaks at element {elements + 1}: {problem}. Fix the file."
                )
            else:
                block = reader.read(max(BUFFER_CHARS, len(buffer) - position))
                buffer, position, at_end = buffer[position:] + block, 0, not block


def _skip_blanks(text: str, position: int) -> int:
    while position < len(text) and text[position] in BLANKS:
        position += 1
    return position


def _table_rows(path: str) -> Iterator[bytes]:
    csv.field_size_limit(LONGEST_CELL_CHARS)
    with open_unpacked(path) as file:
        reader = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        first = reader.readline()
        delimiter = max(",\t;", key=first.count)
        rows = csv.reader(itertools.chain([first], reader), delimiter=delimiter)
        try:
            header = next(rows)
            for cells in rows:
                if cells:
                    record = dict(zip(header, cells, strict=True)) if len(cells) == len(header) else cells
                    yield json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogateescape")
        except csv.Error as error:
            raise InputError(f"{path}, near line {rows.line_num}: {error}. Fix the file.") from None


def _hub_rows(name: str, spec: Input) -> Iterator[bytes]:
    """Rows of a dataset on the hub, streamed; pictures as base64 of their encoded bytes."""
    path, _, config = name.partition(":")
    try:
        import datasets

        rows = datasets.load_dataset(path, config or None, split=spec.split, streaming=True)
        for column, feature in (rows.features or {}).items():
            if isinstance(feature, datasets.Image):
                rows = rows.cast_column(column, datasets.Image(decode=False))
        for row in rows:
            yield json.dumps(row, default=_json_value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    except Exception as error:  # whatever the network, the hub or a reader of another's files raises
        problem = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(
            f"{name}: neither a local file nor a dataset that can be reached on the hub ({problem}). "
            "Check input.path, or download the dataset and give its folder."
        ) from None


def _json_value(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
