"""The bundled nano model, a checkpoint in the Chameleon layout, and its path. `zero_engine.nano` trains it."""

from pathlib import Path


def weights_path() -> Path:
    """The folder of the bundled checkpoint."""
    return Path(__file__).parent / "weights"
