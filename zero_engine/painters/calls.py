"""What a pipeline of diffusers can be called with, read from its source: diffusers imports torch, `plan` must not.

guidance   `true_cfg_scale` where the pipeline has it and its transformer has no guidance embedded (Qwen-Image, which
           ignores `guidance_scale`); a negative prompt switches it on, so a blank one is sent.
           Elsewhere `guidance_scale`.
"""

import ast
import importlib.util
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from zero_engine.errors import ModelError
from zero_engine.model_files import said_in
from zero_engine.pipeline import Render

MADE_BY_US = (
    "prompt",
    "generator",
    "output_type",
    "num_images_per_prompt",
    "return_dict",
    "callback_on_step_end",
)


def asked_for(render: Render, guided_by: str) -> dict[str, object]:
    """The arguments that the file asks for; `guided_by` is the parameter that guidance is."""
    settings = render.diffusion
    assert settings is not None, "the generator diffusion without render.diffusion"
    asked: dict[str, object] = {
        "num_inference_steps": settings.steps,
        guided_by: settings.guidance,
        "height": settings.size,
        "width": settings.size,
        "negative_prompt": render.negative_prompt,
        **settings.parameters,
    }
    if guided_by == "true_cfg_scale" and settings.guidance is not None and settings.guidance > 1:
        asked["negative_prompt"] = render.negative_prompt or " "
    return {name: value for name, value in asked.items() if value is not None}


def guided_by(takes: Mapping[str, object] | frozenset[str], embedded: bool) -> str:
    """The parameter that `render.diffusion.guidance` is; `embedded`: whether the transformer has guidance embedded."""
    return "true_cfg_scale" if "true_cfg_scale" in takes and not embedded else "guidance_scale"


def refuse_unknown(
    name: str, kind: str, takes: Mapping[str, object] | frozenset[str], render: Render
) -> None:
    """Raises ModelError, one line, for what the call of the class `kind` does not take."""
    if "prompt" not in takes:
        raise ModelError(f"{name}: {kind} takes no prompt. Give a pipeline that paints from text.")
    if render.diffusion and "num_inference_steps" in render.diffusion.parameters:
        raise ModelError(
            f"render.diffusion.parameters: num_inference_steps of {name} is render.diffusion.steps. Say that."
        )
    embedded = "true_cfg_scale" not in takes  # which of the two it is does not matter here
    for parameter in asked_for(render, guided_by(takes, embedded)):
        if parameter in takes and parameter not in MADE_BY_US:
            continue
        near = (
            ", ".join(sorted(t for t in takes if t.endswith("scale"))) if parameter.endswith("scale") else ""
        )
        instead = f", but {near} (render.diffusion.parameters)" if near else ""
        raise ModelError(f"{name}: {kind} takes no {parameter}{instead}. Drop it from the pipeline file.")


def refuse_unheeded(name: str, kind: str, guided_by: str, render: Render) -> None:
    """Raises ModelError, one line, for a parameter that the call takes and does not heed."""
    settings = render.diffusion
    assert settings is not None, "the generator diffusion without render.diffusion"
    given = settings.parameters
    mend = "Say render.diffusion.guidance instead."
    if guided_by == "true_cfg_scale" and "guidance_scale" in given:
        raise ModelError(
            f"render.diffusion.parameters: {kind} of {name} does not heed guidance_scale. {mend}"
        )
    if "true_cfg_scale" in given and not asked_for(render, guided_by).get("negative_prompt"):
        mend = "Say render.negative_prompt, too." if guided_by == "guidance_scale" else mend
        raise ModelError(
            f"render.diffusion.parameters: {kind} of {name} does not heed true_cfg_scale alone. {mend}"
        )


def refuse_unknown_in(folder: Path, name: str, render: Render) -> None:
    """The same for a folder of diffusers, without importing it; what cannot be told is left to loading."""
    kind = _class_in(folder)
    takes = call_parameters(kind) if kind else None
    if kind and takes is not None:
        refuse_unknown(name, kind, takes, render)


def chats_in(folder: Path) -> bool:
    """Whether the pipeline in a folder lays out prompts by a chat template; so it is where that cannot be told."""
    kind = _class_in(folder)
    source = _source_of(kind) if kind else None
    return source is None or "apply_chat_template" in source


@lru_cache(maxsize=16)
def call_parameters(kind: str) -> frozenset[str] | None:
    """Names that the `__call__` of a pipeline class of diffusers takes; None where its source does not say."""
    for node in ast.walk(ast.parse(_source_of(kind) or "")):
        if isinstance(node, ast.ClassDef) and node.name == kind:
            return _parameters(node)
    return None


@lru_cache(maxsize=16)
def text_to_image_class(kind: str) -> str:
    """The class that AutoPipelineForText2Image makes of a folder of the class `kind`; the same where it knows none."""
    for path in _sources("auto_pipeline.py"):
        names: dict[str, dict[str, str]] = {}
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                names[node.targets[0].id] = {
                    pair.elts[0].value: pair.elts[1].id
                    for pair in ast.walk(node.value)
                    if isinstance(pair, ast.Tuple)
                    and len(pair.elts) == 2
                    and isinstance(pair.elts[0], ast.Constant)
                    and isinstance(pair.elts[0].value, str)
                    and isinstance(pair.elts[1], ast.Name)
                }
        painting = names.get("AUTO_TEXT2IMAGE_PIPELINES_MAPPING", {})
        if kind in painting.values():
            return kind
        families = (family for known in names.values() for family, name in known.items() if name == kind)
        return next((painting[family] for family in families if family in painting), kind)
    return kind


def _class_in(folder: Path) -> str | None:
    """The text-to-image class of the pipeline in a folder; None where it does not say. Raises ModelError."""
    kind = said_in(folder / "model_index.json").get("_class_name")
    return text_to_image_class(kind) if isinstance(kind, str) else None


@lru_cache(maxsize=16)
def _source_of(kind: str) -> str | None:
    """The text of the file of diffusers that defines a pipeline class."""
    texts = (path.read_text(encoding="utf-8") for path in _sources())
    return next((text for text in texts if f"class {kind}(" in text), None)


def _sources(name: str = "pipeline_*.py") -> list[Path]:
    """Files of diffusers that define pipelines."""
    found = importlib.util.find_spec("diffusers")
    places = (found.submodule_search_locations or []) if found else []
    return [path for place in places for path in sorted(Path(place, "pipelines").rglob(name))]


def _parameters(node: ast.ClassDef) -> frozenset[str] | None:
    for part in node.body:
        if (
            isinstance(part, ast.FunctionDef) and part.name == "__call__"
        ):  # what goes into its **kwargs vanishes
            return frozenset(a.arg for a in (*part.args.args, *part.args.kwonlyargs)) - {"self"}
    return None
