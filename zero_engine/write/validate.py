"""Re-read every byte of a dataset and say whether it is what its manifest says.

Files are streamed batch by batch; what is held is 8 bytes a row (ids, hashed) and the kept drawings of one
shard. A fault never stops the reading: every check reports its first fault and how many there are.

    files       listed files present, plain and of the right size, nothing unlisted, what loads the folder is there
    sha256      every file's bytes
    schema      every table has exactly the published columns
    rows        row counts of files, shards and manifest agree
    accounting  traces in = rows + whole-trace rejections, in every shard and in all
    ids         unique
    nulls       null only where it has a meaning; valid UTF-8
    steps       indices ascending; kept means drawn, text_only means not
    codes       inside the codebook, as many as a picture has
    pictures    decode; a drawing to the size that the model draws; others say how much of them their codes hold
    candidates  every kept drawing lies in candidates/ with the same codes and picture
    rejections  strict JSON lines with exactly the published keys
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from zero_engine.contracts.manifest import Manifest, ShardEntry, ShardFile
from zero_engine.contracts.rows import (
    CANDIDATE,
    SCHEMA_VERSION,
    TRAJECTORY,
    Column,
    arrow_schema,
    columns_at,
    features,
)
from zero_engine.hashing import digest_file
from zero_engine.write.faults import (
    bad_codes,
    bad_origins,
    bad_picture,
    bad_steps,
    kept_drawings,
    null_columns,
    origins_of,
)
from zero_engine.write.finish import side_files, unlisted_files
from zero_engine.write.manifest import read_manifest
from zero_engine.write.place import takes_store
from zero_engine.write.plain import plain_size
from zero_engine.write.rejections import FIELDS

CHECKS = (
    "files",
    "sha256",
    "schema",
    "rows",
    "accounting",
    "ids",
    "nulls",
    "steps",
    "codes",
    "pictures",
    "candidates",
    "rejections",
)


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found: figures where all is well, else the first fault and their number."""

    name: str
    ok: bool
    detail: str


@takes_store(fresh=True)
def validate_dataset(out: str | Path, on_file: Callable[[str], None] = lambda name: None) -> list[Check]:
    """Run every check; `on_file` hears the name of each file before it is read.

    Raises OutputError where there is no manifest: then there is no dataset to check.
    """
    out = Path(out)
    manifest = read_manifest(out)
    audit = _Audit(out, manifest, on_file)
    audit.check_files()
    for shard in manifest.shards:
        try:
            audit.check_shard(shard)
        except (
            Exception
        ) as error:  # damage that no check below foresaw; it is a fault, never the end of the checks
            problem = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            audit.fault("schema", f"shard {shard.index}: cannot be read ({problem})")
    audit.check_totals()
    return audit.report()


class _Audit:
    """The state of a validation: faults and figures so far, by check."""

    def __init__(self, out: Path, manifest: Manifest, on_file: Callable[[str], None]) -> None:
        self.out, self.manifest, self.on_file = out, manifest, on_file
        self.first_fault: dict[str, str] = {}
        self.faults = dict.fromkeys(CHECKS, 0)
        self.seen = dict.fromkeys(CHECKS, 0)
        self.id_hashes: list[np.ndarray] = []
        self.whole_rejections = 0
        self.decoded = manifest.pipeline.get("output", {}).get("pixels") == "decoded"
        """Whether rows show what codes decode to, whatever the pictures came from."""

    def fault(self, check: str, detail: str) -> None:
        self.faults[check] += 1
        self.first_fault.setdefault(check, detail)

    def check_files(self) -> None:
        for name in unlisted_files(self.out, self.manifest):
            self.fault("files", f"{name}: not in the manifest")
        if self.manifest.schema_version == SCHEMA_VERSION:
            for problem in side_files(self.out, self.manifest):
                self.fault("files", problem)

    def check_shard(self, shard: ShardEntry) -> None:
        kept: dict[tuple[str, int, int], bytes] = {}
        rows = 0
        for batch in self._tables(shard.data, TRAJECTORY):
            self._check_rows(shard.data.name, rows, batch)
            kept.update(kept_drawings(batch, self.decoded))
            rows += batch.num_rows
        self._expect("rows", shard.data.name, "rows", rows, shard.data.rows)
        self._expect("rows", shard.data.name, "rows", shard.counts["rows"], shard.data.rows)
        self._check_candidates(shard, kept)
        whole = self._check_rejections(shard.rejections) if shard.rejections else 0
        self.whole_rejections += whole
        where = f"shard {shard.index}"
        self._expect("accounting", where, "whole-trace rejections", whole, shard.counts["rejected_traces"])
        self._expect(
            "accounting", where, "rows + whole-trace rejections", rows + whole, shard.counts["traces"]
        )

    def check_totals(self) -> None:
        counts, shards = self.manifest.counts, self.manifest.shards
        for name in ("records", "traces", "rows", "rejected_traces"):
            total = sum(shard.counts[name] for shard in shards)
            self._expect("accounting", "manifest", name, counts[name], total)
        self._expect(
            "accounting", "manifest", "input records", self.manifest.input.records, counts["records"]
        )
        position = 0
        for shard in shards:
            self._expect("accounting", f"shard {shard.index}", "first row", shard.first_row, position)
            position += shard.records
        self._check_ids()

    def report(self) -> list[Check]:
        counts = self.manifest.counts
        figures = {
            "files": f"{len(self.manifest.files()):,} files",
            "rows": f"{self.seen['rows']:,} rows in {len(self.manifest.shards):,} shards",
            "accounting": f"{counts['traces']:,} traces = {self.seen['rows']:,} rows "
            f"+ {self.whole_rejections:,} whole-trace rejections",
        }
        checks = []
        for name in CHECKS:
            if count := self.faults[name]:
                more = f" (and {count - 1:,} more)" if count > 1 else ""
                checks.append(Check(name, False, self.first_fault[name] + more))
            else:
                checks.append(Check(name, True, figures.get(name, f"{self.seen[name]:,} checked")))
        return checks

    def _tables(self, file: ShardFile, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:
        """Batches of a table whose bytes and schema have been looked at; stops where it cannot be read."""
        if not self._check_bytes(file):
            return
        version = self.manifest.schema_version
        expected = arrow_schema(columns, version)
        try:
            with pa.memory_map(str(self.out / file.name)) as source, pa.ipc.open_stream(source) as reader:
                self.seen["schema"] += 1
                if not reader.schema.equals(expected) or _features(reader.schema) != features(
                    columns, version
                ):
                    self.fault("schema", f"{file.name}: columns are not those of schema version {version}")
                    return
                for batch in reader:
                    batch.validate(full=True)
                    yield batch
        except (pa.ArrowException, OSError) as error:
            self.fault("schema", f"{file.name}: cannot be read as Arrow ({str(error).splitlines()[0]})")

    def _check_bytes(self, file: ShardFile) -> bool:
        """Presence, size and sha256 of one file; whether it is there to be read."""
        self.on_file(file.name)
        path = self.out / file.name
        size = plain_size(self.out, file.name)
        if size is None:
            self.fault("files", f"{file.name}: missing, or no plain file")
            return False
        self._expect("files", file.name, "bytes", size, file.bytes)
        self.seen["sha256"] += 1
        if digest_file(path) != file.sha256:
            self.fault("sha256", f"{file.name}: the bytes are not those that were committed")
        return True

    def _check_rows(self, name: str, first: int, batch: pa.RecordBatch) -> None:
        self.seen["rows"] += batch.num_rows
        self._check_nulls(name, first, batch, TRAJECTORY)
        ids = batch.column("id").to_pylist()
        self.id_hashes.append(np.fromiter(map(_hash_id, ids), np.uint64, len(ids)))
        steps = batch.column("steps").flatten()
        self.seen["steps"] += len(steps)
        for row, problem in bad_steps(batch.column("steps")):
            self.fault("steps", f"{name}, the row {ids[row]!r}: {problem}")
        self._check_drawings(name, steps, self.decoded)
        asked = batch.column("question_images").flatten().field("bytes")
        self._check_pictures(name, asked, [False] * len(asked))

    def _check_drawings(self, name: str, drawings: pa.StructArray, decoded: bool) -> None:
        """Codes, origins and pictures of rows or candidates; `decoded` says that all pictures are the model's."""
        codes = drawings.field("codes")
        self.seen["codes"] += len(codes) - codes.null_count
        for problem in bad_codes(codes, self.manifest.model):
            self.fault("codes", f"{name}: {problem}")
        for problem in bad_origins(drawings):
            self.fault("pictures", f"{name}: {problem}")
        models = [decoded or origin == "drawn" for origin in origins_of(drawings)]
        self._check_pictures(name, drawings.field("image").field("bytes"), models)

    def _check_pictures(self, name: str, images: pa.Array, models: Sequence[bool]) -> None:
        """Each picture by its bytes; `models` says which have to be of the model's size."""
        for image, of_model in zip(images, models, strict=True):
            if not image.is_valid:
                continue
            self.seen["pictures"] += 1
            if fault := bad_picture(image.as_buffer(), self.manifest.model if of_model else None):
                self.fault("pictures", f"{name}: {fault}")

    def _check_candidates(self, shard: ShardEntry, kept: dict[tuple[str, int, int], bytes]) -> None:
        """Stream the drawings past the kept ones, striking out each that is found unchanged."""
        self.seen["candidates"] += len(kept)
        if shard.candidates is not None:
            rows = 0
            for batch in self._tables(shard.candidates, CANDIDATE):
                self._check_nulls(shard.candidates.name, rows, batch, CANDIDATE)
                self._check_drawings(shard.candidates.name, batch.to_struct_array(), decoded=False)
                rows += batch.num_rows
                for key, content in kept_drawings(batch, self.decoded).items():
                    if kept.get(key) == content:
                        del kept[key]
            self._expect("rows", shard.candidates.name, "rows", rows, shard.candidates.rows)
        for trace_id, step, attempt in kept:
            where = f"{shard.data.name}: trace {trace_id!r} step {step + 1} attempt {attempt}"
            self.fault("candidates", f"{where}: not in candidates/ with the same codes and picture")

    def _check_rejections(self, file: ShardFile) -> int:
        """Read rejections; returns how many reject a whole trace."""
        if not self._check_bytes(file):
            return 0
        rows = whole = 0
        with open(self.out / file.name, "rb") as lines:
            for line in lines:
                rows += 1
                try:
                    letter = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
                    if tuple(letter) != FIELDS:
                        raise ValueError(f"keys are {', '.join(letter)}")
                    whole += letter["step"] is None
                except (ValueError, TypeError) as error:
                    self.fault("rejections", f"{file.name} line {rows}: {error}")
        self.seen["rejections"] += rows
        self._expect("rows", file.name, "lines", rows, file.rows)
        return whole

    def _check_nulls(self, name: str, first: int, batch: pa.RecordBatch, columns: tuple[Column, ...]) -> None:
        self.seen["nulls"] += batch.num_rows
        for column in null_columns(batch, columns_at(columns, self.manifest.schema_version)):
            self.fault("nulls", f"{name}, rows {first + 1} to {first + batch.num_rows}: {column} is null")

    def _check_ids(self) -> None:
        hashes = np.sort(np.concatenate([np.empty(0, np.uint64), *self.id_hashes]))
        self.seen["ids"] = len(hashes)
        twice = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
        if not len(twice):
            return  # else a second look at the files, for names
        for shard in self.manifest.shards:
            for trace_id in _ids(self.out / shard.data.name):
                if _hash_id(trace_id) in twice:
                    self.fault("ids", f"{shard.data.name}: {trace_id!r} is the id of more than one row")

    def _expect(self, check: str, where: str, what: str, found: int, expected: int) -> None:
        if found != expected:
            self.fault(check, f"{where}: {found:,} {what} where {expected:,} are due")


def _hash_id(trace_id: str | None) -> int:
    data = (trace_id or "").encode("utf-8")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _ids(path: Path) -> Iterator[str | None]:
    """Ids of a table, as far as it can be read; what cannot has been reported before."""
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
            for batch in reader:
                yield from batch.column("id").to_pylist()
    except (pa.ArrowException, OSError):
        return


def _features(schema: pa.Schema) -> object:
    try:
        return json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError):
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not strict JSON")
