"""PeSFT from file to model: it learns, resumes to the same bits, and two processes are one."""

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.train.conftest import TINY, two_processes
from zero_engine import open_dataset
from zero_engine.config import parse_config
from zero_engine.errors import CheckFailed, Interrupted, OutputError, PipelineError
from zero_engine.models import load_model
from zero_engine.models.prompt import requests
from zero_engine.train.config import Sft
from zero_engine.train.loop import prepare
from zero_engine.train.sft import train_sft
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow


def config(dataset: Path, out: Path, **changes) -> Sft:
    document = {
        "model": str(TINY),
        "output": str(out),
        "data": {"path": str(dataset), "template": "bare", "max_length": 512, "validation_rows": 4},
        "optimiser": {"learning_rate": 3e-3, "warmup": 1},
        "steps": 6,
        "batch_size": 4,
        "micro_batch": 2,
        "save_every": 2,
        "eval_every": 3,
        "device": "cpu",
        "tensorboard": False,
    }
    return parse_config(Sft, {**document, **changes}, "test")


def weights(model: Path) -> dict[str, torch.Tensor]:
    return {**load_file(model / "model.safetensors"), **load_file(model / "perception.safetensors")}


class Killed(BaseException):
    """Nothing of ours catches it: the files lie as a SIGKILL would leave them."""


def kill_at(step: int):
    def say(text: str) -> None:
        if text.strip().startswith(f"{step}/"):
            raise Killed

    return say


@pytest.fixture(scope="module")
def unbroken(dataset, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("sft")
    train_sft(config(dataset, out), lambda text: None)
    return out


def test_the_loss_falls_and_the_model_that_comes_out_draws(unbroken):
    log = [json.loads(line) for line in (unbroken / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == list(range(1, 7))
    assert log[-1]["validation_loss"] < log[2]["validation_loss"]
    assert log[-1]["perception"] < log[0]["perception"]
    model = load_model(str(unbroken / "model"), device="cpu")
    assert model.decode(model.draw(requests(["one"], [0])).codes).shape == (1, 32, 32, 3)
    before = load_file(TINY / "model.safetensors")
    after = load_file(unbroken / "model" / "model.safetensors")
    changed = {name for name in before if not torch.equal(before[name].float(), after[name])}
    assert any("layers.0" in name for name in changed) and not any("vqmodel" in name for name in changed)


@pytest.mark.parametrize("step", [3, 4, 6])
def test_killed_and_resumed_it_ends_with_the_same_bits(unbroken, dataset, tmp_path, step):
    with pytest.raises(Killed):
        train_sft(config(dataset, tmp_path), kill_at(step))
    train_sft(config(dataset, tmp_path), lambda text: None)
    assert (tmp_path / "log.jsonl").read_bytes() == (unbroken / "log.jsonl").read_bytes()
    expected, found = weights(unbroken / "model"), weights(tmp_path / "model")
    assert (
        all(torch.equal(expected[name], found[name]) for name in expected) and found.keys() == expected.keys()
    )


@pytest.mark.parametrize("pack", [False, True])
def test_in_bfloat16_a_resumed_training_has_the_same_bits_too(dataset, tmp_path, pack):
    changes = {"precision": "bfloat16", "pack": pack}
    train_sft(config(dataset, tmp_path / "whole", **changes), lambda text: None)
    with pytest.raises(Killed):
        train_sft(config(dataset, tmp_path / "cut", **changes), kill_at(3))
    train_sft(config(dataset, tmp_path / "cut", **changes), lambda text: None)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert (whole / "log.jsonl").read_bytes() == (cut / "log.jsonl").read_bytes()
    expected, found = weights(whole / "model"), weights(cut / "model")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_training_holds_no_matrices_that_only_drawing_uses(dataset, tmp_path):
    run = prepare(config(dataset, tmp_path), "sft", projected=True)
    assert run.model._trunk is run.model._head is run.model._code_head is None
    for weight in run.bare.parameters():
        assert weight.untyped_storage().nbytes() == weight.nbytes


def test_a_signal_finishes_the_step_and_the_same_command_goes_on(unbroken, dataset, tmp_path):
    def interrupt(text: str) -> None:
        if text.strip().startswith("3/"):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match="after step 3 of 6"):
        train_sft(config(dataset, tmp_path), interrupt)
    said: list[str] = []
    train_sft(config(dataset, tmp_path), said.append)
    assert any("resumed at step 3" in text for text in said)
    assert (tmp_path / "log.jsonl").read_bytes() == (unbroken / "log.jsonl").read_bytes()
    train_sft(config(dataset, tmp_path), said.append)
    assert "finished already" in said[-1]


def test_a_training_that_diverges_stops_in_one_line_and_writes_no_model(dataset, tmp_path):
    wild = config(dataset, tmp_path / "out", optimiser={"learning_rate": 1e30}, save_every=1)
    with pytest.raises(CheckFailed, match="is nan at step 2: the training diverged"):
        train_sft(wild, lambda text: None)
    assert not (tmp_path / "out" / "model").exists() and not (tmp_path / "out" / "result.json").exists()


def test_a_folder_of_another_training_is_refused(unbroken, dataset):
    with pytest.raises(OutputError, match="another training"):
        train_sft(config(dataset, unbroken, seed=1), lambda text: None)


def test_micro_batches_are_a_matter_of_memory(unbroken, dataset, tmp_path):
    train_sft(config(dataset, tmp_path, micro_batch=4, save_every=100), lambda text: None)
    one, other = (
        [json.loads(t)["loss"] for t in (o / "log.jsonl").read_text().splitlines()]
        for o in (unbroken, tmp_path)
    )
    np.testing.assert_allclose(one, other, rtol=1e-4)  # sums in another order, through six AdamW steps


@pytest.mark.parametrize(
    "changes", [{"pack": True}, {"precision": "bfloat16", "gradient_checkpointing": True}]
)
def test_packing_and_half_precision_train_too(unbroken, dataset, tmp_path, changes):
    train_sft(config(dataset, tmp_path, **changes), lambda text: None)
    one, other = (
        [json.loads(t)["loss"] for t in (o / "log.jsonl").read_text().splitlines()]
        for o in (unbroken, tmp_path)
    )
    np.testing.assert_allclose(one, other, rtol=1e-4 if "pack" in changes else 0.05)  # bfloat16 has 8 bits


def test_adapters_train_and_come_out_merged(dataset, tmp_path):
    lora = {"rank": 4, "targets": ["q_proj", "down_proj"]}
    train_sft(config(dataset, tmp_path, lora=lora, optimiser={"learning_rate": 1e-2}), lambda text: None)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["validation_loss"] < log[2]["validation_loss"]
    before, after = load_file(TINY / "model.safetensors"), load_file(tmp_path / "model" / "model.safetensors")
    changed = {name.split(".")[-2] for name in before if not torch.equal(before[name].float(), after[name])}
    assert changed == {"q_proj", "down_proj"} and before.keys() == after.keys()
    with pytest.raises(PipelineError, match="no linear layer is called 'nose'"):
        train_sft(config(dataset, tmp_path / "other", lora={"targets": ["nose"]}), lambda text: None)


def test_a_training_goes_on_from_the_projection_beside_its_model(unbroken, dataset, tmp_path):
    train_sft(config(dataset, tmp_path, model=str(unbroken / "model"), steps=1), lambda text: None)
    first = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])
    last = json.loads((unbroken / "log.jsonl").read_text().splitlines()[-1])
    start = json.loads((unbroken / "log.jsonl").read_text().splitlines()[0])
    assert abs(first["perception"] - last["perception"]) < abs(first["perception"] - start["perception"])


def test_two_processes_equal_one(unbroken, dataset, tmp_path):
    file = tmp_path / "sft.json"
    file.write_text(config(dataset, tmp_path / "out").model_dump_json())
    two_processes("sft", file)
    lines = [
        [json.loads(t) for t in (o / "log.jsonl").read_text().splitlines()]
        for o in (unbroken, tmp_path / "out")
    ]
    # the gradient is a mean of two instead of a sum of two: float32 sums in another order, through six AdamW steps
    for one, two in zip(*lines, strict=True):
        assert two == pytest.approx(one, rel=1e-4)
    expected, found = weights(unbroken / "model"), weights(tmp_path / "out" / "model")
    assert max(float((expected[n] - found[n]).abs().max()) for n in expected) < 2e-4  # of steps of up to 3e-3


def test_what_datasets_does_to_the_rows_leaves_the_folder_as_it_was(dataset, tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    out = tmp_path / "data"
    shutil.copytree(dataset, out)
    before = [row["id"] for row in open_dataset(out)]
    loaded = datasets.load_from_disk(str(out / "data"))
    changed = loaded.map(lambda row: {"question": row["question"] + "!"}).filter(
        lambda row: row["answer"] != "one"
    )
    halves = changed.shuffle(seed=1).train_test_split(test_size=0.25, seed=2)
    cast = loaded.cast_column("pipeline", datasets.Value("large_string"))
    assert len(halves["test"]) > 0 and len(cast) == 24 and cast[0]["steps"][0]["image"].size[0] > 0
    assert list((out / "data").glob("cache-*.arrow"))  # so it is no folder of rows alone any more
    for found in (
        datasets.load_dataset(str(out), split="train"),
        datasets.load_dataset(str(out), split="train", streaming=True),
        datasets.load_from_disk(str(out / "data")),
        open_dataset(out),
    ):
        assert [row["id"] for row in found] == before
    assert not [check for check in validate_dataset(out) if not check.ok]
    train_sft(config(out, tmp_path / "sft", steps=1, save_every=1, eval_every=1), lambda text: None)
