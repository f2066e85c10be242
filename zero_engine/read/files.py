"""Open files: a path of the input as bytes, decompressed, and what kind of content they are.

What a file holds is decided by its first bytes, never by its name: compression by magic number, then Parquet, Arrow,
zip, tar, JSON array, JSON Lines, JSON documents or CSV. A path may lie inside an archive (`corpus.zip!/part.jsonl`).
What can be read only once (`-`, a pipe, `<(..)`) is spooled to a temporary file when it is first opened, because an input
is opened several times: to tell its kind, to check its first records, to read it. Which files an input has is `folders`.
"""

import atexit
import bz2
import codecs
import gzip
import io
import json
import lzma
import os
import stat
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from zero_engine.errors import InputError

COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    **{bytes((sign,)) + b"\x2a\x4d\x18": "zstd" for sign in range(0x50, 0x60)},  # zstd's skippable frames
}
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
COLUMNAR = ("parquet", "arrow_file", "arrow_stream")
INSIDE = "!/"
STDIN = ("-", "/dev/stdin")
READ_AHEAD_BYTES = 1 << 16
SPOOL_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of the input, or one dataset on the hub."""

    path: str
    kind: str
    """json_lines, json_array, json_values, csv, parquet, arrow_file, arrow_stream, webdataset, hub, or empty; with `_rows`
    behind it where a worker could not open the columnar file, and its rows travel as JSON."""
    encoding: str = "utf-8"


def is_remote(path: str) -> bool:
    return "://" in path


def open_raw(path: str) -> IO[bytes]:
    """The file's bytes as they lie there. Raises InputError where it cannot be opened."""
    try:
        if path in STDIN or path in _spooled:
            return open(_spool(path), "rb")
        archive, inside, member = path.partition(INSIDE)
        if inside and (is_remote(path) or not os.path.exists(path)):
            return open_member(archive, member)
        if is_remote(path):
            import fsspec

            file = fsspec.open(path, "rb").open()
            # Readers of one file in memory would share their position.
            return io.BytesIO(file.getvalue()) if isinstance(file, io.BytesIO) else file
        if is_one_pass(path):
            return open(_spool(path), "rb")
        return open(path, "rb")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file. Check input.path.") from None
    except (OSError, ValueError, ImportError, TypeError, AttributeError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be opened: {first_line(error)}. Check input.path.") from None


def is_one_pass(path: str) -> bool:
    """Whether a path is stdin, a pipe, a socket or a terminal: something that can be read only once."""
    if path in STDIN:
        return True
    if is_remote(path):
        return False
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


@contextmanager
def open_unpacked(path: str) -> Iterator[IO[bytes]]:
    """The file's content, decompressed where its first bytes say so.

    Raises InputError naming the file where the compressed data is cut or damaged.
    """
    packing = None
    with open_raw(path) as raw, _damage_named(path, lambda: packing):
        raw, head = _peek(raw, 8)
        packing = next((name for magic, name in COMPRESSIONS.items() if head.startswith(magic)), None)
        yield _unpack(raw, packing)


def sniff(path: str, encoding: str | None = None) -> InputFile:
    """A file with the kind of its content, and the encoding of its text.

    Raises InputError for content that is no records in any form that can be read.
    """
    with open_unpacked(path) as file:
        head = _read_up_to(file, READ_AHEAD_BYTES)
    if kind := _binary_kind(head):
        if kind in COLUMNAR and _only_here(path):
            kind += "_rows"
        return InputFile(path, kind)
    encoding = encoding or next((name for mark, name in BYTE_ORDER_MARKS if head.startswith(mark)), "utf-8")
    if what := _not_records(head):
        raise InputError(f"{path}: this is {what}, not records. Check input.path.")
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


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".") or type(error).__name__


def open_member(archive: str, member: str) -> IO[bytes]:
    """A file inside a zip or tar archive, as a stream."""
    raw = open_raw(archive)
    head = raw.read(4)
    raw.seek(0)
    if head.startswith(b"PK"):
        try:
            return zipfile.ZipFile(raw).open(member)  # the zip is closed with the last reference to it
        except (KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise InputError(
                f"{archive}{INSIDE}{member}: cannot be read: {first_line(error)}. Unpack it first."
            ) from None
    raw.close()
    for info, file in tar_members(archive):
        if info.name == member:
            spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BLOCK_BYTES * 16)  # noqa: SIM115 the caller closes it
            _copy(file, spool)
            spool.seek(0)
            return spool
    raise FileNotFoundError(member)


def tar_members(archive: str) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """Regular files of a tar archive, packed or not, in order; each is read before the next is asked for."""
    with open_unpacked(archive) as packed:
        try:
            with tarfile.open(fileobj=packed, mode="r|") as tar:
                for info in tar:
                    if info.isreg() and (file := tar.extractfile(info)) is not None:
                        yield info, file
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise InputError(
                f"{archive}: the tar is cut or damaged: {first_line(error)}. Fetch the file again."
            ) from None


def local_copy(path: str) -> str:
    """A path on this disk with the content of any path, for readers that need one; a copy where there is none."""
    if path in _spooled:
        return _spooled[path]
    if not _only_here(path):
        return path
    with open_raw(path) as file:
        return _keep(path, file)


_spooled: dict[str, str] = {}


def _spool(path: str) -> str:
    """The temporary copy of what can be read only once."""
    if path not in _spooled:
        with open(sys.stdin.fileno() if path in STDIN else path, "rb", closefd=path not in STDIN) as source:
            _keep(path, source)
    return _spooled[path]


def _keep(path: str, source: IO[bytes]) -> str:
    handle, copy = tempfile.mkstemp(prefix="zero-engine-input-")
    atexit.register(_forget, copy)
    with os.fdopen(handle, "wb") as out:
        _copy(source, out)
    _spooled[path] = copy
    return copy


def _forget(copy: str) -> None:
    try:
        os.unlink(copy)
    except OSError:
        pass


def _copy(source: Any, out: Any) -> None:
    while block := source.read(SPOOL_BLOCK_BYTES):
        out.write(block)


def _only_here(path: str) -> bool:
    """Whether another process could not open this path: stdin, a pipe, a member of an archive."""
    return path in _spooled or is_one_pass(path) or (INSIDE in path and not os.path.exists(path))


def _peek(raw: Any, size: int) -> tuple[Any, bytes]:
    if raw.seekable():
        head = raw.read(size)
        raw.seek(0)
        return raw, head
    buffered = io.BufferedReader(raw, READ_AHEAD_BYTES)
    return buffered, buffered.peek(size)[:size]


def _read_up_to(file: IO[bytes], size: int) -> bytes:
    """Up to so many bytes; fewer where the file is damaged after them, which its reader will tell with the place."""
    blocks, left = [], size
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


@contextmanager
def _damage_named(path: str, packing: Any) -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        what = f"the {packing()} data is cut or damaged" if packing() else "cannot be read"
        raise InputError(f"{path}: {what}: {first_line(error)}. Fetch the file again.") from None


def _unpack(raw: IO[bytes], packing: str | None) -> Any:
    if packing is None:
        return raw
    if packing == "gzip":
        return io.BufferedReader(gzip.GzipFile(fileobj=raw), READ_AHEAD_BYTES)
    if packing in ("bz2", "xz"):
        return io.BufferedReader(
            bz2.BZ2File(raw) if packing == "bz2" else lzma.LZMAFile(raw), READ_AHEAD_BYTES
        )
    import pyarrow

    return io.BufferedReader(
        pyarrow.CompressedInputStream(pyarrow.PythonFile(raw, "r"), "zstd"), READ_AHEAD_BYTES
    )


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
    b"<!DOCTYPE": "an HTML page",
    b"<html": "an HTML page",
}


def _not_records(head: bytes) -> str | None:
    """What some files are that people hand over by mistake."""
    return next((what for magic, what in _KNOWN.items() if head.startswith(magic)), None)


def _decoded(head: bytes, encoding: str) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)(errors="replace").decode(head)
    except (UnicodeError, ValueError):
        return head.decode("latin-1")


def _text_kind(head: str, path: str) -> str:
    text = head.lstrip("\ufeff \t\r\n")
    if not text:
        return "empty"
    first = text.split("\n", 1)[0].rstrip()
    if text.startswith("["):
        # `["a", 1]` alone in its line is a bad JSON line; an array of records begins with an object or ends nowhere near
        return (
            "json_lines"
            if _is_json(first) and "\n{" in text and not _is_array_of_records(first)
            else "json_array"
        )
    if text.startswith("{"):
        return "json_lines" if len(first) == len(text.rstrip()) or _is_line(first, text) else "json_values"
    is_json = '\n{"' in text
    is_table = any(sign in first for sign in ",;\t") or _is_table_name(path)
    return "csv" if is_table and not is_json else "json_lines"


def _is_line(first: str, text: str) -> bool:
    """Whether a text that begins with an object is JSON Lines, also where the first line is damaged."""
    if _is_json(first):
        return True
    try:
        _, end = json.JSONDecoder(parse_int=str).raw_decode(text)
        return end <= len(first)  # an object over several lines is a document
    except (ValueError, RecursionError):
        second = text[len(first) :].lstrip()
        return second.startswith("{") or len(first) > 200


def _is_json(line: str) -> bool:
    try:
        json.JSONDecoder(parse_int=str).decode(line)
    except (ValueError, RecursionError):
        return False
    return True


def _is_array_of_records(line: str) -> bool:
    return line[1:].lstrip().startswith(("{", "]"))


def _is_table_name(path: str) -> bool:
    return any(f".{name}" in path.lower() for name in ("csv", "tsv"))
