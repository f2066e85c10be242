"""Checkpoints of the Emu3 family as converted for transformers (Emu3-Gen-hf, Emu3-Chat-hf).

    drawn after   BOS text <|image start|> H*W <|image token|>       then H rows, each W codes and <|extra_200|>
    captioned by  BOS You are a helpful assistant. USER: PICTURE Please describe the image. ASSISTANT: text
    PICTURE       <|image start|> H*W <|image token|> rows <|extra_201|> <|image end|>

The ends of rows are forced, not sampled. The empty prompt is no text, as in training, where some prompts were left out.
Facts: baaivision/Emu3 at 005719f (`emu3/mllm/processing_emu3.py`, `utils_emu3.py`) and at 7765db2
(`emu3/train/datasets.py`).

A picture has the area of `image_area` in config.json, and 720 x 720 where there is none. The codec is one of videos; a
picture is a clip of one frame. It is transformers' own, which computes what the reference's does, in float32
whatever the dtype. The loop is `mainline`'s.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import Emu3ForConditionalGeneration, PreTrainedTokenizerBase
from transformers.models.emu3.image_processing_emu3 import Emu3ImageProcessor

from zero_engine.errors import ModelError
from zero_engine.families.checkpoints import read_module, read_tokenizer, reading, token_id
from zero_engine.families.mainline import InVocabulary
from zero_engine.images import fit, on_white

AREA = 720 * 720
USER, ASSISTANT = "You are a helpful assistant. USER: ", "Please describe the image. ASSISTANT:"
BOI, IMAGE, END_OF_ROW, END_OF_FRAME, EOI = (
    "<|image start|>",
    "<|image token|>",
    "<|extra_200|>",
    "<|extra_201|>",
    "<|image end|>",
)

NAMES = {
    "^text_model.lm_head": "lm_head",
    "^text_model.model": "model.text_model",
    "^vqmodel": "model.vqmodel",
}
"""Weights in a file -> weights in the module; transformers renames them itself for its own classes alone."""


class Emu3WithExactCodec(Emu3ForConditionalGeneration):
    """Transformers' Emu3 whose VQ model stays in float32."""

    _keep_in_fp32_modules_strict = ["vqmodel"]


def load(path: Path, *, name: str, fingerprint: str, device: str, dtype: str) -> "Emu3":
    """Read a checkpoint folder. Raises ModelError, one line, when it is no whole checkpoint."""
    with reading(name, path):
        module = read_module(Emu3WithExactCodec, path, name, device, dtype, key_mapping=NAMES)
        tokenizer = read_tokenizer(path, name, module.get_input_embeddings().num_embeddings)
        image_processor = Emu3ImageProcessor.from_pretrained(path, local_files_only=True)
    return Emu3(module, tokenizer, image_processor, name=name, fingerprint=fingerprint).tried()


class Emu3(InVocabulary):
    """A loaded checkpoint: a `zero_engine.models.base.UnifiedModel`."""

    family = "Emu3"

    def __init__(
        self,
        module: Emu3ForConditionalGeneration,
        tokenizer: PreTrainedTokenizerBase,
        image_processor: Emu3ImageProcessor,
        *,
        name: str,
        fingerprint: str = "",
    ):
        super().__init__(module, module.model.text_model, tokenizer, name=name, fingerprint=fingerprint)
        self.image_processor, self.vqmodel = image_processor, module.model.vqmodel
        factor = self.vqmodel.spatial_scale_factor
        side = max(1, round(math.sqrt(getattr(module.config, "image_area", None) or AREA) / factor))
        self.grid, self.image_size = (side, side), side * factor
        self.codebook_size = module.config.vq_config.codebook_size
        self.bos = token_id(tokenizer, "bos", name)
        boi, image, self._end_of_row, end_of_frame, eoi = (
            self._special(special) for special in (BOI, IMAGE, END_OF_ROW, END_OF_FRAME, EOI)
        )
        self.first_code = self._first_of_codes()
        self._begin = [boi, *self._template_ids(f"{side}*{side}"), image]
        self._before = [self.bos, *self._template_ids(USER), *self._begin]
        self._after = [end_of_frame, eoi, *self._template_ids(ASSISTANT)]
        # what a caption's frame has over a drawing's
        frame = len(self._before) + len(self._after) - len(self._begin) - 1
        picture = self._slot(self.codes_per_picture)
        self.max_prompt_length = module.config.text_config.max_position_embeddings - picture - frame

    def codebook(self) -> np.ndarray:
        """The VQ codebook, (K, D) float32."""
        return self.vqmodel.quantize.embedding.weight.float().cpu().numpy().copy()

    def describe(self) -> dict[str, object]:
        """Its end of a row, and what is said of every family."""
        return {**super().describe(), "end_of_row": self._end_of_row}

    def _special(self, name: str) -> int:
        """The id of a token by its name in the vocabulary. Raises ModelError where there is none."""
        found = (self.module.config.vocabulary_map or {}).get(name)
        if not isinstance(found, int) or not 0 <= found < self.module.config.text_config.vocab_size:
            raise ModelError(
                f"{self.name}: the id of {name} is {found!r}. Check vocabulary_map in config.json."
            )
        return found

    def _first_of_codes(self) -> int:
        """The id of code 0; the others follow it, as the reference takes for granted.

        Raises ModelError where they do not.
        """
        names = [f"<|visual token {code:06d}|>" for code in range(self.codebook_size)]
        first = self._special(names[0])
        for code, name in enumerate(names):
            if self._special(name) != first + code:
                raise ModelError(
                    f"{self.name}: the ids of codes are not in a row at {name}. Check vocabulary_map in config.json."
                )
        return first

    def _slot(self, place: int) -> int:
        return place + place // self.grid[1]

    def _frame(self, text: str, unconditional: bool) -> list[int]:
        return [self.bos, *self._text_ids(text), *self._begin]

    def _embed_codes(self, codes_RN: Tensor, first: int) -> Tensor:
        ids = []
        for place, ids_R1 in enumerate((codes_RN + self.first_code).split(1, dim=1), first):
            ids.append(ids_R1)
            if (place + 1) % self.grid[1] == 0:
                ids.append(torch.full_like(ids_R1, self._end_of_row))
        return self.module.get_input_embeddings()(torch.cat(ids, dim=1))

    def _read_drawings(self, codes_BN: np.ndarray) -> list[Tensor]:
        before, after = self._embed(self._before), self._embed(self._after)
        drawn_BTD = self._embed_codes(self._codes(codes_BN), 0)
        return [torch.cat((before, own, after)) for own in drawn_BTD]

    def _encode(self, pixels_B3HW: Tensor) -> Tensor:
        sizes = torch.full((len(pixels_B3HW), 2), self.image_size)
        return torch.stack(self.vqmodel.encode(pixels_B3HW, sizes).image_tokens).flatten(1)

    def _decode(self, codes_BN: Tensor) -> Tensor:
        return self.vqmodel.decode(codes_BN.view(-1, *self.grid))

    def _pixels(self, images: Sequence[np.ndarray | Image.Image]) -> Tensor:
        """Fitted to the one size that is drawn here, and cropped to its middle."""
        fitted = np.stack([fit(np.asarray(on_white(image)), self.image_size) for image in images])
        mean, std = (
            np.array(v, np.float32) for v in (self.image_processor.image_mean, self.image_processor.image_std)
        )
        scaled_BHW3 = (fitted * np.float32(self.image_processor.rescale_factor) - mean) / std
        return (
            torch.from_numpy(scaled_BHW3.transpose(0, 3, 1, 2).astype(np.float32))
            .contiguous()
            .to(self.device)
        )
