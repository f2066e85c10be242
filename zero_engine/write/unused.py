"""Drawings that the present pipeline does not ask for: kept, found again by identity, deleted by `clean` alone.

A file of drawings that is replaced or dropped moves to `unused/` as it is, by a rename, before anything takes its
place: at every instant each drawing lies in at least one file under its final name. When the run has finished,
`compact` leaves in `unused/` what lies nowhere else: rows that `candidates/` holds, too, go, and so do second copies.
"""

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from zero_engine.write.atomic import commit, disk_errors, sync_folder
from zero_engine.write.folder import CANDIDATE_FILES, UNUSED, WORK, unused_name
from zero_engine.write.place import small, takes_store
from zero_engine.write.plain import digest_now, plain_size
from zero_engine.write.shards import candidates_of, write_candidates
from zero_engine.write.store import DrawingFile, Identify, Trusts, identities, identities_of, index_errors

DAMAGED = "damaged-"
"""How the name of a file begins that was damaged before it was set aside."""


@dataclass(frozen=True, slots=True)
class Unused:
    """How much lies in `unused/`."""

    drawings: int = 0
    bytes: int = 0
    files: int = 0


def set_aside(out: Path, name: str, trusts: Trusts = lambda name, sha256: True) -> str | None:
    """Move a file of drawings to `unused/`, under a name by which nothing is found in it where `trusts` refuses it.

    Returns that name; None for a file that is not there, which is nobody's loss.
    """
    path = out / name
    if plain_size(out, name) is None:
        return None
    with disk_errors(out):
        (out / UNUSED).mkdir(exist_ok=True)
        found = digest_now(path)
        known = found[:16] or uuid.uuid4().hex[:16]
        place = unused_name(found) if found and trusts(name, found) else f"{UNUSED}/{DAMAGED}{known}.arrow"
        commit(path, out / place)
        sync_folder(path.parent)
    return place


def set_strays_aside(out: Path, listed: Iterable[str], trusts: Trusts = lambda name, sha256: True) -> None:
    """Move the drawings of files that no shard lists: left by a run that was killed, or of another dataset."""
    kept = set(listed)
    for path in sorted(out.glob(CANDIDATE_FILES)):
        name = f"{path.parent.name}/{path.name}"
        if name not in kept:
            set_aside(out, name, trusts)


@takes_store(small)
def unused(out: Path) -> Unused:
    """Drawings, bytes and files in `unused/`; a file that is damaged counts without drawings."""
    drawings = size = 0
    files = _files(out)
    for path in files:
        size += path.stat().st_size
        if not path.name.startswith(DAMAGED):
            drawings += sum(batch.num_rows for batch in _batches(path))
    return Unused(drawings, size, len(files))


def _files(out: Path) -> list[Path]:
    """The plain files of `unused/`; a link, or what lies behind one, is none of them."""
    found = sorted((out / UNUSED).glob("*.arrow"))
    return [path for path in found if plain_size(out, f"{UNUSED}/{path.name}") is not None]


@takes_store(small, sends=f"{UNUSED}/")
def clean(out: Path) -> Unused:
    """Delete what lies in `unused/`, and say how much it was."""
    found = unused(out)
    with disk_errors(out):
        for path in _files(out):
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not there, or somebody's file in it
        (out / UNUSED).rmdir()
    return found


def compact(out: Path, names: Iterable[str], identify: Identify | None = None) -> None:
    """Leave in `unused/` one copy of each drawing that none of `names` (files of the dataset) holds.

    `identify` computes the identities of drawings of version 1, which are rewritten with them.
    """
    names = list(names)
    aside = _files(out)
    if not aside:
        return
    path = out / WORK / f"seen-{uuid.uuid4().hex}.tmp"
    with disk_errors(out), index_errors(path), Seen(path) as seen:
        for name in names:
            seen.note(identity for _, identity in identities(DrawingFile(str(out), name, "")))
        made = set[Path]()
        for file in aside:
            if file not in made:  # else it holds what was new in an earlier one
                made.add(_keep_what_is_new(out, file, seen, identify))
        sync_folder(out / UNUSED)
    with contextlib.suppress(OSError):
        (out / UNUSED).rmdir()


def _keep_what_is_new(out: Path, path: Path, seen: "Seen", identify: Identify | None) -> Path:
    """Rewrite a file without the drawings seen elsewhere; as it is, where it has none of them. Returns its path now.

    That may be the path of a file that was there: rows that are the same have the same name.
    """
    found = digest_now(path)
    if not found or not found.startswith(path.stem):
        return path  # damaged: nobody can tell what is in it, so it stays
    rows, needs_identities = [], False
    try:
        for batch in _batches(path):
            needs_identities |= "identity" not in batch.schema.names
            rows += identities_of(batch, identify)
    except (pa.ArrowException, ValueError, KeyError):
        return path  # damaged before it was set aside
    if not rows or "" in rows:
        return path  # older than what the folder remembers
    fresh, place = seen.add(rows), path
    if all(fresh) and not needs_identities:
        return path
    if any(fresh):
        candidates, texts, position = [], {}, 0
        for batch in _batches(path):
            for candidate, text in zip(candidates_of(batch), batch.column("text").to_pylist(), strict=True):
                if fresh[position]:
                    candidates.append(replace(candidate, identity=rows[position]))
                    texts[candidate.trace_id, candidate.step] = text
                position += 1
        temporary = out / WORK / f"unused-{uuid.uuid4().hex}.tmp"
        file = write_candidates(temporary, candidates, texts)
        place = out / unused_name(file.sha256)
        commit(temporary, place)
        if place == path:
            return path
    path.unlink()
    return place


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Batches of a file of drawings; none where it cannot be read."""
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
            yield from reader
    except (pa.ArrowException, OSError, ValueError):
        return


class Seen:
    """A set of identities on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = sqlite3.connect(path)
        self._db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "CREATE TABLE seen (identity BLOB PRIMARY KEY) WITHOUT ROWID;"
        )

    def __enter__(self) -> "Seen":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def add(self, names: Iterable[str]) -> list[bool]:
        """Remember identities; for each, whether it is new."""
        query = "INSERT OR IGNORE INTO seen VALUES (?)"
        return [self._db.execute(query, (bytes.fromhex(name),)).rowcount == 1 for name in names if name]

    def note(self, names: Iterable[str]) -> int:
        """Remember identities; how many of them are new. Faster than `add`."""
        query = "INSERT OR IGNORE INTO seen VALUES (?)"
        return self._db.executemany(query, ((bytes.fromhex(name),) for name in names if name)).rowcount
