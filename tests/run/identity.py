"""What tests of identity share: six traces of two steps, a pipeline over them, and the identities of a folder."""

import json
from collections.abc import Callable
from pathlib import Path

from zero_engine.pipeline import Pipeline
from zero_engine.run import run_pipeline
from zero_engine.write.store import DrawingFile, identities
from zero_engine.write.validate import validate_dataset

TRACES = 6


def short_traces(repository: Path) -> list[str]:
    """The first bundled traces of two steps, as lines: few drawings, so that a run takes a moment."""
    lines = (repository / "examples/data/gsm8k.jsonl").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if json.loads(line)["answer"].count("\n") == 2][: TRACES + 1]


def document(out: str, **sections: object) -> dict:
    plain = {
        "name": "test",
        "input": {"path": "corpus.jsonl", "format": "gsm8k", "license": "MIT"},
        "render": {"candidates": 2, "batch_size": 8},
        "gate": {"min_pictures": 0},
        "output": {"path": out, "rows_per_shard": 2},
        "dask": {"workers": 0},
    }
    for name, section in sections.items():
        plain[name] = {**plain.get(name, {}), **section} if isinstance(section, dict) else section
    return plain


def pipeline(out: str, **sections: object) -> Pipeline:
    return Pipeline.model_validate(document(out, **sections))


def names_in(out: str | Path) -> set[str]:
    """Identities of all drawings of a folder, in use or not."""
    files = [*Path(out, "candidates").glob("*.arrow"), *Path(out, "unused").glob("*.arrow")]
    return {name for f in files for _, name in identities(DrawingFile(str(f.parent), f.name, ""))}


def assert_draws_nothing(hashes: Callable, change: dict | Callable[[], dict]) -> None:
    """The folder `out` under changed sections: nothing is drawn, and its bytes are those of a fresh run."""
    sections = change() if callable(change) else change
    again = run_pipeline(pipeline("out", **sections))
    assert again.drawn == 0
    assert hashes("out") == hashes(run_pipeline(pipeline("fresh", **sections)).out)
    assert not Path("out/unused").exists()
    assert all(check.ok for check in validate_dataset("out"))
