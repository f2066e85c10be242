"""Where drawings may be found: the output folder itself, what it set aside, and the folders named by `--reuse`.

What a run itself makes is found by its later shards, too, where `grows`.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from zero_engine.contracts.manifest import ModelInfo
from zero_engine.errors import InputError
from zero_engine.pipeline import Pipeline
from zero_engine.run.recorded import Recorded, recorded
from zero_engine.sections import OBJECT_STORES, is_store
from zero_engine.write.folder import CANDIDATE_FILES, UNUSED
from zero_engine.write.place import here, local_folder, place_of
from zero_engine.write.store import Store, drawing_files


def grows(pipeline: Pipeline) -> bool:
    """Whether the index of a run takes up what it commits: where all its processes are on this machine."""
    return pipeline.dask.scheduler is None and not is_store(pipeline.output.path)


class Sources:
    """The output folder first, then the others in the order named."""

    def __init__(self, out: str | Path, held: Recorded, reuse: Sequence[str | Path] = ()) -> None:
        """Raises InputError where a folder to reuse is none of ours."""
        self.out = place_of(out)
        self.folders = [(self.out, held), *((place_of(folder), _held(folder)) for folder in reuse)]
        self.passed_over = self._missing()
        """Files of folders to reuse that are missing, and those that `index` found damaged or could not read."""

    def index(self, path: Path) -> Store:
        """An index of all drawings, written to `path`."""
        self.passed_over = self._missing()
        files = (
            (file, held.identify)
            for folder, held in self.folders
            for file in drawing_files(folder, held.trusts, None if folder == self.out else self.passed_over)
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        return Store.build(path, files)

    def _missing(self) -> list[str]:
        return [
            f"{folder}/{name}"
            for folder, held in self.folders[1:]
            for name in held.digests()
            if folder != self.out and not os.path.lexists(here(folder) / name)
        ]

    def any(self) -> bool:
        """Whether there is anything to be found."""
        return any(
            any(here(folder).glob(files))
            for folder, _ in self.folders
            for files in (CANDIDATE_FILES, f"{UNUSED}/*.arrow")
        )

    def model(self, generator: str | None) -> ModelInfo | None:
        """What some folder tells of this generator."""
        known = (held.model for _, held in self.folders)
        return next((model for model in known if model and model.fingerprint == generator), None)


def _held(named: str | Path) -> Recorded:
    if "://" in str(named) and not is_store(named):
        stores = ", ".join(OBJECT_STORES)
        raise InputError(
            f"--reuse {named}: no such place. Name a folder, or an address in an object store ({stores})."
        )
    place = place_of(named)
    with local_folder(place) as folder:
        can_be_read = os.path.isdir(folder) and os.access(folder, os.R_OK | os.X_OK)
        held = recorded(folder, recover=True) if can_be_read else Recorded()
    if held.name is None:
        raise InputError(
            f"--reuse {place}: not a folder that a run wrote, or not to be read. Check the path."
        )
    return held
