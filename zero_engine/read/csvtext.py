"""Tables in text: CSV, TSV, and with semicolons or bars, as rows that never swallow their neighbours.

A quoted cell may hold line breaks; a quote that is never closed must not. So a row is taken strictly: where its
quotes do not close, or close in the middle of a cell, or its cells are not as many as the header's, the row that
begins in this line is refused, and reading goes on in the very next line. A line is looked at twice at most. Row 1 is
the first after the header.
"""

import csv
import json
from collections import deque
from collections.abc import Iterator

from zero_engine.errors import InputError
from zero_engine.read.jsontext import Refused

DELIMITERS = ",\t;|"
LONGEST_CELL_CHARS = 1 << 30


def table_records(lines: Iterator[str], path: str, limit_bytes: int) -> Iterator[bytes]:
    """Each row as the bytes of a JSON object with the header's names as keys, or as `Refused`.

    Raises InputError for a header with two equal names.
    """
    csv.field_size_limit(LONGEST_CELL_CHARS)
    source = _Lines(lines)
    first = source.next()
    while first is not None and not first.strip():
        first = source.next()
    if first is None:
        return
    delimiter = max(DELIMITERS, key=first.count)
    header = _header(source, first, delimiter, path)
    while (line := source.next()) is not None:
        number = source.number
        if not line.strip("\r\n"):
            continue
        cells, text = _row(source, line, delimiter, limit_bytes)
        if cells is None:
            yield Refused(
                _bytes(text), "invalid_csv", f"line {number}: a quote is not closed as it should be"
            )
        elif len(cells) == len(header):
            yield _bytes(json.dumps(dict(zip(header, cells, strict=True)), ensure_ascii=False))
        else:
            detail = f"line {number}: {len(cells)} cells where the header has {len(header)}"
            if "\n" in text.rstrip("\r\n"):
                source.put_back(text)
            yield Refused(_bytes(text), "not_an_object", detail)


def _header(source: "_Lines", first: str, delimiter: str, path: str) -> list[str]:
    header, _ = _row(source, first, delimiter, 1 << 20)
    if header is None:
        raise InputError(f"{path}: the header has a quote that is not closed. Fix the first line.")
    twice = next((name for at, name in enumerate(header) if name in header[:at]), None)
    if twice is not None:
        raise InputError(f"{path}: the header names the column {twice!r} twice. Rename one.")
    return header


def _row(source: "_Lines", line: str, delimiter: str, limit_bytes: int) -> tuple[list[str] | None, str]:
    """The cells of the row that begins in this line, or None, with the text that was taken for it."""
    if '"' not in line:
        return line.rstrip("\r\n").split(delimiter), line
    pieces, size = [line], len(line)
    quotes = line.count('"')
    while quotes % 2:
        more = source.next()
        if more is None or size > limit_bytes:
            text = "".join([*pieces, *([more] if more is not None else [])])
            source.put_back(text)
            return None, line
        pieces.append(more)
        size += len(more)
        quotes += more.count('"')
    text = "".join(pieces)
    try:
        rows = list(csv.reader([text] if len(pieces) == 1 else pieces, delimiter=delimiter, strict=True))
    except csv.Error:
        rows = []
    if len(rows) != 1:
        source.put_back(text)
        return None, line
    return rows[0], text


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


class _Lines:
    """Lines of a text, of which some can be put back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self.number = 0
        """Of the line last given, from 1."""

    def next(self) -> str | None:
        line = self._again.popleft() if self._again else next(self._lines, None)
        self.number += line is not None
        return line

    def put_back(self, text: str) -> None:
        """Gives back all lines of a row but its first."""
        lines = text.splitlines(keepends=True) if "\r" not in text else _split_lines(text)
        self._again.extendleft(reversed(lines[1:]))
        self.number -= len(lines) - 1


def _split_lines(text: str) -> list[str]:
    """Lines as a text file opened with universal newlines kept apart has them: after \\n, \\r\\n and \\r."""
    lines, start = [], 0
    for at, sign in enumerate(text):
        if sign == "\n" or (sign == "\r" and text[at + 1 : at + 2] != "\n"):
            lines.append(text[start : at + 1])
            start = at + 1
    return [*lines, text[start:]] if start < len(text) else lines
