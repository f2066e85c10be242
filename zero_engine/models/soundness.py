"""Checks that a loaded checkpoint is sound: its weights are finite, and it reads a text and a picture.

Libraries load some damaged checkpoints without an error (a flipped bit made a weight NaN, a setting has a wrong size).
Without this check such damage would show in the middle of a run, as a traceback or as empty pictures.
"""

import re
from collections.abc import Iterable

import numpy as np
from torch import Tensor

from zero_engine.errors import ModelError
from zero_engine.models.base import UnifiedModel

LARGEST = 1e6
"""No trained weight comes near; a flipped bit of an exponent goes far beyond, and what it draws is NaN."""
_ROW = re.compile(r"(.*?)\.\d+\.(?!.*inv_freq).*(weight|bias)$")
"""The name of a weight in one of a row of blocks; its group is the row."""


def of_rows(names: Iterable[str], held: Iterable[str] | None = None) -> list[str]:
    """Those names that are of a block, in a row that a model with the weights `held` has: it needs them all."""
    rows = None if held is None else {found[1] for found in map(_ROW.match, held) if found}
    return [name for name in sorted(names) if (row := _ROW.match(name)) and (rows is None or row[1] in rows)]


def try_out(model: UnifiedModel) -> None:
    """Runs a model on a text and a picture, so that wrong settings show before any work.

    Raises ModelError, or whatever the model raises.
    """
    length = model.prompt_length("3 + 4 = 7")
    if length > model.max_prompt_length:
        raise ModelError(
            f"{model.name}: a prompt of {length} ids is longer than the {model.max_prompt_length} that the model "
            "leaves room for. Check max_position_embeddings in config.json."
        )
    with np.errstate(divide="raise", invalid="raise"):
        model.decode(model.encode([sample_picture(model.image_size)]))


def is_sound(tensor: Tensor) -> bool:
    """Whether every value is finite and below LARGEST, in one pass and without a copy."""
    low, high = tensor.detach().aminmax() if tensor.numel() else (0.0, 0.0)
    return -LARGEST < float(low) <= float(high) < LARGEST


def sample_picture(size: int) -> np.ndarray:
    """A disc, a square and a slanted line on white, (size, size, 3) uint8."""
    y_HW, x_HW = np.mgrid[:size, :size] / size
    image_HW3 = np.full((size, size, 3), 255, np.uint8)
    image_HW3[(x_HW - 0.3) ** 2 + (y_HW - 0.35) ** 2 < 0.04] = (200, 40, 40)
    image_HW3[(abs(x_HW - 0.7) < 0.15) & (abs(y_HW - 0.65) < 0.15)] = (40, 80, 200)
    image_HW3[abs(y_HW - 1 + 0.6 * x_HW) < 0.02] = 0
    return image_HW3
