"""The facts of `zero-engine models check`: whether a model reads and draws, its memory, its speed.

It works with any `UnifiedModel`; the model's own `describe` adds the facts of its family (token layout, sizes). The
test picture is made here: plain shapes on white, like an illustration of a step. A pipeline of diffusers paints one
picture, which the model of `render.model` encodes.
"""

import time

import numpy as np

from zero_engine.images import psnr
from zero_engine.models.base import Drawings, UnifiedModel
from zero_engine.models.batching import auto_batch_size
from zero_engine.models.prompt import Sampling, requests
from zero_engine.models.soundness import sample_picture
from zero_engine.painters.generators import generator_fingerprint, get_generator
from zero_engine.painters.painting import PaintedModel
from zero_engine.pipeline import Render

SLOW_S = 60.0
"""A model that takes longer than this for one picture draws no whole batch here."""
CANNOT_DRAW = "Chameleon-7b was published with its drawing trained away: it cannot draw well. Anole-7b can."


def check_model(model: UnifiedModel, prompt: str) -> tuple[dict[str, object], np.ndarray]:
    """Facts, in the order to print them, and the drawing of the prompt, (H, W, 3) uint8."""
    picture_HW3 = sample_picture(model.image_size)
    codes_1N = model.encode([picture_HW3])
    again_HW3 = model.decode(codes_1N)[0]
    drawing, first_s = _drawn(model, [prompt])
    batch = 1 if first_s > SLOW_S else auto_batch_size(model)
    _, seconds = _drawn(model, [prompt] * batch) if batch > 1 else (None, first_s)
    rows, columns = model.grid
    facts = {
        "model": model.name,
        "fingerprint": model.fingerprint[:16],
        "pixels": f"{model.image_size}x{model.image_size}",
        "codes": f"{rows}x{columns}",
        "codebook": model.codebook_size,
        "max_prompt_length": model.max_prompt_length,
        **model.describe(),
        "test_picture_psnr_db": round(psnr(picture_HW3, again_HW3), 2),
        "test_picture_codes": len(np.unique(codes_1N)),
        "likelihood": round(float(drawing.likelihood[0]), 4),
        "batch": batch,
        "pictures_per_s": round(batch / seconds, 3),
    }
    if "chameleon-7b" in model.name.lower():
        facts["note"] = CANNOT_DRAW
    return facts, model.decode(drawing.codes)[0]


def check_painter(render: Render, prompt: str) -> tuple[dict[str, object], np.ndarray]:
    """Facts about what paints, in the order to print them, and the painting of the prompt, (H, W, 3) uint8."""
    fingerprint, generator = generator_fingerprint(render), get_generator(render)
    assert isinstance(generator, PaintedModel), "a unified model goes through check_model"
    started = time.perf_counter()
    drawing = generator.draw(requests([prompt], [0]))
    seconds = time.perf_counter() - started
    assert drawing.painted is not None
    painted_HW3 = drawing.painted[0]
    facts = {
        "model": generator.name,
        "fingerprint": fingerprint,
        "pixels": f"{painted_HW3.shape[1]}x{painted_HW3.shape[0]}",
        **generator.describe(),
        **{name: round(float(values[0]), 2) for name, values in drawing.scores.items()},
        "likelihood": round(float(drawing.likelihood[0]), 4),
        "picture_s": round(seconds, 3),
    }
    return facts, painted_HW3


def _drawn(model: UnifiedModel, prompts: list[str]) -> tuple[Drawings, float]:
    started = time.perf_counter()
    drawings = model.draw(requests(prompts, list(range(len(prompts)))), Sampling(guidance=1.5, top_p=0.9))
    return drawings, time.perf_counter() - started
