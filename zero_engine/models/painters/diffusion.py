"""The painter that runs any text-to-image pipeline of diffusers: a local folder or a hub name.

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
from zero_engine.hashing import digest, digest_file
from zero_engine.models.registry import fetched_folder
from zero_engine.pipeline import Diffusion as DiffusionSettings
from zero_engine.pipeline import Render

if TYPE_CHECKING:
    from zero_engine.models.painters.painting import Painter

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
            pipe = diffusers.AutoPipelineForText2Image.from_pretrained(
                folder, dtype=getattr(torch, dtype), local_files_only=True
            ).to(device)
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
    """sha256 over the names and bytes of the pipeline's files. Raises ModelError when there is no such pipeline."""
    folder = _folder(_settings(render).model)
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix in _SUFFIXES)
    stamps = tuple((str(f), f.relative_to(folder).as_posix(), os.stat(f).st_mtime_ns) for f in files)
    return _digest_files(stamps)


class Diffusion:
    """A loaded pipeline with its arguments: a `Painter` that `CutsPrompts`."""

    def __init__(self, pipe: Any, render: Render):
        settings = _settings(render)
        self.name, self.pipe = settings.model, pipe
        asked = {
            "num_inference_steps": settings.steps,
            "guidance_scale": settings.guidance,
            "height": settings.size,
            "width": settings.size,
            "negative_prompt": render.negative_prompt,
        }
        self.options = {name: value for name, value in asked.items() if value is not None}
        takes = inspect.signature(pipe.__call__).parameters
        if unknown := [name for name in self.options if name not in takes]:
            raise ModelError(
                f"{self.name}: {type(pipe).__name__} takes no {unknown[0]}. Drop it from the pipeline file."
            )
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


def _settings(render: Render) -> DiffusionSettings:
    """`render.diffusion`, which `Pipeline` requires for the generator `diffusion`."""
    assert render.diffusion is not None, "the generator diffusion without render.diffusion"
    return render.diffusion


def _folder(name: str) -> Path:
    folder = fetched_folder(name, _PATTERNS, "a local folder of a diffusers pipeline", _VARIANTS)
    if not (folder / "model_index.json").is_file():
        raise ModelError(f"{name}: no model_index.json in {folder}. Give the folder of a diffusers pipeline.")
    return folder


@lru_cache(maxsize=16)
def _digest_files(stamps: tuple[tuple[str, str, int], ...]) -> str:
    return digest(*(part for path, name, _ in stamps for part in (name, digest_file(path))))
