"""Checkpoints of the Liquid family: Gemma with a picture vocabulary behind its own, over Chameleon's VQ model.

    drawn after   BOS text Generate an image based on this description. <boi>      codes follow; without a condition
                  BOS <unconditional> <boi>
    captioned by  BOS <boi> codes <eoi> The caption of this image is: text

The id of a code is the tokenizer's length plus the code. The checkpoint holds no codec: pictures are decoded by
Chameleon's own, so its codes are those of Anole, index for index. The folder `codec` inside the checkpoint's is an
Anole checkpoint or a link to one; of its weights `model.vqmodel.*` alone are read, in float32.

Facts: a fork of FoundationVision's Liquid (IAMXII/liquid), `evaluation/inference_t2i.py` at de8d57a,
`liquid/train/train.py` at 0d7570a, `liquid/expand_vocabulary.py` at b33bfa7. The loop is `mainline`'s.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import (
    ChameleonConfig,
    GemmaForCausalLM,
    PreTrainedTokenizerBase,
)

from zero_engine.errors import ModelError
from zero_engine.families.checkpoints import read_module, read_tokenizer, reading, token_id
from zero_engine.families.mainline import InVocabulary
from zero_engine.models.chameleon import vq
from zero_engine.models.chameleon.layout import code_grid
from zero_engine.models.chameleon.preprocess import Preprocessor
from zero_engine.models.chameleon.weights import read_weights, weight_files

CODEC = "codec"
ASKED, CAPTION = " Generate an image based on this description.", "The caption of this image is:"
BOI, EOI, UNCONDITIONAL = "<boi>", "<eoi>", "<unconditional>"
_NAMES = re.compile(r"(?<=<)(?=(?:boi|eoi|unconditional)>)")
"""Inside the names of these tokens, which are no special ones to the tokenizer."""


class _Codec(nn.Module):
    """The codec under the names that it has in a checkpoint of the Chameleon layout."""

    def __init__(self, config: ChameleonConfig):
        super().__init__()
        self.config = config
        self.model = nn.Module()
        self.model.vqmodel = vq.VQModel(config.vq_config)


def load(path: Path, *, name: str, fingerprint: str, device: str, dtype: str) -> "Liquid":
    """Read a checkpoint folder. Raises ModelError, one line, when it is no whole checkpoint."""
    if not (path / CODEC / "config.json").is_file():
        raise ModelError(
            f"{name}: no picture codec. Put an Anole checkpoint, or a link to one, into {path / CODEC}."
        )
    with reading(name, path):
        module = read_module(GemmaForCausalLM, path, name, device, dtype)
        tokenizer = read_tokenizer(path, name, module.config.vocab_size)
    with reading(name, path / CODEC):
        config = ChameleonConfig.from_pretrained(path / CODEC, local_files_only=True)
        with torch.device("meta"):
            codec = _Codec(config)
        report = read_weights(codec, weight_files(path / CODEC), module.device, lambda _: torch.float32)
        image_processor = Preprocessor.of(path / CODEC, vq.picture_size(config.vq_config))
    if wrong := [*report.missing, *report.misshapen, *report.unsound, *report.left_out]:
        raise ModelError(
            f"{name}: {len(wrong)} weights of the picture codec in {path / CODEC} are missing, wrong or left out "
            f"(first: {wrong[0]}). Give an Anole checkpoint."
        )
    vqmodel = cast(vq.VQModel, codec.model.vqmodel).eval().requires_grad_(False)
    return Liquid(module, vqmodel, tokenizer, image_processor, name=name, fingerprint=fingerprint).tried()


class Liquid(InVocabulary):
    """A loaded checkpoint: a `zero_engine.models.base.UnifiedModel`."""

    family = "Liquid"

    def __init__(
        self,
        module: GemmaForCausalLM,
        vqmodel: vq.VQModel,
        tokenizer: PreTrainedTokenizerBase,
        image_processor: Preprocessor,
        *,
        name: str,
        fingerprint: str = "",
    ):
        super().__init__(module, module.model, tokenizer, name=name, fingerprint=fingerprint)
        self.image_processor, self.vqmodel = image_processor, vqmodel
        self.grid, self.image_size = code_grid(vqmodel.config), vq.picture_size(vqmodel.config)
        self.codebook_size, self.first_code = vqmodel.config.num_embeddings, len(tokenizer)
        if (beyond := module.config.vocab_size - self.first_code) != self.codebook_size:
            raise ModelError(
                f"{name}: the vocabulary goes {beyond} ids beyond the tokenizer, and the picture codec has "
                f"{self.codebook_size} codes. Give a Liquid checkpoint with its own tokenizer."
            )
        self.bos = token_id(tokenizer, "bos", name)
        self.boi, self.eoi, self.unconditional = (self._special(one) for one in (BOI, EOI, UNCONDITIONAL))
        self._caption = self._template_ids(CAPTION)
        longer = max(
            0, len(self._caption) + 1 - len(self._template_ids(ASKED))
        )  # a caption's frame than a drawing's
        self.max_prompt_length = module.config.max_position_embeddings - self.codes_per_picture - longer

    def codebook(self) -> np.ndarray:
        """The VQ codebook, (K, D) float32."""
        return self.vqmodel.quantize.embedding.weight.float().cpu().numpy().copy()

    def _special(self, name: str) -> int:
        found = self.tokenizer.get_vocab().get(name)
        if found is None:
            raise ModelError(
                f"{self.name}: the tokenizer has no {name}. Give the tokenizer of a Liquid checkpoint."
            )
        return found

    def _text_ids(self, text: str) -> list[int]:
        return [token for part in _NAMES.split(text) for token in super(Liquid, self)._text_ids(part)]

    def _frame(self, text: str, unconditional: bool) -> list[int]:
        ids = [self.unconditional] if unconditional else self._text_ids(text + ASKED)
        return [self.bos, *ids, self.boi]

    def _read_drawings(self, codes_BN: np.ndarray) -> list[Tensor]:
        before, after = self._embed([self.bos, self.boi]), self._embed([self.eoi, *self._caption])
        return [torch.cat((before, own, after)) for own in self._embed_codes(self._codes(codes_BN), 0)]

    def _encode(self, pixels_B3HW: Tensor) -> Tensor:
        return vq.encode_pixels(self.vqmodel, pixels_B3HW)

    def _decode(self, codes_BN: Tensor) -> Tensor:
        return vq.decode_codes(self.vqmodel, codes_BN)

    def _pixels(self, images: Sequence[np.ndarray | Image.Image]) -> Tensor:
        """As Chameleon's processor makes them."""
        arrays = [self.image_processor(image) for image in images]
        return torch.from_numpy(np.stack(arrays).astype(np.float32)).to(self.device)
