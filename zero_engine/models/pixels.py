"""Runs any family's codec in batches of one size, and converts its output to uint8.

A codec runs small pictures in batches of exactly `CODEC_BATCH`, the last one filled up, and larger pictures one by one.
oneDNN's convolutions give a picture other bits in a batch of 1, of 2 to 15, and of 16 or more; its place in the batch
changes nothing. The reference's numbers are those of a batch of 3.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

CODEC_BATCH = 8
SMALL_PICTURE = 128
"""The longest side, in pixels, of pictures that run in batches."""


def in_batches(codec: Callable[[Tensor], Tensor], rows: Tensor, picture_size: int) -> Tensor:
    """`codec(rows)`, in batches whose size depends only on the size of a picture."""
    size = CODEC_BATCH if picture_size <= SMALL_PICTURE else 1
    short = -len(rows) % size
    filled = torch.cat((rows, rows[-1:].expand(short, *rows.shape[1:]))) if short else rows
    return torch.cat([codec(part) for part in filled.split(size)])[: len(rows)]


def to_uint8(pixels_B3HW: np.ndarray, image_processor: Any) -> np.ndarray:
    """Inverts an image processor's normalisation. Truncates as the references do; rounding changes half the values."""
    mean = np.array(image_processor.image_mean, np.float32).reshape(3, 1, 1)
    std = np.array(image_processor.image_std, np.float32).reshape(3, 1, 1)
    scaled = (pixels_B3HW * std + mean) * np.float32(1 / image_processor.rescale_factor)
    return np.clip(scaled, 0, 255).astype(np.uint8)
