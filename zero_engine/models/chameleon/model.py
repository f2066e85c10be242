"""Checkpoints in the Chameleon layout (Chameleon, Anole, Omni-R1, the bundled nano), as mainline transformers has it.

Transformers' class has two defects for us. Its forward masks the image tokens, in training too. It has no VQ
decoder, so loading drops the decoder's weights and saving loses them. So the weights lie in modules of ours (see
`modules` and `vq`) under the reference's names.

A picture is drawn after `[BOS] text [BOI]`, or after `[BOS] [BOI]` without a condition. A drawing is
captioned by `[BOS] [BOI] codes [EOI] text`. Text is data: names of special tokens in it are split into ordinary
tokens.

The VQ model always runs in float32. Pixels are normalised as the checkpoint's preprocessor says. Decoding inverts that
and truncates to uint8, as in the reference. Transparent pictures are laid on white, as in the reference.
"""

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from huggingface_hub import save_torch_state_dict
from PIL import Image
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from zero_engine.models import pixels
from zero_engine.models.base import Drawings, refuse_perception
from zero_engine.models.batching import room
from zero_engine.models.chameleon import vq
from zero_engine.models.chameleon.drawing import draw_codes
from zero_engine.models.chameleon.layout import TokenLayout, code_grid, read_layout
from zero_engine.models.chameleon.modules import ChameleonModule
from zero_engine.models.chameleon.perception import Projection, perception, write_projection
from zero_engine.models.chameleon.preprocess import Preprocessor
from zero_engine.models.chameleon.trunk import Trunk, pack, rows_by
from zero_engine.models.footprint import Footprint
from zero_engine.models.prompt import Prompt, Request, Sampling, is_empty, segments

ARCHITECTURE = "ChameleonForConditionalGeneration"
"""The class of transformers that reads what is saved."""
SCORED_SLOTS = 1024
"""Positions run through the layers at once when scoring: they fit a CPU cache. The scores do not depend on it."""


class Chameleon:
    """A loaded checkpoint: a `zero_engine.models.base.UnifiedModel`."""

    sees_pictures = True

    def __init__(
        self,
        module: ChameleonModule,
        tokenizer: PreTrainedTokenizerBase,
        preprocessor: Preprocessor,
        *,
        name: str,
        fingerprint: str = "",
        projection: Projection | None = None,
    ):
        self.name = name
        self.fingerprint = fingerprint
        self.module = module.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.preprocessor = preprocessor
        self.layout: TokenLayout = read_layout(module.config, tokenizer, name)
        self.vqmodel = module.model.vqmodel.float()
        self.grid = code_grid(self.vqmodel.config)
        self.image_size = vq.picture_size(self.vqmodel.config)
        self.codebook_size = self.vqmodel.config.num_embeddings
        self.codes_per_picture = self.grid[0] * self.grid[1]
        # a caption is BOS, BOI, the codes, EOI and the text: one id more than a drawing
        self.max_prompt_length = module.config.max_position_embeddings - self.codes_per_picture - 1
        self.device = self.module.device
        self.projection = projection
        if projection is not None:
            projection.linear.to(self.device)
        self._code_ids = torch.from_numpy(self.layout.code_ids).to(self.device)
        self._trunk: Trunk | None = None
        self._head: Tensor | None = None
        self._code_head: Tensor | None = None
        self.refresh()

    def refresh(self) -> None:
        """Packs the module's present weights again. Call it after training, because the trunk holds copies.

        The module's parameters stay the same objects, so an optimizer's references stay valid.
        """
        self._trunk = None  # frees the old matrices before the new ones are made
        with torch.inference_mode(False), torch.no_grad():
            self._trunk = Trunk(self.module)
            self._head = pack(self.module.lm_head.weight.t())
            self._code_head = pack(self.module.lm_head.weight[self._code_ids].t().contiguous())

    def release(self) -> None:
        """Frees the packed copies of the weights, e.g. for training. The next draw or score rebuilds them."""
        self._trunk = self._head = self._code_head = None
        # a weight that is a view of a joined matrix keeps the whole matrix in memory
        for weight in self.module.parameters():
            weight.data = weight.data.contiguous()

    @property
    def trunk(self) -> Trunk:
        """The layers with packed weights; `release` frees them, and the next access packs them again."""
        if self._trunk is None:
            self.refresh()
        assert self._trunk is not None
        return self._trunk

    @property
    def head(self) -> Tensor:
        """The head over the whole vocabulary, (D, V), packed for `rows_by`."""
        if self._head is None:
            self.refresh()
        assert self._head is not None
        return self._head

    @property
    def code_head(self) -> Tensor:
        """The head over the codes, (D, K), packed for `rows_by`."""
        if self._code_head is None:
            self.refresh()
        assert self._code_head is not None
        return self._code_head

    def text_ids(self, text: str) -> list[int]:
        """Ids of a text; names of special tokens in it are split into ordinary tokens."""
        return self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]

    def segment_ids(self, prompt: Prompt) -> list[int]:
        """Ids of a prompt's texts and pictures in order, with BOI and EOI around each picture."""
        layout, ids = self.layout, []
        for part in segments(prompt):
            if isinstance(part, str):
                ids += self.text_ids(part)
            else:
                ids += [layout.boi, *layout.code_ids[part].tolist(), layout.eoi]
        return ids

    def prompt_ids(self, prompt: Prompt) -> list[int]:
        """The ids before a picture: BOS, the prompt's texts and pictures, BOI.

        Raises ValueError where they leave no room for a picture.
        """
        ids = self.layout.prompt(self.segment_ids(prompt))
        if len(ids) > self.max_prompt_length:
            limit = self.max_prompt_length
            raise ValueError(f"a prompt of {len(ids)} ids leaves no room for a picture: at most {limit}")
        return ids

    def draw(self, wanted: Sequence[Request], sampling: Sampling = Sampling()) -> Drawings:
        """Draw one picture per request; see `base.UnifiedModel.draw`.

        A prompt becomes `[BOS] (text | [BOI] codes [EOI])* [BOI]`. Raises ValueError when one is longer than
        `max_prompt_length`.
        """
        if all(request.seen is None for request in wanted):
            sampling = replace(sampling, image_guidance=0.0)  # there is no third branch
        own_ids = [self.prompt_ids(request.prompt) for request in wanted]
        prior_ids = [self.prompt_ids(request.against) for request in wanted]
        codes_BN, likelihood, unconditional = draw_codes(
            self.trunk,
            self.code_head,
            self._code_ids,
            own_ids,
            prior_ids,
            [request.seed for request in wanted],
            self.codes_per_picture,
            sampling,
            [
                prior if request.seen is None else self.prompt_ids(request.seen)  # without `seen`, i is u
                for request, prior in zip(wanted, prior_ids, strict=True)
            ],
            max(room(request.prompt, len(ids)) for request, ids in zip(wanted, own_ids, strict=True)),
        )
        free = [is_empty(request.against) for request in wanted]  # u is the empty prompt
        told = unconditional if any(free) else None
        return Drawings(
            codes=codes_BN.cpu().numpy().astype(np.uint16),
            likelihood=likelihood.cpu().numpy(),
            likelihood_unconditional=None if told is None else np.where(free, told.cpu(), np.float32(np.nan)),
        )

    @torch.inference_mode()
    def decode(self, codes_BN: np.ndarray) -> np.ndarray:
        """Pictures (B, H, W, 3) uint8, truncated as in the reference: rounding would change half of the values."""
        return pixels.to_uint8(self.decode_pixels(codes_BN), self.preprocessor).transpose(0, 2, 3, 1)

    @torch.inference_mode()
    def decode_pixels(self, codes_BN: np.ndarray) -> np.ndarray:
        """Pictures (B, 3, H, W) float32 as the decoder gives them, about [-1, 1]."""
        codes = torch.from_numpy(np.asarray(codes_BN).astype(np.int64)).to(self.device)
        decoded = pixels.in_batches(lambda part: vq.decode_codes(self.vqmodel, part), codes, self.image_size)
        return decoded.cpu().numpy()

    @torch.inference_mode()
    def encode(self, images: Sequence[np.ndarray | Image.Image]) -> np.ndarray:
        """Codes (B, N) uint16 of pictures of any size and mode."""
        rows = self._pixels(images).to(self.device)
        codes = pixels.in_batches(lambda part: vq.encode_pixels(self.vqmodel, part), rows, self.image_size)
        return codes.cpu().numpy().astype(np.uint16)

    def log_likelihood(self, prompts: Sequence[Prompt], codes_BN: np.ndarray) -> np.ndarray:
        """Mean log p(codes | prompt), nats per code, (B,) float32; the empty prompt is unconditional."""
        sequences, firsts = [], []
        for prompt, codes in zip(prompts, np.asarray(codes_BN), strict=True):
            prompt_ids = self.prompt_ids(prompt)
            sequences.append(prompt_ids + self.layout.code_ids[codes[:-1]].tolist())
            firsts.append(len(prompt_ids) - 1)
        targets = np.asarray(codes_BN).astype(int).tolist()
        return self._mean_log_p(sequences, firsts, targets, self.code_head)

    def caption_likelihood(self, codes_BN: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Mean log p(text | codes), nats per text token over the whole vocabulary, (B,) float32.

        Raises ValueError for an empty text.
        """
        sequences, firsts, targets = [], [], []
        for codes, text in zip(np.asarray(codes_BN), texts, strict=True):
            text_ids = self.text_ids(text)
            if not text_ids:
                raise ValueError("the likelihood of an empty text is not defined")
            picture = [*self.layout.prompt([]), *self.layout.code_ids[codes].tolist(), self.layout.eoi]
            sequences.append(picture + text_ids[:-1])
            firsts.append(len(picture) - 1)
            targets.append(text_ids)
        return self._mean_log_p(sequences, firsts, targets, self.head)

    @property
    def has_projection(self) -> bool:
        """Whether `perception.safetensors` lies beside the checkpoint."""
        return self.projection is not None

    @torch.inference_mode()
    def perception(self, prompts: Sequence[Prompt], codes_BN: np.ndarray) -> np.ndarray:
        """L_Pe of each drawing given its prompt, (B,) float32. Raises ModelError without a projection."""
        if self.projection is None:
            raise refuse_perception(self.name)
        codes = torch.from_numpy(np.asarray(codes_BN).astype(np.int64)).to(self.device)
        before = [self.prompt_ids(prompt) for prompt in prompts]
        sequences = [
            ids + self.layout.code_ids[own].tolist() for ids, own in zip(before, codes_BN, strict=True)
        ]
        codebook_KE = self.vqmodel.quantize.embedding.weight
        means = np.empty(len(sequences), np.float32)
        for row, hidden_PD in self._hidden(sequences):
            first = len(before[row]) - self.projection.shift
            span_ND = hidden_PD[first : first + self.codes_per_picture]
            distance_N = perception(span_ND, self.projection.linear, codebook_KE, codes[row])
            means[row] = distance_N.double().mean().item()
        return means

    def codebook(self) -> np.ndarray:
        """The VQ codebook, (K, D) float32."""
        return self.vqmodel.quantize.embedding.weight.float().cpu().numpy().copy()

    def prompt_length(self, prompt: Prompt) -> int:
        """Ids that the prompt takes in front of a picture, with BOS and BOI."""
        return len(self.segment_ids(prompt)) + 2

    @property
    def footprint(self) -> Footprint:
        """The memory of the weights and of one drawing."""
        return Footprint.of(self.module, self.module.config, self.codes_per_picture)

    @property
    def rows_apart(self) -> bool:
        """Whether the bits of a drawing do not depend on the others of its batch (see `trunk`)."""
        return self.device.type == "cpu" and self.module.lm_head.weight.dtype == torch.float32

    def describe(self) -> dict[str, object]:
        """Token layout, parameters, and the memory of the weights and of one drawing with guidance."""
        config, layout = self.module.config, self.layout
        codec = sum(parameter.numel() for parameter in self.vqmodel.parameters())
        everything = sum(parameter.numel() for parameter in self.module.parameters())
        return {
            "family": "Chameleon",
            "vocabulary": config.vocab_size,
            "code_ids": f"{layout.code_ids.min()}..{layout.code_ids.max()}, by name",
            "bos_boi_eoi": f"{layout.bos} {layout.boi} {layout.eoi}",
            "parameters": f"{everything - codec:,} + codec {codec:,}",
            "dtype": str(self.module.lm_head.weight.dtype).removeprefix("torch."),
            "device": str(self.device),
            **self.footprint.describe(),
        }

    def save(self, folder: str | Path) -> None:
        """Write the checkpoint, decoder included, in the layout that `load` reads."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        weights = {
            name: weight.contiguous()
            for name, weight in self.module.state_dict().items()
            if name not in self.module.tied
        }
        save_torch_state_dict(weights, folder)
        config = copy.deepcopy(self.module.config)
        config.architectures, config.dtype = [ARCHITECTURE], self.module.lm_head.weight.dtype
        config.save_pretrained(folder)
        if self.module.generation_config is not None:
            self.module.generation_config.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        self.preprocessor.save(folder)
        if self.projection is not None:
            write_projection(self.projection, folder)
        # without it AutoProcessor takes every picture for one of 1,024 codes
        processor = {
            "image_seq_length": self.codes_per_picture,
            "image_token": getattr(self.tokenizer, "image_token", None) or "<image>",
            "processor_class": "ChameleonProcessor",
        }
        text = json.dumps(processor, indent=2, sort_keys=True)
        (folder / "processor_config.json").write_text(text + "\n", encoding="utf-8")
        for file in folder.iterdir():  # safetensors leaves files that only their owner can read
            file.chmod(0o644)

    def _pixels(self, images: Sequence[np.ndarray | Image.Image]) -> Tensor:
        return torch.from_numpy(np.stack([self.preprocessor(image) for image in images]))

    @torch.inference_mode()
    def _mean_log_p(
        self, sequences: list[list[int]], firsts: list[int], targets: list[list[int]], head_DE: Tensor
    ) -> np.ndarray:
        """Mean log p of each row's targets, (B,) float32; the first target is predicted at position `first`."""
        means = np.empty(len(sequences), np.float32)
        for row, hidden_PD in self._hidden(sequences):
            logits_TE = rows_by(hidden_PD[firsts[row] : firsts[row] + len(targets[row])], head_DE)
            logp_TE = torch.log_softmax(logits_TE, dim=-1, dtype=torch.float32)
            picked_T = logp_TE.gather(1, torch.tensor(targets[row], device=logp_TE.device)[:, None])
            means[row] = picked_T.double().mean().item()
        return means

    def _hidden(self, sequences: list[list[int]]) -> Iterator[tuple[int, Tensor]]:
        """Yields (row, hidden states (P, D) after the last norm) of each sequence, a few sequences at a time."""
        at_once = max(1, SCORED_SLOTS // max(map(len, sequences)))
        for start in range(0, len(sequences), at_once):
            hidden_BPD, _ = self.trunk.prefill(sequences[start : start + at_once])
            yield from enumerate(hidden_BPD, start)
