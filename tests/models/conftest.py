"""The reference's tiny checkpoint and its numbers, for every test of the models."""

from pathlib import Path

import numpy as np
import pytest
import torch

from zero_engine.models import load_model
from zero_engine.models.chameleon.model import Chameleon

GOLDENS = Path(__file__).parent.parent / "data" / "goldens"


@pytest.fixture(scope="session")
def goldens() -> Path:
    return GOLDENS


@pytest.fixture(scope="session")
def tiny_anole() -> Path:
    return GOLDENS / "tiny-anole"


@pytest.fixture(scope="session")
def model(tiny_anole: Path) -> Chameleon:
    """The tiny checkpoint, float32 on CPU, one thread as in a worker."""
    torch.set_num_threads(1)
    return load_model(str(tiny_anole), device="cpu")


@pytest.fixture(scope="session")
def golden_logits() -> dict[str, np.ndarray]:
    return dict(np.load(GOLDENS / "logits.npz"))


@pytest.fixture(scope="session")
def golden_vq() -> dict[str, np.ndarray]:
    return dict(np.load(GOLDENS / "vq.npz"))
