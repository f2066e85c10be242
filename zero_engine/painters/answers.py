"""What a server answered, kept on disk the moment it comes, and how many requests were made.

A shard is committed as a whole, so a shard that is killed would ask a second time for pictures that were paid for.
Each answer is therefore a file of its own in `.work/answers`, named by the identity of its drawing, complete under its
final name. The driver deletes the answers of a shard when the shard is committed; a finished run deletes all.

The file `asked` holds the number of requests and when the next may begin. All workers share it, under a lock.
"""

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from zero_engine.errors import ModelError, OutputError

FOLDER = "answers"


class Answers:
    """The answers in one folder; any number of processes may use it at once."""

    def __init__(self, folder: Path):
        self.folder = folder
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

    def put(self, identity: str, picture: bytes) -> None:
        """Keep an answer, durably. Raises OutputError where the disk is full."""
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
        for identity in identities:
            self._path(identity).unlink(missing_ok=True)

    def admit(self, most: int | None, per_minute: float | None) -> float:
        """Count one request, and return how many seconds it has to wait. Raises ModelError where `most` are made."""
        with open(self.folder / "asked", "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            said = file.read()
            state = json.loads(said) if said else {"requests": 0, "next": 0.0}
            if most is not None and state["requests"] >= most:
                raise ModelError(
                    f"render.http.max_requests: {state['requests']} requests are made, {most} are allowed. What was "
                    "answered is kept: raise the limit and run the same command again to go on."
                )
            now = time.time()
            begin = (
                max(now, min(state["next"], now + 3600)) if per_minute else now
            )  # a clock may have been set back
            state = {
                "requests": state["requests"] + 1,
                "next": begin + 60 / per_minute if per_minute else 0.0,
            }
            file.truncate(0)
            file.write(json.dumps(state).encode())
        return begin - now

    def _path(self, identity: str) -> Path:
        assert identity.isalnum(), f"{identity!r} is no identity"
        return self.folder / identity
