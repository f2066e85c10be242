"""A small real run: GSM8K traces, the bundled model, few and small shards."""

import hashlib
from pathlib import Path

import pytest

from zero_engine.pipeline import Pipeline


@pytest.fixture
def make_pipeline(repository: Path, tmp_path: Path):
    """Build a pipeline over the bundled traces; sections given as keywords are merged over the defaults."""

    def make(out: str = "out", **sections: object) -> Pipeline:
        document = {
            "name": "test",
            "input": {"path": str(repository / "examples/data/gsm8k.jsonl"), "format": "gsm8k", "limit": 4},
            "render": {"candidates": 2, "batch_size": 8},
            "output": {"path": str(tmp_path / out), "rows_per_shard": 2},
            "dask": {"workers": 0},
        }
        for name, section in sections.items():
            document[name] = {**document.get(name, {}), **section} if isinstance(section, dict) else section
        return Pipeline.model_validate(document)

    return make


@pytest.fixture
def hashes():
    """sha256 of every file of a dataset's rows, drawings and dead letters, by name."""

    def of(out: str | Path) -> dict[str, str]:
        files = [p for folder in ("data", "candidates", "rejected") for p in Path(out, folder).glob("*-*.*")]
        return {
            f"{p.parent.name}/{p.name}": hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(files)
        }

    return of
