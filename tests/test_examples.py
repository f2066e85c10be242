"""The example scripts run as they stand, one after the other on one folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = ("make_and_read.py", "load_with_datasets.py")


def run(repository: Path, tmp_path: Path, name: str) -> str:
    done = subprocess.run(
        [sys.executable, f"examples/{name}", str(tmp_path / "out")],
        cwd=repository,
        env={
            **os.environ,
            "PYTHONPATH": str(repository),
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_OFFLINE": "1",
        },
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_run(repository: Path):
    assert {path.name for path in (repository / "examples").glob("*.py")} == set(EXAMPLES)


def test_a_dataset_is_made_from_python_and_loads_with_datasets(repository: Path, tmp_path: Path):
    made = run(repository, tmp_path, "make_and_read.py")
    rows = int(re.match(r"(\d) rows, \d+ pictures drawn, \d+ kept\n", made)[1])  # the gate may refuse a trace
    assert 1 <= rows <= 4 and made.count("  answer: ") == rows and "64x64 px" in made
    loaded = run(repository, tmp_path, "load_with_datasets.py")
    assert loaded.startswith(f"{rows} rows, columns: id, question") and "drawings; the likeliest" in loaded
