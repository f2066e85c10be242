"""Reads weights from safetensors files straight to a device, one shard open at a time.

The module is made without memory (`torch.device("meta")`). Each tensor is read from its file, converted to its dtype,
and copied to the device. A file is mapped only while its tensors are read, so the host never holds more than one shard
(transformers' own `from_pretrained` maps all shards at once).

Weights match by name and shape. `Report` lists the ones that do not; the caller decides what is an error.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from zero_engine.models.soundness import is_sound, of_rows

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"


@dataclass(slots=True)
class Report:
    """Names of the weights that did not match, sorted."""

    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Unexpected ones that the module cannot do without: of a row of blocks that it has."""
    misshapen: list[str] = field(default_factory=list)
    """With both shapes: `name (file: (2, 3), model: (3, 2))`."""
    unsound: list[str] = field(default_factory=list)
    """Weights that are no floating-point numbers, or hold NaN, infinity or what is huge."""


def read_weights(
    module: nn.Module,
    files: list[Path],
    device: torch.device,
    dtype_of: Callable[[str], torch.dtype],
    tied: frozenset[str] = frozenset(),
) -> Report:
    """Fills a module that was made on the meta device. With `device` meta, only names and shapes are read.

    Weights of the names `tied` may be absent. Raises OSError or ValueError, naming the file, for a file that cannot be
    read.
    """
    wanted = {name: tensor.shape for name, tensor in module.state_dict().items()}
    report, found = Report(), set()
    for file in files:
        tensors: dict[str, Tensor] = {}
        try:
            with safe_open(
                file, framework="pt", device=str(device) if device.type == "cuda" else "cpu"
            ) as shard:
                for name in shard.keys():  # noqa: SIM118 (the file is no dict)
                    if name not in wanted:
                        report.unexpected.append(name)
                        continue
                    found.add(name)
                    shape = torch.Size(shard.get_slice(name).get_shape())
                    if shape != wanted[name]:
                        both = f"{name} (file: {tuple(shape)}, model: {tuple(wanted[name])})"
                        report.misshapen.append(both)
                        continue
                    tensors[name] = tensor = torch.empty(shape, dtype=dtype_of(name), device=device)
                    if device.type != "meta":
                        held = shard.get_tensor(name)
                        tensor.copy_(held)
                        if not (held.is_floating_point() and is_sound(tensor)):
                            report.unsound.append(name)
        except SafetensorError as error:
            raise ValueError(f"{file.name} is not a whole safetensors file: {error}") from None
        module.load_state_dict(tensors, strict=False, assign=True)
    report.missing = sorted(wanted.keys() - found - tied)
    report.unexpected.sort()
    report.left_out = of_rows(report.unexpected, wanted)
    return report


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint: the files that its index names, or model.safetensors.

    Raises OSError for a file that is missing.
    """
    if (folder / SINGLE).is_file() or not (folder / INDEX).is_file():
        names = [SINGLE]
    else:
        names = sorted(set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()))
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise FileNotFoundError(
            f"{len(absent)} of {len(names)} weight files are missing, the first: {absent[0]}"
        )
    return [folder / name for name in names]
