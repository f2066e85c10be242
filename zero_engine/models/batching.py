"""How many drawings a model makes at once: a part of their identity, because the bits of a drawing depend on it."""

import sys

from zero_engine.batches import padded
from zero_engine.models.base import RowsApart, UnifiedModel
from zero_engine.models.prompt import Prompt, pictures_in

AUTO_BATCH_SIZE = {("cpu", "small"): 32, ("cpu", "large"): 2, ("cuda", "small"): 128, ("cuda", "large"): 16}
"""`batch_size: auto` on a CPU, or where a model's footprint is unknown (see `Footprint.fits`), by device kind and model
size. Fixed, because it is part of a drawing's identity. Small is at most 256 codes a picture (nano: 64; Anole: 1,024).
"""
_AT_ONCE = 4
"""Batches of a small model that share a call on a CPU: its weights are read from memory a quarter as often."""
PICTURE_SLOTS = 64
"""A prompt with pictures has a multiple of so many slots in the cache. With `render.context: pictures` a level has few
drawings of many lengths, and batches that are not full cost more than slots that are empty."""


def room(prompt: Prompt, length: int) -> int:
    """The slots that a prompt of `length` tokens takes in a batch. Prompts share a batch where these are equal."""
    return padded(length, PICTURE_SLOTS) if pictures_in(prompt) else padded(length)


def auto_batch_size(model: UnifiedModel) -> int:
    """The batch size that `auto` stands for: how many drawings fit this kind of GPU, else AUTO_BATCH_SIZE."""
    device = str(model.device)
    capacity = _gpu_bytes(device)
    if capacity and model.footprint is not None:
        return model.footprint.fits(capacity)
    return table_batch_size("cuda" if device.startswith("cuda") else "cpu", model.grid[0] * model.grid[1])


def batches_at_once(model: UnifiedModel) -> int:
    """How many batches of `auto` a call draws: more than one where that changes no bit and takes little memory."""
    apart = isinstance(model, RowsApart) and model.rows_apart
    return _AT_ONCE if apart and auto_batch_size(model) == AUTO_BATCH_SIZE["cpu", "small"] else 1


def table_batch_size(kind: str, codes_per_picture: int) -> int:
    """The entry of AUTO_BATCH_SIZE for a kind of device and a size of pictures."""
    return AUTO_BATCH_SIZE[kind, "small" if codes_per_picture <= 256 else "large"]


def _gpu_bytes(device: str) -> int:
    """A GPU's total memory; its free memory would differ between workers, and between a run and its resumption."""
    torch = sys.modules.get("torch")
    if torch is None or not device.startswith("cuda") or not torch.cuda.is_available():
        return 0
    return torch.cuda.get_device_properties(device).total_memory
