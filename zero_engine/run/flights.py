"""Shards in flight, as seen by whoever shares the output folder: one small file each, kept fresh by its worker.

`.work/flight-00007-<unique>.tmp` says who makes shard 7, in which stage, at which attempt; its text changes every
BEAT_S while that process lives. The driver reads it to know that a shard has begun and that its worker is alive;
`zero-engine status` reads it, too. A file is removed when its shard is done, and by the next run where it was left.
"""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from zero_engine.errors import OutputError
from zero_engine.write.folder import WORK
from zero_engine.write.place import discard, said_there, say_there

BEAT_S = 5.0
FLIGHTS = f"{WORK}/flight-"


class Flight:
    """A shard being made by this process; a context manager."""

    def __init__(self, out: str, shard: int) -> None:
        self._out, self._name = out, f"{FLIGHTS}{shard:05d}-{uuid.uuid4().hex}.tmp"
        self._facts = {"shard": shard, "host": socket.gethostname(), "pid": os.getpid(), "stage": "start"}
        self._began = time.monotonic()
        self._beats = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> "Flight":
        self._write()
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        with self._lock, contextlib.suppress(OSError, OutputError):
            discard(self._out, self._name)

    def say(self, stage: str, attempt: int) -> None:
        """Note the stage; it is written with the next beat."""
        self._facts.update(stage=stage, attempt=attempt)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_S):
            self._write()

    def _write(self) -> None:
        with self._lock:
            if self._stop.is_set():
                return
            self._beats += 1
            facts = {**self._facts, "seconds": round(time.monotonic() - self._began, 1), "beat": self._beats}
            with contextlib.suppress(
                OSError, OutputError
            ):  # it only informs; the shard itself says what is wrong
                say_there(self._out, self._name, json.dumps(facts))


def flights(out: str | Path) -> Iterator[dict]:
    """What is in flight in a folder, by shard; a file that is being written is left out."""
    for text in said_there(out, FLIGHTS):
        with contextlib.suppress(ValueError):
            yield json.loads(text)
