"""What a pipeline of diffusers can be called with, read from its source: diffusers imports torch, `plan` must not.

guidance   `true_cfg_scale` where the pipeline has it and its transformer has no guidance embedded (Qwen-Image, which
           ignores `guidance_scale`); a negative prompt switches it on, so a blank one is sent.
           Elsewhere `guidance_scale`.
"""

import ast
import importlib.util
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from zero_engine.errors import ModelError
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
    embedded = "true_cfg_scale" not in takes  # which of the two it is does not matter here
    for parameter in asked_for(render, guided_by(takes, embedded)):
        if parameter in takes and parameter not in MADE_BY_US:
            continue
        near = (
            ", ".join(sorted(t for t in takes if t.endswith("scale"))) if parameter.endswith("scale") else ""
        )
        instead = f", but {near} (render.diffusion.parameters)" if near else ""
        raise ModelError(f"{name}: {kind} takes no {parameter}{instead}. Drop it from the pipeline file.")


def refuse_unknown_in(folder: Path, name: str, render: Render) -> None:
    """The same for a folder of diffusers, without importing it; what cannot be told is left to loading."""
    try:
        kind = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))["_class_name"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    takes = call_parameters(kind) if isinstance(kind, str) else None
    if takes is not None:
        refuse_unknown(name, kind, takes, render)


@lru_cache(maxsize=16)
def call_parameters(kind: str) -> frozenset[str] | None:
    """Names that the `__call__` of a pipeline class of diffusers takes; None where its source does not say."""
    found = importlib.util.find_spec("diffusers")
    for place in (found.submodule_search_locations or []) if found else []:
        for path in Path(place, "pipelines").glob("*/pipeline_*.py"):
            text = path.read_text(encoding="utf-8")
            if f"class {kind}(" not in text:
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ClassDef) and node.name == kind:
                    return _parameters(node)
    return None


def _parameters(node: ast.ClassDef) -> frozenset[str] | None:
    for part in node.body:
        if (
            isinstance(part, ast.FunctionDef) and part.name == "__call__"
        ):  # what goes into its **kwargs vanishes
            return frozenset(a.arg for a in (*part.args.args, *part.args.kwonlyargs)) - {"self"}
    return None
