"""Painters: generators that make pictures without codes, such as diffusion. The unified model encodes the pictures.

`PaintedModel` makes a painter a `UnifiedModel`, so later stages treat both alike. The *reader* is the unified model of
`render.model`. A painting keeps its own pixels; fitted to the reader's size and encoded by its VQ, it has codes, too.
The score `roundtrip` (PSNR in dB of the fitted painting and what the codes decode to) says how much of it they hold.
The score `unread` counts the tokens that the painter cut off the prompt, where the painter has a method of that name.
Likelihoods are the reader's, of the codes given the prompt. The reader does everything but drawing.

A painter makes the same promise as a model: a picture depends on its own prompt and seed, at a given batch size.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image

from zero_engine.batches import BatchFailure, is_out_of_memory
from zero_engine.errors import ModelError, ZeroEngineError
from zero_engine.images import encode_image, fit, psnr
from zero_engine.models.base import Drawings, UnifiedModel, refuse_pictures
from zero_engine.models.prompt import Prompt, Request, Sampling, pictures_in, text_of
from zero_engine.painters.answers import Answers


@dataclass(frozen=True, slots=True)
class Asked:
    """One picture to ask for."""

    identity: str
    prompt: str
    seed: int
    negative: str = ""
    pictures: Callable[[], list[bytes]] = list
    """The prompt's pictures as PNG, made when they are needed."""


class Painter(Protocol):
    """Makes pictures from text."""

    name: str

    def paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> Iterable[np.ndarray]:
        """One RGB uint8 picture (H, W, 3) of any size per prompt, in their order."""


@runtime_checkable
class Asks(Protocol):
    """A painter that is asked for all pictures first and hands them out by the identity of their drawings."""

    name: str

    def prepare(self, wanted: Sequence[Asked]) -> list[BatchFailure | None]:
        """Ask for the pictures; what failed, in the order of `wanted`."""

    def pictures(self, identities: Sequence[str]) -> list[np.ndarray]:
        """The pictures, (H, W, 3) uint8; any picture for the empty identity, which is a filler's."""

    def keep_in(self, answers: Answers) -> None:
        """Keep answers there."""


@runtime_checkable
class CutsPrompts(Protocol):
    """A painter that knows how much of a prompt it cut."""

    def unread(self, prompts: Sequence[str]) -> Sequence[int]:
        """Number of tokens cut at each prompt's end."""


@runtime_checkable
class Describes(Protocol):
    """A painter that says what it is."""

    def describe(self) -> dict[str, object]:
        """Facts by name, for `zero-engine models check`."""


class PaintedModel:
    """A `UnifiedModel` that draws with a painter and does everything else with its reader."""

    footprint = None
    """Unknown: the reader's memory says nothing about the painter's, so `AUTO_BATCH_SIZE` sets the batch size."""

    def __init__(self, reader: UnifiedModel, painter: "Painter | Asks"):
        self.reader, self.painter = reader, painter
        self.name = f"{painter.name}, read by {reader.name}"
        self.fingerprint = reader.fingerprint
        self.grid, self.image_size, self.codebook_size = reader.grid, reader.image_size, reader.codebook_size
        self.max_prompt_length = reader.max_prompt_length
        self.device, self.has_projection = reader.device, reader.has_projection
        self.sees_pictures = isinstance(painter, Asks) and reader.sees_pictures

    def prepare(self, wanted: Sequence[Request]) -> list[BatchFailure | None]:
        """Ask for all pictures, where the painter is one that is asked."""
        if not isinstance(self.painter, Asks):
            return [None] * len(wanted)
        return self.painter.prepare([self._asked(request) for request in wanted])

    def draw(self, wanted: Sequence[Request], sampling: Sampling = Sampling()) -> Drawings:
        """Paint one picture per request. `sampling` does not apply to a painter and is ignored; the painter takes
        a negative prompt from the pipeline. Raises ModelError for pictures in a prompt."""
        if not self.sees_pictures:
            refuse_pictures(self.name, (request.prompt for request in wanted))
        prompts = [request.prompt for request in wanted]
        texts = [text_of(prompt) for prompt in prompts]
        if isinstance(self.painter, Asks):
            painted = self.painter.pictures([request.identity for request in wanted])
        else:
            painted = _painted(self.painter, texts, wanted)
        fitted = [fit(picture_HW3, self.image_size) for picture_HW3 in painted]
        codes_BN = self.encode(fitted)
        roundtrip = [psnr(one, other) for one, other in zip(fitted, self.decode(codes_BN), strict=True)]
        scores = {"roundtrip": np.array(roundtrip, np.float32)}
        if isinstance(self.painter, CutsPrompts):
            scores["unread"] = np.array(self.painter.unread(texts), np.float32)
        return Drawings(
            codes=codes_BN,
            likelihood=self.log_likelihood(prompts, codes_BN),
            likelihood_unconditional=None,
            scores=scores,
            painted=painted,
            origin="served" if isinstance(self.painter, Asks) else "painted",
        )

    def _asked(self, request: Request) -> Asked:
        codes = pictures_in(request.prompt)

        def shown() -> list[bytes]:
            return [encode_image(image_HW3) for image_HW3 in self.decode(np.stack(codes))] if codes else []

        text = " ".join(text_of(request.prompt, " ").split())
        return Asked(request.identity, text, request.seed, text_of(request.against), shown)

    def decode(self, codes_BN: np.ndarray) -> np.ndarray:
        return self.reader.decode(codes_BN)

    def encode(self, images: Sequence[np.ndarray | Image.Image]) -> np.ndarray:
        return self.reader.encode(images)

    def log_likelihood(self, prompts: Sequence[Prompt], codes_BN: np.ndarray) -> np.ndarray:
        return self.reader.log_likelihood(prompts, codes_BN)

    def caption_likelihood(self, codes_BN: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        return self.reader.caption_likelihood(codes_BN, texts)

    def perception(self, prompts: Sequence[Prompt], codes_BN: np.ndarray) -> np.ndarray:
        return self.reader.perception(prompts, codes_BN)

    def codebook(self) -> np.ndarray:
        return self.reader.codebook()

    def prompt_length(self, prompt: Prompt) -> int:
        return self.reader.prompt_length(prompt)

    def describe(self) -> dict[str, object]:
        """The painter's own facts; the reader's are those of `render.model`."""
        return self.painter.describe() if isinstance(self.painter, Describes) else {}


def _painted(painter: Painter, texts: Sequence[str], wanted: Sequence[Request]) -> list[np.ndarray]:
    """The paintings. What fails without a drawing of the run's among them is no prompt's fault: a ModelError."""
    try:
        painted = list(painter.paint(texts, [request.seed for request in wanted]))
        for picture_HW3 in painted:
            if picture_HW3.dtype != np.uint8 or picture_HW3.ndim != 3 or picture_HW3.shape[2] != 3:
                raise ValueError(f"it paints {picture_HW3.dtype} {picture_HW3.shape}, and not RGB pictures")
        return painted
    except ZeroEngineError:
        raise
    except Exception as error:
        if is_out_of_memory(error) or any(request.identity for request in wanted):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ModelError(
            f"{painter.name}: does not paint as asked ({reason}). Mend its section or its files."
        ) from error
