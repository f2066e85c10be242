"""Any damage to a folder is one line for any command: no traceback, no hang, nothing outside opened."""

import hashlib
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
import yaml

from tests.faults.conftest import hashes, seeds
from tests.faults.damage import damage
from zero_engine import open_dataset
from zero_engine.cli import main
from zero_engine.run import run_pipeline

pytestmark = pytest.mark.slow

LONGEST_S = 120


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command line here: exit code and what it said; an exception that is a traceback there is one here."""

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["zero-engine", *map(str, arguments)])
        signal.alarm(LONGEST_S)
        try:
            main()
            code = 0
        except SystemExit as exit:
            code = exit.code or 0
        finally:
            signal.alarm(0)
        return code, capsys.readouterr().err

    return run


def test_every_command_says_it_in_one_line_and_run_repairs_it(poisonable, make_run, call, tmp_path, data):
    pipeline = make_run(records=8, poison={5: "POISON raises reading"})
    whole = Path(run_pipeline(pipeline).out)
    kept = tmp_path / "kept"
    shutil.copytree(whole, kept)
    before = hashes(whole)
    secret = tmp_path / "secret.arrow"
    secret.write_bytes(b"outside " * 100)
    file = tmp_path / "pipeline.yaml"
    file.write_text(yaml.safe_dump(pipeline.model_dump(mode="json")))
    training = {
        "model": str(data / "goldens" / "tiny-anole"), "output": str(tmp_path / "trained"), "steps": 1, "device": "cpu",
        "data": {"path": str(whole), "pictures": False}, "loss": {"perception": 0},
    }  # fmt: skip
    (tmp_path / "training.yaml").write_text(yaml.safe_dump(training))
    outside = hashlib.sha256(secret.read_bytes()).hexdigest()
    for seed in seeds(24):
        shutil.rmtree(whole)
        shutil.copytree(kept, whole)
        os.utime(secret, ns=(0, 0))
        what = damage(whole, seed, secret)
        shutil.rmtree(tmp_path / "trained", ignore_errors=True)
        train = ("train", "sft", tmp_path / "training.yaml")
        for command in (("validate", whole), ("inspect", whole), ("report", whole), ("status", whole), train):
            code, said = call(*command)
            assert code in (0, 1, 2), (seed, what, command, said)
            assert "Traceback" not in said
            errors = [line for line in said.splitlines() if line.startswith("zero-engine:")]
            assert (code == 0) == (not errors) and len(errors) <= 1, (seed, what, command, said)
        try:
            open_dataset(whole)[:]
        except Exception as error:
            assert type(error).__name__ == "OutputError", (seed, what, error)
        code, said = call("run", file, "--no-report")
        assert code == 0, (seed, what, said)
        assert hashes(whole) == before, (seed, what, said)
        assert call("validate", whole)[0] == 0, (seed, what)
        assert (
            secret.stat().st_atime_ns == 0 and hashlib.sha256(secret.read_bytes()).hexdigest() == outside
        ), what
