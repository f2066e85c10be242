"""States to resume from, the journal that goes with them, and the model that comes out.

A state is one file under its final name, written aside and renamed: what is trained, the optimiser, and the identity of
the training. The journal holds one JSON line a step, of figures that are functions of the training alone (no clock),
so a run that was killed and resumed ends with the same bytes. On resume it is cut back to the state's step.

The model is a checkpoint folder in the layout it came in, VQ decoder included, adapters merged. The projection of L_Pe
lies beside it in `perception.safetensors`, and is taken up again by a training that starts from the folder.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from zero_engine.identity import check_identity
from zero_engine.models.chameleon.model import Chameleon
from zero_engine.models.chameleon.perception import Projection, read_projection, write_projection
from zero_engine.write.atomic import atomic_write

KEPT = 2
"""States that stay: the last one, and the one before in case the disk fails under the last."""
_TRAINED = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)


def trained_weights(learner: nn.Module) -> dict[str, torch.Tensor]:
    """What is trained, whole and on the CPU, whether or not it is spread over processes."""
    return cast(dict[str, torch.Tensor], get_model_state_dict(learner, options=_TRAINED))


def save_state(
    folder: Path, step: int, identity: dict[str, Any], learner: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write the state after `step` steps; call on every process, the first one writes."""
    state = {
        "step": step,
        "identity": identity,
        "weights": trained_weights(learner),
        "optimizer": get_optimizer_state_dict(learner, optimizer, options=_TRAINED),
    }
    if not _is_first():
        return
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{step:08d}.pt"
    temporary = folder / f".{final.name}.tmp"
    with open(temporary, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, final)
    for old in sorted(folder.glob("step-*.pt"))[:-KEPT]:
        old.unlink()


def resume(
    folder: Path, identity: dict[str, Any], learner: nn.Module, optimizer: torch.optim.Optimizer
) -> int:
    """Take up the latest state; the number of steps done, 0 where there is none.

    Raises OutputError where the state belongs to another training.
    """
    states = sorted(folder.glob("step-*.pt"))
    if not states:
        return 0
    state = torch.load(states[-1], map_location="cpu", weights_only=True)
    check_identity(states[-1], state["identity"], identity)
    whole = StateDictOptions(full_state_dict=True, strict=False)
    set_model_state_dict(learner, state["weights"], options=whole)
    set_optimizer_state_dict(learner, optimizer, state["optimizer"], options=_TRAINED)
    return state["step"]


class Journal:
    """JSON lines, one a step. Only the first process writes."""

    def __init__(self, path: Path, done: int):
        self.path = path
        self._active = _is_first()
        if not self._active:
            return
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        kept = [line + "\n" for line in lines if json.loads(line)["step"] <= done]
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, "w") as file:
            file.writelines(kept)

    def write(self, line: dict[str, Any]) -> None:
        if self._active:
            with open(self.path, "a", encoding="utf-8", newline="\n") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def save_model(model: Chameleon, projection: nn.Linear | None, folder: Path, shift: int = 1) -> None:
    """Write a checkpoint folder, whole or not at all; `shift` is where the projection was trained (`SftLoss`)."""
    staging = folder.with_name(f".{folder.name}.tmp")
    staging.mkdir(parents=True, exist_ok=True)
    model.save(staging)
    if projection is not None:
        write_projection(Projection(projection, shift), staging)
        for file in staging.iterdir():  # safetensors leaves files that only their owner can read
            file.chmod(0o644)
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(staging, folder)


def load_projection(model: Chameleon, folder: Path, seed: int) -> nn.Linear:
    """The projection beside a checkpoint, or a fresh one that is a function of the seed."""
    hidden, width = model.module.config.hidden_size, model.vqmodel.quantize.embedding.weight.shape[1]
    if found := read_projection(folder, hidden, width):
        return found.linear.requires_grad_(True)
    projection = nn.Linear(hidden, width)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        projection.weight.normal_(0, projection.in_features**-0.5, generator=generator)
        projection.bias.zero_()
    return projection


def _is_first() -> bool:
    return not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0
