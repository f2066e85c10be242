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
SHOWN_CHARS = 200
LONGEST_NAME, PROSE_WORDS = 200, 8
"""A header's name is shorter than that, and no two of its names have so many words."""


def table_records(lines: Iterator[str], path: str, limit_bytes: int) -> Iterator[bytes]:
    """Each row as the bytes of a JSON object with the header's names as keys, or as `Refused`.

    Raises InputError for a header with two equal names, and for a first line that is a record rather than names.
    """
    csv.field_size_limit(LONGEST_CELL_CHARS)
    source = _Lines(lines, limit_bytes)
    first = source.next()
    while first is not None and not first.strip():
        first = source.next()
    if first is None:
        return
    delimiter = max(DELIMITERS, key=first.count)
    if (told := first.rstrip("\r\n").lower()) in [f"sep={sign}" for sign in DELIMITERS]:  # a line of Excel's
        delimiter, first = told[-1], source.next()
        if first is None:
            return
    header = _header(source, first, delimiter, path)
    while (line := source.next()) is not None:
        number = source.number
        if isinstance(line, _Overlong):
            detail = f"line {number}: longer than input.max_record_bytes ({limit_bytes})"
            yield Refused(_bytes(line), "record_too_large", detail)
            continue
        if not line.strip("\r\n"):
            continue
        cells, taken = _row(source, line, delimiter, limit_bytes)
        if cells is None:
            yield Refused(
                _bytes(line), "invalid_csv", f"line {number}: a quote is not closed as it should be"
            )
        elif len(cells) == len(header):
            yield _bytes(json.dumps(dict(zip(header, cells, strict=True)), ensure_ascii=False))
        else:
            source.put_back(taken[1:])
            detail = f"line {number}: {len(cells)} cells where the header has {len(header)}"
            yield Refused(_bytes(line), "not_an_object", detail)


def _header(source: "_Lines", first: str, delimiter: str, path: str) -> list[str]:
    header, _ = _row(source, first, delimiter, 1 << 20)
    if header is None:
        raise InputError(f"{path}: the header has a quote that is not closed. Fix the first line.")
    header = [name.strip() for name in header]
    told = sum(len(name.split()) >= PROSE_WORDS for name in header)
    if told > 1 or any(len(name) > LONGEST_NAME or "\n" in name for name in header):
        shown = f"{first.strip()[:60]}.."
        raise InputError(
            f"{path}: the first line looks like a record, not like names of columns ({shown!r}). Write a line of names "
            f"above it, e.g. question{delimiter}answer."
        )
    seen: set[str] = set()
    for name in header:
        if name in seen:
            raise InputError(f"{path}: the header names the column {name[:100]!r} twice. Rename one.")
        seen.add(name)
    return header


def _row(source: "_Lines", line: str, delimiter: str, limit_bytes: int) -> tuple[list[str] | None, list[str]]:
    """The cells of the row that begins in this line, or None, and the lines that were taken for it.

    Where there are no cells, all lines but the first have been given back.
    """
    if '"' not in line:
        return line.rstrip("\r\n").split(delimiter), [line]
    taken, size, quotes = [line], len(line), line.count('"')
    while quotes % 2:
        more = source.next()
        if more is None or isinstance(more, _Overlong) or size > limit_bytes:
            source.put_back([*taken[1:], *([] if more is None else [more])])
            return None, [line]
        taken.append(more)
        size += len(more)
        quotes += more.count('"')
    try:
        rows = list(csv.reader(taken, delimiter=delimiter, strict=True))
    except csv.Error:
        rows = []
    if len(rows) != 1:
        source.put_back(taken[1:])
        return None, [line]
    return rows[0], taken


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


class _Overlong(str):
    """The beginning of a line that is longer than a record may be; the rest of it has been passed over."""


class _Lines:
    """Lines of a text, of which some can be put back."""

    def __init__(self, lines: Iterator[str], limit: int) -> None:
        self._lines = lines
        self._limit = limit
        self._again: deque[str] = deque()
        self.number = 0
        """Of the line last given, from 1."""

    def next(self) -> str | None:
        line = self._again.popleft() if self._again else self._read()
        self.number += line is not None
        return line

    def put_back(self, lines: list[str]) -> None:
        """Gives the last lines back."""
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)

    def _read(self) -> str | None:
        line = piece = next(self._lines, None)
        if line is None or len(line) <= self._limit:
            return line
        while piece is not None and not piece.endswith(("\n", "\r")):
            piece = next(self._lines, None)
        return _Overlong(line[:SHOWN_CHARS])
