"""Columnar files: Parquet, Arrow files and Arrow streams, read by ranges of rows.

The driver learns only how many rows there are; a worker reads its range. Ranges come in order, so
each process keeps one open cursor and goes on from where the last range ended: a row group is
decoded once a worker, not once a shard, and memory holds one batch. What a range returns never
depends on the cursor.

A range's digest is that of the whole file (read once, in blocks) and its bounds: these formats are
written once and never appended to.

Arrow trusts its files, and a flipped bit in an offset would end the process, so a batch is validated before it is
used. A value that cannot be decoded (text that is no UTF-8, a date past the calendar's end) stands as `Unreadable` in
its row: it costs the trace only where its column is asked for. A row of more than `input.max_record_bytes` is refused
before any of it becomes Python.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zero_engine.errors import InputError
from zero_engine.read.fields import Unreadable
from zero_engine.read.files import COLUMNAR, is_remote, local_copy, open_raw
from zero_engine.read.jsontext import Refused, too_large

__all__ = ["COLUMNAR", "all_rows", "count_rows", "file_digest", "id_column", "read_rows"]
BLOCK_BYTES = 1 << 20
BATCH_ROWS = 256
SHARED = re.compile("dictionary|_view")
"""Types whose cells lie in buffers that all rows share, so that a row has no size of its own."""


def count_rows(path: str, kind: str) -> int:
    """Rows of a columnar file, from its metadata. Raises InputError for a damaged file."""
    import pyarrow

    with _named(path):
        if kind == "parquet":
            from pyarrow import parquet

            with open_raw(path) as file:
                found = parquet.ParquetFile(file)
                _check_names(path, found.schema_arrow.names)
                return found.metadata.num_rows
        with _arrow_source(path) as source:
            reader = (pyarrow.ipc.open_stream if kind == "arrow_stream" else pyarrow.ipc.open_file)(source)
            _check_names(path, reader.schema.names)
            return sum(batch.num_rows for batch in _ipc_batches(reader))


def file_digest(path: str) -> str:
    """sha256 of a local or remote file, read in blocks."""
    sha = hashlib.sha256()
    with open_raw(path) as file:
        while block := file.read(BLOCK_BYTES):
            sha.update(block)
    return sha.hexdigest()


def id_column(path: str, kind: str, names: tuple[str, ...]) -> Iterator[bytes | None]:
    """Ids of a whole file in order, from the first of these columns that it has; None for a row without."""
    with _named(path):
        schema, batches = _batches_of(path, kind, names)
        name = next((name for name in names if name in schema), None)
        for batch in batches:
            values = _values(batch.column(name)) if name else [None] * batch.num_rows
            for value in values:
                yield str(value).encode() if isinstance(value, (str, int)) and value != "" else None


def read_rows(path: str, kind: str, start: int, stop: int, limit: int) -> list[dict[str, Any] | Refused]:
    """Rows start..stop as dicts; pictures stay encoded bytes. A row of more than `limit` bytes is refused."""
    global _cursor
    key = (path, kind, _version(path))
    cursor, _cursor = _cursor, None
    with _named(path):
        if cursor is None or cursor.key != key or cursor.row > start:
            cursor = _Cursor(key, start)
        rows = cursor.take(start, stop, limit)
    _cursor = cursor
    return rows


def all_rows(path: str, kind: str, limit: int) -> Iterator[dict[str, Any] | Refused]:
    """Rows of a columnar file that lies where no other process can open it, one by one."""
    copy = local_copy(path)
    with _named(path):
        _, batches = _batches_from(copy, kind, 0)
        for batch in batches:
            yield from _rows(batch, limit)


class _Cursor:
    """A place in one columnar file that only moves forward."""

    def __init__(self, key: tuple[str, str, object], start: int) -> None:
        self.key = key
        self.row, self._batches = _batches_from(key[0], key[1], start)
        self._rest: Any = None

    def take(self, start: int, stop: int, limit: int) -> list[dict[str, Any] | Refused]:
        rows: list[dict[str, Any] | Refused] = []
        while self.row < stop:
            if self._rest is None or self._rest.num_rows == 0:
                self._rest = next(self._batches, None)
                if self._rest is None:
                    raise EOFError(f"it ends at row {self.row}, before row {stop}")
            skip = min(max(start - self.row, 0), self._rest.num_rows)
            keep = min(stop - self.row - skip, self._rest.num_rows - skip)
            if keep > 0:
                rows.extend(_rows(self._rest.slice(skip, keep), limit))
            self.row += skip + max(keep, 0)
            self._rest = self._rest.slice(skip + max(keep, 0))
        return rows


_cursor: _Cursor | None = None


def _batches_of(path: str, kind: str, wanted: tuple[str, ...]) -> tuple[list[str], Iterator[Any]]:
    """Names of a file's columns, and its batches, of Parquet only with the first of the wanted columns."""
    import pyarrow

    if kind == "parquet":
        from pyarrow import parquet

        file = parquet.ParquetFile(open_raw(path))
        names = file.schema_arrow.names
        columns = [name for name in wanted if name in names][:1]
        return names, file.iter_batches(BATCH_ROWS, columns=columns)
    source = _arrow_source(path)
    if kind == "arrow_stream":
        reader = pyarrow.ipc.open_stream(source)
        return reader.schema.names, _ipc_batches(reader)
    reader = pyarrow.ipc.open_file(source)
    return reader.schema.names, _ipc_batches(reader)


def _batches_from(path: str, kind: str, start: int) -> tuple[int, Iterator[Any]]:
    """The row that the first batch begins with, at or before `start`, and the batches from there on."""
    import pyarrow

    if kind == "parquet":
        from pyarrow import parquet

        file = parquet.ParquetFile(open_raw(path))
        group, first = 0, 0
        while group < file.num_row_groups and first + file.metadata.row_group(group).num_rows <= start:
            first += file.metadata.row_group(group).num_rows
            group += 1
        return first, file.iter_batches(BATCH_ROWS, row_groups=range(group, file.num_row_groups))
    source = _arrow_source(path)
    return 0, _ipc_batches(
        (pyarrow.ipc.open_stream if kind == "arrow_stream" else pyarrow.ipc.open_file)(source)
    )


def _ipc_batches(reader: Any) -> Iterator[Any]:
    """Batches of an Arrow file or stream, each validated before it is handed on."""
    batches = (
        (reader.get_batch(i) for i in range(reader.num_record_batches))
        if hasattr(reader, "get_batch")
        else iter(reader)
    )
    for batch in batches:
        _validate(batch)
        yield batch


def _validate(batch: Any) -> None:
    """Raises ArrowInvalid for a batch whose buffers do not hold what they say; text that is no UTF-8 passes."""
    import pyarrow

    try:
        batch.validate(full=True)
    except pyarrow.ArrowInvalid:
        batch.validate()
        for column in batch.columns:
            try:
                column.validate(full=True)
            except pyarrow.ArrowInvalid as error:
                if "UTF8" not in str(error) or not pyarrow.types.is_string(column.type):
                    raise
                column.cast(pyarrow.binary()).validate(full=True)


def _rows(batch: Any, limit: int) -> list[dict[str, Any] | Refused]:
    """Rows of a batch as dicts, or what stands for those that are too large."""
    if batch.nbytes <= limit:
        return _decoded(batch)
    counted = [column for column in batch.columns if not SHARED.search(str(column.type))]
    rows: list[dict[str, Any] | Refused] = []
    for at in range(batch.num_rows):
        size = sum(column.slice(at, 1).nbytes for column in counted)
        rows += _decoded(batch.slice(at, 1)) if size <= limit else [too_large(b"", limit)]
    return rows


def _decoded(batch: Any) -> list[Any]:
    """Rows of a batch as dicts, with what cannot be decoded as `Unreadable`."""
    try:
        return batch.to_pylist()
    except (UnicodeDecodeError, ValueError, OverflowError, ArithmeticError):
        columns = [_values(column) for column in batch.columns]
        return [dict(zip(batch.schema.names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _values(column: Any) -> list[Any]:
    try:
        return column.to_pylist()
    except (UnicodeDecodeError, ValueError, OverflowError, ArithmeticError):
        return [_value(scalar) for scalar in column]


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError as error:
        return Unreadable(f"invalid UTF-8 at byte {error.start}")
    except (ValueError, OverflowError, ArithmeticError) as error:
        return Unreadable(str(error) or type(error).__name__)


def _check_names(path: str, names: list[str]) -> None:
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        raise InputError(f"{path}: two columns are called {twice!r}. Rename one.")


def _arrow_source(path: str) -> Any:
    import pyarrow

    return pyarrow.PythonFile(open_raw(path), "r") if is_remote(path) else pyarrow.memory_map(path)


def _version(path: str) -> object:
    """Changes when a local file does, so that no cursor outlives the file it reads."""
    return None if is_remote(path) or not os.path.exists(path) else os.stat(path)[6:]


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Turns what pyarrow raises into an InputError that names the file."""
    import pyarrow

    try:
        yield
    except (
        pyarrow.ArrowException,
        OSError,
        EOFError,
        OverflowError,
        MemoryError,
        ValueError,
        KeyError,
    ) as error:
        problem = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(f"{path}: damaged or not readable: {problem}. Fetch the file again.") from None
