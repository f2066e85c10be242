"""The example scripts run as they stand, one after the other on one folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = ("make_and_read.py", "load_with_datasets.py", "reward_for_verl.py", "reward_for_trl.py")


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


def test_rewards_are_called_as_verl_and_trl_call_them(repository: Path, tmp_path: Path):
    assert run(repository, tmp_path, "reward_for_verl.py").splitlines() == [
        "42: score 0.990, accuracy 1, format 1",
        "42.0 pens: score 0.990, accuracy 1, format 1",
        "42 or 43: score 0.135, accuracy 0, format 1",
    ]
    assert run(repository, tmp_path, "reward_for_trl.py") == "rewards: 1.0 0.1\n"
