"""The painter that runs any text-to-image pipeline of diffusers: a local folder or a hub name.

`calls` says what its call takes.

The noise of each picture comes from a CPU generator of the picture's own seed, so it does not depend on the device or
the batch. diffusers is the extra `diffusion`; only `load` imports it. `fingerprint` reads files only.
"""

import inspect
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zero_engine.errors import ModelError, install_extra
from zero_engine.hashing import digest, digest_json
from zero_engine.model_blocks import refuse_more_blocks
from zero_engine.model_files import digest_files, readable
from zero_engine.models.registry import fetched_folder
from zero_engine.painter_sections import Diffusion as DiffusionSettings
from zero_engine.painters.calls import (
    asked_for,
    chats_in,
    guided_by,
    refuse_unheeded,
    refuse_unknown,
    refuse_unknown_in,
)
from zero_engine.pipeline import Render

if TYPE_CHECKING:
    from zero_engine.painters.painting import Painter

_SUFFIXES = (".json", ".txt", ".model", ".tiktoken", ".safetensors")
_TEMPLATE = ".jinja"
_VARIANTS = ("*.fp16.*", "*.non_ema.*")
"""Further copies of the weights in a hub repository, which are not downloaded."""
_VARIANT = re.compile(r"model(?:-\d+-of-\d+)?\.(\w+)(?:-\d+-of-\d+)?\.(?:safetensors|bin)$")
"""The end of a name such as diffusion_pytorch_model.fp16.safetensors; its group is the variant."""
_PATTERNS = ["model_index.json", *(f"*/*{suffix}" for suffix in (*_SUFFIXES, _TEMPLATE))]


def load(render: Render) -> "Painter":
    """Read the pipeline that `render.diffusion` names. Raises ModelError, one line, when that cannot be done."""
    import torch

    from zero_engine.painters.fitting import refuse_damage, refuse_left_out
    from zero_engine.painters.hearing import heard

    try:
        import diffusers
    except ImportError as error:
        raise ModelError(
            f"render.generator: diffusion needs diffusers ({error}): {install_extra('diffusion')}"
        ) from error
    settings = _settings(render)
    folder = _folder(settings.model)
    device = render.device if render.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    dtype = render.dtype if render.dtype != "auto" else "float32" if device == "cpu" else "bfloat16"
    bars = diffusers.utils.logging.is_progress_bar_enabled()
    diffusers.utils.logging.disable_progress_bar()
    said: list[str] = []
    for part in sorted(folder.glob("*/config.json")):
        refuse_more_blocks(settings.model, part.parent)
    try:
        with heard() as said:
            pipe = _read(folder, getattr(torch, dtype))
        refuse_damage(settings.model, said)
        refuse_left_out(settings.model, folder, pipe, said)
        pipe = _set_up(pipe, settings, device)
    except ModelError:
        raise
    except Exception as error:  # a damaged folder may raise anything, out of any library that reads it
        refuse_damage(settings.model, said, error)
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ModelError(
            f"{settings.model}: cannot read it as a text-to-image pipeline ({reason}). Give a folder of diffusers."
        ) from error
    finally:
        if bars:
            diffusers.utils.logging.enable_progress_bar()
    pipe.set_progress_bar_config(disable=True)
    return Diffusion(pipe, render)


def fingerprint(render: Render) -> str:
    """sha256 over the names and bytes of the pipeline's files and the settings that it paints with.

    Raises ModelError when there is no such pipeline, or its call does not take what the file asks for.
    """
    settings = _settings(render)
    folder = _folder(settings.model)
    refuse_unknown_in(folder, settings.model, render)
    files = [digest_files(_files(folder, chats_in(folder)))]
    if settings.lora is not None:
        _weights_of(_lora(settings.lora))
        files.append(digest_files(_files(_lora(settings.lora))))
    left = {"model", "lora", *DiffusionSettings.SHAPES_NO_PICTURE}
    counted = settings.model_dump(mode="json", exclude=left)
    if settings.lora is None:
        counted["lora_scale"] = 1.0  # of nothing
    return digest(*files, digest_json(counted))


def _read(folder: Path, dtype: Any) -> Any:
    """The pipeline in a folder: as its text-to-image class where AutoPipeline knows it, else as the class it names."""
    import diffusers

    options = {"dtype": dtype, "local_files_only": True, "variant": _variant(folder)}
    try:
        return diffusers.AutoPipelineForText2Image.from_pretrained(folder, **options)
    except ValueError as unknown:  # OmniGen, HunyuanImage, LongCat, ErnieImage
        try:
            return diffusers.DiffusionPipeline.from_pretrained(folder, **options)
        except ValueError as error:
            raise error from unknown


def _set_up(pipe: Any, settings: DiffusionSettings, device: str) -> Any:
    """LoRA weights, tiling, compiling and the device, as the file asks for them."""
    if settings.lora is not None:
        if not hasattr(pipe, "load_lora_weights"):
            raise ModelError(
                f"render.diffusion.lora: {type(pipe).__name__} takes no LoRA weights. Drop the key."
            )
        _add_lora(pipe, _weights_of(_lora(settings.lora)), settings.lora_scale)
    if settings.vae_tiling:
        if not hasattr(getattr(pipe, "vae", None), "enable_tiling"):
            raise ModelError(f"render.diffusion.vae_tiling: {type(pipe).__name__} cannot tile. Drop the key.")
        pipe.vae.enable_tiling()
    if settings.compile:
        denoiser = getattr(pipe, "transformer", None) or getattr(pipe, "unet", None)
        if denoiser is None:
            raise ModelError(
                f"render.diffusion.compile: {type(pipe).__name__} has no denoiser of its own. Drop the key."
            )
        denoiser.compile()
    if not settings.offload:
        return pipe.to(device)
    if device == "cpu":
        raise ModelError("render.diffusion.offload: there is no GPU to unload. Drop the key.")
    pipe.enable_model_cpu_offload(device=device)
    return pipe


def _add_lora(pipe: Any, path: Path, scale: float) -> None:
    """Raises ModelError where the weights, or some of them, are not this pipeline's."""
    from zero_engine.painters.hearing import heard

    try:
        with heard() as said:
            pipe.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name="lora")
            if not pipe.get_list_adapters():
                raise ValueError("it holds none of this pipeline")
            pipe.set_adapters("lora", scale)
        marks = ("led to unexpected keys", "led to missing keys")
        if lost := [line for line in said if any(mark in line for mark in marks)]:
            raise ValueError(lost[0])
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ModelError(
            f"render.diffusion.lora: {path} does not fit {type(pipe).__name__} ({reason}). Give weights made for it."
        ) from error


class Diffusion:
    """A loaded pipeline with its arguments: a `Painter` that `CutsPrompts` and `Describes` itself."""

    def __init__(self, pipe: Any, render: Render):
        self.name, self.pipe = _settings(render).model, pipe
        takes = inspect.signature(pipe.__call__).parameters
        refuse_unknown(self.name, type(pipe).__name__, takes, render)
        config = getattr(getattr(pipe, "transformer", None), "config", None)
        embedded = bool(getattr(config, "guidance_embeds", False))
        guiding = guided_by(takes, embedded)
        refuse_unheeded(self.name, type(pipe).__name__, guiding, render)
        self.options = asked_for(render, guiding)
        self.negative = self.options.pop("negative_prompt", None)

    def paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> np.ndarray:
        """Pictures (B, H, W, 3) uint8, one per prompt, each from its own seed's noise.

        Raises ValueError where there is none to keep.
        """
        import torch

        from zero_engine.painters.hearing import heard

        options: dict[str, object] = dict(self.options)
        if self.negative is not None:
            options["negative_prompt"] = [self.negative] * len(prompts)
        noise = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        with torch.inference_mode(), heard():
            done = self.pipe(prompt=list(prompts), generator=noise, output_type="np", **options)
        hidden = getattr(done, "nsfw_content_detected", None) or []
        # a filler has no prompt, and may be hidden
        if any(hit and prompt for hit, prompt in zip(hidden, prompts, strict=False)):
            raise ValueError("the safety checker of the pipeline took the picture away")
        pixels_BHW3 = np.asarray(done.images)
        if not np.isfinite(pixels_BHW3).all():
            raise ValueError(f"its pixels are not finite in {self.pipe.dtype}; see render.dtype")
        for at, side in ((1, "height"), (2, "width")):
            if self.options.get(side) not in (None, pixels_BHW3.shape[at]):
                made = f"{pixels_BHW3.shape[2]}x{pixels_BHW3.shape[1]} pixels"
                raise ValueError(f"it paints {made} where {side} {self.options[side]} is asked for")
        return (pixels_BHW3 * 255).round().clip(0, 255).astype(np.uint8)

    def unread(self, prompts: Sequence[str]) -> list[int]:
        """Number of tokens at each prompt's end that every text encoder cut; the encoders do not report it."""
        takes = inspect.signature(self.pipe.__call__).parameters
        longest = takes["max_sequence_length"].default if "max_sequence_length" in takes else None
        beyond = []
        for part in self.pipe.components.values():
            if hasattr(part, "model_max_length"):
                clip = "CLIP" in type(part).__name__  # CLIP keeps its own limit, whatever the pipeline's is
                limit = part.model_max_length if clip else min(part.model_max_length, longest or math.inf)
                lengths = [len(part(prompt, verbose=False)["input_ids"]) for prompt in prompts]
                beyond.append([max(0, length - limit) for length in lengths])
        return [min(row) for row in zip(*beyond, strict=True)] if beyond else [0] * len(prompts)

    def describe(self) -> dict[str, object]:
        """Class, what its call is given, weights and where they lie."""
        given = {**self.options, **({} if self.negative is None else {"negative_prompt": self.negative})}
        parts = [part for part in self.pipe.components.values() if hasattr(part, "parameters")]
        weights = [weight for part in parts for weight in part.parameters()]
        return {
            "family": type(self.pipe).__name__,
            "call": ", ".join(f"{name}={value!r}" for name, value in given.items()),
            "parameters": f"{sum(weight.numel() for weight in weights):,}",
            "weights_mb": round(sum(w.numel() * w.element_size() for w in weights) / 1e6, 1),
            "dtype": str(self.pipe.dtype).removeprefix("torch."),
            "device": str(self.pipe.device),
        }


def _settings(render: Render) -> DiffusionSettings:
    """`render.diffusion`, which `Pipeline` requires for the generator `diffusion`."""
    assert render.diffusion is not None, "the generator diffusion without render.diffusion"
    return render.diffusion


def _folder(name: str) -> Path:
    folder = fetched_folder(name, _PATTERNS, "a local folder of a diffusers pipeline", _VARIANTS)
    with readable(folder):
        there = (folder / "model_index.json").is_file()
    if not there:
        raise ModelError(f"{name}: no model_index.json in {folder}. Give the folder of a diffusers pipeline.")
    return folder


def _lora(name: str) -> Path:
    """The file or folder of LoRA weights."""
    path = Path(name).expanduser()
    with readable(path):
        if path.is_file():
            return path
    return fetched_folder(name, ["*.safetensors", "*.json"], "a file or folder of LoRA weights")


def _weights_of(lora: Path) -> Path:
    """The file of LoRA weights in a folder. Raises ModelError where there is none, or no telling which."""
    if lora.is_file():
        return lora
    found = sorted(lora.glob("*.safetensors")) or sorted(lora.glob("*.bin"))
    usual = [file for file in found if file.stem.endswith("pytorch_lora_weights")] or found
    if len(usual) != 1:
        names = ", ".join(file.name for file in usual[:4]) or "none"
        raise ModelError(
            f"render.diffusion.lora: {lora} holds {len(usual)} files of weights ({names}). Name one file."
        )
    return usual[0]


def _variant(folder: Path) -> str | None:
    """The variant of the weights, such as fp16, where a part of the pipeline has no others."""
    for part in sorted(folder.glob("*/")):
        names = [f.name for f in part.iterdir() if f.suffix in (".safetensors", ".bin")]
        variants = [found[1] for found in map(_VARIANT.search, sorted(names)) if found]
        if names and len(variants) == len(names):
            return variants[0]
    return None


def _files(path: Path, chats: bool = False) -> list[tuple[str, Path]]:
    """(name, file) of a file, or of the files in a folder that shape pictures; chat templates where it `chats`."""
    with readable(path):
        if path.is_file():
            return [(path.name, path)]
        files = [f for f in path.rglob("*") if f.is_file()]
    safe = {f.parent for f in files if f.suffix == ".safetensors"}
    suffixes = {*_SUFFIXES, _TEMPLATE} if chats else {*_SUFFIXES}
    found = [f for f in files if f.suffix in suffixes or (f.suffix == ".bin" and f.parent not in safe)]
    return [(f.relative_to(path).as_posix(), f) for f in sorted(found)]
