"""Checkpoint: language model, codec and tokenizer in one folder of the public Chameleon layout.

float16 safetensors with the VQ decoder at `model.vqmodel.decoder.*`; configuration with the vocabulary map; tokenizer,
processor and generation configuration as transformers writes them. The folder loads with
`zero_engine.models.load_model` and, less the decoder, with transformers' `from_pretrained`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import ChameleonForConditionalGeneration, ChameleonVQVAE

from zero_engine.nano.recipe import tokens
from zero_engine.world import canvas


def write_checkpoint(
    folder: Path, model: ChameleonForConditionalGeneration, vqmodel: ChameleonVQVAE, tokenizer: Tokenizer
) -> None:
    """Write all files of a checkpoint; a README.md that is there stays."""
    staging = folder.with_name(folder.name + ".part")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    tensors = {
        name: weight for name, weight in model.state_dict().items() if not name.startswith("model.vqmodel.")
    }
    tensors |= {f"model.vqmodel.{name}": weight for name, weight in vqmodel.state_dict().items()}
    tensors = {name: _half(weight) for name, weight in sorted(tensors.items()) if weight.is_floating_point()}
    save_file(tensors, staging / "model.safetensors", metadata={"format": "pt"})
    (staging / "model.safetensors").chmod(0o644)
    _configuration(model, staging)
    tokens.public_tokenizer(tokenizer).save_pretrained(staging)
    _processor(staging)
    folder.mkdir(parents=True, exist_ok=True)
    for path in staging.iterdir():
        path.replace(folder / path.name)
    staging.rmdir()


def _half(weight: torch.Tensor) -> torch.Tensor:
    return weight.detach().to(torch.float16).contiguous()


def _configuration(model: ChameleonForConditionalGeneration, folder: Path) -> None:
    config = model.config
    config.dtype = torch.float16
    config.save_pretrained(folder)
    generation = {"bos_token_id": config.bos_token_id, "eos_token_id": config.eos_token_id,
                  "pad_token_id": config.pad_token_id, "do_sample": True, "top_k": 0}  # fmt: skip
    _write(folder / "generation_config.json", generation)


def _processor(folder: Path) -> None:
    """Pixels to [-1, 1]: (value / 127.5 - 1)."""
    size = canvas.SIDE
    image = {
        "crop_size": {"height": size, "width": size}, "do_center_crop": True, "do_convert_rgb": True,
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [1.0] * 3, "image_std": [1.0] * 3,
        "image_processor_type": "ChameleonImageProcessor", "processor_class": "ChameleonProcessor", "resample": 1,
        "rescale_factor": 1 / 127.5, "size": {"shortest_edge": size},
    }  # fmt: skip
    _write(folder / "preprocessor_config.json", image)
    processor = {
        "image_seq_length": canvas.CELLS**2,
        "image_token": tokens.IMAGE,
        "processor_class": "ChameleonProcessor",
    }
    _write(folder / "processor_config.json", processor)


def _write(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
