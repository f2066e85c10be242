"""Every drawing that a folder holds, found by its identity in constant memory.

An SQLite file leads from identity to file and row; it is made afresh by the run that needs it, from the identities in
`candidates/` and `unused/` of the folder and of those named by `--reuse`, and thrown away with `.work`. Where all
processes of a run are on one machine, what they make joins it shard by shard, so that later shards find it.

A file that moved to `unused/` after it was indexed is found there by its sha256, which is compared before anything is
taken from a file: what is not what was committed counts as not there, and its drawings are made again.

Files of version 1 hold no identities. They are computed from what the folder's manifest says of its drawing.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa

from zero_engine.contracts.rows import SCHEMA_VERSION, metadata_of
from zero_engine.errors import OutputError
from zero_engine.records import Candidate
from zero_engine.write.folder import CANDIDATE_FILES, UNUSED, unused_name
from zero_engine.write.place import bring, here
from zero_engine.write.plain import digest_now, plain_size
from zero_engine.write.shards import candidates_of

ASKED_AT_ONCE = 500
"""Identities in one query: below SQLite's oldest limit of 999 parameters."""
BUSY_S = 60.0
"""Longest wait for another process that reads or writes the index."""
_IDENTITY = re.compile("[0-9a-f]{32}")

Trusts = Callable[[str, str], bool]
"""(name, sha256) -> whether such a file was committed, or may have been."""
Identify = Callable[[str, int], str]
"""(prompt, seed) -> identity, for files that hold none."""


@dataclass(frozen=True, slots=True)
class DrawingFile:
    """A file of drawings, by what it holds rather than by where it lies."""

    folder: str
    """An absolute path, or an address in a store: good on every machine that sees it."""
    name: str
    sha256: str
    """Of its bytes; 16 digits of it do, as in the names of `unused/`."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A drawing that lies in a file."""

    candidate: Candidate
    text: str
    scored: str
    """How the file's drawings were scored; empty where some score failed."""
    place: tuple[str, int] | None
    """File (when the index was made) and row; None where the file is of an earlier version of the schema."""
    leads: bool = False
    """Whether it is the first drawing of its trace in the file."""


def drawing_files(
    place: str | Path, trusts: Trusts, passed_over: list[str] | None = None
) -> Iterator[DrawingFile]:
    """All files of drawings in a folder that are what was committed, those in use first.

    Every file is read. One in use whose name and sha256 `trusts` does not accept was damaged after it was committed,
    and so was one in `unused/` that is not what its name says; a whole copy of it may lie in a folder that comes later.
    Such files, and those that cannot be read, join `passed_over`.
    """
    folder = here(place)
    for files in (CANDIDATE_FILES, f"{UNUSED}/*.arrow"):
        for path in sorted(folder.glob(files)):
            name = f"{path.parent.name}/{path.name}"
            found = digest_now(path) if plain_size(folder, name) else ""
            if found and (unused_name(found) == name if files != CANDIDATE_FILES else trusts(name, found)):
                yield DrawingFile(str(place), name, found)
            elif passed_over is not None:
                passed_over.append(f"{place}/{name}")


class Store:
    """An index of drawings; `build` makes one, and any number of processes may read it."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._db = self._open("mode=ro")
        try:
            self._db.execute("SELECT id FROM files LIMIT 1").fetchone()
        except sqlite3.OperationalError:  # a file system without locks, where nobody adds to it
            self._db = self._open("immutable=1")

    def _open(self, how: str) -> sqlite3.Connection:
        name = f"file:{quote(str(self._path))}?{how}"
        return sqlite3.connect(name, uri=True, check_same_thread=False, timeout=BUSY_S)

    @classmethod
    def build(cls, path: Path, files: Iterable[tuple[DrawingFile, Identify | None]]) -> "Store":
        """Index the files, of which an earlier one goes before a later one that holds the same drawing."""
        with index_errors(path):
            return cls._build(path, files)

    @classmethod
    def _build(cls, path: Path, files: Iterable[tuple[DrawingFile, Identify | None]]) -> "Store":
        path.unlink(missing_ok=True)
        db = sqlite3.connect(path)
        db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "CREATE TABLE files (id INTEGER PRIMARY KEY, folder TEXT, name TEXT, sha256 TEXT);"
            "CREATE TABLE drawings (identity BLOB PRIMARY KEY, file INT, row INT) WITHOUT ROWID;"
        )
        for number, (file, identify) in enumerate(files):
            _insert(db, number, file, identify)
        db.commit()
        db.close()
        return cls(path)

    def add(self, file: DrawingFile) -> None:
        """Index one more file, while others read."""
        with index_errors(self._path), closing(sqlite3.connect(self._path, timeout=BUSY_S)) as db, db:
            db.executescript("PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF;")
            (number,) = db.execute("SELECT COALESCE(MAX(id) + 1, 0) FROM files").fetchone()
            _insert(db, number, file, None)

    def __len__(self) -> int:
        return self._db.execute("SELECT COUNT(*) FROM drawings").fetchone()[0]

    def holds(self, names: Sequence[str]) -> set[str]:
        """Those of the identities that some file holds."""
        with index_errors(self._path):
            return {name for name, _, _ in self._rows(names)}

    def find(self, names: Sequence[str]) -> dict[str, Stored]:
        """The drawings of these identities, as far as their files are whole."""
        wanted: dict[int, list[tuple[int, str]]] = {}
        with index_errors(self._path):
            for name, number, row in self._rows(names):
                wanted.setdefault(number, []).append((row, name))
            query = "SELECT folder, name, sha256 FROM files WHERE id = ?"
            files = {n: DrawingFile(*self._db.execute(query, (n,)).fetchone()) for n in wanted}
        found: dict[str, Stored] = {}
        for number, rows in wanted.items():
            file = files[number]
            path = locate(file)
            if path is not None:
                found.update(_take(path, str(here(file.folder) / file.name), sorted(rows)))
        return found

    def _rows(self, names: Sequence[str]) -> Iterator[tuple[str, int, int]]:
        for start in range(0, len(names), ASKED_AT_ONCE):
            part = [bytes.fromhex(name) for name in names[start : start + ASKED_AT_ONCE]]
            marks = ",".join("?" * len(part))
            query = f"SELECT identity, file, row FROM drawings WHERE identity IN ({marks})"
            for name, file, row in self._db.execute(query, part):
                yield name.hex(), file, row


def _insert(db: sqlite3.Connection, number: int, file: DrawingFile, identify: Identify | None) -> None:
    db.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (number, file.folder, file.name, file.sha256))
    rows = ((bytes.fromhex(name), number, row) for row, name in identities(file, identify) if name)
    db.executemany("INSERT OR IGNORE INTO drawings VALUES (?, ?, ?)", rows)


@contextmanager
def index_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite raises on a full or read-only disk, or where its file is damaged, into an OutputError."""
    try:
        yield
    except sqlite3.Error as error:
        raise OutputError(
            f"{path}: cannot be written or read ({error}). Free some space, then run the same command again."
        ) from error


def identities(file: DrawingFile, identify: Identify | None = None) -> Iterator[tuple[int, str]]:
    """(row, identity) of every drawing of a file, "" where it cannot be told; nothing of a file that cannot be read."""
    row = 0
    try:
        path = here(file.folder) / file.name
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
            for batch in reader:
                for name in identities_of(batch, identify):
                    yield row, name
                    row += 1
    except (pa.ArrowException, OSError, ValueError, KeyError):  # damaged: nothing of it is believed
        return


def identities_of(batch: pa.RecordBatch, identify: Identify | None = None) -> list[str]:
    """The identity of each drawing of a batch."""
    if "identity" in batch.schema.names:
        return [name if _IDENTITY.fullmatch(name or "") else "" for name in _whole(batch, "identity")]
    if identify is None:
        return [""] * batch.num_rows
    prompts, seeds = _whole(batch, "prompt"), _whole(batch, "seed")
    return [identify(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)]


def _whole(batch: pa.RecordBatch, name: str) -> list:
    """A column's values; raises ArrowInvalid where its bytes cannot be a column's."""
    column = batch.column(name)
    column.validate(full=True)
    return column.to_pylist()


def locate(file: DrawingFile) -> Path | None:
    """Where the file lies now, if it is still what it was."""
    for name in (unused_name(file.sha256), file.name):
        path = bring(file.folder, name)
        if path is not None and digest_now(path).startswith(file.sha256):
            return path
    return None


def _take(path: Path, known_as: str, rows: list[tuple[int, str]]) -> Iterator[tuple[str, Stored]]:
    """The drawings in these rows of a file, in ascending order; none from where it cannot be read."""
    try:
        yield from _rows_of(path, known_as, rows)
    except (pa.ArrowException, OSError, ValueError, KeyError):  # nobody vouched for it, and it is damaged
        return


def _rows_of(path: Path, known_as: str, rows: list[tuple[int, str]]) -> Iterator[tuple[str, Stored]]:
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
        about = metadata_of(reader.schema)
        scored, current = about.get("scored", ""), about.get("version") == SCHEMA_VERSION
        first, at, before = 0, 0, None
        for batch in reader:
            inside = []
            while at < len(rows) and rows[at][0] < first + batch.num_rows:
                inside.append(rows[at])
                at += 1
            traces = [before, *_whole(batch, "trace_id")]
            if inside:
                batch.validate(full=True)
                taken = batch.take(pa.array([row - first for row, _ in inside]))
                texts = taken.column("text").to_pylist()
                for (row, identity), candidate, text in zip(inside, candidates_of(taken), texts, strict=True):
                    if candidate.identity not in (
                        "",
                        identity,
                    ):  # another file had this name when it was indexed
                        continue
                    place = (known_as, row) if current else None
                    leads = traces[row - first] != candidate.trace_id
                    yield identity, Stored(replace(candidate, identity=identity), text, scored, place, leads)
            first, before = first + batch.num_rows, traces[-1]
