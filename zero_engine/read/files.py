"""Find the files of an input, and open each by what its bytes say it is.

A path may be a file, a glob, a folder, a folder saved by `datasets`, an fsspec URL, or the name of
a dataset on the hub; or a list of those. What a file holds is decided by its first bytes, never by
its name: compression by magic number, then Parquet, Arrow, JSON array, JSON Lines or CSV.
"""

import io
import json
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from zero_engine.errors import InputError
from zero_engine.pipeline import Input

DATA_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow")
PACKED_SUFFIXES = (".gz", ".zst", ".bz2", ".xz")
COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz"}
HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(:[\w.-]+)?")
READ_AHEAD_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of the input, or one dataset on the hub."""

    path: str
    kind: str
    """json_lines, json_array, csv, parquet, arrow_file, arrow_stream, hub, or empty."""


def find_inputs(spec: Input) -> list[InputFile]:
    """All files of an input in reading order: as listed, globs and folders sorted by name.

    Raises InputError for a path that is not there or is of no kind that can be read.
    """
    found = []
    for path in [spec.path] if isinstance(spec.path, str) else spec.path:
        if is_hub_name(path):
            found.append(InputFile(path, "hub"))
        else:
            found.extend(InputFile(file, sniff(file)) for file in _expand(path, spec.split))
    return found


def is_hub_name(path: str) -> bool:
    """`owner/name` or `owner/name:config`, where no such file lies on the disk."""
    return bool(HUB_NAME.fullmatch(path)) and not os.path.exists(path) and not _is_data_name(path)


def is_remote(path: str) -> bool:
    return "://" in path


def open_raw(path: str) -> IO[bytes]:
    """The file's bytes as they lie there. Raises InputError where it cannot be opened."""
    try:
        if is_remote(path):
            import fsspec

            file = fsspec.open(path, "rb").open()
            # Readers of one file in memory would share their position.
            return io.BytesIO(file.getvalue()) if isinstance(file, io.BytesIO) else file
        return open(path, "rb")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file. Check input.path.") from None
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"{path}: cannot be opened: {_first_line(error)}. Check input.path.") from None


@contextmanager
def open_unpacked(path: str) -> Iterator[IO[bytes]]:
    """The file's content, decompressed where its first bytes say so.

    Raises InputError naming the file where the compressed data is cut or damaged.
    """
    with open_raw(path) as raw:
        head = raw.read(8)
        raw.seek(0)
        packing = next((name for magic, name in COMPRESSIONS.items() if head.startswith(magic)), None)
        try:
            yield _unpack(raw, packing)
        except (EOFError, OSError, zlib.error) as error:
            what = f"the {packing} data is cut or damaged" if packing else "cannot be read"
            raise InputError(f"{path}: {what}: {_first_line(error)}. Fetch the file again.") from None


def sniff(path: str) -> str:
    """Kind of a file's content (see InputFile.kind)."""
    with open_unpacked(path) as file:
        head = file.read(READ_AHEAD_BYTES)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1"):
        return "arrow_file"
    if head.startswith(b"\xff\xff\xff\xff") and len(head) > 8:
        return "arrow_stream"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path}: this is UTF-16 text. Convert it to UTF-8.")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        return "empty"
    if text.startswith(b"["):
        return "json_array"
    first_line = text.split(b"\n", 1)[0]
    is_json = text.startswith(b"{") or b'\n{"' in text
    is_table = any(sign in first_line for sign in b",;\t") or _is_table_name(path)
    return "csv" if is_table and not is_json else "json_lines"


def _unpack(raw: IO[bytes], packing: str | None) -> Any:
    if packing is None:
        return raw
    if packing == "gzip":
        import gzip

        return io.BufferedReader(gzip.GzipFile(fileobj=raw), READ_AHEAD_BYTES)
    if packing in ("bz2", "xz"):
        import bz2
        import lzma

        return io.BufferedReader(
            bz2.BZ2File(raw) if packing == "bz2" else lzma.LZMAFile(raw), READ_AHEAD_BYTES
        )
    import pyarrow

    return io.BufferedReader(
        pyarrow.CompressedInputStream(pyarrow.PythonFile(raw, "r"), "zstd"), READ_AHEAD_BYTES
    )


def _expand(path: str, split: str) -> list[str]:
    if is_remote(path):
        return _expand_remote(path, split)
    if os.path.isdir(path):
        names = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
        return _folder(path, sorted(names), split)
    if os.path.exists(path):
        return [path]
    if any(sign in path for sign in "*?["):
        import glob

        names = sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name))
        if not names:
            raise InputError(f"{path}: no file matches this pattern. Check input.path.")
        return names
    raise InputError(f"{path}: no such file or folder. Check input.path.")


def _expand_remote(path: str, split: str) -> list[str]:
    import fsspec

    try:
        files, plain = fsspec.core.url_to_fs(path)
        if any(sign in plain for sign in "*?[") and not files.exists(plain):
            names = sorted(name for name in files.glob(plain) if files.isfile(name))
            if not names:
                raise InputError(f"{path}: no file matches this pattern. Check input.path.")
            return [files.unstrip_protocol(name) for name in names]
        if files.isdir(plain):
            return _folder(path, sorted(files.unstrip_protocol(name) for name in files.find(plain)), split)
        if files.exists(plain):
            return [path]
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"{path}: cannot be reached: {_first_line(error)}. Check input.path.") from None
    raise InputError(f"{path}: no such file or folder. Check input.path.")


def _folder(folder: str, names: list[str], split: str) -> list[str]:
    """The data files of a folder; of one saved by `datasets`, those of the wanted split, in its order."""
    if (path := f"{folder.rstrip('/')}/dataset_dict.json") in names:
        splits = _json_file(path).get("splits", [])
        if split not in splits:
            raise InputError(f"{folder}: has no split {split!r}, only {', '.join(splits)}. Set input.split.")
        folder = f"{folder.rstrip('/')}/{split}"
    if (path := f"{folder.rstrip('/')}/state.json") in names:
        state = _json_file(path)
        if state.get("_indices_data_files") or state.get("_indices_files"):
            raise InputError(f"{folder}: saved with an index file. Save it again with flatten_indices().")
        return [f"{folder.rstrip('/')}/{part['filename']}" for part in state["_data_files"]]
    wanted = [name for name in names if _is_data_name(name) and not _is_hidden(name, folder)]
    if not wanted:
        raise InputError(
            f"{folder}: no data file in this folder ({', '.join(DATA_SUFFIXES)}). Check input.path."
        )
    return wanted


def _json_file(path: str) -> dict[str, Any]:
    with open_raw(path) as file:
        try:
            return json.loads(file.read())
        except ValueError as error:
            raise InputError(f"{path}: not JSON: {_first_line(error)}. Save the dataset again.") from None


def _is_data_name(name: str) -> bool:
    stem = name.lower()
    for suffix in PACKED_SUFFIXES:
        stem = stem.removesuffix(suffix)
    return stem.endswith(DATA_SUFFIXES) and os.path.basename(stem) not in ("dataset_info.json", "state.json")


def _is_table_name(path: str) -> bool:
    stem = path.lower()
    for suffix in PACKED_SUFFIXES:
        stem = stem.removesuffix(suffix)
    return stem.endswith((".csv", ".tsv"))


def _is_hidden(name: str, folder: str) -> bool:
    return any(part.startswith((".", "_")) for part in name[len(folder) :].split("/") if part)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
