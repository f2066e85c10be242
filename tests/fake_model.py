"""A model that draws nothing but noise, fast, and whose noise betrays every shape it was called with.

Its numbers are a hash of a row's own inputs *and* of the batch's shape (rows, padded length), as those of a
real model on a GPU can be. A test that finds equal drawings in different company has thereby found equal
shapes.
"""

import zlib
from dataclasses import dataclass, field

import numpy as np

from zero_engine.models.base import Drawings
from zero_engine.records import ParsedTrace, Source, Step, Trace

PAD = 16


def parsed_trace(trace_id: str, *steps: str) -> ParsedTrace:
    """A parsed trace with the given steps."""
    trace = Trace(
        trace_id, "How many?", "\n".join(steps), None, Source("test", "test", 0), record={"id": trace_id}
    )
    return ParsedTrace(trace, tuple(Step(i, text) for i, text in enumerate(steps)), None, "lines")


@dataclass
class FakeModel:
    """4 x 4 codes of 64, pictures of 32 x 32 pixels; a prompt takes a token a character, and two more."""

    name: str = "fake"
    fingerprint: str = "fake"
    grid: tuple[int, int] = (4, 4)
    image_size: int = 32
    codebook_size: int = 64
    max_prompt_length: int = 200
    fails_on: str = "poison"
    """A prompt or a text with this word fails the call it is in."""
    largest_batch: int = 10_000
    """A bigger batch is out of memory."""
    calls: list[tuple[str, int, int]] = field(default_factory=list)
    """What was called, with how many rows, padded to how many tokens."""

    def draw(self, prompts, seeds, *, guidance=1.0, temperature=1.0, top_p=1.0, top_k=None) -> Drawings:
        shape = self._called("draw", prompts)
        draws = [
            _noise("draw", p, s, guidance, temperature, top_p, top_k, shape)
            for p, s in zip(prompts, seeds, strict=True)
        ]
        codes = np.stack([rng.integers(0, self.codebook_size, 16) for rng in draws]).astype(np.uint16)
        likelihood = np.array([-rng.random() for rng in draws], np.float32)
        unconditional = np.array([-1 - rng.random() for rng in draws], np.float32)
        return Drawings(codes, likelihood, unconditional if guidance > 1 else None)

    def decode(self, codes_BN):
        self.calls.append(("decode", len(codes_BN), 0))
        colours = np.random.default_rng(7).integers(0, 256, (self.codebook_size, 3)).astype(np.uint8)
        return colours[codes_BN.reshape(-1, 4, 4)].repeat(8, axis=1).repeat(8, axis=2)

    def log_likelihood(self, prompts, codes_BN):
        shape = self._called("log_likelihood", prompts)
        rows = zip(prompts, codes_BN, strict=True)
        return np.array([-_noise("ll", p, c.tobytes(), shape).random() for p, c in rows], np.float32)

    def caption_likelihood(self, codes_BN, texts):
        shape = self._called("caption_likelihood", texts)
        rows = zip(texts, codes_BN, strict=True)
        return np.array([-_noise("caption", t, c.tobytes(), shape).random() for t, c in rows], np.float32)

    def codebook(self):
        return np.random.default_rng(3).normal(size=(self.codebook_size, 8)).astype(np.float32)

    def prompt_length(self, prompt):
        return len(prompt) + 2

    def _called(self, what, texts):
        padded = -(-max(self.prompt_length(text) for text in texts) // PAD) * PAD
        self.calls.append((what, len(texts), padded))
        if len(texts) > self.largest_batch:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        if any(self.fails_on in text for text in texts):
            raise IndexError("index 64 is out of range")
        return len(texts), padded


def _noise(*identity) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(identity).encode()))
