"""Devices and precisions by the names that a pipeline gives them."""

import torch

from zero_engine.errors import ModelError


def device_named(device: str) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def dtype_named(dtype: str, device: torch.device) -> torch.dtype:
    """float32 on CPU, where drawings are exact; bfloat16 elsewhere."""
    if dtype == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    chosen = getattr(torch, dtype, None)
    if chosen not in (torch.float32, torch.bfloat16, torch.float16):
        raise ModelError(f"dtype must be auto, float32, bfloat16 or float16, got {dtype}")
    return chosen
