"""What a run leaves for those who watch it: events, and how far it is.

`events.jsonl` in the output folder has one line for every run that began, shard that was committed, worker that was
lost, and end. `.work/run.json` says what `zero-engine status` needs of a run under way: the total, who drives, when the
last shard was committed. Both only inform: nothing is read from them to decide anything, and failing to write them
(a full disk) fails nothing.
"""

import contextlib
import json
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

from zero_engine.contracts.manifest import ShardEntry
from zero_engine.pipeline import Pipeline
from zero_engine.write.folder import EVENTS, RUN_FACTS
from zero_engine.write.plain import open_plain, read_plain

WRITE_EVERY_S = 1.0


class Watch:
    """The account of one run. Nothing is written before `began`."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._facts: dict = {}
        self._written_at = float("-inf")

    def began(self, pipeline: Pipeline, total: int | None, done: int, workers: int) -> None:
        """`total` and `done` are input records."""
        now = time.time()
        self._facts = {
            "total": total,
            "done_before": done,
            "done": done,
            "drawn": 0,
            "workers": workers,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "began": now,
            "committed": None,
        }
        self._write()
        about = {name: self._facts[name] for name in ("host", "pid", "workers", "total")}
        document = pipeline.model_dump(mode="json")
        self._event("began", name=pipeline.name, folder=os.getcwd(), **about, done=done, pipeline=document)

    def committed(self, records: int, drawn: int, workers: int, entry: ShardEntry) -> None:
        """A shard is committed."""
        self._facts["done"] += records
        self._facts["drawn"] += drawn
        self._facts.update(workers=workers, committed=time.time())
        if time.monotonic() - self._written_at > WRITE_EVERY_S:
            self._write()
        self._event(
            "committed",
            shard=entry.index,
            records=records,
            drawn=drawn,
            rows=entry.counts["rows"],
            files={file.name: file.sha256 for file in entry.files()},
        )

    def note(self, message: str) -> None:
        self._event("note", message=message)

    def finished(self, totals: dict) -> None:
        self._event(
            "finished", records=totals["records"], rows=totals["rows"], rejected=totals["rejected_traces"]
        )

    def ended(self, error: BaseException) -> None:
        """The run stopped before its end."""
        if self._facts:
            self._event("ended", error=type(error).__name__, message=str(error)[:500])

    def _write(self) -> None:
        self._written_at = time.monotonic()
        path = self._out / RUN_FACTS
        with contextlib.suppress(OSError):
            temporary = path.with_suffix(".tmp")
            temporary.write_text(json.dumps(self._facts), encoding="utf-8")
            os.replace(temporary, path)

    def _event(self, kind: str, **facts: object) -> None:
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": kind, **facts}
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with (
            contextlib.suppress(OSError),
            open(os.open(self._out / EVENTS, flags, 0o666), "a", encoding="utf-8") as f,
        ):
            f.write(json.dumps(line, ensure_ascii=False) + "\n")


def run_facts(out: Path) -> dict | None:
    """What `.work/run.json` says; None where no run has left one."""
    try:
        facts = json.loads(read_plain(out / RUN_FACTS))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def last_beginning(out: Path) -> dict:
    """The event of the run that began last; empty where none is told of."""
    found: dict = {}
    with contextlib.suppress(OSError), open_plain(out / EVENTS) as file:
        for raw in file:
            if b'"event": "began"' in raw:
                with contextlib.suppress(ValueError):
                    line = json.loads(raw)
                    found = line if isinstance(line, dict) else found
    return found


def committed_files(out: Path) -> frozenset[str]:
    """sha256 of all files that events tell of."""
    found: set[str] = set()
    with contextlib.suppress(OSError), open_plain(out / EVENTS) as file:
        for raw in file:
            if b'"event": "committed"' in raw:
                with contextlib.suppress(ValueError, AttributeError):
                    found.update(map(str, json.loads(raw).get("files", {}).values()))
    return frozenset(found)
