"""What a file holds, by its first bytes: Parquet, Arrow, zip, tar, JSON array, JSON Lines, JSON documents or CSV.

The name decides nothing but whether one column of text is a table. Text begins with a byte order mark, or is UTF-8,
or is in the encoding that the user names.
"""

import codecs
import json
import lzma
import zlib
from typing import IO

from zero_engine.errors import InputError
from zero_engine.read.files import COLUMNAR, READ_AHEAD_BYTES, InputFile, is_only_here, open_unpacked

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def sniff(path: str, encoding: str | None = None) -> InputFile:
    """A file with the kind of its content, and the encoding of its text.

    Raises InputError for content that is no records in any form that can be read.
    """
    with open_unpacked(path) as file:
        head = _read_up_to(file, READ_AHEAD_BYTES)
    if kind := _binary_kind(head):
        if kind in COLUMNAR and is_only_here(path):
            kind += "_rows"
        return InputFile(path, kind)
    encoding = encoding or next((name for mark, name in BYTE_ORDER_MARKS if head.startswith(mark)), "utf-8")
    if what := _not_records(head):
        raise InputError(f"{path}: this is {what}, not records. Check input.path.")
    if encoding == "utf-8" and _is_binary(head.rstrip(b"\0") or head):
        raise InputError(
            f"{path}: this is no text. Check input.path, or name the encoding of the text with input.encoding."
        )
    return InputFile(
        path, _text_kind(_decoded(head, encoding), path), "utf-8" if encoding == "utf-8-sig" else encoding
    )


def check_encoding(encoding: str | None) -> None:
    """Raises InputError for an encoding that Python does not know."""
    try:
        if encoding is not None:
            codecs.lookup(encoding)
    except (LookupError, ValueError):
        raise InputError(
            f"input.encoding: there is no encoding {encoding!r}, e.g. utf-8, cp1252, gb18030."
        ) from None


def _read_up_to(file: IO[bytes], size: int) -> bytes:
    """Up to so many bytes; fewer where the file is damaged after them, which its reader will tell with the place."""
    blocks: list[bytes] = []
    left = size
    while left:
        try:
            block = file.read(min(left, 4096))
        except (OSError, EOFError, zlib.error, lzma.LZMAError):
            if not blocks:
                raise
            break
        if not block:
            break
        blocks.append(block)
        left -= len(block)
    return b"".join(blocks)


def _binary_kind(head: bytes) -> str | None:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1"):
        return "arrow_file"
    if head.startswith(b"\xff\xff\xff\xff") and len(head) > 8:
        return "arrow_stream"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head[257:262] == b"ustar":
        return "tar"
    return None


_SEEN_IN_TEXT = bytes(byte for byte in range(256) if byte >= 32 or chr(byte) in "\t\n\r\f\x1b")
_KNOWN = {
    b"%PDF": "a PDF",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"version https://git-lfs": "a Git LFS pointer (the data itself was not fetched: git lfs pull)",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"Obj\x01": "an Avro file (write it as Parquet)",
    b"ORC": "an ORC file (write it as Parquet)",
    b"FEA1": "a Feather file of version 1 (write it again as version 2, or as Parquet)",
    b"\x04\x22\x4d\x18": "compressed by LZ4 (unpack it)",
    b"\x5d\x00\x00": "compressed by LZMA alone (unpack it)",
    b"<?xml": "XML",
    b"<!DOCTYPE": "an HTML page",
    b"<html": "an HTML page",
}


def _not_records(head: bytes) -> str | None:
    """What some files are that people hand over by mistake."""
    return next((what for magic, what in _KNOWN.items() if head.startswith(magic)), None)


def _is_binary(head: bytes) -> bool:
    """Whether bytes hold more control characters than a text does: over one in twenty."""
    return 20 * len(head.translate(None, _SEEN_IN_TEXT)) > len(head)


def _decoded(head: bytes, encoding: str) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)(errors="replace").decode(head)
    except (UnicodeError, ValueError):
        return head.decode("latin-1")


def _text_kind(head: str, path: str) -> str:
    text = head.lstrip("\ufeff \t\r\n\x1e")
    if not text:
        return "empty"
    first = text.split("\n", 1)[0].rstrip()
    if text.startswith("["):
        # `["a", 1]` alone in its line is a bad JSON line; an array of records begins with an object or ends nowhere
        # near
        return (
            "json_lines"
            if _is_json(first) and "\n{" in text and not _is_array_of_records(first)
            else "json_array"
        )
    if text.startswith("{"):
        return "json_lines" if _is_line(first, text) else "json_values"
    is_json = '\n{"' in text or (first.startswith('"') and not _is_table_name(path) and _is_json(first))
    is_table = any(sign in first for sign in ",;\t|") or _is_table_name(path)
    return "csv" if is_table and not is_json else "json_lines"


def _is_line(first: str, text: str) -> bool:
    """Whether a text that begins with an object is JSON Lines, also where the first line is damaged."""
    if _is_json(first):
        return True
    if first.endswith(",") and _is_json(first[:-1]):
        return False  # objects with commas between them
    try:
        _, end = json.JSONDecoder(parse_int=str).raw_decode(text)
        # an object over several lines is a document, and several in one line are records one after another
        return end <= len(first) and not _begins_object(first[end:].lstrip(", \t\r"))
    except (ValueError, RecursionError):
        second = text[len(first) :].lstrip()
        return second.startswith("{") or len(first) > 200


def _is_json(line: str) -> bool:
    try:
        json.JSONDecoder(parse_int=str).decode(line)
    except (ValueError, RecursionError):
        return False
    return True


def _begins_object(rest: str) -> bool:
    try:
        return rest.startswith("{") and json.JSONDecoder(parse_int=str).raw_decode(rest)[1] > 0
    except (ValueError, RecursionError):
        return False


def _is_array_of_records(line: str) -> bool:
    return line[1:].lstrip().startswith(("{", "]"))


def _is_table_name(path: str) -> bool:
    return any(f".{name}" in path.lower() for name in ("csv", "tsv"))
