"""One driver at a time in an object store, which has no locks: an object that says who drives, and a heartbeat.

The lease is written only where there is none (one conditional request, where the store has such; elsewhere it is read
back). Its holder writes a new beat every BEAT_S, and looks before each commit whether it is still the holder; if not,
the run ends. A lease without a new beat for SILENT_S is taken over, at once where its holder worked in the very cache
whose lock is ours now. A driver that is frozen for longer than SILENT_S and wakes inside a commit may finish that one;
its bytes are those that any run of the same pipeline makes.
"""

import contextlib
import json
import os
import socket
import threading
import time
import uuid

from zero_engine.errors import OutputError
from zero_engine.write.folder import WORK
from zero_engine.write.mirror import Mirror, mirror_at

LEASE = f"{WORK}/lease.json"
BEAT_S = 10.0
SILENT_S = 60.0
POLL_S = 0.5


class Lease:
    """The right to write to one folder; a context manager."""

    def __init__(self, mirror: Mirror) -> None:
        self._remote, self._url = mirror.remote, mirror.url
        self._beats = 0
        self._facts: dict[str, object] = {
            "owner": uuid.uuid4().hex,
            "cache": _cache_id(mirror),
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> "Lease":
        seen, since = None, time.monotonic()
        while True:
            self._remote.create(LEASE, json.dumps(self._facts).encode())
            held = holder(self._remote.read(LEASE))
            if held.get("owner") == self._facts["owner"]:
                break
            if held and seen is not None and held != seen:
                raise self._taken(held)
            if held != seen:
                seen, since = held, time.monotonic()
            dead = held.get("cache") == self._facts["cache"] or time.monotonic() - since > SILENT_S
            if dead and holder(self._remote.read(LEASE)) == held:
                self._remote.delete([LEASE])
            else:
                time.sleep(POLL_S)
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        with self._lock, contextlib.suppress(OutputError):
            if self.is_ours():
                self._remote.delete([LEASE])

    def check(self) -> None:
        """Raise OutputError where somebody else holds the folder by now."""
        held = holder(self._remote.read(LEASE))
        if held.get("owner") != self._facts["owner"]:
            raise self._taken(held)

    def is_ours(self) -> bool:
        return holder(self._remote.read(LEASE)).get("owner") == self._facts["owner"]

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_S):
            with self._lock, contextlib.suppress(OutputError):  # the next commit says it
                if self._stop.is_set():
                    return
                if self.is_ours():
                    self._beats += 1
                    self._remote.write(LEASE, json.dumps({**self._facts, "beat": self._beats}).encode())

    def _taken(self, held: dict) -> OutputError:
        who = f"process {held.get('pid')} on {held.get('host')}" if held else "nobody knows who"
        return OutputError(
            f"{self._url}: another run is writing to this folder ({who}). Wait for it, or choose another --output."
        )


def is_leased(url: str) -> bool:
    """Whether somebody holds the folder, as far as this machine's clock can tell."""
    mirror = mirror_at(url)
    return mirror.is_lived_in() or time.time() - last_beat(url) < SILENT_S


def last_beat(url: str) -> float:
    """When the lease was last written, in seconds since the epoch; long ago where there is none."""
    held = mirror_at(url).remote.stat(LEASE)
    if held is None:
        return float("-inf")
    return time.time() if held.changed is None else held.changed


def holder(data: bytes | None) -> dict:
    """What a lease says; empty where there is none, or none that can be read."""
    try:
        told = json.loads(data or b"")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _cache_id(mirror: Mirror) -> str:
    """A name for this machine's copy: who holds its lock knows that nobody else works in it."""
    path = mirror.home / "id"
    if not path.exists():
        path.write_text(uuid.uuid4().hex)
    return path.read_text()
