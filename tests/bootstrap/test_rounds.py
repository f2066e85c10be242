"""Rounds: the table, what a changed setting makes again, a worse round, and kills in each stage."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.bootstrap.conftest import ROUNDS, write_rounds
from zero_engine.cli.app import app

pytestmark = pytest.mark.slow

REAL = {
    "draw": {
        **ROUNDS["draw"],
        "render": {"candidates": 2, "batch_size": 32},
        "output": {"rows_per_shard": 8},
    },
    "train": {**ROUNDS["train"], "steps": 4, "batch_size": 4},
}
"""Rounds of the bundled model: eight shards each, four steps of training."""

TINY = f"model={Path(__file__).parent.parent / 'data/goldens/tiny-anole'}"


def run(file: Path, *overrides: str, ok: int = 0) -> dict:
    said = [part for override in overrides for part in ("--set", override)]
    done = CliRunner().invoke(app, ["bootstrap", str(file), "--json", *said])
    assert done.exit_code == ok or (ok and done.exception), done.output
    return json.loads(done.stdout)


def hashes(folder: Path) -> dict[str, str]:
    """Of all that the rounds promise the same bytes of: rows, drawings, trained models, logs, the table."""
    patterns = ("**/data/data-*", "**/part-*", "**/model/*", "**/log.jsonl", "rounds.json", "**/judged.json")
    files = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(files)
        if ".work" not in p.parts
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, dict, dict[str, str]]:
    """The file of rounds that nobody ended, what was said of them, and the hashes of what they left."""
    file = write_rounds(tmp_path_factory.mktemp("plain"))
    with contextlib.chdir(file.parent):
        found = run(file, TINY)
    return file, found, hashes(file.parent / "out")


def test_rounds_are_made_once_and_a_changed_round_alone_is_made_again(made, monkeypatch):
    rounds, found, before = made
    monkeypatch.chdir(rounds.parent)
    first, second, result = found["rounds"]
    assert second["model"] == first["training"]["model"] and result["training"] is None
    assert result["model"] == found["model"] == second["training"]["model"]
    assert first["right_rate"] is None and not found["stopped"]
    assert [part["weight"] for part in second["training"]["data"]] == [1.0, 0.5]
    out = rounds.parent / "out"
    assert json.loads((out / "rounds.json").read_text()) == found
    changed = run(rounds, TINY, "change={2: {train: {steps: 1}}}")
    assert changed["rounds"][0] == first and changed["rounds"][1]["training"] != second["training"]
    assert (
        hashes(out / "rounds/01").items()
        <= {k.removeprefix("rounds/01/"): v for k, v in before.items()}.items()
    )
    assert run(rounds, TINY) == found and before.items() <= hashes(out).items()
    table = CliRunner().invoke(app, ["bootstrap", str(rounds), "--set", TINY]).stdout
    assert "of round 1" in table and f"model: {found['model']}" in table


def test_a_round_that_is_worse_by_the_oracle_is_said_and_stops_the_loop(rounds):
    ruin = ["train.optimiser.learning_rate=0.5", "train.steps=1", "stop_when_worse=true"]
    found = run(rounds, *ruin, ok=1)
    assert found["stopped"] and found["model"] == "nano" and len(found["rounds"]) == 2
    first, second = found["rounds"]
    assert first["judged"] == first["pictures"] and 0.5 < first["right_rate"] <= first["kept_right_rate"]
    assert second["worse"] and "round 2 is worse: 0.0 % of its drawings are right" in found["worse"]


def start(file: Path, model: str) -> subprocess.Popen:
    command = [sys.executable, "-c", "from zero_engine.cli import main; main()", "bootstrap", str(file)]
    command += ["--set", model]
    return subprocess.Popen(
        command,
        cwd=file.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill_when(file: Path, pattern: str, model: str = TINY, timeout_s: float = 240) -> None:
    """Start the rounds and kill them as soon as a file is there."""
    process, deadline = start(file, model), time.monotonic() + timeout_s
    while not any((file.parent / "out").glob(pattern)):
        assert time.monotonic() < deadline and process.poll() is None, f"{pattern} never came"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_killed_in_each_stage_the_rounds_end_with_the_same_bytes(made, tmp_path, monkeypatch):
    killed = write_rounds(tmp_path / "killed")
    kill_when(killed, "rounds/01/data/data/data-00000.arrow")
    kill_when(killed, "rounds/01/train-*/states/step-00000001.pt")
    assert not (tmp_path / "killed/out/rounds.json").exists()
    monkeypatch.chdir(killed.parent)
    run(killed, TINY)
    assert hashes(tmp_path / "killed/out") == made[2]


@pytest.mark.soak
def test_the_bundled_model_over_64_tasks_killed_in_every_stage_of_every_round(tmp_path, monkeypatch):
    plain, killed = (write_rounds(tmp_path / name, 64, **REAL) for name in ("plain", "killed"))
    with contextlib.chdir(plain.parent):
        found = run(plain, "model=nano")
    assert len(found["rounds"]) == 3 and min(part["pictures"] for part in found["rounds"]) >= 64
    for number in ("01", "02"):
        kill_when(killed, f"rounds/{number}/data/data/data-00001.arrow", "model=nano")
        kill_when(killed, f"rounds/{number}/train-*/states/step-00000002.pt", "model=nano")
    kill_when(killed, "rounds/03/data/data/data-00000.arrow", "model=nano")
    assert not (tmp_path / "killed/out/rounds.json").exists()
    monkeypatch.chdir(killed.parent)
    assert run(killed, "model=nano") == found
    assert hashes(tmp_path / "killed/out") == hashes(tmp_path / "plain/out")
