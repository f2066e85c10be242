"""Weights by name from sharded files: the 7B layout, host memory bounded by a shard, and what is wrong in one line."""

import json
import logging
import math
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from huggingface_hub import save_torch_state_dict
from safetensors.torch import load_file, save_file
from transformers import ChameleonConfig

from zero_engine.errors import ModelError
from zero_engine.models import load_model
from zero_engine.models.chameleon.loading import empty_module, fill

META = torch.device("meta")


def test_a_checkpoint_with_the_7b_shapes_loads_by_name_with_nothing_missing(goldens, tmp_path):
    rows = [line.split("\t") for line in (goldens / "anole7b_state_dict.txt").read_text().splitlines()]
    shapes = {
        name: json.loads(shape.replace("(", "[").replace(",)", "]").replace(")", "]")) for name, shape in rows
    }
    assert len(shapes) == 712
    names = sorted(shapes)
    files = [
        _sparse_file(tmp_path / f"{part}.safetensors", {n: shapes[n] for n in names[part::3]})
        for part in range(3)
    ]
    assert sum(file.stat().st_size for file in files) > 14e9
    module = empty_module(ChameleonConfig(vocabulary_map={"<image>": 8711}))
    report = fill(module, files, META, torch.bfloat16)
    assert (report.missing, report.unexpected, report.misshapen) == ([], [], [])
    loaded = module.state_dict()
    assert {name: list(tensor.shape) for name, tensor in loaded.items()} == shapes
    assert {n: t.dtype for n, t in loaded.items()} == {
        n: torch.float32 if n.startswith("model.vqmodel.") else torch.bfloat16 for n in names
    }


def test_shards_give_what_one_file_gives(model, tiny_anole, tmp_path):
    folder = _sharded(tiny_anole, tmp_path)
    assert len(list(folder.glob("*.safetensors"))) > 3
    again = load_model(str(folder), device="cpu").module.state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.module.state_dict().items())


@pytest.mark.slow
def test_reading_needs_no_more_host_memory_than_the_largest_shard(tiny_anole, tmp_path):
    """In a fresh process, as the peak is the process's. What the model itself takes is not counted."""
    folder = shutil.copytree(tiny_anole, tmp_path / "wide")
    config = json.loads((folder / "config.json").read_text())
    config.update(hidden_size=256, intermediate_size=4096, num_hidden_layers=12)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").unlink()
    shapes = empty_module(ChameleonConfig.from_pretrained(folder)).state_dict()
    weights = {name: torch.zeros(tensor.shape, dtype=torch.bfloat16) for name, tensor in shapes.items()}
    save_torch_state_dict(weights, folder, max_shard_size="20MB")
    largest = max(file.stat().st_size for file in folder.glob("*.safetensors"))
    peak_bytes, model_bytes = json.loads(_run(_PEAK, str(folder), str(tiny_anole)))
    assert model_bytes > 3 * largest > 50e6
    assert peak_bytes - model_bytes < 1.2 * largest


_PEAK = """
import json, sys, torch
from pathlib import Path
from transformers import ChameleonConfig
from zero_engine.models.chameleon.loading import empty_module, fill
from zero_engine.models.chameleon.weights import weight_files

def kilobytes(key):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key + ":"))

def read(folder):
    module = empty_module(ChameleonConfig.from_pretrained(folder))
    before = kilobytes("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
    fill(module, weight_files(Path(folder)), torch.device("cpu"), torch.bfloat16)
    size = sum(p.numel() * p.element_size() for p in module.parameters())
    return (kilobytes("VmHWM") - before) * 1024, size

read(sys.argv[2])  # what is imported and allocated once
print(json.dumps(read(sys.argv[1])))
"""


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: _part(folder, 2).unlink(), "weight files are missing, the first: model-00002"),
        (lambda folder: _part(folder, 1).write_bytes(b"\0" * 99), "model-00001-of"),
        (
            lambda folder: _edit(folder, lambda w: w.pop("lm_head.weight")),
            "1 weights are missing.*first: lm_head.weight",
        ),
        (
            lambda folder: _edit(folder, lambda w: w.update({"lm_head.weight": torch.zeros(2, 64)})),
            r"another shape than config.json says \(first: lm_head.weight \(file: \(2, 64\), model: \(1080, 64\)",
        ),
        (
            lambda folder: _edit(folder, lambda w: [w.pop(n) for n in list(w) if ".decoder." in n]),
            "all of the picture decoder .* It can read pictures, not draw: Chameleon-7b",
        ),
    ],
)
def test_what_is_wrong_with_the_weights_is_one_line(tiny_anole, tmp_path, spoil, says):
    folder = _sharded(tiny_anole, tmp_path)
    spoil(folder)
    with pytest.raises(ModelError, match=says) as caught:
        load_model(str(folder), device="cpu")
    assert "\n" not in str(caught.value) and "sharded" in str(caught.value)


def test_weights_that_are_not_used_are_named_in_one_line(tiny_anole, tmp_path, caplog):
    folder = _sharded(tiny_anole, tmp_path)
    _edit(folder, lambda weights: weights.update(more=torch.zeros(1), extra=torch.zeros(1)))
    with caplog.at_level(logging.WARNING):
        load_model(str(folder), device="cpu")
    assert [r.getMessage() for r in caplog.records] == [f"{folder}: 2 weights are not used (first: extra)"]


def _sharded(tiny_anole: Path, tmp_path: Path) -> Path:
    folder = shutil.copytree(tiny_anole, tmp_path / "sharded")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    save_torch_state_dict(weights, folder, max_shard_size="1MB")
    return folder


def _part(folder: Path, number: int) -> Path:
    return next(folder.glob(f"model-{number:05d}-of-*.safetensors"))


def _edit(folder: Path, edit) -> None:
    """Change the shard that has lm_head, and the whole checkpoint with it where names go."""
    weights = {}
    for file in sorted(folder.glob("*.safetensors")):
        weights |= load_file(file)
        file.unlink()
    (folder / "model.safetensors.index.json").unlink()
    edit(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _sparse_file(path: Path, shapes: dict[str, list[int]]) -> Path:
    """A safetensors file of bfloat16 zeros that takes no disk: its header, then a hole."""
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return path


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
