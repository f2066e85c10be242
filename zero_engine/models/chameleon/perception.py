"""L_Pe: the distance between a drawing's code vectors and a trained projection of the hidden states.

    L_Pe = mean over picture positions of |W h - E[c]|^2 / E      (arXiv 2601.09536)

E[c] is the frozen codebook's vector of the code. h is the hidden state after the last norm: with `shift` 1 at the
position that predicts the code, with `shift` 0 at the code's own position, as in the reference. PeSFT trains W and
stores it with its shift beside the checkpoint, in `perception.safetensors`. A checkpoint without that file has no such
score.

Shapes: M positions, D hidden, K codes, E width of a code's vector.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

FILE = "perception.safetensors"


@dataclass(frozen=True, slots=True)
class Projection:
    """W, and the `shift` that it was trained with."""

    linear: nn.Linear
    shift: int


def perception(hidden_MD: Tensor, projection: nn.Linear, codebook_KE: Tensor, codes_M: Tensor) -> Tensor:
    """|W h - E[c]|^2, the mean over the vector's dimensions, (M,) float32: L_Pe before its mean over positions."""
    with torch.autocast(hidden_MD.device.type, enabled=False):
        projected_ME = projection(hidden_MD.float())
        return (projected_ME - codebook_KE[codes_M].float()).square().mean(-1)


def read_projection(folder: Path, hidden: int, width: int) -> Projection | None:
    """The projection beside a checkpoint, float32 on the CPU; None where there is none.

    `hidden` is the size of the model's hidden states, `width` the size of a code's vector. Raises ValueError for a file
    that holds anything else.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    linear = nn.Linear(hidden, width)
    try:
        linear.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{FILE} is no projection from {hidden} to {width} numbers: {reason}") from error
    with safe_open(path, framework="pt") as file:
        shift = int((file.metadata() or {}).get("shift", "1"))  # older files do not say: 1 is the default
    return Projection(linear.requires_grad_(False), shift)


def write_projection(projection: Projection, folder: Path) -> None:
    """Write the projection beside a checkpoint."""
    state = projection.linear.state_dict().items()
    weights = {name: weight.detach().cpu().contiguous() for name, weight in state}
    save_file(weights, folder / FILE, metadata={"shift": str(projection.shift)})
