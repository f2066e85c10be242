"""How the bundled model is made and judged.

recipe/        trains a checkpoint: codebook, codec, language model
evaluate.py    what a model draws of the nano world, judged by the world's oracles
calibrate.py   rank weights and gate thresholds, with the oracles as truth

The model's weights lie in `models/nano/weights`, its world in `world/`. Importing this module imports no torch.
"""

from zero_engine.pipeline import Gate

LEARNT = (
    *("sum", "difference", "product", "quotient", "fraction", "percent", "line", "two", "long", "nothing"),
    *(
        "dots",
        "rows",
        "scatter",
        "relation",
        "mark",
        "right_angle",
        "altitude",
        "median",
        "rectangle",
        "circle",
    ),
    *("place", "goal", "move", "trail", "zoom", "box", "auxiliary", "predict"),
)
"""Kinds of drawings that the bundled checkpoint was trained on; it is judged by these unless others are named."""

GATE = Gate(
    rank={"likelihood": 1.0, "caption": 0.33, "readback": 1.0},
    min={"likelihood": -0.06, "readback": 0.5},
    max={"blank": 0.98},
)
"""The gate for its drawings, calibrated against the oracles (`zero-engine models calibrate`): 98 % of what it keeps of
held-out prompts is right."""
