"""The example scripts run as they stand, one after the other on one folder."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from zero_engine import open_dataset

pytestmark = pytest.mark.slow

EXAMPLES = (
    "make_and_read.py",
    "load_with_datasets.py",
    "contact_sheet.py",
    "reward_for_verl.py",
    "reward_for_trl.py",
    "sft_with_trl.py",
)


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
    assert re.search(
        r"out.png: \d+ drawings kept, \d+ left out", run(repository, tmp_path, "contact_sheet.py")
    )


def test_a_plugin_adds_a_score_and_a_generator(repository: Path, tmp_path: Path):
    """Installed as a user installs it, into a folder of its own."""
    plugin = shutil.copytree(repository / "examples/plugin", tmp_path / "plugin")  # building writes beside it
    installed = tmp_path / "installed"
    pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", str(installed)]
    subprocess.run([sys.executable, *pip, str(plugin)], check=True, timeout=240)
    code = "from zero_engine.cli import main; main()"
    said = [
        "input.limit=2", "dask.workers=0", "render.generator=letters", "render.candidates=1",
        "render.options={size: 96}", "score.names=[ink]", "gate={min: {ink: 0.001}, rank: {ink: 1.0}, max: {}}",
        f"output.path={tmp_path / 'out'}",
    ]  # fmt: skip
    overrides = [word for override in said for word in ("--set", override)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(repository), str(installed)))}
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "pipelines/gsm8k_nano.yaml", "--json", *overrides],
        cwd=repository, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    drawings = list(open_dataset(tmp_path / "out", "candidates"))
    assert len(drawings) == json.loads(done.stdout)["drawn"] > 3
    for drawing in drawings:
        scores = {score["name"]: score["value"] for score in drawing["plugin_scores"]}
        assert set(scores) == {"ink"} and 0 <= scores["ink"] <= 1
        assert drawing["roundtrip"] > 0


def test_rewards_are_called_as_verl_and_trl_call_them(repository: Path, tmp_path: Path):
    assert run(repository, tmp_path, "reward_for_verl.py").splitlines() == [
        "42: score 0.990, accuracy 1, format 1",
        "42.0 pens: score 0.990, accuracy 1, format 1",
        "42 or 43: score 0.135, accuracy 0, format 1",
        "as verl decodes it: 1.0",
        *["in verl's reward manager: 1.0"] * (find_spec("verl") is not None),
    ]
    lines = run(repository, tmp_path, "reward_for_trl.py").splitlines()
    assert lines[0] == "rewards: 1.0 0.1" and lines[-1] == "GRPOTrainer: 2 steps"


def test_trl_trains_on_exported_tokens(repository: Path, tmp_path: Path):
    run(repository, tmp_path, "make_and_read.py")
    last = run(repository, tmp_path, "sft_with_trl.py").splitlines()[-1]
    assert re.fullmatch(r"SFTTrainer: \d rows, 2 steps, loss below 10: True", last)
