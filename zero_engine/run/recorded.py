"""What an output folder says of itself: whose it is, what it holds, what drew it. Nothing is written here.

A finished folder says it in its manifest, a run under way in `.work/ledger.jsonl`: one line for the run's identity, one
for every committed shard, and a few for what drew. Each line ends with a digest of itself: one that a kill cut short,
or that is damaged, is not believed, and what it told of is made again from the drawings.

A folder that lost both is recovered: it is known by its files, whose drawings say what they are, and by `events.jsonl`
and `data/dataset_info.json` it is known whose it is.
"""

import fcntl
import gc
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from zero_engine.contracts.manifest import Manifest, ModelInfo, ShardEntry
from zero_engine.contracts.rows import metadata_of
from zero_engine.errors import OutputError
from zero_engine.hashing import digest
from zero_engine.pipeline import Pipeline
from zero_engine.render.identity import identity_of, known_batch_size, settings_key
from zero_engine.run.lease import is_leased
from zero_engine.run.watch import committed_files, last_beginning
from zero_engine.sections import is_store
from zero_engine.write.folder import DATASET_INFO, LEDGER, LOCK, MANIFEST, REJECTED, UNUSED, shard_files
from zero_engine.write.manifest import read_manifest
from zero_engine.write.place import small, takes_store
from zero_engine.write.plain import digest_now, is_name, open_plain, plain_size, read_plain
from zero_engine.write.store import Identify

FILES_THAT_TELL = 3
"""So many files that all differ from what `events.jsonl` tells are those of another run, and not all damaged."""


@dataclass(slots=True)
class Recorded:
    """A folder's memory."""

    name: str | None = None
    """Name of the pipeline that the folder belongs to; None where it is nobody's yet."""
    entries: dict[int, ShardEntry] = field(default_factory=dict)
    """Committed shards by index."""
    finished: bool = False
    model: ModelInfo | None = None
    pipeline: dict | None = None
    """The pipeline that last wrote here, resolved; None where the folder does not say."""
    settings: str | None = None
    """`settings_key` of drawings of version 1, whose files hold no identities."""
    out: Path | None = None
    """The folder."""
    is_lost: bool = False
    """Whether neither manifest nor ledger can be read, although the folder is ours."""
    given_up: dict[str, str] = field(default_factory=dict)
    """sha256, by name, of the files of drawings of shards that `--overwrite` gave up."""
    _events: frozenset[str] | None = None
    _known: tuple[set[str], set[str]] | None = None
    """Names and sha256 of the files of drawings that were committed, once they have been asked for."""

    def give_up(self) -> None:
        """Another pipeline takes the folder: its shards are none any more, what their files were is still known."""
        self.given_up = self.digests()
        self.entries, self.finished, self._known = {}, False, None

    def put(self, entry: ShardEntry) -> None:
        """A shard is committed."""
        self.entries[entry.index] = entry
        if self._known and entry.candidates:
            for known, value in zip(
                self._known, (entry.candidates.name, entry.candidates.sha256), strict=True
            ):
                known.add(value)

    def trusts(self, name: str, sha256: str) -> bool:
        """Whether a file of drawings with this content was committed, under any name; yes where nothing tells."""
        if self._known is None:
            digests = self.given_up | self.digests()
            self._known = set(digests), {*self.given_up.values(), *digests.values()}
        names, committed = self._known
        if sha256 in committed:
            return True
        told = self._told()  # of a manifest of another run, the events know better
        return sha256 in told or (name not in names and not (self.is_lost and told))

    def _told(self) -> frozenset[str]:
        """sha256 of files that `events.jsonl` tells of; read once, when something else does not tell.

        Nothing where it is the file of another run: of several files of the folder it tells of none.
        """
        if self._events is None:
            self._events = frozenset() if self.out is None else committed_files(self.out)
            if (
                self.out is not None
                and self._events
                and self.is_lost
                and _are_strange(self.out, self._events)
            ):
                self._events = frozenset()
        return self._events

    @property
    def has_own_events(self) -> bool:
        """Whether `events.jsonl` is not that of another run, as far as its files tell."""
        return bool(self._told()) or self.out is None or not committed_files(self.out)

    @property
    def identify(self) -> Identify | None:
        """The identity of a drawing of version 1 in this folder, where it can be told."""
        settings = self.settings
        return None if settings is None else lambda prompt, seed: identity_of(settings, prompt, (), seed)

    def digests(self) -> dict[str, str]:
        """sha256 of the committed files of drawings, by name."""
        files = (entry.candidates for entry in self.entries.values())
        return {file.name: file.sha256 for file in files if file is not None}


@takes_store(small)
def recorded(out: Path, recover: bool = False) -> Recorded:
    """Read what a folder says. Raises OutputError where its manifest is damaged.

    With `recover`, a folder of ours whose manifest or ledger is lost or damaged is known by what else lies there.
    """
    with many_made():
        return _recorded(out, recover)


def _recorded(out: Path, recover: bool) -> Recorded:
    if os.path.lexists(out / MANIFEST):
        try:
            return _of_manifest(out, read_manifest(out))
        except OutputError:
            if not recover:
                raise
    found = Recorded(out=out)
    for line in _lines(out / LEDGER):
        try:
            _add(line, found)
        except (ValueError, TypeError, KeyError):  # damaged
            continue
    if found.name is None and (found.entries or (recover and is_ours(out))):
        _known_otherwise(out, found)
    return found


@contextmanager
def many_made() -> Iterator[None]:
    """Python's search for cycles looks at all that is there again and again while entries are made by the thousand."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _of_manifest(out: Path, manifest: Manifest) -> Recorded:
    entries = {entry.index: entry for entry in manifest.shards}
    settings = settings_of_version_1(manifest)
    return Recorded(manifest.name, entries, True, manifest.model, manifest.pipeline, settings, out)


def _add(line: dict, found: Recorded) -> None:
    """One line of the ledger. Raises ValueError, TypeError or KeyError where it is no such."""
    if "name" in line:
        found.name, found.pipeline = str(line["name"]), line.get("pipeline")
    elif "model" in line:
        found.model = ModelInfo.model_validate(line["model"])
    elif "settings" in line:
        found.settings = str(line["settings"])
    elif "void" in line:  # its files were being replaced
        found.entries.pop(line["void"], None)
    elif "index" in line:
        entry = ShardEntry.model_validate(line)
        if all(is_name(file.name) for file in entry.files()):
            found.entries[entry.index] = entry


def is_ours(out: Path) -> bool:
    """Whether a folder holds files of a dataset, or drawings set aside, by what they say of themselves."""
    for name in (
        *shard_files(out),
        *(f"{UNUSED}/{path.name}" for path in sorted((out / UNUSED).glob("*.arrow"))),
    ):
        if name.endswith(".arrow") and plain_size(out, name):
            try:
                with pa.memory_map(str(out / name)) as source, pa.ipc.open_stream(source) as reader:
                    if metadata_of(reader.schema).get("schema"):
                        return True
            except (pa.ArrowException, OSError, ValueError):
                continue
    return False


def _are_strange(out: Path, told: frozenset[str]) -> bool:
    """Whether none of a folder's files, which are FILES_THAT_TELL or more, is among those that are told of.

    Rejections do not tell: two runs may have rejected the same.
    """
    names = [name for name in shard_files(out) if not name.startswith(REJECTED)]
    return len(names) >= FILES_THAT_TELL and not any(digest_now(out / name) in told for name in names)


def _known_otherwise(out: Path, found: Recorded) -> None:
    """Name and pipeline of a folder whose own record is lost."""
    found.is_lost = True
    began = last_beginning(out) if found.has_own_events else {}
    found.name, found.pipeline = began.get("name"), began.get("pipeline")
    if not isinstance(found.name, str):
        try:
            found.name = json.loads(read_plain(out / DATASET_INFO)).get("dataset_name")
        except (OSError, ValueError, AttributeError):
            found.name = None
    if not isinstance(found.name, str):
        found.name = ""  # ours, but nobody's by name


def settings_of_version_1(manifest: Manifest) -> str | None:
    """The `settings_key` of the drawings of a folder of version 1; None for a later one, and where it cannot be told.

    Such a folder does not say on which kind of device it was drawn: it is taken to be this one. Where the
    question's pictures stood in the prompts, they are not known any more.
    """
    if manifest.schema_version > 1 or manifest.model is None:
        return None
    render = Pipeline.model_validate(manifest.pipeline).render
    batch_size = known_batch_size(render, manifest.model)
    if batch_size is None or render.image_guidance is not None or render.generator != "unified":
        return None  # a painter's pictures are not there: such a folder holds what their codes decode to
    return settings_key(render, manifest.model.fingerprint, batch_size)


def is_locked(out: str | Path) -> bool:
    """Whether a run is writing to the folder right now."""
    if is_store(out):
        return is_leased(str(out))
    try:
        with open_plain(Path(out) / LOCK) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def ledger_line(value: dict) -> str:
    """A line of the ledger, with a digest of itself at its end."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f'{text[:-1]},"sum":"{digest(text)[:16]}"}}\n'


def _sum_holds(raw: bytes, told: object) -> bool:
    """Whether a line of the ledger ends with the digest `told`, which is that of what stands before it."""
    text, end = raw.rstrip(b"\n"), f',"sum":"{told}"}}'.encode()
    return text.endswith(end) and told == digest(text[: -len(end)] + b"}")[:16]


def _lines(path: Path) -> Iterator[dict]:
    """Lines that are whole; those of an older version carry no digest."""
    try:
        with open_plain(path) as file:
            for raw in file:
                try:
                    line = json.loads(raw)
                except ValueError:
                    continue
                if isinstance(line, dict):
                    told = line.pop("sum", None)
                    if told is None or _sum_holds(raw, told):
                        yield line
    except OSError:
        return
