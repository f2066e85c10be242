"""The bundled nano model: a small text-and-picture-token model in the Chameleon layout that draws reasoning steps.

`weights/` is a checkpoint that any Chameleon loader reads; `world/` makes (text, picture) pairs and judges pictures
by program; `recipe/` trains the checkpoint; `readback.py` reads glyphs and equations out of its pictures, `reading/`
figures, and holds them against a step's text. Importing this module imports no torch.
"""

from __future__ import annotations

import pathlib

from zero_engine.pipeline import Gate

GATE = Gate(
    rank={"likelihood": 1.0, "caption": 0.33, "readback": 1.0},
    min={"likelihood": -0.012, "readback": 0.5},
    max={"blank": 0.98},
)
"""The gate for its drawings, calibrated against the oracles (`zero-engine models calibrate`): 95 % of what it keeps of
phrasings never trained on is right."""


def weights_path() -> pathlib.Path:
    """The folder of the bundled checkpoint."""
    return pathlib.Path(__file__).parent / "weights"
