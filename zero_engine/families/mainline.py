"""What families share whose arithmetic transformers' own modules do: Janus, Emu3, Liquid.

A family says which ids stand before a picture, how codes are embedded, which head gives their likelihood, what it reads
of a drawing, and its codec. Here are the loop over a picture, over a KV cache that grows, and the likelihoods.

Rows are padded on the right to multiples of `SLOT_MULTIPLE` and run in batches of fixed size (`batching`), so a row's
shapes do not depend on the other rows. Names of special tokens in a prompt are split into ordinary tokens.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from zero_engine.batches import padded
from zero_engine.errors import ModelError
from zero_engine.models import pixels
from zero_engine.models.base import Drawings, refuse_perception, refuse_pictures
from zero_engine.models.footprint import Footprint
from zero_engine.models.prompt import Prompt, Request, Sampling, is_empty, text_of
from zero_engine.models.sampling import choose, guide, uniforms_from
from zero_engine.models.soundness import is_sound, sample_picture


class Mainline(ABC):
    """A `zero_engine.models.base.UnifiedModel` but for its family's part: the abstract methods."""

    sees_pictures = has_projection = False
    family: str
    grid: tuple[int, int]
    image_size: int
    codebook_size: int
    max_prompt_length: int
    image_processor: Any

    def __init__(
        self,
        module: PreTrainedModel,
        language_model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        fingerprint: str,
    ):
        self.name, self.fingerprint = name, fingerprint
        self.module, self.language_model, self.tokenizer = module, language_model, tokenizer
        self.device = module.device

    @torch.inference_mode()
    def tried(self) -> Self:
        """The model, after a prompt, a code and a drawing went through each of its parts.

        Raises ModelError where nothing finite comes out, or whatever the parts raise.
        """
        codes_BN = self.encode([sample_picture(self.image_size)])
        read = [self._embed(self._frame("3 + 4 = 7", False)), *self._read_drawings(codes_BN)]
        hidden_BPD, *_ = self._prefill(read)
        likely = [self._code_log_p(hidden_BPD[0, :1]), self.module.lm_head(hidden_BPD[1, :1])]
        if not all(is_sound(part) for part in (*read, *likely)):
            raise ModelError(
                f"{self.name}: nothing finite comes of a prompt or a drawing. Check config.json, or fetch the model "
                "again."
            )
        return self

    @abstractmethod
    def _frame(self, text: str, unconditional: bool) -> list[int]:
        """The ids before a picture."""

    @abstractmethod
    def _embed_codes(self, codes_RN: Tensor, first: int) -> Tensor:
        """Embeddings (R, T, D) of the codes from place `first` on, and of what stands between and behind them."""

    @abstractmethod
    def _code_log_p(self, hidden_MD: Tensor) -> Tensor:
        """Log-probabilities (M, K) of the codes."""

    @abstractmethod
    def _read_drawings(self, codes_BN: np.ndarray) -> list[Tensor]:
        """Embeddings (L, D) of all that stands before a caption, for each drawing."""

    @abstractmethod
    def _encode(self, pixels_B3HW: Tensor) -> Tensor:
        """Codes (B, N) of pictures as `_pixels` makes them."""

    @abstractmethod
    def _decode(self, codes_BN: Tensor) -> Tensor:
        """Pictures (B, 3, H, W), normalised."""

    @abstractmethod
    def _pixels(self, images: Sequence[np.ndarray | Image.Image]) -> Tensor:
        """Pictures of any size as the codec takes them, (B, 3, H, W) float32."""

    def _slot(self, place: int) -> int:
        """Ids between the prompt and the code at this place."""
        return place

    @property
    def codes_per_picture(self) -> int:
        return self.grid[0] * self.grid[1]

    @torch.inference_mode()
    def draw(self, wanted: Sequence[Request], sampling: Sampling = Sampling()) -> Drawings:
        """Draw one picture per request; see `base.UnifiedModel.draw`.

        Raises ValueError when a prompt is longer than `max_prompt_length`; ModelError for pictures.
        """
        refuse_pictures(self.name, (request.prompt for request in wanted))
        guidance, batch, length = sampling.guidance, len(wanted), self.codes_per_picture
        prompts, seeds = [request.prompt for request in wanted], [request.seed for request in wanted]
        branches = [prompts, [request.against for request in wanted]] if guidance != 1 else [prompts]
        rows = [self._embed(self._prompt_ids(prompt)) for branch in branches for prompt in branch]
        hidden_RPD, mask_RP, lengths_R, cache = self._prefill(rows, room=self._slot(length))
        hidden_RD = hidden_RPD[torch.arange(len(rows), device=self.device), lengths_R - 1]
        uniforms_NB = uniforms_from(seeds, length).to(self.device)
        codes_NB, logp_NR = [], []
        for step in range(length):
            logp_RK = self._code_log_p(hidden_RD)
            scores_BK = guide(logp_RK[batch:], [logp_RK[:batch]], [guidance]) if guidance != 1 else logp_RK
            codes_NB.append(choose(scores_BK, uniforms_NB[step], sampling))
            codes_R1 = codes_NB[-1].repeat(len(branches))[:, None]
            logp_NR.append(logp_RK.gather(1, codes_R1)[:, 0])
            if step + 1 < length:
                here, there = self._slot(step), self._slot(step + 1)
                hidden_RD = self.language_model(
                    inputs_embeds=self._embed_codes(codes_R1, step),
                    attention_mask=mask_RP[:, : hidden_RPD.shape[1] + there],
                    position_ids=lengths_R[:, None] + torch.arange(here, there, device=self.device),
                    past_key_values=cache,
                ).last_hidden_state[:, -1]
        mean_R = torch.stack(logp_NR).double().mean(dim=0).float().cpu().numpy()
        codes_BN = torch.stack(codes_NB, dim=1).cpu().numpy().astype(np.uint16)
        free = guidance != 1 and all(is_empty(request.against) for request in wanted)
        return Drawings(codes_BN, mean_R[:batch], mean_R[batch:] if free else None)

    @torch.inference_mode()
    def decode(self, codes_BN: np.ndarray) -> np.ndarray:
        """Pictures (B, H, W, 3) uint8."""
        decoded = pixels.in_batches(self._decode, self._codes(codes_BN), self.image_size)
        return pixels.to_uint8(decoded.cpu().numpy(), self.image_processor).transpose(0, 2, 3, 1)

    @torch.inference_mode()
    def encode(self, images: Sequence[np.ndarray | Image.Image]) -> np.ndarray:
        """Codes (B, N) uint16 of pictures of any size and mode."""
        codes = pixels.in_batches(self._encode, self._pixels(images), self.image_size)
        return codes.cpu().numpy().astype(np.uint16)

    @torch.inference_mode()
    def log_likelihood(self, prompts: Sequence[Prompt], codes_BN: np.ndarray) -> np.ndarray:
        """Mean log p(codes | prompt), nats per code, (B,) float32; the empty prompt is unconditional."""
        codes = self._codes(codes_BN)
        given = [self._embed(self._prompt_ids(prompt)) for prompt in prompts]
        drawn = [self._embed_codes(own[None, :-1], 0)[0] for own in codes]
        rows = [torch.cat(pair) for pair in zip(given, drawn, strict=True)]
        hidden_BPD, *_ = self._prefill(rows)
        slots_N = torch.tensor([self._slot(n) for n in range(self.codes_per_picture)], device=self.device)
        spans = [hidden_BPD[at, len(row) - 1 + slots_N] for at, row in enumerate(given)]
        return self._means([self._code_log_p(span) for span in spans], list(codes))

    @torch.inference_mode()
    def caption_likelihood(self, codes_BN: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Mean log p(text | drawing), nats per text token, (B,) float32. Raises ValueError for an empty text."""
        targets = [self._text_ids(text) for text in texts]
        if not all(targets):
            raise ValueError("the likelihood of an empty text is not defined")
        read = self._read_drawings(codes_BN)
        rows = [torch.cat((row, self._embed(ids[:-1]))) for row, ids in zip(read, targets, strict=True)]
        hidden_BPD, *_ = self._prefill(rows)
        spans = [
            hidden_BPD[at, len(row) - len(ids) : len(row)]
            for at, (row, ids) in enumerate(zip(rows, targets, strict=True))
        ]
        log_p = [torch.log_softmax(self.module.lm_head(span), dim=-1, dtype=torch.float32) for span in spans]
        return self._means(log_p, [torch.tensor(ids, device=self.device) for ids in targets])

    def perception(self, prompts: Sequence[Prompt], codes_BN: np.ndarray) -> np.ndarray:
        """Raises ModelError, because these families have no trained projection."""
        raise refuse_perception(self.name)

    def prompt_length(self, prompt: Prompt) -> int:
        """Number of ids before a picture: the prompt's and those that the family adds."""
        return len(self._frame(text_of(prompt), is_empty(prompt)))

    @property
    def footprint(self) -> Footprint:
        """The memory of the weights and of one drawing."""
        return Footprint.of(self.module, self.language_model.config, self._slot(self.codes_per_picture))

    def describe(self) -> dict[str, object]:
        """Tokens, parameters, and the memory of the weights and of one drawing with guidance."""
        return {
            "family": self.family,
            "vocabulary": self.language_model.config.vocab_size,
            "parameters": f"{sum(p.numel() for p in self.module.parameters()):,}",
            "dtype": str(self.module.dtype).removeprefix("torch."),
            "device": str(self.device),
            **self.footprint.describe(),
        }

    def _text_ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]

    def _template_ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _prompt_ids(self, prompt: Prompt) -> list[int]:
        refuse_pictures(self.name, [prompt])
        ids = self._frame(text_of(prompt), is_empty(prompt))
        if len(ids) > self.max_prompt_length:
            limit = self.max_prompt_length
            raise ValueError(f"a prompt of {len(ids)} ids leaves no room for a picture: at most {limit}")
        return ids

    def _codes(self, codes_BN: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(codes_BN).astype(np.int64)).to(self.device)

    def _embed(self, ids: list[int]) -> Tensor:
        return self.module.get_input_embeddings()(torch.tensor(ids, dtype=torch.long, device=self.device))

    def _prefill(self, rows: list[Tensor], room: int = 0) -> tuple[Tensor, Tensor, Tensor, DynamicCache]:
        """Runs rows (L, D), padded right: hidden states (R, P, D), mask (R, P + room), lengths (R,) and the cache."""
        slots = padded(max(map(len, rows)))
        embedded_RPD = torch.stack([functional.pad(row, (0, 0, 0, slots - len(row))) for row in rows])
        lengths_R = torch.tensor([len(row) for row in rows], device=self.device)
        positions_P = torch.arange(slots + room, device=self.device)
        mask_RP = ((positions_P < lengths_R[:, None]) | (positions_P >= slots)).long()
        cache = DynamicCache(config=self.language_model.config)
        done = self.language_model(
            inputs_embeds=embedded_RPD,
            attention_mask=mask_RP[:, :slots],
            position_ids=positions_P[:slots].expand(len(rows), -1),
            past_key_values=cache,
        )
        return done.last_hidden_state, mask_RP, lengths_R, cache

    def _means(self, log_p: list[Tensor], targets: Sequence[Tensor]) -> np.ndarray:
        """Mean log p of each row's targets, (B,) float32."""
        picked = (own.gather(1, ids[:, None]) for own, ids in zip(log_p, targets, strict=True))
        return np.array([row.double().mean().item() for row in picked], np.float32)


class InVocabulary(Mainline):
    """A family whose codes are ids of the vocabulary, in a row from `first_code` on.

    The likelihood of a code is over all codes, not over the vocabulary.
    """

    first_code: int

    def describe(self) -> dict[str, object]:
        """What `Mainline` says, and the ids of the codes."""
        return {
            **super().describe(),
            "code_ids": f"{self.first_code}..{self.first_code + self.codebook_size - 1}",
        }

    def _embed_codes(self, codes_RN: Tensor, first: int) -> Tensor:
        return self.module.get_input_embeddings()(codes_RN + self.first_code)

    def _code_log_p(self, hidden_MD: Tensor) -> Tensor:
        head_KD = self.module.lm_head.weight[self.first_code : self.first_code + self.codebook_size]
        return torch.log_softmax(functional.linear(hidden_MD, head_KD), dim=-1, dtype=torch.float32)
