"""The reference's tiny checkpoint, which reads what painters paint."""

from pathlib import Path

import pytest

from zero_engine.models import load_model
from zero_engine.models.chameleon.model import Chameleon


@pytest.fixture(scope="session")
def tiny_anole(data: Path) -> Path:
    return data / "goldens" / "tiny-anole"


@pytest.fixture(scope="session")
def model(tiny_anole: Path) -> Chameleon:
    """The tiny checkpoint, float32 on CPU, one thread as in a worker."""
    import torch

    torch.set_num_threads(1)
    return load_model(str(tiny_anole), device="cpu")
