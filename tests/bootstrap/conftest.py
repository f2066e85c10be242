"""A file of two rounds over a few tasks, small enough to be run whole."""

import json
from pathlib import Path

import pytest
import yaml

from zero_engine.world.tasks import make_tasks

ROUNDS = {
    "name": "walks",
    "output": "out",
    "rounds": 2,
    "draw": {
        "input": {"path": "tasks.jsonl", "format": "generic"},
        "parse": {"rule": "lines"},
        "render": {"candidates": 1, "guidance": 1.0, "batch_size": 8},
        "score": {"names": ["likelihood"]},
        "gate": {"rank": {"likelihood": 1.0}, "max": {}},
        "output": {"rows_per_shard": 1},
        "dask": {"workers": 0},
    },
    "train": {
        "data": {"template": "bare", "max_length": 1024},
        "optimiser": {"learning_rate": 1e-4},
        "steps": 2,
        "batch_size": 2,
        "save_every": 1,
        "tensorboard": False,
        "device": "cpu",
    },
    "mix": {"earlier": 0.5},
}


def write_rounds(folder: Path, tasks: int = 2, **changes: object) -> Path:
    """`rounds.yaml` and `tasks.jsonl` in a folder, in which the rounds are to be run."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row for row in make_tasks(8) if row["id"].startswith("sums")] + list(make_tasks(tasks))
    lines = [json.dumps(row) + "\n" for row in rows[:tasks]]
    (folder / "tasks.jsonl").write_text("".join(lines))
    (folder / "rounds.yaml").write_text(yaml.safe_dump({**ROUNDS, **changes}))
    return folder / "rounds.yaml"


@pytest.fixture
def rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_rounds(tmp_path)
