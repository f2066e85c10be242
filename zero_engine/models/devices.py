"""Devices and precisions by the names that a pipeline gives them. Importing this imports no torch."""

from pathlib import Path
from typing import TYPE_CHECKING

from zero_engine.errors import ModelError

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16")


def device_kind(device: str) -> str:
    """cpu or cuda: what `auto` takes here, told without torch by whether a GPU's driver is loaded."""
    if device != "auto":
        return "cuda" if device.startswith("cuda") else "cpu"
    return "cuda" if any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists() else "cpu"


def dtype_name(dtype: str, kind: str) -> str:
    """The precision that a name stands for on a kind of device: float32 on CPU, where drawings are exact."""
    if dtype == "auto":
        return "float32" if kind == "cpu" else "bfloat16"
    return dtype


def device_named(device: str) -> "torch.device":
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def dtype_named(dtype: str, device: "torch.device") -> "torch.dtype":
    """Raises ModelError for a precision that no model draws in."""
    import torch

    name = dtype_name(dtype, device.type)
    if name not in DTYPES:
        raise ModelError(f"dtype must be auto, {', '.join(DTYPES)}, got {dtype}")
    return getattr(torch, name)
