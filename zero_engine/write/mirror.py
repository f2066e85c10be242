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
A path that is no address in a store is taken as it is, everywhere here, at no cost.
"""

import contextlib
import fcntl
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from zero_engine.errors import OutputError, ZeroEngineError
from zero_engine.hashing import digest
from zero_engine.pipeline import is_store
from zero_engine.write.atomic import disk_errors, make_folder
from zero_engine.write.folder import LEDGER, MANIFEST, OURS, RUN_FACTS, SHARD_FOLDERS, WORK
from zero_engine.write.plain import FOLDERS, plain_size, read_plain
from zero_engine.write.remote import Held, remote_at

Function = TypeVar("Function", bound=Callable)

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
        (self.out / WORK).mkdir(exist_ok=True)
        parts = sorted(name for name in held if name.startswith(LEDGER_PARTS))
        ledger = b"".join(self.remote.read(name) or b"" for name in parts)
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


@contextlib.contextmanager
def local_folder(
    path: str | Path, wants: Callable[[str], bool] = lambda name: True, fresh: bool = False
) -> Iterator[Path]:
    """A dataset's folder as plain files: a local path as it is, of a folder in a store its copy, up to date.

    Errors raised inside name the address, not the copy. Raises OutputError where the store cannot be read.
    """
    if "://" not in str(path):
        yield Path(path)
        return
    mirror = mirror_at(str(path))
    with named(path):
        if not mirror.is_lived_in():
            mirror.pull(wants, fresh)
            if wants is small and not any((mirror.out / name).exists() for name in (MANIFEST, LEDGER)):
                mirror.pull()  # nothing says what it is, but its files do
        yield mirror.out


def takes_store(
    wants: Callable[[str], bool] = lambda name: True,
    *,
    at: int = 0,
    fresh: bool = False,
    sends: str | None = None,
) -> Callable[[Function], Function]:
    """Lets a function that takes a dataset's folder (its argument number `at`) take an address in a store, too.

    It is called with the copy (`local_folder`); afterwards files whose names begin with `sends` are the same there.
    """

    def wrap(function: Function) -> Function:
        @wraps(function)
        def called(*args: Any, **options: Any) -> Any:
            path = args[at] if len(args) > at else None
            if not isinstance(path, str) or "://" not in path:
                return function(*args, **options)
            with local_folder(path, wants, fresh) as copy:
                result = function(*args[:at], copy, *args[at + 1 :], **options)
                if sends is not None:
                    mirror_at(path).push_names_like(sends)
                return result

        return cast(Function, called)

    return wrap


@contextlib.contextmanager
def named(path: str | Path) -> Iterator[None]:
    """Errors name the folder as the user does."""
    try:
        yield
    except ZeroEngineError as error:
        said = as_named(path, str(error))
        if said == str(error):
            raise
        raise type(error)(said) from error


def as_named(path: str | Path, text: str) -> str:
    """A text that names a folder's copy, with its address instead."""
    return text.replace(str(mirror_at(str(path)).out), str(path)) if is_store(path) else text


def place_of(path: str | Path) -> str:
    """A folder by a name that is good in every working folder: an address, or an absolute path."""
    return str(path) if is_store(path) else str(Path(path).absolute())


def tidy(path: str | Path) -> str:
    """A folder as it is shown: an address as it is, a path without what says nothing."""
    return str(path) if "://" in str(path) else str(Path(path))


def here(path: str | Path) -> Path:
    """Where a folder's files lie on this machine, fetched or not."""
    return mirror_at(str(path)).out if is_store(path) else Path(path)


def send(path: str | Path, *names: str) -> None:
    """Files of `.work`, written here, are in the store, too; they stay here where the driver works in this copy."""
    if is_store(path):
        mirror = mirror_at(str(path))
        for name in names:
            mirror.send(mirror.out / name)
            if not mirror.is_lived_in():
                (mirror.out / name).unlink(missing_ok=True)


def discard(path: str | Path, *names: str) -> None:
    """Files of `.work` that nobody needs any more."""
    for name in names:
        (here(path) / name).unlink(missing_ok=True)
    if is_store(path):
        mirror_at(str(path)).remote.delete(names)


def bring(path: str | Path, name: str) -> Path | None:
    """A file of a folder as it is now; None where it is missing, or no plain file."""
    if is_store(path):
        return mirror_at(str(path)).bring(name)
    return Path(path, name) if plain_size(Path(path), name) is not None else None


def say_there(path: str | Path, name: str, text: str) -> None:
    """Write a small file of `.work` that others read; one in a store has no copy here."""
    if is_store(path):
        mirror_at(str(path)).remote.write(name, text.encode())
    else:
        Path(path, name).write_text(text, encoding="utf-8")


def said_there(path: str | Path, prefix: str) -> Iterator[str]:
    """The texts of small files of `.work` whose names begin so; what cannot be read is left out."""
    if is_store(path):
        remote = mirror_at(str(path)).remote
        for name in sorted(remote.list(prefix)):
            yield (remote.read(name) or b"").decode("utf-8", "replace")
        return
    for found in sorted(Path(path, prefix).parent.glob(f"{Path(prefix).name}*")):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            yield read_plain(found)


def is_there(path: str | Path, name: str) -> bool:
    """Whether this process sees a file of a folder, where it lies; not whether there is a copy."""
    if not is_store(path):
        return os.path.exists(Path(path, name))
    try:
        return mirror_at(str(path)).remote.stat(name) is not None
    except OutputError:  # no credentials, no library
        return False


def small(name: str) -> bool:
    """Whether a file says something of the folder, rather than being part of what it holds."""
    return name.split("/")[0] not in SHARD_FOLDERS


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
