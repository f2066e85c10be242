"""The interface of a model that draws, whatever its family. It imports no torch, so any module can import it.

All values cross it as NumPy arrays: *codes* (VQ indices 0..K-1, never vocabulary ids) as uint16, pixels as uint8 RGB,
likelihoods as float32 in nats. Results have the order of the arguments.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from zero_engine.batches import BatchFailure
from zero_engine.errors import ModelError
from zero_engine.models.footprint import Footprint
from zero_engine.models.prompt import Prompt, Request, Sampling, pictures_in

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Drawings:
    """One batch of drawings, in the order of the requests.

    `likelihood` is the mean log p(codes | prompt) in nats per code, under the distribution that the model
    gives without guidance: conditional logits at temperature 1 and a softmax over the whole codebook.
    `likelihood_unconditional` is the same under the empty prompt. Guidance computes it anyway, but of rows that steer
    away from something else (nan). Where no row has it, it is None, and `UnifiedModel.log_likelihood` computes it.
    """

    codes: np.ndarray  # (B, N) uint16
    likelihood: np.ndarray  # (B,) float32
    likelihood_unconditional: np.ndarray | None  # (B,) float32
    scores: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Scores that only the generator can compute, by name, (B,) float32 each."""
    painted: Sequence[np.ndarray] | None = None
    """A painter's pictures in their own pixels, (H, W, 3) uint8 each; None where the codes are the picture."""
    origin: str = "drawn"
    """drawn, painted, or served: painted by a server."""


class UnifiedModel(Protocol):
    """A model that reads text, draws pictures as N = rows x columns codes, and reads its own drawings.

    The rest of the package uses nothing else of a model. A model that lacks an ability says so here.
    """

    name: str
    fingerprint: str
    """sha256 over configuration, tokenizer and weights; equals `model_fingerprint(name)`."""
    grid: tuple[int, int]
    """Rows and columns of codes in one picture."""
    image_size: int
    """Height and width of a picture in pixels."""
    codebook_size: int
    max_prompt_length: int
    """Longest prompt, in ids as `prompt_length` counts, that leaves room for the picture."""
    sees_pictures: bool
    """Whether a prompt may hold pictures."""

    @property
    def device(self) -> "torch.device | str":
        """The device that it runs on: cpu, cuda, cuda:1."""

    @property
    def footprint(self) -> Footprint | None:
        """The memory of the weights and of one drawing; None where it is unknown."""

    @property
    def has_projection(self) -> bool:
        """Whether a projection was trained with it, so that `perception` can be computed."""

    def draw(self, wanted: Sequence[Request], sampling: Sampling = Sampling()) -> Drawings:
        """Draw one picture per request. A row's random numbers depend on its own seed only.

        Guidance is `u + g (c - u) + h (i - u)`: c is conditioned on the prompt, u on `Request.against`, i on
        `Request.seen`. A model that does not see pictures raises ModelError for a prompt that holds some.
        """

    def decode(self, codes_BN: np.ndarray) -> np.ndarray:
        """Pictures (B, H, W, 3) uint8 of codes."""

    def encode(self, images: Sequence[np.ndarray | Image.Image]) -> np.ndarray:
        """Codes (B, N) uint16 of pictures of any size, resized and cropped as the model expects."""

    def log_likelihood(self, prompts: Sequence[Prompt], codes_BN: np.ndarray) -> np.ndarray:
        """Mean log p(codes | prompt), nats per code, (B,) float32. The empty prompt is unconditional."""

    def caption_likelihood(self, codes_BN: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Mean log p(text | codes), nats per text token, (B,) float32: the model reads the drawing."""

    def perception(self, prompts: Sequence[Prompt], codes_BN: np.ndarray) -> np.ndarray:
        """L_Pe of each drawing given its prompt, (B,) float32. Raises ModelError without a projection."""

    def codebook(self) -> np.ndarray:
        """The VQ codebook, (K, D) float32."""

    def prompt_length(self, prompt: Prompt) -> int:
        """Number of ids before the picture: the prompt's, and those that the model adds."""

    def describe(self) -> dict[str, object]:
        """Facts about the model's layout and sizes, by name, for `zero-engine models check`."""


@runtime_checkable
class Prepares(Protocol):
    """A model that wants to know of all drawings of a shard before it draws them batch by batch."""

    def prepare(self, wanted: Sequence[Request]) -> list[BatchFailure | None]:
        """Get ready; what cannot be drawn, in the order of `wanted`. Only the others are drawn afterwards."""


@runtime_checkable
class RowsApart(Protocol):
    """A model that says whether the bits of a drawing do not depend on the others of its batch."""

    rows_apart: bool


def refuse_pictures(name: str, prompts: Iterable[Prompt]) -> None:
    """Raises ModelError if a prompt holds pictures; for models that do not see any."""
    if any(pictures_in(prompt) for prompt in prompts):
        raise ModelError(
            f"{name}: draws from text alone and cannot be shown pictures. Drop render.image_guidance, "
            "render.context: pictures, and question_pictures in render.template."
        )


def refuse_perception(name: str) -> ModelError:
    """The error of `perception` for a model without a trained projection."""
    return ModelError(
        f"{name}: has no trained projection (perception.safetensors). Drop the score perception."
    )
