"""What a run does in an object store, beside what it does in the copy on this machine (`write.mirror`).

The driver commits in the copy and in the store, step for step in the same order, so what is said of a kill holds for
both. A worker sends its files to `.work/` of the store; the driver gives them their names by copies inside the store.
The ledger is a row of objects of PART_LINES lines; a commit writes the last one anew, which is one request.
"""

import contextlib
import fcntl
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zero_engine.errors import OutputError
from zero_engine.run.lease import LEASE, Lease
from zero_engine.sections import is_store
from zero_engine.write.atomic import commit
from zero_engine.write.folder import ANSWERS, EVENTS, RUN_FACTS, WORK
from zero_engine.write.mirror import Mirror, mirror_at, part_name
from zero_engine.write.place import named

PART_LINES = 64
TELL_S = 15.0
LOCK_TRIES, LOCK_WAIT_S = 20, 0.1


class Twin:
    """The folder in the store, held by this run. Where the output folder is a local one, nothing here does anything."""

    def __init__(self, mirror: Mirror | None = None, lease: Lease | None = None) -> None:
        self._mirror, self._lease = mirror, lease
        self._parts = 0
        self._lines: list[str] = []
        self._told_at = float("-inf")

    def begin(self, lines: Sequence[str]) -> None:
        """The ledger afresh, then all that differs; what an earlier run left on its way is removed."""
        if self._mirror is None:
            return
        self.check()
        remote = self._mirror.remote
        remote.end_uploads()
        old = [name for name in remote.list(f"{WORK}/") if name != LEASE and not name.startswith(ANSWERS)]
        self._parts, self._lines = 0, []
        starts = range(0, len(lines), PART_LINES)
        for start in starts:
            self._parts, self._lines = start // PART_LINES, list(lines[start : start + PART_LINES])
            self._put_part()
        written = {part_name(number) for number in range(len(starts))}
        remote.delete(name for name in old if name not in written)
        self._mirror.push()

    def append(self, line: str) -> None:
        """A line of the ledger."""
        if self._mirror is None:
            return
        if len(self._lines) == PART_LINES:
            self._parts, self._lines = self._parts + 1, []
        self._lines.append(line)
        self._put_part()

    def name(self, out: Path, temporary: str, name: str) -> None:
        """Give a worker's file its final name; both names are inside the folder."""
        if self._mirror is None:
            commit(out / temporary, out / name)
        else:
            self._mirror.adopt(temporary, name)

    def push(self) -> None:
        """Send all that differs, a manifest last."""
        if self._mirror is not None:
            self.check()
            self._mirror.push()

    def push_names(self, *names: str) -> None:
        if self._mirror is not None:
            self._mirror.push_names(names)

    def send_work(self, *names: str) -> None:
        """Send files of `.work` that workers need, or that tell how far the run is."""
        if self._mirror is not None:
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    self._mirror.send(self._mirror.out / name)

    def tell(self, now: bool = False) -> None:
        """How far the run is, for those who watch; every TELL_S, or now."""
        if self._mirror is not None and (now or time.monotonic() - self._told_at > TELL_S):
            self._told_at = time.monotonic()
            self.send_work(RUN_FACTS)
            self._mirror.push_names([EVENTS])

    def check(self) -> None:
        """Raise OutputError where another run holds the folder by now."""
        if self._lease is not None:
            self._lease.check()

    def clear_work(self) -> None:
        """A finished run leaves nothing but the dataset."""
        if self._mirror is not None and self._lease is not None and self._lease.is_ours():
            remote = self._mirror.remote
            remote.end_uploads()
            remote.delete(name for name in remote.list(f"{WORK}/") if name != LEASE)

    def _put_part(self) -> None:
        assert self._mirror is not None, "only a store has parts of a ledger"
        self._mirror.remote.write(part_name(self._parts), "".join(self._lines).encode())


@contextlib.contextmanager
def held_folder(path: str) -> Iterator[tuple[Path, Twin]]:
    """The output folder on this machine, and its twin in a store. A folder in a store is ours alone until the end.

    Raises OutputError where another run holds it, and where the store cannot be written to.
    """
    if not is_store(path):
        yield Path(path).absolute(), Twin()
        return
    mirror = mirror_at(path)
    with named(path), open(mirror.home / "run.lock", "a") as lock:
        _take(lock, path)
        with Lease(mirror) as lease:
            strangers = mirror.pull()
            if strangers and not any(p.is_file() for p in mirror.out.rglob("*")):
                raise OutputError(
                    f"{path}: not empty and not a zero-engine dataset (it holds {strangers[0]}). "
                    "Choose an empty folder for --output."
                )
            yield mirror.out, Twin(mirror, lease)


def _take(lock: Any, path: str) -> None:
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:  # a run, or somebody who looks whether there is one
            time.sleep(LOCK_WAIT_S)
    raise OutputError(
        f"{path}: another run is writing to this folder. Wait for it, or choose another --output."
    )
