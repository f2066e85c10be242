"""Checkpoints of the Janus family (Janus, Janus-Pro) on mainline transformers: the second family behind `UnifiedModel`.

It differs from the Chameleon layout in two ways. Codes have their own embeddings and their own head, outside the
vocabulary, so codes are not mapped to ids. And a vision encoder reads a drawing's pixels, not its codes.

    drawn after   BOS <|User|>: text <|Assistant|>: BOI        codes follow
    captioned by  BOS <|User|>: BOI vision features EOI <|Assistant|>: text

For the empty prompt every id between BOS and BOI is padding, as in the reference.

One defect of transformers is repaired here. Its VQ decodes with code vectors normalised to length 1, but encodes to the
nearest vector *as stored*. The reference normalises in both directions, and so does `encode` here. The VQ runs in
float32 whatever the dtype. The loop is `mainline`'s.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from transformers import JanusForConditionalGeneration, PreTrainedTokenizerBase
from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

from zero_engine.families.checkpoints import read_module, read_tokenizer, reading, token_id
from zero_engine.families.mainline import Mainline
from zero_engine.images import on_white

USER, ASSISTANT = "<|User|>: ", "\n\n<|Assistant|>:"
"""The turns of the published chat template."""


class JanusWithExactCodec(JanusForConditionalGeneration):
    """Transformers' Janus whose VQ model stays in float32."""

    _keep_in_fp32_modules_strict = ["vqmodel"]


def load(path: Path, *, name: str, fingerprint: str, device: str, dtype: str) -> "Janus":
    """Read a checkpoint folder. Raises ModelError, one line, when it is no whole checkpoint."""
    with reading(name, path):
        module = read_module(JanusWithExactCodec, path, name, device, dtype)
        tokenizer = read_tokenizer(path, name, module.get_input_embeddings().num_embeddings)
        image_processor = JanusImageProcessorPil.from_pretrained(path, local_files_only=True)
    return Janus(module, tokenizer, image_processor, name=name, fingerprint=fingerprint).tried()


class Janus(Mainline):
    """A loaded checkpoint: a `zero_engine.models.base.UnifiedModel`."""

    family = "Janus"

    def __init__(
        self,
        module: JanusForConditionalGeneration,
        tokenizer: PreTrainedTokenizerBase,
        image_processor: JanusImageProcessorPil,
        *,
        name: str,
        fingerprint: str = "",
    ):
        super().__init__(module, module.model.language_model, tokenizer, name=name, fingerprint=fingerprint)
        self.image_processor, self.vqmodel = image_processor, module.model.vqmodel
        config = module.config
        side = config.vq_config.num_patches
        self.grid = (side, side)
        self.image_size = side * 2 ** (len(config.vq_config.channel_multiplier) - 1)
        self.codebook_size = config.vq_config.num_embeddings
        self.bos, self.pad, self.boi, self.eoi = (
            token_id(tokenizer, kind, name) for kind in ("bos", "pad", "boi", "eoi")
        )
        self._user, self._assistant = self._template_ids(USER), self._template_ids(ASSISTANT)
        # a caption's picture is its features and EOI, a drawing's its codes
        picture = max(self.codes_per_picture, config.vision_config.num_image_tokens + 1)
        self.max_prompt_length = config.text_config.max_position_embeddings - picture

    def codebook(self) -> np.ndarray:
        """The VQ codebook, normalised to vectors of length 1 as in the decoder, (K, D) float32."""
        return self._unit_vectors().cpu().numpy().copy()

    def describe(self) -> dict[str, object]:
        """Its special tokens, and what `Mainline` says."""
        return {**super().describe(), "bos_boi_eoi": f"{self.bos} {self.boi} {self.eoi}"}

    def _frame(self, text: str, unconditional: bool) -> list[int]:
        ids = [self.bos, *self._user, *self._text_ids(text), *self._assistant, self.boi]
        return [self.bos, *[self.pad] * (len(ids) - 2), self.boi] if unconditional else ids

    def _embed_codes(self, codes_RN: Tensor, first: int) -> Tensor:
        return self.module.prepare_embeddings_for_image_generation(codes_RN)

    def _code_log_p(self, hidden_MD: Tensor) -> Tensor:
        return torch.log_softmax(self.module.model.generation_head(hidden_MD), dim=-1, dtype=torch.float32)

    def _read_drawings(self, codes_BN: np.ndarray) -> list[Tensor]:
        """The vision encoder reads the decoded pixels."""
        seen = self._pixels(list(self.decode(codes_BN))).to(self.module.dtype)
        features_BTD = self.module.model.get_image_features(seen).pooler_output
        before, after = self._embed([self.bos, *self._user, self.boi]), [self.eoi, *self._assistant]
        return [torch.cat((before, own, self._embed(after))) for own in features_BTD]

    def _encode(self, pixels_B3HW: Tensor) -> Tensor:
        latents_BDhw = self.vqmodel.quant_conv(self.vqmodel.encoder(pixels_B3HW))
        latents_BND = functional.normalize(latents_BDhw.flatten(2).mT, dim=-1)
        return (latents_BND @ self._unit_vectors().t()).argmax(dim=-1)

    def _decode(self, codes_BN: Tensor) -> Tensor:
        return self.vqmodel.decode(codes_BN)

    def _pixels(self, images: Sequence[np.ndarray | Image.Image]) -> Tensor:
        """Padded to squares, as the model expects."""
        arrays = [self.image_processor(on_white(image))["pixel_values"][0] for image in images]
        return torch.from_numpy(np.stack(arrays).astype(np.float32)).to(self.device)

    def _unit_vectors(self) -> Tensor:
        return functional.normalize(self.vqmodel.quantize.embedding.weight.float(), dim=-1)
