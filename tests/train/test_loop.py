"""The whole loop at its smallest: every stage runs, what is done stays done, and the results say what they must."""

import argparse
import importlib.util
import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from zero_engine.cli.app import app
from zero_engine.train.config import Sft
from zero_engine.train.loop import learning_rate

pytestmark = pytest.mark.slow


@pytest.fixture
def loop(repository: Path, monkeypatch: pytest.MonkeyPatch):
    """The script, with its commands run in this process; `ran` lists them."""
    torch.set_num_threads(1)
    spec = importlib.util.spec_from_file_location("loop", repository / "benchmarks" / "loop.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ran = []

    def run(folder: Path, arguments: list[str]) -> None:
        module.ran.append(folder.name.rpartition("-")[0])
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, (arguments, done.output, done.exception)

    monkeypatch.setattr(module, "_run", run)
    return module


def test_from_tasks_to_results(loop, tmp_path):
    sizes = {"tasks": 8, "questions": 4, "candidates": 1, "seeds": 1, "sft_steps": 2, "rl_steps": 1}
    speed = {"jobs": 1, "workers": 0, "max_new_tokens": 96}
    options = argparse.Namespace(out=tmp_path, model="nano", ablations=True, **sizes, **speed)
    results = loop.run_loop(options)
    names = {"base", "text_sft", "interleaved_sft", "rl", "without_perception", "without_gate"}
    assert results["tasks"] == 8 and names <= results.keys()
    assert results["by_task"].keys() == {"walk", "changes", "sums", "relations"}
    assert all(set(found) == names for found in results["by_task"].values())
    for name in names:
        found = results[name]
        assert found["low"] <= found["accuracy"] <= found["high"] and len(found["seeds"]) == 1
    stages = list(loop.ran)
    assert stages.count("data") == 2 and stages.count("train-rl-0") == 1 and stages.count("eval-rl") == 1
    train, test = (
        {json.loads(line)["question"] for line in (tmp_path / name).read_text().splitlines()}
        for name in ("train.jsonl", "test.jsonl")
    )
    assert len(test) == 4 and not train & test
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("train-*/model/model.safetensors")}
    assert loop.run_loop(options) == results
    assert {
        path: path.stat().st_mtime_ns for path in tmp_path.glob("train-*/model/model.safetensors")
    } == before


def test_the_learning_rate_rises_and_falls():
    document = {
        "output": "o",
        "data": {"path": "p"},
        "steps": 110,
        "optimiser": {"learning_rate": 1.0, "warmup": 10},
    }
    config = Sft.model_validate(document)
    rates = [learning_rate(config, step) for step in range(110)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == rates[10] == 1.0
    assert rates[60] == pytest.approx(0.55) and 0.1 < rates[109] < 0.101
    assert rates[10:] == sorted(rates[10:], reverse=True)
    constant = Sft.model_validate({**document, "optimiser": {"learning_rate": 2.0, "schedule": "constant"}})
    assert {learning_rate(constant, step) for step in range(110)} == {2.0}
