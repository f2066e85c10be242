"""Reading a checkpoint folder in the Chameleon layout: what can be wrong with one, each said in one line.

The language model takes the dtype asked for at once (`.to()` afterwards would round the rotary frequencies); the
VQ model stays in float32.
"""

import json
import logging
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoTokenizer
from transformers.models.chameleon.image_processing_pil_chameleon import ChameleonImageProcessorPil

from zero_engine.errors import ModelError
from zero_engine.models import vq
from zero_engine.models.chameleon import Chameleon, ChameleonWithDecoder
from zero_engine.models.quiet import quiet

log = logging.getLogger(__name__)


def load(path: Path, *, name: str, fingerprint: str, device: str, dtype: str) -> Chameleon:
    """Read a checkpoint folder.

    Raises ModelError, one line, when the folder is not a whole checkpoint in this layout.
    """
    target = _device(device)
    chosen = _dtype(dtype, target)
    try:
        kind = json.loads((path / "config.json").read_text(encoding="utf-8")).get("model_type")
        if kind != "chameleon":
            raise ModelError(
                f"{name}: model_type in config.json is {kind!r}, not 'chameleon'. Give another model."
            )
        with quiet():
            module, report = ChameleonWithDecoder.from_pretrained(
                path, dtype=chosen, device_map={"": target}, output_loading_info=True, local_files_only=True
            )
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        image_processor = _image_processor(path, vq.picture_size(module.config.vq_config))
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, TypeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{name}: cannot read the checkpoint in {path} ({reason}). Is it complete?"
        ) from error
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"{name}: {len(missing)} weights are missing in {path} (first: {missing[0]}). Give a whole checkpoint, "
            "with model.vqmodel.decoder.*: what transformers' own class saved has lost them."
        )
    if unexpected := sorted(report["unexpected_keys"]):
        log.warning("%s: %d weights are not used (first: %s)", name, len(unexpected), unexpected[0])
    return Chameleon(module, tokenizer, image_processor, name=name, fingerprint=fingerprint)


def _image_processor(path: Path, size: int) -> ChameleonImageProcessorPil:
    if (path / "preprocessor_config.json").is_file():
        return ChameleonImageProcessorPil.from_pretrained(path, local_files_only=True)
    return ChameleonImageProcessorPil(size={"shortest_edge": size}, crop_size={"height": size, "width": size})


def _device(device: str) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def _dtype(dtype: str, device: torch.device) -> torch.dtype:
    """float32 on CPU, where drawings are exact; bfloat16 elsewhere."""
    if dtype == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    chosen = getattr(torch, dtype, None)
    if chosen not in (torch.float32, torch.bfloat16, torch.float16):
        raise ModelError(f"dtype must be auto, float32, bfloat16 or float16, got {dtype}")
    return chosen
