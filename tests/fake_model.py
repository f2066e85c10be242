"""A model that draws nothing but noise, fast, and whose noise betrays every shape it was called with.

Its numbers are a hash of a row's own inputs *and* of the batch's shape (rows, padded length), as those of a
real model on a GPU can be. A test that finds equal drawings in different company has thereby found equal
shapes.
"""

import zlib
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from zero_engine.models.base import Drawings, refuse_perception, refuse_pictures
from zero_engine.models.prompt import Sampling
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
    sees_pictures: bool = False
    has_projection: bool = False
    device: str = "cpu"
    footprint: None = None
    fails_on: str = "poison"
    """A prompt or a text with this word fails the call it is in."""
    largest_batch: int = 10_000
    """A bigger batch is out of memory."""
    calls: list[tuple[str, int, int]] = field(default_factory=list)
    """What was called, with how many rows, padded to how many tokens."""

    def draw(self, wanted, sampling=Sampling()) -> Drawings:
        prompts, seeds = [request.prompt for request in wanted], [request.seed for request in wanted]
        if not self.sees_pictures:
            refuse_pictures(self.name, prompts)
        shape = self._called("draw", prompts)
        how = sampling.guidance, sampling.temperature, sampling.top_p, sampling.top_k
        draws = [_noise("draw", p, s, *how, shape) for p, s in zip(prompts, seeds, strict=True)]
        codes = np.stack([rng.integers(0, self.codebook_size, 16) for rng in draws]).astype(np.uint16)
        likelihood = np.array([-rng.random() for rng in draws], np.float32)
        unconditional = np.array([-1 - rng.random() for rng in draws], np.float32)
        return Drawings(codes, likelihood, unconditional if sampling.guidance > 1 else None)

    def decode(self, codes_BN):
        self.calls.append(("decode", len(codes_BN), 0))
        return self._colours()[codes_BN.reshape(-1, 4, 4)].repeat(8, axis=1).repeat(8, axis=2)

    def encode(self, images):
        self.calls.append(("encode", len(images), 0))
        size = (self.image_size, self.image_size)
        pictures = [
            Image.fromarray(np.asarray(i)).convert("RGB").resize(size, Image.Resampling.BOX) for i in images
        ]
        tiles_BNC = np.stack([np.asarray(p)[4::8, 4::8].reshape(16, 3) for p in pictures]).astype(int)
        distance_BNK = ((tiles_BNC[:, :, None] - self._colours().astype(int)) ** 2).sum(-1)
        return distance_BNK.argmin(-1).astype(np.uint16)

    def log_likelihood(self, prompts, codes_BN):
        shape = self._called("log_likelihood", prompts)
        rows = zip(prompts, codes_BN, strict=True)
        return np.array([-_noise("ll", p, c.tobytes(), shape).random() for p, c in rows], np.float32)

    def caption_likelihood(self, codes_BN, texts):
        shape = self._called("caption_likelihood", texts)
        rows = zip(texts, codes_BN, strict=True)
        return np.array([-_noise("caption", t, c.tobytes(), shape).random() for t, c in rows], np.float32)

    def perception(self, prompts, codes_BN):
        if not self.has_projection:
            raise refuse_perception(self.name)
        shape = self._called("perception", prompts)
        rows = zip(prompts, codes_BN, strict=True)
        return np.array([_noise("perception", p, c.tobytes(), shape).random() for p, c in rows], np.float32)

    def codebook(self):
        return np.random.default_rng(3).normal(size=(self.codebook_size, 8)).astype(np.float32)

    def prompt_length(self, prompt):
        return len(prompt) + 2

    def describe(self):
        return {"family": "fake"}

    def _colours(self):
        return np.random.default_rng(7).integers(0, 256, (self.codebook_size, 3)).astype(np.uint8)

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
