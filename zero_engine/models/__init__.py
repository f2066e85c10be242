"""Models that draw, loaded by `get_model("nano")`. Importing this imports no torch."""

from zero_engine.models.base import Drawings, UnifiedModel
from zero_engine.models.registry import get_model, load_chameleon, load_model, model_fingerprint, model_folder

__all__ = [
    "Drawings",
    "UnifiedModel",
    "get_model",
    "load_chameleon",
    "load_model",
    "model_fingerprint",
    "model_folder",
]
