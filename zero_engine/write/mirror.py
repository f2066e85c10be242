"""A dataset's folder in an object store, and its copy on this machine.

What reads or makes a dataset works on plain files: it maps them, hashes them, links them with an index. So a folder
in a store has a copy in the cache (`$ZERO_ENGINE_CACHE`, by default `~/.cache/zero-engine`), and everything else of the
package sees that one. The store is what counts: `pull` makes the copy what the store holds, and `push` sends what
has changed, in an order in which a kill at any instant leaves a folder that reads as unfinished, or as finished and
whole. The copy may be deleted between runs; it is fetched again.

    CACHE/folders/<digest of the address>/  out/    the copy
                                            known.jsonl   which version of which object each file is
                                            pull.lock, run.lock

A driver holds `run.lock` for as long as it works in the copy: others on this machine then read it as it is.
How a function takes an address in place of a path is `place`.
"""

import contextlib
import fcntl
import json
import os
import uuid
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

from zero_engine.errors import OutputError
from zero_engine.hashing import digest
from zero_engine.write.atomic import disk_errors, make_folder
from zero_engine.write.folder import LEDGER, MANIFEST, OURS, RUN_FACTS, WORK
from zero_engine.write.plain import FOLDERS, plain_size
from zero_engine.write.remote import Held, remote_at

LEDGER_PARTS = f"{WORK}/ledger-"
"""The ledger in a store, which cannot append: `.work/ledger-00000.jsonl` and on, read one after another."""


def part_name(number: int) -> str:
    return f"{LEDGER_PARTS}{number:05d}.jsonl"


class Mirror:
    """The copy of one folder. Use `mirror_at`."""

    def __init__(self, url: str) -> None:
        self.remote = remote_at(url)
        self.url = url
        self.home = _cache() / "folders" / digest(url)[:16]
        self.out = self.home / "out"
        make_folder(self.out)
        self._known_file = self.home / "known.jsonl"
        self._known: dict[str, list] = self._read_known()

    def pull(self, wants: Callable[[str], bool] = lambda name: True, fresh: bool = False) -> list[str]:
        """Make the copy what the store holds: files that `wants` names are fetched where they differ, and those that
        the store has no more are deleted. With `fresh` everything is fetched, whatever lies here.

        Returns what else lies at the address, and is none of a dataset's.
        """
        with disk_errors(self.out), open(self.home / "pull.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            held = self.remote.list()
            self._known = {} if fresh else self._read_known()
            theirs = {name: one for name, one in held.items() if _is_file_of_ours(name)}
            for path in [p for p in self.out.rglob("*") if not p.is_dir() or p.is_symlink()]:
                name = path.relative_to(self.out).as_posix()
                if name not in theirs and not name.startswith(f"{WORK}/"):
                    path.unlink()
            self.remote.side_by_side(
                lambda name: self._fetch(name, theirs[name]), [name for name in theirs if wants(name)]
            )
            self._pull_work(held)
            self._write_known(theirs)
        return sorted(name for name in held if name not in theirs and not name.startswith(f"{WORK}/"))

    def push(self) -> None:
        """Send every difference: manifest gone, then new files, then deletions, and a new manifest last.

        Nothing of `.work` is sent here.
        """
        here = {
            path.relative_to(self.out).as_posix()
            for path in self.out.rglob("*")
            if path.is_file() and not path.is_symlink()
        }
        names = {name for name in here if _is_file_of_ours(name)}
        gone = set(self._known) - here
        self.push_names(gone & {MANIFEST})
        self.push_names(sorted(names - {MANIFEST}))
        self.push_names(sorted(gone - {MANIFEST}))
        self.push_names(names & {MANIFEST})

    def push_names(self, names: Iterable[str]) -> None:
        """Send these, or delete them there where they are gone here; what is the same on both sides is left alone."""
        names = list(names)
        gone = [name for name in names if plain_size(self.out, name) is None]
        self.remote.delete(name for name in gone if name in self._known)
        for name in gone:
            self._forget(name)
        self.remote.side_by_side(
            self._send, [n for n in names if n not in set(gone) and not self._is_same(n)]
        )

    def push_names_like(self, start: str) -> None:
        """Send every difference among names that begin so."""
        here = {path.relative_to(self.out).as_posix() for path in self.out.rglob("*") if path.is_file()}
        self.push_names(sorted(name for name in {*here, *self._known} if name.startswith(start)))

    def adopt(self, temporary: str, name: str) -> None:
        """Give a worker's file its final name, there and here. `temporary` is its name inside the folder."""
        self.remote.copy(temporary, name)
        held = self.remote.stat(name)
        here = self.out / temporary
        if held is None:
            raise OutputError(
                f"{self.url}/{name}: gone right after it was written. Run the same command again."
            )
        if plain_size(self.out, temporary) == held.size:
            os.replace(here, self.out / name)
            self._note(name, held)
        else:  # its worker is on another machine
            self._fetch(name, held)
        self.remote.delete([temporary])

    def bring(self, name: str) -> Path | None:
        """The local path of a file as the store holds it; None where there is none."""
        if self.is_lived_in() and plain_size(self.out, name) is not None:
            return self.out / name
        held = self.remote.stat(name)
        if held is None:
            return None
        with disk_errors(self.out):
            self._fetch(name, held)
        return self.out / name

    def send(self, path: Path) -> None:
        """Send a file of `.work`."""
        self.remote.put(path, path.relative_to(self.out).as_posix())

    def is_lived_in(self) -> bool:
        """Whether a driver works in this copy right now."""
        with open(self.home / "run.lock", "a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _fetch(self, name: str, held: Held) -> None:
        if self._known.get(name, [None])[0] == held.version and self._is_same(name):
            return
        target = self.out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f".{uuid.uuid4().hex}.tmp"
        try:
            self.remote.get(name, temporary, held.size)
            os.replace(temporary, target)
        except FileNotFoundError:  # deleted since it was listed
            return
        finally:
            temporary.unlink(missing_ok=True)
        self._note(name, held)

    def _send(self, name: str) -> None:
        self.remote.put(self.out / name, name)
        held = self.remote.stat(name)
        if held is not None:
            self._note(name, held)

    def _pull_work(self, held: dict[str, Held]) -> None:
        """The ledger from its parts, and how far the run is."""
        (self.out / WORK).mkdir(parents=True, exist_ok=True)
        ledger = b"".join(self.remote.read_all(LEDGER_PARTS))
        for name, data in (
            (LEDGER, ledger),
            (RUN_FACTS, held.get(RUN_FACTS) and self.remote.read(RUN_FACTS)),
        ):
            if data:
                (self.out / name).write_bytes(data)
            else:
                (self.out / name).unlink(missing_ok=True)

    def _is_same(self, name: str) -> bool:
        """Whether a file is as it was when it was last sent or fetched."""
        try:
            status = os.lstat(self.out / name)
        except OSError:
            return False
        return self._known.get(name, [])[1:] == [status.st_size, status.st_mtime_ns]

    def _note(self, name: str, held: Held) -> None:
        status = os.lstat(self.out / name)
        self._known[name] = [held.version, status.st_size, status.st_mtime_ns]
        self._append({name: self._known[name]})

    def _forget(self, name: str) -> None:
        if self._known.pop(name, None) is not None:
            self._append({name: None})

    def _append(self, line: dict) -> None:
        with open(self._known_file, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _write_known(self, theirs: dict[str, Held]) -> None:
        self._known = {name: value for name, value in self._known.items() if name in theirs}
        temporary = self._known_file.with_suffix(".tmp")
        temporary.write_text("".join(json.dumps({n: v}) + "\n" for n, v in self._known.items()), "utf-8")
        os.replace(temporary, self._known_file)

    def _read_known(self) -> dict[str, list]:
        found: dict[str, list | None] = {}
        with contextlib.suppress(OSError), open(self._known_file, encoding="utf-8") as file:
            for raw in file:
                with contextlib.suppress(ValueError):  # cut by a kill
                    line = json.loads(raw)
                    found.update(line if isinstance(line, dict) else {})
        return {name: value for name, value in found.items() if isinstance(value, list)}


@lru_cache(maxsize=64)
def mirror_at(url: str) -> Mirror:
    """One copy for each folder and process. Raises OutputError where the store cannot be spoken to."""
    return Mirror(url.rstrip("/"))


def _is_file_of_ours(name: str) -> bool:
    first, *rest = name.split("/")
    if first not in OURS or first == WORK or len(rest) != (first in FOLDERS):
        return False
    return not rest or (rest[0] not in ("", ".", "..") and "\0" not in rest[0])


def _cache() -> Path:
    base = os.environ.get("ZERO_ENGINE_CACHE")
    if base:
        return Path(base).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zero-engine"
