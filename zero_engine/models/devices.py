"""The names of devices and precisions in a pipeline, and what they stand for. Importing this imports no torch."""

from pathlib import Path
from typing import TYPE_CHECKING

from zero_engine.errors import ModelError

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16")


def device_kind(device: str) -> str:
    """cpu or cuda. For `auto`, without torch: cuda where a GPU's driver is loaded."""
    if device != "auto":
        return "cuda" if device.startswith("cuda") else "cpu"
    return "cuda" if any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists() else "cpu"


def dtype_name(dtype: str, kind: str) -> str:
    """The precision that a name stands for on a kind of device; `auto` is float32 on a CPU and bfloat16 on a GPU."""
    if dtype == "auto":
        return "float32" if kind == "cpu" else "bfloat16"
    return dtype


def device_named(device: str) -> "torch.device":
    """The device of a name; `auto` is cuda where torch finds a GPU. Raises ModelError for one that is not there."""
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        named = torch.device(device)
    except RuntimeError:
        raise ModelError(f"device must be auto, cpu, cuda or cuda:NUMBER, got {device!r}.") from None
    if named.type == "cuda" and (named.index or 0) >= torch.cuda.device_count():
        raise ModelError(
            f"device {device}: torch {torch.__version__} sees {torch.cuda.device_count()} GPUs here. Use auto or cpu."
        )
    return named


def dtype_named(dtype: str, device: "torch.device") -> "torch.dtype":
    """The precision of a name on a device. Raises ModelError for a name that is not in `DTYPES`."""
    import torch

    name = dtype_name(dtype, device.type)
    if name not in DTYPES:
        raise ModelError(f"dtype must be auto, {', '.join(DTYPES)}, got {dtype!r}.")
    return getattr(torch, name)
