"""What is looked at before a run, its plan or a preview: input, scores, template, and what draws."""

from zero_engine.painters.generators import generator_fingerprint
from zero_engine.pipeline import Pipeline
from zero_engine.render.prompts import compile_template
from zero_engine.run.contain import checked_input
from zero_engine.score import check_scores


def check_pipeline(pipeline: Pipeline) -> str | None:
    """Find mistakes before any work starts; returns the generator's fingerprint, None without drawing.

    Raises PipelineError, InputError or ModelError.
    """
    checked_input(pipeline)
    check_scores(pipeline.score)
    compile_template(pipeline.render.template)
    return generator_fingerprint(pipeline.render)
