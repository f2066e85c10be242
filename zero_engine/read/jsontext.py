"""JSON text as a stream of values: arrays, several documents in one file, a list inside a document.

A sliding buffer finds where a value ends and hands its bytes on undecoded; what is wrong with one is the worker's to
say. Whole numbers of any length and any depth of nesting are values like others here. A value longer than the limit
is passed on as `Refused`, and reading goes on behind it. Memory holds one value and a read buffer.
"""

import io
import json
import re
from collections.abc import Iterator
from typing import IO

from zero_engine.errors import InputError

BLANKS = " \t\r\n\ufeff\x1e"
BUFFER_CHARS = 1 << 20
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
SIGN = re.compile(r'["\\\[\]{}]')
SHOWN_BYTES = 200
SKIPPED_LIMITS = 16
"""How many times the limit of a record is passed over in search of its end, before the file counts as damaged."""
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, strict=False)


class Refused(bytes):
    """Stands where a record was that is not read: its first bytes, and the rejection's reason and detail."""

    reason: str
    detail: str

    def __new__(cls, shown: bytes, reason: str, detail: str) -> "Refused":
        made = super().__new__(cls, shown[:SHOWN_BYTES])
        made.reason, made.detail = reason, detail
        return made

    def __reduce__(self) -> tuple[type, tuple[bytes, str, str]]:
        return Refused, (bytes(self), self.reason, self.detail)


def too_large(shown: bytes, limit: int) -> Refused:
    """What stands for a record of more bytes than the limit."""
    return Refused(shown, "record_too_large", f"longer than input.max_record_bytes ({limit})")


def json_records(
    file: IO[bytes], path: str, encoding: str, field: str | None, limit_bytes: int
) -> Iterator[bytes]:
    """Bytes of each record: the elements of arrays, and the objects beside them; or of the list in `field`.

    Raises InputError with the record's number where the text breaks, after the records before it.
    """
    scanner = _Scanner(
        io.TextIOWrapper(file, encoding=encoding, errors="surrogateescape", newline=""), path, limit_bytes
    )
    try:
        if field is not None:
            yield from scanner.inside(field.split("."))
            return
        while (sign := scanner.peek()) is not None:
            if sign == "[":
                yield from scanner.elements()
            elif sign == "," and scanner.given:  # `{..}, {..}` without brackets
                scanner.skip(1)
            else:
                yield scanner.value()
    except UnicodeError as error:
        raise InputError(f"{path}: not {encoding} text: {error}. Set input.encoding.") from None


class _Scanner:
    def __init__(self, reader: io.TextIOWrapper, path: str, limit_bytes: int) -> None:
        self._reader = reader
        self._path = path
        self._limit = limit_bytes
        self._buffer = ""
        self._at = 0
        self._ended = False
        self.given = 0
        """Records handed on so far."""

    def peek(self) -> str | None:
        """The next character that is no blank, or None at the end."""
        while True:
            buffer, at = self._buffer, self._at
            while at < len(buffer) and buffer[at] in BLANKS:
                at += 1
            self._at = at
            if at < len(buffer):
                return buffer[at]
            if not self._more():
                return None

    def skip(self, count: int) -> None:
        self._at += count

    def elements(self) -> Iterator[bytes]:
        """Elements of the array that begins here."""
        self.skip(1)
        first = True
        while True:
            sign = self.peek()
            if sign == "," and not first:
                self.skip(1)
                sign = self.peek()
            if sign == "]":
                self.skip(1)
                return
            if sign is None:
                raise self._broken("it ends inside the array")
            yield self.value()
            first = False

    def value(self) -> bytes:
        """Bytes of the value that begins here."""
        found = self._value()
        self.given += 1
        return found

    def inside(self, keys: list[str]) -> Iterator[bytes]:
        """Elements of the list that a path of keys leads to in the object that begins here."""
        if self.peek() == "[" and not keys:
            yield from self.elements()
            return
        if self.peek() != "{" or not keys:
            what = "a list" if not keys else "an object"
            raise InputError(
                f"{self._path}: input.field leads to no list of records: expected {what} there. Fix input.field."
            )
        self.skip(1)
        seen: list[str] = []
        while (sign := self.peek()) == '"':
            key = json.loads(self._value().decode("utf-8", "replace"), strict=False)
            seen.append(key)
            if self.peek() != ":":
                raise self._broken("a key without a value")
            self.skip(1)
            if key == keys[0]:
                yield from self.inside(keys[1:])
                return
            self.peek()
            self._value()
            if self.peek() == ",":
                self.skip(1)
        if sign is None:
            raise self._broken("it ends inside an object")
        there = ", ".join(seen[:12])
        raise InputError(f"{self._path}: no field {keys[0]!r} for input.field; there is {there or 'none'}.")

    def _value(self) -> bytes:
        start = self._at
        while True:
            end = self._end_of_value(start)
            if end is not None and (end < len(self._buffer) or self._ended or self._buffer[start] in '{["'):
                self._at = end
                found = self._buffer[start:end].encode("utf-8", "surrogateescape")
                if len(found) > self._limit:
                    return Refused(found, "record_too_large", self._too_long())
                return found
            if end is None and self._ended:
                raise self._broken(self._problem(start))
            if len(self._buffer) - start > self._limit:
                return self._skipped(start)
            self._more(max(BUFFER_CHARS, len(self._buffer) - start))
            start = self._at

    def _end_of_value(self, start: int) -> int | None:
        try:
            return _DECODER.raw_decode(self._buffer, start)[1]
        except RecursionError:
            return self._end_by_brackets(start)
        except ValueError:
            return None

    def _end_by_brackets(self, start: int) -> int | None:
        depth = 0
        for token in TOKEN.finditer(self._buffer, start):
            sign = token.group()
            depth += 1 if sign in "[{" else -1 if sign in "]}" else 0
            if depth == 0:
                return token.end()
        return None

    def _skipped(self, start: int) -> bytes:
        """Passes over a value longer than the limit, without keeping it."""
        shown = self._buffer[start : start + SHOWN_BYTES].encode("utf-8", "surrogateescape")
        if self._buffer[start] not in "{[":
            raise self._broken(self._too_long())
        depth, in_text, passed, next_sign = 0, False, 0, 0
        self._at = start
        while True:
            text, base = self._buffer, self._at
            for found in SIGN.finditer(text, base):
                sign, at = found.group(), found.start()
                if at < next_sign:  # escaped
                    continue
                if sign == '"':
                    in_text = not in_text
                elif in_text:
                    next_sign = at + 2 if sign == "\\" else next_sign
                elif sign in "[{":
                    depth += 1
                elif sign in "]}":
                    depth -= 1
                    if depth == 0:
                        self._at = at + 1
                        return Refused(shown, "record_too_large", self._too_long())
            passed += len(text) - base
            next_sign -= len(text)
            self._at = len(text)
            if passed > SKIPPED_LIMITS * self._limit or not self._more():
                raise self._broken(self._too_long())

    def _too_long(self) -> str:
        return f"longer than input.max_record_bytes ({self._limit})"

    def _problem(self, start: int) -> str:
        try:
            _DECODER.raw_decode(self._buffer, start)
        except (ValueError, RecursionError) as error:
            return str(error)
        return "it ends inside a value"

    def _broken(self, problem: str) -> InputError:
        return InputError(
            f"{self._path}: the JSON array breaks at element {self.given + 1}: {problem}. Fix the file."
        )

    def _more(self, size: int = BUFFER_CHARS) -> bool:
        """Reads on; drops what is behind the position."""
        if self._ended:
            return False
        block = self._reader.read(size)
        self._ended = not block
        self._buffer, self._at = self._buffer[self._at :] + block, 0
        return bool(block)
