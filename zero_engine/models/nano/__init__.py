"""The bundled nano model: a small text-and-picture-token model in the Chameleon layout that draws reasoning steps.

`weights/` is a checkpoint that any Chameleon loader reads; `world/` makes (text, picture) pairs and judges pictures
by program; `recipe/` trains the checkpoint; `readback.py` reads equations out of its pictures. Importing this module
imports no torch.
"""

from __future__ import annotations

import pathlib


def weights_path() -> pathlib.Path:
    """The folder of the bundled checkpoint."""
    return pathlib.Path(__file__).parent / "weights"
