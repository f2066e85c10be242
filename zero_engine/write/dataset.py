"""Open a finished dataset, memory-mapped: the one road by which rows reach a trainer or a report.

`open_dataset` gives what the library `datasets` gives; `open_rows` the bare record batches,
and `read_rows` what a trainer learns of them.

Refused: a folder without a manifest (a run cut short), a file that the manifest does not list (left
by somebody else, or half a copy), a listed file that is missing or of another size. `validate` looks deeper.
"""

import bisect
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from zero_engine.contracts.manifest import Manifest, ShardFile
from zero_engine.errors import OutputError, command
from zero_engine.hashing import digest, digest_file
from zero_engine.write.finish import unlisted_files
from zero_engine.write.folder import DATA, MANIFEST
from zero_engine.write.manifest import read_manifest
from zero_engine.write.place import is_there, small, takes_store
from zero_engine.write.plain import digest_now, plain_size

if TYPE_CHECKING:
    import datasets

CONFIGS = ("default", "candidates")
VERIFY_BYTES = 2 << 30
"""A few seconds of reading."""
COLUMNS = ["id", "question", "question_images", "answer", "choices", "steps"]
"""What a training or an evaluation reads of a row: the columns that `read_rows` needs."""


@takes_store()
def open_dataset(
    path: str | Path, config: str = "default", streaming: bool = False, verify: bool | None = None
) -> "datasets.Dataset | datasets.IterableDataset":
    """The rows (`default`) or the drawings (`candidates`) of a finished dataset.

    Nothing is copied (a folder in an object store is fetched first): a `datasets.Dataset` over memory-mapped files, or
    with `streaming` an IterableDataset. `verify` reads every byte first and compares it with the manifest; None does so
    for datasets of up to VERIFY_BYTES. Raises OutputError where the folder is not a finished, untouched dataset.
    """
    out = Path(path)
    files = _verified(out, config, verify)
    from datasets import Dataset, IterableDataset, NamedSplit
    from datasets.table import MemoryMappedTable, concat_tables

    # one Dataset over all tables: Dataset.from_file for each would parse the features each time
    table = concat_tables([MemoryMappedTable.from_file(str(out / file.name)) for file in files])
    rows = Dataset(table, split=NamedSplit("train"), fingerprint=_fingerprint(files))
    if not streaming:
        return rows
    if not len(rows):  # to_iterable_dataset refuses an empty table
        return IterableDataset.from_generator(_nothing, features=rows.features)
    return rows.to_iterable_dataset(num_shards=min(len(files), len(rows)))


def _verified(out: Path, config: str = "default", verify: bool | None = None) -> list[ShardFile]:
    files = check_files(out, read_manifest(out), config)
    if verify or (verify is None and sum(file.bytes for file in files) <= VERIFY_BYTES):
        for file in files:
            check_bytes(out, file)
    return files


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows by position, as the record batches that lie in the files: memory-mapped, and no value is touched."""

    batches: list[pa.RecordBatch]
    ends: list[int]
    """Position after the last row of each batch."""
    fingerprint: str
    """16 hex digits over the content of all files."""
    limit: int | None = None

    def __len__(self) -> int:
        return min(self.ends[-1] if self.ends else 0, self.limit if self.limit is not None else sys.maxsize)

    def at(self, position: int) -> tuple[pa.RecordBatch, int]:
        """The batch that holds a row, and the row's place in it. Raises IndexError."""
        if not 0 <= position < len(self):
            raise IndexError(f"row {position} of {len(self)}")
        number = bisect.bisect_right(self.ends, position)
        batch = self.batches[number]
        return batch, position - (self.ends[number] - batch.num_rows)


@takes_store(lambda name: name.startswith(DATA) or small(name))
def open_rows(path: str | Path, columns: Sequence[str], limit: int | None = None) -> Rows:
    """Some columns of the rows of a finished dataset, the first `limit` rows of it. Raises as `open_dataset` does."""
    out = Path(path)
    files = _verified(out)
    batches: list[pa.RecordBatch] = []
    for file in files:
        try:
            with pa.memory_map(str(out / file.name)) as source, pa.ipc.open_stream(source) as reader:
                batches += [batch.select(list(columns)) for batch in reader if batch.num_rows]
        except (OSError, pa.ArrowException) as error:  # damaged, in a dataset too large to be read first
            said = str(error).splitlines()[0].rstrip(".")
            raise OutputError(
                f"{out / file.name}: cannot be read ({said}). Run `{command('validate', out)}`."
            ) from None
    ends = list(accumulate(batch.num_rows for batch in batches))
    return Rows(batches, ends, _fingerprint(files), limit)


def read_rows(rows: Rows, positions: Sequence[int]) -> Iterator[dict]:
    """Rows by position, straight from the memory-mapped columns: no picture of a step is touched."""
    for position in positions:
        batch, at = rows.at(position)
        row = {name: batch.column(name)[at].as_py() for name in COLUMNS if name != "steps"}
        row["question_images"] = [image["bytes"] for image in row["question_images"]]
        row["steps"] = _steps(batch.column("steps"), at)
        yield row


def _steps(steps, at: int) -> list[dict]:
    """The steps of one row of an Arrow list array, of which nothing but texts and codes is read."""
    words, codes = steps.values.field("text"), steps.values.field("codes")
    start, end = (bound.as_py() for bound in steps.offsets[at : at + 2])
    return [
        {"text": words[i].as_py(), "codes": codes[i].values.to_numpy() if codes[i].is_valid else None}
        for i in range(start, end)
    ]


def is_dataset(path: str | Path) -> bool:
    """Whether a finished dataset lies there."""
    return is_there(path, MANIFEST)


@takes_store(lambda name: name == MANIFEST)
def manifest_digest(path: str | Path) -> str:
    """sha256 of a dataset's manifest, which names the content of all its files."""
    return digest_file(Path(path) / MANIFEST)


def _fingerprint(files: Sequence[ShardFile]) -> str:
    return digest(*(file.sha256 for file in files))[:16]


def _nothing() -> Iterator[dict]:
    yield from ()


def check_files(out: Path, manifest: Manifest, config: str = "default") -> list[ShardFile]:
    """Files of a config, checked by name and size. Raises OutputError as `open_dataset` says."""
    if config not in CONFIGS:
        raise OutputError(f"{out}: no config {config!r}. There are: {', '.join(CONFIGS)}.")
    if unlisted := unlisted_files(out, manifest):
        raise OutputError(
            f"{out}: {unlisted[0]} is not in the manifest ({len(unlisted)} such). "
            "Move it away, or run again to remake the folder."
        )
    kept = [shard.data if config == "default" else shard.candidates for shard in manifest.shards]
    files = [file for file in kept if file is not None]
    if not files:
        raise OutputError(f"{out}: has no {config}: nothing was drawn (render.generator: none).")
    for file in files:
        size = plain_size(out, file.name)
        if size != file.bytes:
            found = (
                "is missing, or no plain file"
                if size is None
                else f"has {size:,} bytes where the manifest has {file.bytes:,}"
            )
            raise OutputError(f"{out / file.name}: {found}. Copy it again, or run again to remake it.")
    return files


def check_bytes(out: Path, file: ShardFile) -> Path:
    """The path of a listed file, whose bytes are those that were committed. Raises OutputError where they are not."""
    path = out / file.name
    if not is_whole(out, file):
        raise OutputError(
            f"{path}: missing, or its bytes are not those that were committed. "
            f"Run again, or `{command('recover', out)}`, to remake it."
        )
    return path


def is_whole(out: Path, file: ShardFile) -> bool:
    """Whether a listed file is a plain one with the bytes that were committed; reads all of it."""
    return plain_size(out, file.name) == file.bytes and digest_now(out / file.name) == file.sha256
