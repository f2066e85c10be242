"""What a server answered, kept on disk the moment it comes, and how many requests were made.

A shard is committed as a whole, so a shard that is killed would ask a second time for pictures that were paid for.
Each answer is therefore a file of its own in `.work/answers`, named by the identity of its drawing, complete under its
final name. The driver deletes the answers of a shard when the shard is committed; a finished run deletes all.
Where the output folder is in an object store, an answer is put there, too, the moment it comes: the run may go on
on another machine, and a shard be placed on another worker.

The files `asked` and `turns` hold the number of requests made, and when the next may begin. Each machine counts its
own, in a store, too.
"""

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from zero_engine.errors import ModelError, OutputError

WIDTH = 100
"""Bytes of a file of figures."""
LONGEST_WAIT_S = 86_400.0


class Store(Protocol):
    """A folder in an object store."""

    def list(self) -> Iterable[str]:
        """The names of its objects."""

    def read(self, name: str) -> bytes | None:
        """An object's bytes; None where there is none."""

    def write(self, name: str, data: bytes) -> None: ...

    def delete(self, names: Iterable[str]) -> None: ...


class Answers:
    """The answers in one folder, and in `store` where there is one; any number of processes may use them at once."""

    def __init__(self, folder: Path, store: Store | None = None):
        self.folder, self.store = folder, store
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{folder}: cannot keep answers there ({error}). Make room or mend it."
            ) from error

    def get(self, identity: str) -> bytes | None:
        """The answer for a drawing, if there is one."""
        try:
            return self._path(identity).read_bytes()
        except FileNotFoundError:
            return None

    def bring(self, identities: Iterable[str]) -> None:
        """Fetch from the store what is there for these drawings and not here."""
        missing = [name for name in identities if self.store and not self._path(name).exists()]
        for name in set(missing) & set(self.store.list() if self.store and missing else ()):
            data = self.store.read(name) if self.store else None
            if data is not None:
                self._write(name, data)

    def put(self, identity: str, picture: bytes) -> None:
        """Keep an answer, durably. Raises OutputError where the disk is full, or the store fails."""
        self._write(identity, picture)
        if self.store:
            self.store.write(identity, picture)

    def _write(self, identity: str, picture: bytes) -> None:
        path = self._path(identity)
        try:
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".tmp", delete=False) as file:
                file.write(picture)
                file.flush()
                os.fsync(file.fileno())
            os.replace(file.name, path)
        except OSError as error:
            raise OutputError(
                f"{path}: cannot keep the answer ({error}). Make room and run again."
            ) from error

    def forget(self, identities: Iterable[str]) -> None:
        """Delete the answers for these drawings, as far as there are any."""
        names = list(identities)
        self.forget_here(names)
        if self.store:
            self.store.delete(sorted(set(names) & set(self.store.list())))

    def forget_here(self, identities: Iterable[str]) -> None:
        """Delete them on this machine alone."""
        for identity in identities:
            self._path(identity).unlink(missing_ok=True)

    def turn(self, per_minute: float) -> float:
        """Take the next turn of so many a minute; seconds until it comes."""
        now = time.time()
        with self._shared("turns") as state:
            # a clock may have been set back
            begin = max(now, min(state.get("next", now), now + LONGEST_WAIT_S))
            state["next"] = begin + 60 / per_minute
        return begin - now

    def count(self, most: int | None) -> None:
        """Count one request. Raises ModelError where `most` are made."""
        with self._shared("asked") as state:
            made = state.get("requests", 0)
            if most is not None and made >= most:
                raise ModelError(
                    f"render.http.max_requests: {made} requests are made, {most} are allowed. What was answered is "
                    "kept: raise the limit and run the same command again to go on."
                )
            state["requests"] = made + 1

    @contextmanager
    def _shared(self, name: str) -> Iterator[dict]:
        """Figures that all workers share, under a lock. They are written in place, in one go, so no kill loses them."""
        try:
            with open(self.folder / name, "a+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                said = os.pread(file.fileno(), WIDTH, 0)
                state = json.loads(said) if said else {}
                yield state
                with open(self.folder / name, "r+b", buffering=0) as written:
                    written.write(json.dumps(state).encode().ljust(WIDTH))
        except OSError as error:
            raise OutputError(
                f"{self.folder}: cannot count requests ({error}). Make room and run again."
            ) from error

    def _path(self, identity: str) -> Path:
        assert identity.isalnum(), f"{identity!r} is no identity"
        return self.folder / identity
