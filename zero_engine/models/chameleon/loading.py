"""Reads a checkpoint folder in the Chameleon layout. Each defect of a folder is an error of one line.

The language model is loaded in its final dtype (a later `.to()` would round the rotary frequencies); the
VQ model stays in float32. Weights go straight to the device, a shard at a time (`weights`).
"""

import logging
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoTokenizer, ChameleonConfig, GenerationConfig

from zero_engine.errors import ModelError, printable
from zero_engine.models.chameleon import vq
from zero_engine.models.chameleon.model import Chameleon
from zero_engine.models.chameleon.modules import ChameleonModule, rotary
from zero_engine.models.chameleon.perception import read_projection
from zero_engine.models.chameleon.preprocess import Preprocessor
from zero_engine.models.chameleon.weights import Report, read_weights, weight_files
from zero_engine.models.devices import device_named, dtype_named
from zero_engine.models.quiet import quiet
from zero_engine.models.soundness import is_sound

log = logging.getLogger(__name__)

_CODEC = "model.vqmodel."
_DECODER = ("model.vqmodel.decoder.", "model.vqmodel.post_quant_conv.")


def load(path: Path, *, name: str, fingerprint: str, device: str, dtype: str) -> Chameleon:
    """Read a checkpoint folder.

    Raises ModelError, one line, when the folder is not a whole checkpoint in this layout.
    """
    target = device_named(device)
    chosen = dtype_named(dtype, target)
    try:
        with quiet():
            module = empty_module(ChameleonConfig.from_pretrained(path, local_files_only=True))
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
            if (path / "generation_config.json").is_file():
                module.generation_config = GenerationConfig.from_pretrained(path, local_files_only=True)
        report = fill(module, weight_files(path), target, chosen)
        preprocessor = Preprocessor.of(path, vq.picture_size(module.config.vq_config))
        vectors = module.model.vqmodel.quantize.embedding.weight
        projection = read_projection(path, module.config.hidden_size, vectors.shape[1])
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, TypeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{name}: cannot read the checkpoint in {path} ({reason}). Is it complete?"
        ) from error
    _refuse_what_does_not_fit(report, name, path)
    return Chameleon(
        module, tokenizer, preprocessor, name=name, fingerprint=fingerprint, projection=projection
    )


def empty_module(config: ChameleonConfig) -> ChameleonModule:
    """The module on the meta device: no weight takes memory."""
    with torch.device("meta"):
        return ChameleonModule(config)


def fill(module: ChameleonModule, files: list[Path], device: torch.device, dtype: torch.dtype) -> Report:
    """Read the weights, the language model's in `dtype` and the VQ model's in float32."""
    report = read_weights(
        module, files, device, lambda name: torch.float32 if name.startswith(_CODEC) else dtype, module.tied
    )
    module.tie_weights()
    if device.type != "meta":
        with torch.device(device):  # no file holds the rotary frequencies
            module.model.rotary_emb = rotary(module.config)
        if not is_sound(module.model.rotary_emb.inv_freq):
            report.unsound.append("rotary frequencies of config.json")
    module.config.dtype = dtype
    return report


def _refuse_what_does_not_fit(report: Report, name: str, path: Path) -> None:
    if missing := report.missing:
        if all(weight.startswith(_DECODER) for weight in missing):
            raise ModelError(
                f"{name}: {len(missing)} weights are missing in {path}, all of the picture decoder (first: "
                f"{missing[0]}). It can read pictures, not draw: Chameleon-7b as published is such a checkpoint, and "
                "what transformers' own class saved has lost them. Give one with model.vqmodel.decoder.*, as Anole-7b."
            )
        raise ModelError(
            f"{name}: {len(missing)} weights are missing in {path} (first: {missing[0]}). Give a whole checkpoint."
        )
    if misshapen := report.misshapen:
        raise ModelError(
            f"{name}: {len(misshapen)} weights in {path} have another shape than config.json says (first: "
            f"{misshapen[0]}). Give the configuration that belongs to the weights."
        )
    if unsound := report.unsound:
        raise ModelError(
            f"{name}: {len(unsound)} weights in {path} are NaN, infinite, huge or no floating-point numbers (first: "
            f"{unsound[0]}). Fetch the checkpoint again."
        )
    if left := report.left_out:
        raise ModelError(
            f"{name}: {len(left)} weights in {path} have no place in the model of config.json (first: {left[0]}). Give "
            "the configuration that belongs to the weights."
        )
    if unexpected := report.unexpected:
        log.warning(
            "%s: %d weights are not used (first: %s)", name, len(unexpected), printable(unexpected[0], True)
        )
