"""What an output folder holds: the run's memory between commits, kills and resumes.

Contract: `OUT/.work/ledger.jsonl` has one line for the run's identity and one for every committed
shard, appended and fsynced by the driver *after* the shard's files have their final names. A line
cut short by a kill is ignored; its shard is simply made again. A finished run has no `.work`: its
manifest holds the same entries, and opening the folder again turns it back into a ledger as soon as
there is something to do, never before.

One driver at a time: `OUT/.work/lock` is held with flock, which a killed process releases.
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from zero_engine.contracts.manifest import ModelInfo, ShardEntry
from zero_engine.errors import OutputError
from zero_engine.pipeline import Pipeline
from zero_engine.write.atomic import commit, disk_errors
from zero_engine.write.finish import unfinish
from zero_engine.write.manifest import MANIFEST, read_manifest

OURS = {"data", "candidates", "rejected", "README.md", "manifest.json", "stats.json", "report.html", ".work"}


class Ledger:
    """Committed shards of one output folder, by index. Use `open_ledger`."""

    def __init__(
        self, out: Path, entries: dict[int, ShardEntry], finished: bool, model: ModelInfo | None = None
    ) -> None:
        self.out = out
        self.entries = entries
        self.model = model
        self.finished = finished
        self._file = None
        self._lock = None

    @property
    def work(self) -> Path:
        return self.out / ".work"

    def begin(self, pipeline: Pipeline) -> None:
        """Take the folder for writing: lock it, clear stale temporaries, withdraw an old manifest.

        Raises OutputError where another run holds the folder.
        """
        with disk_errors(self.out):
            for folder in ("data", "candidates", "rejected", ".work"):
                (self.out / folder).mkdir(parents=True, exist_ok=True)
            self._lock = open(self.work / "lock", "w")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(
                    f"{self.out}: another run is writing to this folder. Wait for it, or choose another --output."
                ) from None
            for stale in self.work.glob("*.tmp"):
                stale.unlink(missing_ok=True)
            self._rewrite(pipeline)
            unfinish(self.out)
        self.finished = False

    def commit(self, entry: ShardEntry, temporary: dict[str, str]) -> None:
        """Give a shard's files their final names, then write its line. The order makes a kill harmless."""
        with disk_errors(self.out):
            if entry.index in self.entries:
                self._append({"void": entry.index})
            for path, name in temporary.items():
                commit(Path(path), self.out / name)
            self._append(entry.model_dump(mode="json"))
        self.entries[entry.index] = entry

    def describe(self, model: ModelInfo) -> None:
        """Remember the model that drew, for the manifest."""
        if model != self.model:
            self.model = model
            self._append({"model": model.model_dump(mode="json")})

    def drop_beyond(self, shards: int) -> None:
        """Forget shards that the input no longer has."""
        for index in [i for i in self.entries if i >= shards]:
            del self.entries[index]

    def close(self, finished: bool) -> None:
        """Release the folder. A finished run leaves no work folder behind, a failed first one no folders."""
        if self._file:
            self._file.close()
        if finished or not self.entries:
            shutil.rmtree(self.work, ignore_errors=True)
        if not finished and not self.entries:
            for folder in (*(self.out / name for name in ("data", "candidates", "rejected")), self.out):
                with contextlib.suppress(OSError):  # not empty: somebody's files
                    folder.rmdir()
        if self._lock:
            self._lock.close()

    def _rewrite(self, pipeline: Pipeline) -> None:
        """Start the ledger file afresh with all that is known, under a temporary name first."""
        path = self.work / "ledger.jsonl"
        temporary = self.work / "ledger.tmp"
        self._file = open(temporary, "w", encoding="utf-8")
        self._append(identity(pipeline))
        if self.model:
            self._append({"model": self.model.model_dump(mode="json")})
        for index in sorted(self.entries):
            self._file.write(_line(self.entries[index].model_dump(mode="json")))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        commit(temporary, path)
        self._file = open(path, "a", encoding="utf-8")

    def _append(self, value: dict) -> None:
        self._file.write(_line(value))
        self._file.flush()
        os.fsync(self._file.fileno())


def open_ledger(out: Path, pipeline: Pipeline, overwrite: bool = False) -> Ledger:
    """Read what `out` holds, writing nothing.

    Raises OutputError where the folder belongs to another pipeline, or is not ours at all, unless
    `overwrite` says that it may be replaced (then its dataset files go when the run begins).
    """
    if not out.exists() or not any(out.iterdir()):
        return Ledger(out, {}, False)
    if not out.is_dir():
        raise OutputError(f"{out}: is a file. Choose a folder for --output.")
    strangers = sorted(p.name for p in out.iterdir() if p.name not in OURS)
    owner = read_identity(out)
    if owner is None and not _only_work(out):
        raise OutputError(
            f"{out}: not empty and not a zero-engine dataset (it holds {(strangers or ['files'])[0]}). "
            "Choose an empty folder for --output."
        )
    mine = identity(pipeline)
    if owner is not None and owner != mine and not overwrite:
        key = next(k for k in mine if owner.get(k) != mine[k])
        raise OutputError(
            f"{out}: holds the dataset of another pipeline ({key} {owner.get(key)!r}, this one has {mine[key]!r}). "
            "Choose another --output, or pass --overwrite to replace it."
        )
    if owner is not None and owner != mine:
        return Ledger(out, {}, False)
    return Ledger(out, committed(out), (out / MANIFEST).exists(), _model(out))


def identity(pipeline: Pipeline) -> dict:
    """What makes a folder this pipeline's: its name and its input. Parameters may change; rows follow."""
    return {"name": pipeline.name, "input": pipeline.input.path, "format": pipeline.input.format}


def read_identity(out: Path) -> dict | None:
    """The identity of the pipeline that a folder belongs to; None where there is none."""
    if (out / MANIFEST).exists():
        return identity(Pipeline.model_validate(read_manifest(out).pipeline))
    for line in _lines(out / ".work" / "ledger.jsonl"):
        return line if "name" in line else None
    return None


def committed(out: Path) -> dict[int, ShardEntry]:
    """Shards that a folder holds, by index, from its manifest or its ledger; a shard's last line counts."""
    if (out / MANIFEST).exists():
        return {entry.index: entry for entry in read_manifest(out).shards}
    entries: dict[int, ShardEntry] = {}
    for line in _lines(out / ".work" / "ledger.jsonl"):
        if "void" in line:  # its files were being replaced
            entries.pop(line["void"], None)
        elif "index" in line:
            entries[line["index"]] = ShardEntry.model_validate(line)
    return entries


def _model(out: Path) -> ModelInfo | None:
    if (out / MANIFEST).exists():
        return read_manifest(out).model
    found = [line["model"] for line in _lines(out / ".work" / "ledger.jsonl") if "model" in line]
    return ModelInfo.model_validate(found[-1]) if found else None


def is_locked(out: Path) -> bool:
    """Whether a run is writing to the folder right now."""
    try:
        with open(out / ".work" / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def _lines(path: Path) -> Iterator[dict]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    yield json.loads(line)
                except ValueError:  # the line that a kill cut short; its shard is made again
                    return
    except OSError:
        return


def _only_work(out: Path) -> bool:
    """A folder where a run died before its ledger stood: nothing of anybody's is in it."""
    return not any(p.is_file() and p.suffix != ".tmp" and p.name != "lock" for p in out.rglob("*"))


def _line(value: dict) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
