"""Parquet and JSON lines as the exports write them: bounded memory, bytes a function of the content.

Row groups are small: what reads one at a time (the hub's viewer, BAGEL's loader, a streaming trainer) then needs little
memory, and a row can be had without its neighbours. A group has ROWS rows; it has more, MOST at most, while they are
less than LEAST bytes, and fewer where ROWS rows are more than BYTES bytes. A column costs some 20 us in each group,
whatever it holds, and a compressor as much again, so a format can say which columns are worth one.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from zero_engine.contracts.manifest import Manifest
from zero_engine.hashing import digest

ROWS, MOST, LEAST, BYTES = 100, 1000, 4 << 20, 64 << 20
IMAGE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])


class ParquetFile:
    """A Parquet file under way: zstd but for pictures, the schema's metadata kept, small row groups."""

    def __init__(self, path: Path, schema: pa.Schema, packed: frozenset[str] | None = None):
        """`packed`: names of the fields that are compressed, those of pictures' bytes left out; None for all."""
        # in groups of 100 rows dictionaries save nothing, nobody filters by what is not an id, and PNG does not shrink
        known = [name for name in ("id", "trace_id") if name in schema.names]
        codecs = {
            path: "NONE"
            if path.endswith("bytes") or (packed and packed.isdisjoint(path.split(".")))
            else "ZSTD"
            for path in _leaves(schema)
        }
        self._writer = pq.ParquetWriter(
            path, schema, compression=codecs, use_dictionary=False, write_statistics=known or False
        )
        self._schema = schema

    def __enter__(self) -> "ParquetFile":
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.close()

    def add(self, batches: Iterable[pa.RecordBatch]) -> int:
        """Write batches of any size in row groups; the number of rows."""
        waiting: list[pa.RecordBatch] = []
        rows = total = 0
        size = 0.0
        for part, row_bytes in _slices(batches):
            total += part.num_rows
            while part.num_rows:
                most = ROWS if rows < ROWS or size >= LEAST else MOST
                if rows >= most or (rows and size + part.num_rows * row_bytes > BYTES):
                    self._group(waiting)
                    waiting, rows, size = [], 0, 0.0
                    continue
                taken = min(part.num_rows, most - rows)
                waiting.append(part.slice(0, taken))
                rows, size, part = rows + taken, size + taken * row_bytes, part.slice(taken)
        if waiting:
            self._group(waiting)
        return total

    def _group(self, batches: list[pa.RecordBatch]) -> None:
        table = pa.Table.from_batches(batches, self._schema).combine_chunks()
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))


def write_parquet(path: Path, schema: pa.Schema, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows that are dictionaries; the number of rows."""
    with ParquetFile(path, schema) as file:
        return file.add(_batches(schema, rows))


def write_jsonl(path: Path, lines: Iterable[dict[str, Any]], append: bool = False) -> int:
    """Write one JSON object a line, strict JSON, UTF-8; the number of lines."""
    count = 0
    with open(path, "a" if append else "w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
    return count


def parquet_rows(path: Path) -> int:
    """Rows of a Parquet file, from its footer."""
    return pq.read_metadata(path).num_rows if path.suffix == ".parquet" else 0


def jsonl_rows(path: Path) -> int:
    """Lines of a file, read in blocks."""
    if path.suffix != ".jsonl":
        return 0
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def features(columns: dict[str, Any]) -> dict[bytes, bytes]:
    """Schema metadata by which `datasets` knows pictures; the spelling is one that datasets 3 to 5 read."""
    return {b"huggingface": json.dumps({"info": {"features": columns}}).encode()}


def value(dtype: str) -> dict[str, Any]:
    return {"dtype": dtype, "_type": "Value"}


def sequence(of: dict[str, Any]) -> dict[str, Any]:
    """A list of one feature."""
    return {"feature": of, "_type": "Sequence"}


def image(data: bytes) -> dict[str, Any]:
    """A picture as `datasets` holds it."""
    return {"bytes": data, "path": None}


def front_matter(
    configs: dict[str, str], manifest: Manifest, files: dict[str, dict], columns: dict[str, str] | None = None
) -> str:
    """A README's front matter: config name -> glob. The first is the default. `columns`, for JSON lines that do not
    all have the same: `dtype: string` or `sequence: int32` by name.

    `datasets` caches the rows of a local folder under the folder's name and its configs: without the digest of the
    content, the rows of another export into a folder of that name would be loaded.
    """
    hashes = [file.sha256 for file in manifest.files()] + [files[name]["sha256"] for name in sorted(files)]
    content = f"  description: content {digest(*hashes)[:16]}"
    lines = ["---", "configs:"]
    for place, (name, glob) in enumerate(configs.items()):
        lines += [f"- config_name: {name}", content, "  data_files:", "  - split: train", f"    path: {glob}"]
        lines += ["  default: true"] if place == 0 else []
    if columns:
        lines += ["dataset_info:", f"- config_name: {next(iter(configs))}", "  features:"]
        lines += [f"  - name: {name}\n    {kind}" for name, kind in columns.items()]
    return "\n".join([*lines, "---", ""])


def _leaves(fields: Iterable[pa.Field], start: str = "") -> Iterator[str]:
    """Parquet's names of the columns that lie under some fields: `steps.list.element.image.bytes`."""
    for field in fields:
        path, kind = f"{start}{field.name}", field.type
        while pa.types.is_list(kind) or pa.types.is_large_list(kind):
            path, kind = f"{path}.list.element", kind.value_type
        yield from _leaves(kind, f"{path}.") if pa.types.is_struct(kind) else [path]


def _slices(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, float]]:
    """Parts of the batches, and the bytes of a row, on average over its batch: to count each part's would take longer
    than to write it."""
    for batch in batches:
        average = batch.nbytes / max(1, batch.num_rows)
        step = max(1, min(ROWS, int(BYTES / max(1.0, average))))
        for start in range(0, batch.num_rows, step):
            yield batch.slice(start, step), average


def _batches(schema: pa.Schema, rows: Iterable[dict[str, Any]]) -> Iterator[pa.RecordBatch]:
    held: list[dict[str, Any]] = []
    for row in rows:
        held.append(row)
        if len(held) == ROWS:
            yield pa.RecordBatch.from_pylist(held, schema=schema)
            held = []
    if held:
        yield pa.RecordBatch.from_pylist(held, schema=schema)
