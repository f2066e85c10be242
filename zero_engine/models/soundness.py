"""Whether a loaded checkpoint is sound: its weights are numbers, and it reads a text and a picture.

Damage that no library notices on loading (a flipped bit that makes a weight NaN, a setting of another size) would
otherwise show in the middle of a run, as a traceback or as pictures of nothing.
"""

import numpy as np
import torch
from torch import Tensor

from zero_engine.errors import ModelError
from zero_engine.models.base import UnifiedModel
from zero_engine.models.checking import sample_picture


def try_out(model: UnifiedModel) -> None:
    """Let a model read a text and a picture, so that what is wrong with its settings shows before any work.

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


def is_finite(tensor: Tensor) -> bool:
    """Whether every value is a number, in one pass and without a copy."""
    if tensor.numel() == 0:
        return True
    low, high = tensor.aminmax()
    return bool(torch.isfinite(low) & torch.isfinite(high))
