"""What is looked at before a run, its plan or a preview: input, scores, template, and what draws."""

from zero_engine.errors import ModelError
from zero_engine.models.registry import family_sees_pictures
from zero_engine.painters.generators import generator_fingerprint
from zero_engine.pipeline import Pipeline
from zero_engine.render.prompts import compile_template
from zero_engine.run.contain import checked_input
from zero_engine.score import check_scores
from zero_engine.sections import Render


def check_pipeline(pipeline: Pipeline) -> str | None:
    """Find mistakes before any work starts; returns the generator's fingerprint, None without drawing.

    Raises PipelineError, InputError or ModelError.
    """
    checked_input(pipeline)
    check_scores(pipeline.score)
    compile_template(pipeline.render.template)
    _check_sight(pipeline.render)
    return generator_fingerprint(pipeline.render)


def _check_sight(render: Render) -> None:
    """Raises ModelError where drawings are to see drawings and the generator sees none; a plugin is asked later."""
    asked = "image_guidance" if render.image_guidance is not None else "context"
    if asked == "context" and render.context == "text":
        return
    blind = render.generator == "diffusion" or (
        render.generator in ("unified", "http") and not family_sees_pictures(render.model)
    )
    if blind:
        raise ModelError(f"render.{asked}: {render.model} draws from text alone. Drop the key.")
