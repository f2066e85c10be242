"""What an output folder says of itself: whose it is, what it holds, what drew it. Nothing is written here.

A finished folder says it in its manifest, a run under way in `.work/ledger.jsonl`: one line for the run's identity, one
for every committed shard, and a few for what drew. A line cut short by a kill ends the reading.
"""

import fcntl
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zero_engine.contracts.manifest import Manifest, ModelInfo, ShardEntry
from zero_engine.pipeline import Pipeline
from zero_engine.render.identity import DrawnBy, identity_of, known_batch_size, settings_key
from zero_engine.write.folder import LEDGER, LOCK, MANIFEST
from zero_engine.write.manifest import read_manifest
from zero_engine.write.store import Identify


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

    @property
    def identify(self) -> Identify | None:
        """The identity of a drawing of version 1 in this folder, where it can be told."""
        settings = self.settings
        return None if settings is None else lambda prompt, seed: identity_of(settings, prompt, (), seed)

    def digests(self) -> dict[str, str]:
        """sha256 of the committed files of drawings, by name."""
        files = (entry.candidates for entry in self.entries.values())
        return {file.name: file.sha256 for file in files if file is not None}


def recorded(out: Path) -> Recorded:
    """Read what a folder says. Raises OutputError where its manifest is damaged."""
    if (out / MANIFEST).exists():
        manifest = read_manifest(out)
        entries = {entry.index: entry for entry in manifest.shards}
        settings = settings_of_version_1(manifest)
        return Recorded(manifest.name, entries, True, manifest.model, manifest.pipeline, settings)
    found = Recorded()
    for line in _lines(out / LEDGER):
        if "name" in line:
            found.name, found.pipeline = line["name"], line.get("pipeline")
        elif "model" in line:
            found.model = ModelInfo.model_validate(line["model"])
        elif "settings" in line:
            found.settings = line["settings"]
        elif "void" in line:  # its files were being replaced
            found.entries.pop(line["void"], None)
        elif "index" in line:
            found.entries[line["index"]] = ShardEntry.model_validate(line)
    return found


def drawn_by(model: ModelInfo) -> DrawnBy:
    """What a folder tells of a generator to those who have not loaded it."""
    return DrawnBy(model.fingerprint, model.codes_per_picture, model.device, model.batch_size)


def settings_of_version_1(manifest: Manifest) -> str | None:
    """The `settings_key` of the drawings of a folder of version 1; None for a later one, and where it cannot be told.

    Such a folder does not say on which kind of device it was drawn: it is taken to be this one. Where the
    question's pictures stood in the prompts, they are not known any more.
    """
    if manifest.schema_version > 1 or manifest.model is None:
        return None
    render = Pipeline.model_validate(manifest.pipeline).render
    batch_size = known_batch_size(render, drawn_by(manifest.model))
    if batch_size is None or render.image_guidance is not None:
        return None
    return settings_key(render, manifest.model.fingerprint, batch_size)


def is_locked(out: Path) -> bool:
    """Whether a run is writing to the folder right now."""
    try:
        with open(out / LOCK) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def _lines(path: Path) -> Iterator[dict]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    yield json.loads(line)
                except ValueError:  # the line that a kill cut short; its shard is made again
                    return
    except OSError:
        return
