"""The run's memory between commits, kills and resumes, and the only hand that gives files their names.

Contract: `.work/ledger.jsonl` has one line for every committed shard, appended and fsynced by the driver *after* the
shard's files have their final names (how it is read is `recorded`). A finished run has no `.work`: its manifest holds
the same entries, and opening the folder again turns it back into a ledger as soon as there is something to do, never
before. Drawings are never lost on the way: a file of drawings moves to `unused/` before another takes its name.

One driver at a time: `.work/lock` is held with flock, which a killed process releases. Where the folder lies in an
object store, `out` is its copy on this machine, and `twin` does the same there (`run.twin`).
"""

import contextlib
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from zero_engine.contracts.manifest import ModelInfo, ShardEntry
from zero_engine.errors import OutputError, command
from zero_engine.pipeline import Pipeline
from zero_engine.run.recorded import Recorded, ledger_line, recorded
from zero_engine.run.twin import Twin
from zero_engine.write.atomic import commit, disk_errors, make_folder, sweep
from zero_engine.write.finish import unfinish
from zero_engine.write.folder import ANSWERS, LEDGER, LOCK, MANIFEST, OURS, SHARD_FOLDERS, UNUSED, WORK
from zero_engine.write.plain import clear_the_way, digest_now, is_in_the_way, open_plain, require_folder
from zero_engine.write.unused import set_aside, set_strays_aside

LOCK_TRIES, LOCK_WAIT_S = 20, 0.05
Stamp = tuple[tuple[int, int, int] | None, ...]
"""inode, bytes and time of change of manifest and ledger; None for one that is not there, or no plain file."""


def stamp(out: Path) -> Stamp:
    """What changes when a run writes to the folder."""
    found: list[tuple[int, int, int] | None] = []
    for name in (MANIFEST, LEDGER):
        try:
            status = os.lstat(out / name)
            plain = stat.S_ISREG(status.st_mode)  # anything else is moved out of the way
            found.append((status.st_ino, status.st_size, status.st_mtime_ns) if plain else None)
        except OSError:
            found.append(None)
    return tuple(found)


def hold(out: Path) -> contextlib.ExitStack:
    """The folder's lock, held until it is closed. Raises OutputError where a run has it.

    It is tried for a second: `status` has it for a moment, and a run that ends clears it away.
    """
    for _ in range(LOCK_TRIES):
        make_folder(out)  # where it cannot be made, the error names what the user typed
        make_folder(out / WORK)
        if os.path.islink(out / WORK) or is_in_the_way(out / LOCK):
            raise OutputError(
                f"{out / LOCK}: no plain file. `{command('recover', out)}` moves it out of the way."
            )
        with (
            disk_errors(out),
            contextlib.suppress(FileNotFoundError, BlockingIOError),
            contextlib.ExitStack() as stack,
        ):
            lock = stack.enter_context(open_plain(out / LOCK, os.O_RDWR | os.O_CREAT))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock.fileno()), os.lstat(out / LOCK)):
                return stack.pop_all()
        time.sleep(LOCK_WAIT_S)
    raise OutputError(
        f"{out}: another run is writing to this folder. Wait for it, or choose another --output."
    )


@contextlib.contextmanager
def holding(out: Path) -> Iterator[None]:
    """No run writes to the folder meanwhile. Raises OutputError where one does."""
    with hold(out):
        yield
        if os.listdir(out / WORK) == [Path(LOCK).name]:
            shutil.rmtree(out / WORK, ignore_errors=True)


class Ledger:
    """Committed shards of one output folder, by index. Use `open_ledger`."""

    def __init__(self, out: Path, held: Recorded, twin: Twin | None = None) -> None:
        self.out = out
        self.held = held
        self.twin = twin or Twin()
        self.stamp: Stamp = (None, None)
        """Of the folder when it was read."""
        self.noticed: list[str] = []
        """What `begin` found and mended, a line each."""
        self._file: IO[str] | None = None
        self._lock: contextlib.ExitStack | None = None

    @property
    def entries(self) -> dict[int, ShardEntry]:
        return self.held.entries

    @property
    def finished(self) -> bool:
        return self.held.finished

    @property
    def model(self) -> ModelInfo | None:
        return self.held.model

    @property
    def work(self) -> Path:
        return self.out / WORK

    def begin(self, pipeline: Pipeline) -> None:
        """Take the folder for writing: lock it, clear stale temporaries, withdraw an old manifest, save stray drawings.

        Raises OutputError where another run holds the folder.
        """
        with disk_errors(self.out):
            moved = clear_the_way(self.out) if os.path.lexists(self.out) else {}
            self.noticed = [
                f"{self.out / name} is no plain file: moved to {place}" for name, place in moved.items()
            ]
            if self.held.is_lost:
                self.noticed.append(
                    f"{self.out}: manifest and ledger are lost or damaged: both are made again from its files."
                )
            self._lock = hold(self.out)
            if stamp(self.out) != self.stamp:
                self._lock.close()
                raise OutputError(
                    f"{self.out}: another run wrote to this folder while this one compared what is there. "
                    "Run the same command again."
                )
            for folder in SHARD_FOLDERS:
                make_folder(self.out / folder)
            for stale in self.work.glob("*.tmp"):
                stale.unlink(missing_ok=True)
            for folder in (".", *SHARD_FOLDERS):
                sweep(self.out / folder)
            set_strays_aside(self.out, self.held.digests(), self.held.trusts)
            lines = self._rewrite(pipeline)
            unfinish(self.out)
            self.twin.begin(lines)
        self.held.finished = False

    def commit(self, entry: ShardEntry, temporary: dict[str, str]) -> None:
        """Give a shard's files their final names, then write its line. The order makes a kill harmless."""
        self.twin.check()
        with disk_errors(self.out):
            old = self.entries.get(entry.index)
            if old:
                self._void(entry.index, entry)
            for made, name in temporary.items():
                self.twin.name(self.out, made, name)
            self._append(entry.model_dump(mode="json"))
            if old and old.rejections and not entry.rejections:
                (self.out / old.rejections.name).unlink(missing_ok=True)
                self.twin.push_names(old.rejections.name)
        self.held.put(entry)

    def describe(self, model: ModelInfo) -> str | None:
        """Remember the model that drew, for the manifest. Returns on what another process drew, where that differs."""
        before = self.model
        if model != before:
            self.held.model = model
            self._append({"model": model.model_dump(mode="json")})
        return before.device if before and before.device != model.device else None

    def drop_beyond(self, shards: int) -> None:
        """Forget shards that the input no longer has; their drawings are set aside."""
        with disk_errors(self.out):
            for index in [i for i in self.entries if i >= shards]:
                self._void(index, None)
                gone = self.entries.pop(index)
                for file in (gone.data, gone.rejections):
                    if file is not None:
                        (self.out / file.name).unlink(missing_ok=True)

    def finish(self) -> None:
        """The folder has its manifest."""
        self.twin.push()
        self.held.finished = True

    def close(self) -> None:
        """Release the folder. A finished run leaves no work folder, a failed first one no folder but for answers."""
        if self._file:
            self._file.close()
        self.twin.tell(now=True)
        answered = any((self.out / ANSWERS).glob("[0-9a-f]" * 32))
        if self.finished or not (self.entries or answered):
            shutil.rmtree(self.work, ignore_errors=True)
            self.twin.clear_work()
        if not (self.finished or self.entries or answered):
            for folder in (*(self.out / name for name in (*SHARD_FOLDERS, UNUSED)), self.out):
                with contextlib.suppress(OSError):  # not empty: somebody's files
                    folder.rmdir()
        if self._lock:
            self._lock.close()

    def _void(self, index: int, successor: ShardEntry | None) -> None:
        """A shard's entry counts no more. Its drawings are set aside, unless the successor has just the same file."""
        self._append({"void": index})
        old = self.entries[index].candidates
        new = successor.candidates if successor else None
        if old is None:
            return
        found = digest_now(self.out / old.name)
        if new and (
            found == new.sha256 or (new.sha256 == old.sha256 and not self.held.trusts(old.name, found))
        ):
            return  # the file as it is, or as it was before it was damaged
        place = set_aside(self.out, old.name, self.held.trusts)
        if place is not None:
            self.twin.push_names(place)

    def _rewrite(self, pipeline: Pipeline) -> list[str]:
        """Start the ledger file afresh with all that is known, under a temporary name first; returns its lines."""
        temporary = self.work / "ledger.tmp"
        self._file = open(temporary, "w", encoding="utf-8")
        told: list[dict] = [{"name": pipeline.name, "pipeline": pipeline.model_dump(mode="json")}]
        if self.held.settings:
            told.append({"settings": self.held.settings})
        if self.model:
            told.append({"model": self.model.model_dump(mode="json")})
        told += [self.entries[index].model_dump(mode="json") for index in sorted(self.entries)]
        lines = [ledger_line(value) for value in told]
        self._file.writelines(lines)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        commit(temporary, self.out / LEDGER)
        self._file = open(self.out / LEDGER, "a", encoding="utf-8")
        return lines

    def _append(self, value: dict) -> None:
        assert self._file is not None, "the ledger is written between begin and close"
        line = ledger_line(value)
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())
        self.twin.append(line)


def open_ledger(out: Path, pipeline: Pipeline, overwrite: bool = False, twin: Twin | None = None) -> Ledger:
    """Read what `out` holds, writing nothing. A folder belongs to a name: input and parameters may change.

    Raises OutputError where the folder belongs to a pipeline of another name, or is not ours at all, unless
    `overwrite` says that its rows may be replaced (its drawings are kept).
    """
    before = stamp(out)
    ledger = _open(out, pipeline, overwrite, twin)
    ledger.stamp = before
    return ledger


def _open(out: Path, pipeline: Pipeline, overwrite: bool, twin: Twin | None) -> Ledger:
    if not os.path.lexists(out):
        return Ledger(out, Recorded(), twin)
    if not out.is_dir():
        what = "a link that leads to no folder" if out.is_symlink() else "a file"
        raise OutputError(f"{out}: is {what}. Choose a folder for --output.")
    require_folder(out)
    if not any(out.iterdir()):
        return Ledger(out, Recorded(), twin)
    held = recorded(out, recover=True)
    if held.name is None and not _only_work(out):
        strangers = sorted(p.name for p in out.iterdir() if p.name not in OURS)
        raise OutputError(
            f"{out}: not empty and not a zero-engine dataset (it holds {(strangers or ['files'])[0]}). "
            "Choose an empty folder for --output."
        )
    if held.name not in (None, "", pipeline.name):
        if not overwrite:
            raise OutputError(
                f"{out}: holds the dataset of another pipeline (name {held.name!r}, this one has {pipeline.name!r}). "
                "Choose another --output, or pass --overwrite to replace its rows; its drawings are kept."
            )
        held.give_up()
    return Ledger(out, held, twin)


def _only_work(out: Path) -> bool:
    """A folder where a run died before its ledger stood: nothing of anybody's is in it."""
    return not any(
        p.is_file() and p.suffix != ".tmp" and p.name not in ("lock", "run.json", "events.jsonl")
        for p in out.rglob("*")
    )
