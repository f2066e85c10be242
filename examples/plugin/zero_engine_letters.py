"""A plugin for zero-engine, found by its entry points (pyproject.toml): the score `ink` and the generator `letters`.

    pip install ./examples/plugin
    zero-engine run pipelines/gsm8k_nano.yaml --set render.generator=letters --set 'score.names=[ink]' \
        --set 'gate={min: {ink: 0.001}, rank: {ink: 1.0}, max: {}}'
"""

import textwrap
from collections.abc import Callable, Sequence

import numpy as np
import PIL
from PIL import Image, ImageDraw

from zero_engine.pipeline import Render, Score


class Ink:
    """Share of a drawing's pixels that are darker than `score.options.darkness`, of 255."""

    def load(self, score: Score, device: str) -> Callable[[Sequence[np.ndarray], Sequence[str]], list[float]]:
        """Called once a process; what it returns is called with many drawings of many traces at once."""
        darkness = (score.options or {}).get("darkness", 128)

        def ink(images: Sequence[np.ndarray], texts: Sequence[str]) -> list[float]:
            return [float((image_HW3.mean(axis=2) < darkness).mean()) for image_HW3 in images]

        return ink

    def fingerprint(self, score: Score) -> str:
        """Raise the number when the same drawing gets another value, and drawings are scored anew."""
        return "1"


class Letters:
    """Writes the prompt on white: the plainest drawing of a step, to compare others with."""

    name = "letters"

    def load(self, render: Render) -> "Letters":
        """Called once a process; `render.options` is the plugin's own."""
        self.size = int((render.options or {}).get("size", 64))
        return self

    def fingerprint(self, render: Render) -> str:
        """What shapes the pictures beside the pipeline file: this code, and the font of the library."""
        return f"1 {PIL.__version__}"

    def paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[np.ndarray]:
        """One picture per prompt; the seed decides the shade of the letters."""
        return [self._written(prompt, seed % 96) for prompt, seed in zip(prompts, seeds, strict=True)]

    def _written(self, text: str, shade: int) -> np.ndarray:
        picture = Image.new("RGB", (self.size, self.size), "white")
        lines = textwrap.wrap(text, width=self.size // 6)
        ImageDraw.Draw(picture).multiline_text((1, 1), "\n".join(lines), fill=(shade,) * 3)
        return np.asarray(picture)


ink = Ink()
letters = Letters()
