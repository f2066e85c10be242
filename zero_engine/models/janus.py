"""Checkpoints of the Janus family (Janus, Janus-Pro) on mainline transformers: the second family behind `UnifiedModel`.

It differs from the Chameleon layout in two ways. Codes have their own embeddings and their own head, outside the
vocabulary, so codes are not mapped to ids. And a vision encoder reads a drawing's pixels, not its codes.

    drawn after   BOS <|User|>: text <|Assistant|>: BOI        codes follow
    captioned by  BOS <|User|>: BOI vision features EOI <|Assistant|>: text

For the empty prompt every id between BOS and BOI is padding, as in the reference. Names of special tokens in a prompt
are split into ordinary tokens.

Transformers' module does the arithmetic, over a KV cache that grows. Rows are padded on the right to multiples of
`SLOT_MULTIPLE` and run in batches of fixed size (`batching`), so a row's shapes do not depend on the other rows.

One defect of transformers is repaired here. Its VQ decodes with code vectors normalised to length 1, but encodes to the
nearest vector *as stored*. The reference normalises in both directions, and so does `encode` here. The VQ runs in
float32 whatever the dtype.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional
from transformers import (
    AutoTokenizer,
    DynamicCache,
    JanusConfig,
    JanusForConditionalGeneration,
    PreTrainedTokenizerBase,
)
from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

from zero_engine.batches import padded
from zero_engine.errors import ModelError
from zero_engine.images import on_white
from zero_engine.models import pixels
from zero_engine.models.base import Drawings, refuse_perception, refuse_pictures
from zero_engine.models.devices import device_named, dtype_named
from zero_engine.models.footprint import Footprint
from zero_engine.models.prompt import Prompt, Request, Sampling, is_empty, text_of
from zero_engine.models.quiet import quiet
from zero_engine.models.sampling import choose, guide, uniforms_from
from zero_engine.models.soundness import is_finite

USER, ASSISTANT = "<|User|>: ", "\n\n<|Assistant|>:"
"""The turns of the published chat template."""


class JanusWithExactCodec(JanusForConditionalGeneration):
    """Transformers' Janus whose VQ model stays in float32."""

    _keep_in_fp32_modules_strict = ["vqmodel"]


def load(path: Path, *, name: str, fingerprint: str, device: str, dtype: str) -> "Janus":
    """Read a checkpoint folder. Raises ModelError, one line, when it is no whole checkpoint."""
    target = device_named(device)
    try:
        with quiet():
            config = JanusConfig.from_pretrained(path, local_files_only=True)
            module, report = JanusWithExactCodec.from_pretrained(
                path,
                config=config,
                dtype=dtype_named(dtype, target),
                device_map={"": target},
                output_loading_info=True,
                local_files_only=True,
            )
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
            image_processor = JanusImageProcessorPil.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, TypeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{name}: cannot read the checkpoint in {path} ({reason}). Is it complete?"
        ) from error
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"{name}: {len(missing)} weights are missing in {path} (first: {missing[0]}). Give a whole checkpoint."
        )
    if unsound := [weight for weight, held in module.named_parameters() if not is_finite(held)]:
        raise ModelError(
            f"{name}: {len(unsound)} weights in {path} are NaN or infinite (first: {unsound[0]}). "
            "Fetch the checkpoint again."
        )
    return Janus(module, tokenizer, image_processor, name=name, fingerprint=fingerprint)


class Janus:
    """A loaded checkpoint: a `zero_engine.models.base.UnifiedModel`."""

    sees_pictures = False
    has_projection = False

    def __init__(
        self,
        module: JanusForConditionalGeneration,
        tokenizer: PreTrainedTokenizerBase,
        image_processor: JanusImageProcessorPil,
        *,
        name: str,
        fingerprint: str = "",
    ):
        self.name, self.fingerprint = name, fingerprint
        self.module = module.eval().requires_grad_(False)
        self.tokenizer, self.image_processor = tokenizer, image_processor
        self.vqmodel, self.device = module.model.vqmodel, module.device
        config = module.config
        side = config.vq_config.num_patches
        self.grid = (side, side)
        self.image_size = side * 2 ** (len(config.vq_config.channel_multiplier) - 1)
        self.codebook_size = config.vq_config.num_embeddings
        self.codes_per_picture = side * side
        self.bos, self.pad, self.boi, self.eoi = (
            _token_id(tokenizer, kind, name) for kind in ("bos", "pad", "boi", "eoi")
        )
        self._user, self._assistant = self._template_ids(USER), self._template_ids(ASSISTANT)
        # a caption's picture is its features and EOI, a drawing's its codes
        picture = max(self.codes_per_picture, config.vision_config.num_image_tokens + 1)
        self.max_prompt_length = config.text_config.max_position_embeddings - picture

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
        hidden_RPD, mask_RP, lengths_R, cache = self._prefill(rows, room=length)
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
                slots = hidden_RPD.shape[1] + step + 1
                hidden_RD = self.module.model.language_model(
                    inputs_embeds=self._embed_codes(codes_R1),
                    attention_mask=mask_RP[:, :slots],
                    position_ids=(lengths_R + step)[:, None],
                    past_key_values=cache,
                ).last_hidden_state[:, 0]
        mean_R = torch.stack(logp_NR).double().mean(dim=0).float().cpu().numpy()
        codes_BN = torch.stack(codes_NB, dim=1).cpu().numpy().astype(np.uint16)
        free = guidance != 1 and all(is_empty(request.against) for request in wanted)
        return Drawings(codes_BN, mean_R[:batch], mean_R[batch:] if free else None)

    @torch.inference_mode()
    def decode(self, codes_BN: np.ndarray) -> np.ndarray:
        """Pictures (B, H, W, 3) uint8."""
        codes = torch.from_numpy(np.asarray(codes_BN).astype(np.int64)).to(self.device)
        decoded = pixels.in_batches(self.vqmodel.decode, codes, self.image_size)
        return pixels.to_uint8(decoded.cpu().numpy(), self.image_processor).transpose(0, 2, 3, 1)

    @torch.inference_mode()
    def encode(self, images: Sequence[np.ndarray | Image.Image]) -> np.ndarray:
        """Codes (B, N) uint16 of pictures of any size and mode, padded to squares as the model expects."""

        def encode(pixels_B3HW: Tensor) -> Tensor:
            latents_BDhw = self.vqmodel.quant_conv(self.vqmodel.encoder(pixels_B3HW))
            latents_BND = functional.normalize(latents_BDhw.flatten(2).mT, dim=-1)
            return (latents_BND @ self._unit_vectors().t()).argmax(dim=-1)

        codes = pixels.in_batches(encode, self._pixels(images), self.image_size)
        return codes.cpu().numpy().astype(np.uint16)

    @torch.inference_mode()
    def log_likelihood(self, prompts: Sequence[Prompt], codes_BN: np.ndarray) -> np.ndarray:
        """Mean log p(codes | prompt), nats per code, (B,) float32; the empty prompt is unconditional."""
        codes = torch.from_numpy(np.asarray(codes_BN).astype(np.int64)).to(self.device)
        given = [self._embed(self._prompt_ids(prompt)) for prompt in prompts]
        rows = [torch.cat((row, self._embed_codes(own[:-1]))) for row, own in zip(given, codes, strict=True)]
        hidden_BPD, *_ = self._prefill(rows)
        spans = [hidden_BPD[at, len(row) - 1 :][: len(codes[at])] for at, row in enumerate(given)]
        return self._means([self._code_log_p(span) for span in spans], list(codes))

    @torch.inference_mode()
    def caption_likelihood(self, codes_BN: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Mean log p(text | drawing), nats per text token, (B,) float32; the vision encoder reads the decoded pixels.

        Raises ValueError for an empty text.
        """
        targets = [self._text_ids(text) for text in texts]
        if not all(targets):
            raise ValueError("the likelihood of an empty text is not defined")
        seen = self._pixels(list(self.decode(codes_BN))).to(self.module.dtype)
        features_BTD = self.module.model.get_image_features(seen).pooler_output
        before = self._embed([self.bos, *self._user, self.boi])
        after = [self._embed([self.eoi, *self._assistant, *ids[:-1]]) for ids in targets]
        rows = [torch.cat((before, own, rest)) for own, rest in zip(features_BTD, after, strict=True)]
        hidden_BPD, *_ = self._prefill(rows)
        spans = [
            hidden_BPD[at, len(row) - len(ids) : len(row)]
            for at, (row, ids) in enumerate(zip(rows, targets, strict=True))
        ]
        log_p = [torch.log_softmax(self.module.lm_head(span), dim=-1, dtype=torch.float32) for span in spans]
        return self._means(log_p, [torch.tensor(ids, device=self.device) for ids in targets])

    def perception(self, prompts: Sequence[Prompt], codes_BN: np.ndarray) -> np.ndarray:
        """Raises ModelError, because this family has no trained projection."""
        raise refuse_perception(self.name)

    def codebook(self) -> np.ndarray:
        """The VQ codebook, normalised to vectors of length 1 as in the decoder, (K, D) float32."""
        return self._unit_vectors().cpu().numpy().copy()

    def prompt_length(self, prompt: Prompt) -> int:
        """Number of ids before a picture: the prompt's, the chat's turns, BOS and BOI."""
        return len(self._text_ids(text_of(prompt))) + len(self._user) + len(self._assistant) + 2

    @property
    def footprint(self) -> Footprint:
        """The memory of the weights and of one drawing."""
        return Footprint.of(self.module, self.module.config.text_config, self.codes_per_picture)

    def describe(self) -> dict[str, object]:
        """Tokens, parameters, and the memory of the weights and of one drawing with guidance."""
        text = self.module.config.text_config
        return {
            "family": "Janus",
            "vocabulary": text.vocab_size,
            "bos_boi_eoi": f"{self.bos} {self.boi} {self.eoi}",
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
        ids = [self.bos, *self._user, *self._text_ids(text_of(prompt)), *self._assistant, self.boi]
        if len(ids) > self.max_prompt_length:
            limit = self.max_prompt_length
            raise ValueError(f"a prompt of {len(ids)} ids leaves no room for a picture: at most {limit}")
        return [self.bos, *[self.pad] * (len(ids) - 2), self.boi] if is_empty(prompt) else ids

    def _embed(self, ids: list[int]) -> Tensor:
        return self.module.get_input_embeddings()(torch.tensor(ids, device=self.device))

    def _embed_codes(self, codes: Tensor) -> Tensor:
        return self.module.prepare_embeddings_for_image_generation(codes)

    def _code_log_p(self, hidden_MD: Tensor) -> Tensor:
        return torch.log_softmax(self.module.model.generation_head(hidden_MD), dim=-1, dtype=torch.float32)

    def _prefill(self, rows: list[Tensor], room: int = 0) -> tuple[Tensor, Tensor, Tensor, DynamicCache]:
        """Runs rows (L, D), padded right: hidden states (R, P, D), mask (R, P + room), lengths (R,) and the cache."""
        slots = padded(max(map(len, rows)))
        embedded_RPD = torch.stack([functional.pad(row, (0, 0, 0, slots - len(row))) for row in rows])
        lengths_R = torch.tensor([len(row) for row in rows], device=self.device)
        positions_P = torch.arange(slots + room, device=self.device)
        mask_RP = ((positions_P < lengths_R[:, None]) | (positions_P >= slots)).long()
        cache = DynamicCache(config=self.module.config.text_config)
        done = self.module.model.language_model(
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

    def _pixels(self, images: Sequence[np.ndarray | Image.Image]) -> Tensor:
        arrays = [self.image_processor(on_white(image))["pixel_values"][0] for image in images]
        return torch.from_numpy(np.stack(arrays).astype(np.float32)).to(self.device)

    def _unit_vectors(self) -> Tensor:
        return functional.normalize(self.vqmodel.quantize.embedding.weight.float(), dim=-1)


def _token_id(tokenizer: PreTrainedTokenizerBase, kind: str, name: str) -> int:
    """The id of bos, pad, boi or eoi. Raises ModelError where the tokenizer has none."""
    token_id: int | None = getattr(tokenizer, f"{kind}_token_id", None)
    if token_id is None:
        raise ModelError(f"{name}: the tokenizer has no {kind}_token. Add it to tokenizer_config.json.")
    return token_id
