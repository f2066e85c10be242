"""How far a folder is: running, stalled, stopped, finished or damaged, with figures. Nothing is written here.

A run is under way where its lock is held. It is stalled where nothing has been committed for STALLED_S and no shard in
flight has shown a sign of life for as long. Rate and ETA are those of the run under way. Ages are never below
zero, whatever somebody did to the clock.
"""

import os
import time
from dataclasses import asdict
from pathlib import Path

from zero_engine.errors import OutputError, command
from zero_engine.run import tally
from zero_engine.run.flights import flights
from zero_engine.run.lease import last_beat
from zero_engine.run.recorded import Recorded, is_locked, is_ours, many_made, recorded
from zero_engine.run.watch import last_beginning, run_facts
from zero_engine.sections import is_store
from zero_engine.write.folder import LEDGER, LOCK, MANIFEST, WORK
from zero_engine.write.place import local_folder, small
from zero_engine.write.plain import require_folder
from zero_engine.write.unused import unused

STALLED_S = 300.0


def folder_status(folder: str | Path) -> dict:
    """All that `zero-engine status` says, JSON-able. Raises OutputError where the folder is none of ours."""
    with local_folder(folder, small) as out, many_made():
        return _status(out, folder)


def _status(out: Path, folder: str | Path) -> dict:
    require_folder(out)
    held, damage = _recorded(out)
    totals = tally.total(entry.counts for entry in held.entries.values())
    running = is_locked(folder)
    facts = run_facts(out) or {}
    in_flight = list(flights(folder)) if running else []
    now = time.time()
    committed = _number(facts.get("committed")) or _changed(out / (MANIFEST if held.finished else LEDGER))
    quiet_s = None if committed is None else max(0.0, now - committed)
    total = totals["records"] if held.finished else facts.get("total")
    if running:
        alive = max([committed or 0.0, _number(facts.get("began")) or 0.0, *_signs_of_life(folder)])
        state = "stalled" if now - alive > STALLED_S else "running"
    elif held.finished:
        state = "finished"
    else:
        state = damage or "stopped; run again to go on"
    read = (held.pipeline or {}).get("input", {}) if isinstance(held.pipeline, dict) else {}
    return {
        "out": str(folder),
        "pipeline": {"name": held.name, "input": read.get("path"), "format": read.get("format")},
        "state": state,
        "shards": len(held.entries),
        "total": total,
        "share": round(totals["records"] / total, 4) if total else None,
        **_pace(facts, totals["records"], total, now, running),
        "last_commit_age_s": None if quiet_s is None else round(quiet_s, 1),
        "workers": facts.get("workers") if running else 0,
        "driver": {"host": facts.get("host"), "pid": facts.get("pid")} if running else None,
        "in_flight": in_flight,
        "counts": totals,
        "unused": asdict(unused(out)),
    }


def _recorded(out: Path) -> tuple[Recorded, str]:
    """What the folder says of itself; where it cannot, what is known of it otherwise, and what is wrong."""
    try:
        held = recorded(out)
    except OutputError as error:
        held = recorded(out, recover=True)
        if held.name is None:
            raise
        return held, f"damaged; run again, or `{command('recover', out)}` ({error})"
    if held.name is None and is_ours(out):
        return recorded(out, recover=True), f"its record is lost; run again, or `{command('recover', out)}`"
    if held.name is None:
        began = last_beginning(out)
        if not (began or os.path.lexists(out / LOCK)):
            raise OutputError(f"{out}: no run has written here. Check the path.")
        held.name, held.pipeline = began.get("name"), began.get("pipeline")
        return held, "stopped before its first shard was done; run again to begin"
    return held, ""


def _pace(facts: dict, done: int, total: object, now: float, running: bool) -> dict:
    """Records per second and seconds left, of the run under way."""
    began, before = _number(facts.get("began")), _number(facts.get("done_before")) or 0
    made = done - before
    if not running or began is None or now <= began or made <= 0:
        return {"records_per_s": None, "eta_s": None}
    rate = made / (now - began)
    left = round((total - done) / rate) if isinstance(total, int) else None
    return {"records_per_s": round(rate, 3), "eta_s": left}


def _signs_of_life(folder: str | Path) -> list[float]:
    if is_store(folder):
        return [last_beat(str(folder))]
    return [at for path in Path(folder, WORK).glob("flight-*.tmp") if (at := _changed(path)) is not None]


def _changed(path: Path) -> float | None:
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
