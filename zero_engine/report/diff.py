"""Two folders side by side: counts, reasons, and the steps that have another picture, one now, or none any more.

The kept pictures of A are listed in a temporary SQLite file by trace and step, and those of B are held against it, so
memory does not grow with the datasets and their order does not matter. Pictures are the same where their codes are.
"""

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np

from zero_engine.contracts.manifest import ShardEntry
from zero_engine.hashing import digest
from zero_engine.report.folder import Folder, batches, check_shard, code_of, open_folder
from zero_engine.run import tally
from zero_engine.write.place import takes_store
from zero_engine.write.rejections import read_rejections

KINDS = ("changed", "gained", "lost")
"""What can happen to a step's picture: another one, one where none was, none any more."""
WHOLE = -1
"""In place of a step: the trace itself."""


@dataclass(slots=True)
class Change:
    """A step whose picture is not the same in both folders."""

    trace_id: str
    step: int
    text: str
    before: bytes | None
    after: bytes | None
    reason: str | None
    """Why one side has no picture."""


@dataclass(slots=True)
class Difference:
    """What `diff` found. `traces` and `steps` are counts by what happened; `shown` are the first of each kind."""

    before: Folder
    after: Folder
    counts: list[tuple[str, int, int]]
    reasons: list[tuple[str, int, int]]
    settings: list[tuple[str, object, object]]
    traces: Counter = field(default_factory=Counter)
    steps: Counter = field(default_factory=Counter)
    shown: dict[str, list[Change]] = field(default_factory=lambda: {kind: [] for kind in KINDS})


@dataclass(slots=True)
class _Kept:
    """A step of a row, or with `step` WHOLE a trace."""

    trace_id: str
    step: int
    text: str
    reason: str | None
    codes: bytes | None
    """Digest of the codes of its picture; None where it has none."""
    image: bytes | None


@takes_store()
@takes_store(at=1)
def compare(before: str | Path, after: str | Path, most: int = 24, verify: bool = True) -> Difference:
    """Compare two folders, finished or not; `most` changes of each kind are shown.

    Raises OutputError where one is none of ours, or damaged.
    """
    old, new = open_folder(before), open_folder(after)
    for folder in (old, new) if verify else ():
        for shard in folder.shards:
            check_shard(folder, shard)
    result = Difference(
        old,
        new,
        [(n, a, b) for n in tally.NUMBERS if (a := _of(old, n)) | (b := _of(new, n))],
        _pairs(old.counts.get("reasons") or {}, new.counts.get("reasons") or {}),
        list(_settings(old.pipeline, new.pipeline)),
    )
    with tempfile.TemporaryDirectory() as scratch:
        db = sqlite3.connect(Path(scratch, "a.sqlite"))
        db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")
        db.execute(
            "CREATE TABLE kept (id TEXT, step INT, codes BLOB, reason TEXT, PRIMARY KEY (id, step)) WITHOUT ROWID"
        )
        for shard in old.shards:
            rows = ((_text(k.trace_id), k.step, k.codes, k.reason) for k in _kept(old, shard, False))
            db.executemany("INSERT OR IGNORE INTO kept VALUES (?, ?, ?, ?)", rows)
        _hold_against(db, new, result, most)
        _left_over(db, old, result, most)
        _fetch(db, old, result)
        db.close()
    return result


def _hold_against(db: sqlite3.Connection, new: Folder, result: Difference, most: int) -> None:
    """Compares each step of B with that of A, and takes it off the list."""
    for shard in new.shards:
        for now in _kept(new, shard, True):
            key = (_text(now.trace_id), now.step)
            was = db.execute("SELECT codes, reason FROM kept WHERE id = ? AND step = ?", key).fetchone()
            if now.step == WHOLE:
                state = "rejected" if now.reason else "row"
                before = "absent" if was is None else "rejected" if was[1] else "row"
                result.traces[f"{before} -> {state}"] += 1
                db.execute("DELETE FROM kept WHERE id = ? AND step = ?", key)
                continue
            codes, why = was if was is not None else (None, None)
            db.execute("DELETE FROM kept WHERE id = ? AND step = ?", key)
            if codes == now.codes:
                result.steps["same" if codes else "none in both"] += 1
                continue
            kind = "changed" if codes and now.codes else "gained" if now.codes else "lost"
            result.steps[kind] += 1
            if len(result.shown[kind]) < most:
                reason = None if kind == "changed" else now.reason or why
                result.shown[kind].append(Change(now.trace_id, now.step, now.text, None, now.image, reason))


def _left_over(db: sqlite3.Connection, old: Folder, result: Difference, most: int) -> None:
    """What A has and B does not: traces that are gone, steps that stand in no row any more."""
    for (reason,) in db.execute("SELECT reason FROM kept WHERE step = ?", (WHOLE,)):
        result.traces[f"{'rejected' if reason else 'row'} -> absent"] += 1
    lost = "FROM kept WHERE step >= 0 AND codes IS NOT NULL"
    result.steps["lost"] += db.execute(f"SELECT COUNT(*) {lost}").fetchone()[0]
    room = max(0, most - len(result.shown["lost"]))
    for name, step in db.execute(f"SELECT id, step {lost} ORDER BY id, step LIMIT ?", (room,)):
        result.shown["lost"].append(Change(name, step, "", None, None, "its trace is no row"))


def _fetch(db: sqlite3.Connection, old: Folder, result: Difference) -> None:
    """The pictures of A for the changes that are shown."""
    wanted = {(c.trace_id, c.step): c for kind in ("changed", "lost") for c in result.shown[kind]}
    for shard in old.shards if wanted else ():
        names = {name for name, _ in wanted}
        ids = (
            name for batch in batches(old.out / shard.data.name) for name in batch.column("id").to_pylist()
        )
        if names.isdisjoint(ids):
            continue
        for kept in _kept(old, shard, True):
            change = wanted.get((kept.trace_id, kept.step))
            if change is not None:
                change.before, change.text = kept.image, change.text or kept.text


def _kept(folder: Folder, shard: ShardEntry, pictures: bool) -> Iterator[_Kept]:
    """Every trace of a shard, and every step of its rows; `pictures` asks for the bytes, too."""
    for batch in batches(folder.out / shard.data.name):
        names, lists = batch.column("id").to_pylist(), batch.column("steps")
        inside = lists.flatten()
        owners = np.repeat(np.arange(len(names)), np.diff(np.asarray(lists.offsets)))
        index, texts = inside.field("index").to_pylist(), inside.field("text").to_pylist()
        reasons, codes = inside.field("reason").to_pylist(), inside.field("codes")
        images = inside.field("image").field("bytes") if pictures else None
        at = iter(range(len(owners)))
        steps = {owner: list(places) for owner, places in groupby(at, key=lambda place: int(owners[place]))}
        for owner, name in enumerate(names):
            yield _Kept(name, WHOLE, "", None, None, None)
            for place in steps.get(owner, ()):
                found = codes[place]
                mark = (
                    bytes.fromhex(digest(found.values.to_numpy().tobytes())[:32]) if found.is_valid else None
                )
                image = images[place].as_py() if images is not None else None
                yield _Kept(name, index[place], texts[place], reasons[place], mark, image)
    for rejection in read_rejections(folder.out / shard.rejections.name) if shard.rejections else ():
        if rejection.is_whole_trace:
            yield _Kept(rejection.trace_id, WHOLE, "", f"{rejection.stage}: {code_of(rejection)}", None, None)


def _text(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")


def _of(folder: Folder, name: str) -> int:
    return int(folder.counts.get(name, 0))


def _pairs(before: dict, after: dict) -> list[tuple[str, int, int]]:
    return [(name, before.get(name, 0), after.get(name, 0)) for name in sorted({*before, *after})]


def _settings(before: dict, after: dict, prefix: str = "") -> Iterator[tuple[str, object, object]]:
    """Keys of the pipelines that differ, but for where the folders lie."""
    for key in sorted({*before, *after}):
        a, b, name = before.get(key), after.get(key), f"{prefix}{key}"
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _settings(a, b, f"{name}.")
        elif a != b and name != "output.path" and not name.startswith("dask."):
            yield name, a, b
