"""An export as a job: shards of a fixed range of rows, committed one by one, counted at the end.

    DIR/ what the format asks for      export.json   written last: identity, counts, files with bytes and sha256
         left_out.jsonl                 rows that the format cannot hold, each with its reason (absent where none)
         .export/                       shards under way and what is committed; gone when the export is done

A shard is written aside and moved into place, so a file under its final name is complete; the same command goes on
after a kill, and the bytes are a function of the dataset, the format and its options. At the end rows = written +
left out is checked, and that every file holds as many samples as were written into it.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pyarrow as pa

from zero_engine.config import refuse_address
from zero_engine.contracts.manifest import Manifest, ShardFile
from zero_engine.errors import OutputError
from zero_engine.hashing import digest, digest_file
from zero_engine.progress import Progress, Silent
from zero_engine.write.atomic import atomic_write, disk_errors
from zero_engine.write.dataset import check_bytes, check_files
from zero_engine.write.export.rows import SUFFIXES, Row, any_given, groups_of, read_batches, read_rows
from zero_engine.write.export.stopped import (
    ASIDE,
    RECORD,
    in_threads,
    said_of,
    shards_or_nothing,
    tidy,
    unchanged,
    whole_folder,
)
from zero_engine.write.manifest import read_manifest
from zero_engine.write.place import takes_store

LEFT_OUT = "left_out.jsonl"
PICTURES = frozenset(suffix for _, suffix in SUFFIXES) | {".bin"}
"""Picture files are counted, not listed: there may be millions."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may say of an export. `model`: a name or folder, for formats of tokens."""

    model: str | None = None
    template: str | None = None
    max_length: int | None = None
    rows_per_shard: int = 10_000


TELL_EVERY = 50
"""Rows between two signs of life."""


@dataclass(slots=True)
class Shard:
    """What a format's writer gets: a range of rows to read, a folder to write into, and where to account for both."""

    index: int
    folder: Path
    """Write here, under the names that the files have in the export."""
    out: Path
    files: Sequence[ShardFile]
    options: Options
    candidates: Sequence[ShardFile]
    """Files of all drawings of these rows."""
    given: bool
    """Whether any question of the whole dataset has a picture."""
    first: int = 0
    """Place of its first row in the dataset."""
    progress: Progress = field(default_factory=Silent)
    samples: int = 0
    """Samples written; may differ from rows where a format makes several of one."""
    seen: int = 0
    held: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    """What the format cannot hold of the rows that it holds, and what had to be changed: counts by name."""
    left: list[dict[str, str]] = field(default_factory=list)
    stopped: Event = field(default_factory=Event)
    """Set where nobody waits for this shard any more."""

    def batches(self, files: Sequence[ShardFile]) -> Iterator[pa.RecordBatch]:
        """The record batches of some files."""
        for batch in read_batches(self.out, files):
            if self.stopped.is_set():
                raise OutputError(f"{self.out}: the export was stopped.")
            yield batch

    def rows(self) -> Iterator[Row]:
        """The rows; each counts as held unless `leave_out` says otherwise before the next one is taken."""
        for row in read_rows(self.out, self.files):
            self.seen += 1
            self.held += 1
            if self.seen % TELL_EVERY == 0:
                self.progress.update(self.first + self.seen)
            yield row

    def leave_out(self, row: Row, reason: str, detail: str) -> None:
        self.held -= 1
        self.left.append({"id": row.id, "reason": reason, "detail": detail})

    @property
    def model(self) -> str:
        """The model of a format that needs one."""
        assert self.options.model is not None, "export_dataset refuses a format of ids without a model"
        return self.options.model

    def path(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True, slots=True)
class Format:
    """One way out. `write` writes a shard; `finish` says the text files that belong to the whole."""

    name: str
    summary: str
    write: Callable[[Shard], None]
    count: Callable[[Path], int]
    """Samples in one of the files that `write` left; 0 for a file that holds none."""
    finish: Callable[[Path, Path, Manifest, dict[str, dict], Options], dict[str, str]] = lambda *_: {}
    """Text files of the whole, by name: from dataset, target, manifest, and the files with their sha256 and samples."""
    loses: str = ""
    """What the format has no place for, in words."""
    needs_model: bool = False
    takes: frozenset[str] = frozenset()
    """Which of `template` and `max_length` it takes."""
    threads: bool = False
    """Whether several shards are written at once, in threads."""


@takes_store(at=1)
def run_export(
    fmt: Format,
    dataset: str | Path,
    directory: str | Path,
    options: Options,
    say: Callable[[str], None] = print,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a dataset in another format, or finish doing so; returns what `export.json` holds.

    Raises OutputError where the dataset is not finished, the folder holds something else, or a count is wrong.
    """
    refuse_address(directory)
    out, target, progress = Path(dataset), Path(directory), progress or Silent()
    manifest = read_manifest(out)
    progress.stage(f"checking {out}")
    files = check_files(out, manifest)
    for _ in in_threads(lambda file: check_bytes(out, file), files):  # what is damaged is not handed on
        pass
    identity: dict[str, Any] = {
        "format": fmt.name,
        "dataset": digest(*(file.sha256 for file in manifest.files())),
        "options": {name: getattr(options, name) for name in Options.__slots__ if name != "model"},
    }
    if options.model is not None:
        from zero_engine.models import model_fingerprint

        identity["options"]["model"] = model_fingerprint(options.model)
    with disk_errors(target):
        if (record := _finished(target, identity)) is not None:
            say(f"{target}: done already")
            return record
        _refuse_others(target, identity)
        with shards_or_nothing(target):
            if (record := _finished(target, identity)) is not None:  # by one that had the folder until now
                return record
            done = _committed(target, identity)
            groups = groups_of(files, options.rows_per_shard)
            progress.stage(f"writing {fmt.name}", sum(file.rows for file in files), "rows")
            with unchanged(out, files):
                given = any_given(out, files)
            drawn = {shard.data.name: shard.candidates for shard in manifest.shards}
            shards, first = [], 0
            for index, group in enumerate(groups):
                folder = target / ASIDE / f"shard-{index:05d}"
                candidates = [part for file in group if (part := drawn[file.name]) is not None]
                shards.append(Shard(index, folder, out, group, options, candidates, given, first, progress))
                first += sum(file.rows for file in group)
            due = [shard for shard in shards if shard.index not in done]
            with closing(_written(fmt, due, target)) as entries:
                for shard, entry in zip(due, entries, strict=True):
                    done[shard.index] = entry
                    progress.update(shard.first + entry["rows"])
                    say(f"shard {shard.index + 1} of {len(groups)}: {entry['rows']:,} rows")
            written = [done[shard.index] for shard in shards]
            return _finish(fmt, out, manifest, target, options, identity, written)


def _written(fmt: Format, shards: Sequence[Shard], target: Path) -> Generator[dict[str, Any], None, None]:
    """What is said of each shard once it is written, in their order."""
    if not fmt.threads:
        yield from (_write(fmt, shard, target) for shard in shards)
        return

    def stop() -> None:  # each stops at its next batch
        for shard in shards:
            shard.stopped.set()

    yield from in_threads(lambda shard: _write(fmt, shard, target), shards, stop)


def _write(fmt: Format, shard: Shard, target: Path) -> dict[str, Any]:
    with whole_folder(shard.folder), unchanged(shard.out, shard.files):
        fmt.write(shard)
    due = sum(file.rows for file in shard.files)
    if shard.seen != due or shard.held + len(shard.left) != due:
        raise OutputError(
            f"{target}: shard {shard.index}: {shard.seen} rows read where {due} are due. Report this."
        )
    written = sorted(path for path in shard.folder.rglob("*") if path.is_file())
    pictures = [path for path in written if path.suffix in PICTURES]
    counts = {path: fmt.count(path) for path in written if path.suffix not in PICTURES}
    if sum(counts.values()) != shard.samples:
        raise OutputError(
            f"{target}: shard {shard.index}: {sum(counts.values())} samples in its files, {shard.samples} written. "
            "Run the same command again; if that does not help, check the disk."
        )
    entry = {
        "index": shard.index,
        "rows": shard.seen,
        "held": shard.held,
        "samples": shard.samples,
        "lost": dict(sorted(shard.lost.items())),
        "left_out": dict(sorted(Counter(left["reason"] for left in shard.left).items())),
        "pictures": len(pictures),
        "files": [_entry(shard.folder, path, samples) for path, samples in counts.items()],
    }
    if shard.stopped.is_set():
        shutil.rmtree(shard.folder, ignore_errors=True)
        raise OutputError(f"{target}: the export was stopped.")
    aside = target / ASIDE
    with atomic_write(aside / f"left-{shard.index:05d}.jsonl", "w") as file:
        file.writelines(json.dumps(left, ensure_ascii=False) + "\n" for left in shard.left)
    for path in written:
        final = target / path.relative_to(shard.folder)
        final.parent.mkdir(parents=True, exist_ok=True)
        path.chmod(0o644)
        path.replace(final)
    shutil.rmtree(shard.folder)
    with atomic_write(aside / f"done-{shard.index:05d}.json", "w") as file:
        json.dump(entry, file)
    return entry


def _entry(folder: Path, path: Path, samples: int) -> dict[str, Any]:
    name = path.relative_to(folder).as_posix()
    return {"name": name, "bytes": path.stat().st_size, "sha256": digest_file(path), "samples": samples}


def _finished(target: Path, identity: dict) -> dict[str, Any] | None:
    if not (target / RECORD).is_file():
        return None
    record = said_of(target / RECORD)
    if record.get("identity") != identity:
        other = record.get("identity", {}).get("format", "unknown")
        raise OutputError(f"{target}: holds another export ({other}). Choose another --output.")
    for file in record["files"]:
        if not _whole(target, file):
            path = target / file["name"]
            raise OutputError(
                f"{path}: missing or changed since the export. Remove {target} and export again."
            )
    if (target / ASIDE).is_dir():  # it was killed in its last moment
        tidy(target)
    return record


def _refuse_others(target: Path, identity: dict) -> None:
    """Raises OutputError where the folder holds something that is not this export."""
    aside = target / ASIDE
    if aside.is_dir():
        told = aside / "identity.json"
        if told.is_file() and said_of(told) != identity:
            raise OutputError(f"{target}: another export was begun here. Choose another --output.")
    elif target.exists() and not target.is_dir():
        raise OutputError(f"{target}: is a file. Choose a folder for --output.")
    elif target.exists() and any(target.iterdir()):
        raise OutputError(f"{target}: is not empty and no export of ours. Choose another --output.")


def _committed(target: Path, identity: dict) -> dict[int, dict[str, Any]]:
    """The shards that are done, by index; begins the export where there is none."""
    aside = target / ASIDE
    aside.mkdir(exist_ok=True)
    with atomic_write(aside / "identity.json", "w") as file:
        json.dump(identity, file)
    found = [said_of(path) for path in sorted(aside.glob("done-*.json"))]
    return {entry["index"]: entry for entry in found if all(_whole(target, file) for file in entry["files"])}


def _whole(target: Path, file: dict) -> bool:
    path = target / file["name"]
    return path.is_file() and path.stat().st_size == file["bytes"]


def _finish(
    fmt: Format, out: Path, manifest: Manifest, target: Path, options: Options, identity: dict, entries: list
) -> dict[str, Any]:
    files = [file for entry in entries for file in entry["files"]]
    totals = {name: sum(entry[name] for entry in entries) for name in ("rows", "held", "samples", "pictures")}
    lost: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for entry in entries:
        lost.update(entry["lost"])
        left.update(entry["left_out"])
    due = manifest.counts["rows"]
    if totals["rows"] != due or totals["held"] + sum(left.values()) != due:
        raise OutputError(
            f"{target}: {totals['held']} rows written and {sum(left.values())} left out, where the dataset has {due}. "
            "Check the dataset with zero-engine validate."
        )
    by_name = {file["name"]: file for file in files}
    for name, text in fmt.finish(out, target, manifest, by_name, options).items():
        with atomic_write(target / name, "w") as file:
            file.write(text)
    if left:
        with atomic_write(target / LEFT_OUT, "w") as file:
            for index in range(len(entries)):
                file.write((target / ASIDE / f"left-{index:05d}.jsonl").read_text(encoding="utf-8"))
    record = {
        "identity": identity,
        **totals,
        "left_out": dict(sorted(left.items())),
        "cannot_hold": dict(sorted(lost.items())),
        "no_place_for": fmt.loses,
        "files": files,
    }
    with atomic_write(target / RECORD, "w") as file:
        json.dump(record, file, indent=1)
        file.write("\n")
    tidy(target)
    return record
