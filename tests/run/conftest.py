"""A small real run: GSM8K traces, the bundled model, few and small shards."""

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.run.identity import short_traces
from zero_engine.pipeline import Pipeline
from zero_engine.run import run_pipeline


@pytest.fixture(scope="session")
def traces(repository: Path, tmp_path_factory) -> Path:
    """Seven bundled traces of two steps each, of which pipelines read four."""
    path = tmp_path_factory.mktemp("traces") / "gsm8k.jsonl"
    path.write_text("\n".join(short_traces(repository)) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def make_pipeline_in(traces: Path):
    """Build a pipeline over the traces that writes to a folder; sections are merged over the defaults."""

    def make(out: Path, **sections: object) -> Pipeline:
        document = {
            "name": "test",
            "input": {"path": str(traces), "format": "gsm8k", "limit": 4},
            "render": {"candidates": 2, "batch_size": 8},
            "output": {"path": str(out), "rows_per_shard": 2},
            "dask": {"workers": 0},
        }
        for name, section in sections.items():
            document[name] = {**document.get(name, {}), **section} if isinstance(section, dict) else section
        return Pipeline.model_validate(document)

    return make


@pytest.fixture
def make_pipeline(make_pipeline_in, tmp_path: Path):
    """The same in a folder of the test's own."""

    def make(out: str = "out", **sections: object) -> Pipeline:
        return make_pipeline_in(tmp_path / out, **sections)

    return make


@pytest.fixture(scope="module")
def drawn(make_pipeline_in, tmp_path_factory) -> Path:
    """The folder of the plain pipeline, drawn once."""
    folder = tmp_path_factory.mktemp("drawn") / "out"
    run_pipeline(make_pipeline_in(folder))
    return folder


@pytest.fixture
def begun(drawn: Path, tmp_path: Path) -> Path:
    """The folder of the plain pipeline in the test's own folder, as a run has left it."""
    return Path(shutil.copytree(drawn, tmp_path / "out"))


@pytest.fixture
def hashes():
    """sha256 of every file of a dataset's rows, drawings and dead letters, by name."""

    def of(out: str | Path) -> dict[str, str]:
        files = [p for folder in ("data", "candidates", "rejected") for p in Path(out, folder).glob("*-*.*")]
        return {
            f"{p.parent.name}/{p.name}": hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(files)
        }

    return of
