"""Open files: a path of the input as bytes, decompressed, and what kind of content they are.

Compression is told by magic number, never by the name; what the content is, `sniffing` tells. A path may lie inside
an archive (`corpus.zip!/part.jsonl`). What can be read only once (`-`, a pipe, `<(..)`) is spooled to a temporary
file when it is first opened, because an input is opened several times: to tell its kind, to check its first records,
to read it. Which files an input has is `folders`.
"""

import atexit
import bz2
import gzip
import io
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
COLUMNAR = ("parquet", "arrow_file", "arrow_stream")
INSIDE = "!/"
STDIN = ("-", "/dev/stdin")
READ_AHEAD_BYTES = 1 << 16
UNPACKED_BYTES = 1 << 12
"""Decompressed at once. What is decompressed together with the damage is lost, so this is small."""
SPOOL_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of the input, or one dataset on the hub."""

    path: str
    kind: str
    """json_lines, json_array, json_values, csv, parquet, arrow_file, arrow_stream, webdataset, hub, or empty; with
    `_rows` behind it where a worker could not open the columnar file, and its rows travel as JSON."""
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
    """The file's content, decompressed where its first bytes say so, twice where it was compressed twice.

    Raises InputError naming the file where the compressed data is cut or damaged.
    """
    packing = None
    with open_raw(path) as raw, _damage_named(path, lambda: packing):
        raw, head = _peek(raw, 8)
        packing = _packing(head)
        file = _unpack(raw, packing)
        yield _unpack(file, _packing(file.peek(8))) if packing else file


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
            spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BLOCK_BYTES * 16)
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
    if not is_only_here(path):
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


def is_only_here(path: str) -> bool:
    """Whether another process could not open this path: stdin, a pipe, a member of an archive."""
    return path in _spooled or is_one_pass(path) or (INSIDE in path and not os.path.exists(path))


def _peek(raw: Any, size: int) -> tuple[Any, bytes]:
    if raw.seekable():
        head = raw.read(size)
        raw.seek(0)
        return raw, head
    buffered = io.BufferedReader(raw, READ_AHEAD_BYTES)
    return buffered, buffered.peek(size)[:size]


@contextmanager
def _damage_named(path: str, packing: Any) -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        what = f"the {packing()} data is cut or damaged" if packing() else "cannot be read"
        raise InputError(f"{path}: {what}: {first_line(error)}. Fetch the file again.") from None


def _packing(head: bytes) -> str | None:
    return next((name for magic, name in COMPRESSIONS.items() if head.startswith(magic)), None)


def _unpack(raw: IO[bytes], packing: str | None) -> Any:
    if packing is None:
        return raw
    if packing == "gzip":
        return io.BufferedReader(gzip.GzipFile(fileobj=raw, mode="rb"), UNPACKED_BYTES)
    if packing in ("bz2", "xz"):
        return io.BufferedReader(bz2.BZ2File(raw) if packing == "bz2" else lzma.LZMAFile(raw), UNPACKED_BYTES)
    import pyarrow

    return io.BufferedReader(
        pyarrow.CompressedInputStream(pyarrow.PythonFile(raw, "r"), "zstd"), UNPACKED_BYTES
    )
