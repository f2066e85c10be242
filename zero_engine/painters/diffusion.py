"""The painter that runs any text-to-image pipeline of diffusers: a local folder or a hub name.

`calls` says what its call takes.

The noise of each picture comes from a CPU generator of the picture's own seed, so it does not depend on the device or
the batch. diffusers is the extra `diffusion`; only `load` imports it. `fingerprint` reads files only.
"""

import inspect
import math
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zero_engine.errors import ModelError, install_extra
from zero_engine.hashing import digest, digest_file, digest_json
from zero_engine.models.registry import fetched_folder
from zero_engine.painter_sections import Diffusion as DiffusionSettings
from zero_engine.painters.calls import asked_for, guided_by, refuse_unknown, refuse_unknown_in
from zero_engine.pipeline import Render

if TYPE_CHECKING:
    from zero_engine.painters.painting import Painter

_SUFFIXES = (".json", ".txt", ".model", ".safetensors")
_VARIANTS = ("*.fp16.*", "*.non_ema.*")
"""Further copies of the weights in a hub repository, which are not downloaded."""
_PATTERNS = ["model_index.json", *(f"*/*{suffix}" for suffix in _SUFFIXES)]


def load(render: Render) -> "Painter":
    """Read the pipeline that `render.diffusion` names. Raises ModelError, one line, when that cannot be done."""
    import torch

    from zero_engine.models.quiet import quiet

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
    try:
        with quiet():
            pipe = _set_up(_read(folder, getattr(torch, dtype)), settings, device)
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, TypeError, ImportError) as error:
        reason = " ".join(str(error).split())[:300]
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
    files = [_digest_files(_stamps(folder))]
    if settings.lora is not None:
        files.append(_digest_files(_stamps(_lora(settings.lora))))
    left = {"model", "lora", *DiffusionSettings.SHAPES_NO_PICTURE}
    return digest(*files, digest_json(settings.model_dump(mode="json", exclude=left)))


def _read(folder: Path, dtype: Any) -> Any:
    """The pipeline in a folder: as its text-to-image class where AutoPipeline knows it, else as the class it names."""
    import diffusers

    options = {"dtype": dtype, "local_files_only": True}
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
        path = _lora(settings.lora)
        name = {"weight_name": path.name} if path.is_file() else {}
        pipe.load_lora_weights(str(path.parent if name else path), adapter_name="lora", **name)
        pipe.set_adapters("lora", settings.lora_scale)
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


class Diffusion:
    """A loaded pipeline with its arguments: a `Painter` that `CutsPrompts` and `Describes` itself."""

    def __init__(self, pipe: Any, render: Render):
        self.name, self.pipe = _settings(render).model, pipe
        takes = inspect.signature(pipe.__call__).parameters
        refuse_unknown(self.name, type(pipe).__name__, takes, render)
        config = getattr(getattr(pipe, "transformer", None), "config", None)
        embedded = bool(getattr(config, "guidance_embeds", False))
        self.options = asked_for(render, guided_by(takes, embedded))
        self.negative = self.options.pop("negative_prompt", None)

    def paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> np.ndarray:
        """Pictures (B, H, W, 3) uint8, one per prompt, each from its own seed's noise."""
        import torch

        options: dict[str, object] = dict(self.options)
        if self.negative is not None:
            options["negative_prompt"] = [self.negative] * len(prompts)
        noise = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        with torch.inference_mode():
            done = self.pipe(prompt=list(prompts), generator=noise, output_type="np", **options)
        return (np.asarray(done.images) * 255).round().clip(0, 255).astype(np.uint8)

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
    if not (folder / "model_index.json").is_file():
        raise ModelError(f"{name}: no model_index.json in {folder}. Give the folder of a diffusers pipeline.")
    return folder


def _lora(name: str) -> Path:
    """The file or folder of LoRA weights."""
    path = Path(name).expanduser()
    return (
        path
        if path.is_file()
        else fetched_folder(name, ["*.safetensors", "*.json"], "a file or folder of LoRA weights")
    )


def _stamps(path: Path) -> tuple[tuple[str, str, int], ...]:
    """(path, name, time of change) of a file, or of the files in a folder that shape pictures."""
    found = (
        [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file() and f.suffix in _SUFFIXES]
    )
    root = path.parent if path.is_file() else path
    return tuple((str(f), f.relative_to(root).as_posix(), os.stat(f).st_mtime_ns) for f in sorted(found))


@lru_cache(maxsize=16)
def _digest_files(stamps: tuple[tuple[str, str, int], ...]) -> str:
    return digest(*(part for path, name, _ in stamps for part in (name, digest_file(path))))
