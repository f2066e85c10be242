"""Shards in flight, as seen by whoever shares the output folder: one small file each, kept fresh by its worker.

`.work/flight-00007-<unique>.tmp` says who makes shard 7, in which stage, at which attempt; its text changes every
BEAT_S while that process lives. The driver reads it to know that a shard has begun and that its worker is alive;
`zero-engine status` reads it, too. A file is removed when its shard is done, and by the next run where it was left.

The same facts, with the pictures drawn so far, reach the driver at once: as an event of the Dask scheduler, or by a
plain call where the shard is made in the driver's own process. They are for the screen; losing one loses nothing.
"""

import contextlib
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from zero_engine.errors import OutputError
from zero_engine.write.folder import WORK
from zero_engine.write.place import discard, said_there, say_there

BEAT_S = 5.0
FLIGHTS = f"{WORK}/flight-"
TELL_EVERY_S = 0.4

_listeners: dict[str, Callable[[dict], None]] = {}


@contextlib.contextmanager
def listening(run: str, hear: Callable[[dict], None]) -> Iterator[None]:
    """Inside, `hear` gets the facts of shards of this run that are made in this process."""
    _listeners[run] = hear
    try:
        yield
    finally:
        del _listeners[run]


def topic(run: str) -> str:
    """The Dask topic under which workers tell of a run's shards."""
    return f"zero-engine-{run}"


class Flight:
    """A shard being made by this process; a context manager."""

    def __init__(self, out: str, shard: int, run: str = "") -> None:
        self._out, self._name = out, f"{FLIGHTS}{shard:05d}-{uuid.uuid4().hex}.tmp"
        self._facts = {"shard": shard, "host": socket.gethostname(), "pid": os.getpid(), "stage": "start"}
        self._began = time.monotonic()
        self._beats = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._tell, self._told_at = _teller(run), float("-inf")

    def __enter__(self) -> "Flight":
        self._write()
        self._say_now()
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        with self._lock, contextlib.suppress(OSError, OutputError):
            discard(self._out, self._name)
        self._facts["stage"] = "done"
        self._say_now()

    def say(self, stage: str, attempt: int) -> None:
        """Note the stage; it is told at once and written with the next beat."""
        changed = self._facts["stage"] != stage
        self._facts.update(stage=stage, attempt=attempt)
        if changed:
            self._say_now()

    def count(self, counts: dict) -> None:
        """Note the pictures drawn so far: `drawn`, `of`, `distinct`."""
        self._facts.update(counts)
        if counts["drawn"] == counts["of"] or time.monotonic() - self._told_at > TELL_EVERY_S:
            self._say_now()

    def _say_now(self) -> None:
        self._told_at = time.monotonic()
        self._tell(self._now())

    def _now(self) -> dict:
        return {**self._facts, "seconds": round(time.monotonic() - self._began, 1), "beat": self._beats}

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_S):
            self._write()
            with self._lock:
                if not self._stop.is_set():  # nothing is told of a shard after its end
                    self._tell(self._now())

    def _write(self) -> None:
        with self._lock:
            if self._stop.is_set():
                return
            self._beats += 1
            facts = self._now()
            with contextlib.suppress(
                OSError, OutputError
            ):  # it only informs; the shard itself says what is wrong
                say_there(self._out, self._name, json.dumps(facts))


def _teller(run: str) -> Callable[[dict], None]:
    """Who hears of the shards of a run: the driver's own process, or its scheduler."""
    if run in _listeners:
        return _listeners[run]
    if run and "distributed.worker" in sys.modules:
        from distributed import get_worker

        with contextlib.suppress(ValueError):  # not on a worker
            worker = get_worker()
            return lambda facts: worker.log_event(topic(run), facts)
    return lambda facts: None


def flights(out: str | Path) -> Iterator[dict]:
    """What is in flight in a folder, by shard; a file that is being written is left out."""
    for text in said_there(out, FLIGHTS):
        with contextlib.suppress(ValueError):
            yield json.loads(text)
