"""zero-engine: text-only reasoning traces in, interleaved text-and-image trajectories out.

    from zero_engine import Pipeline, open_dataset, run_pipeline

    summary = run_pipeline({
        "input": {"path": "my.jsonl"},
        "output": {"path": "out/mine"},
    })
    rows = open_dataset(summary.out)      # a datasets.Dataset: question, steps with pictures and codes, answer

    load_pipeline   a Pipeline from a YAML file, with key=value overrides
    Pipeline        all of a run, as frozen sections: Pipeline.model_validate({...}), pipeline.gate.min
    run_pipeline    run it, or go on with it; returns a Summary
    plan_run        what a run would do, without doing it
    open_dataset    the rows of a finished folder, checked against its manifest
    errors          what is raised for you to mend: errors.ZeroEngineError and its kinds, one line each

The names are imported when they are used, so `import zero_engine` costs milliseconds and pulls in neither torch nor
datasets.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zero_engine import errors as errors
    from zero_engine.pipeline import Pipeline as Pipeline
    from zero_engine.pipeline import load_pipeline as load_pipeline
    from zero_engine.progress import Progress as Progress
    from zero_engine.run import Forecast as Forecast
    from zero_engine.run import Summary as Summary
    from zero_engine.run import plan_run as plan_run
    from zero_engine.run import run_pipeline as run_pipeline
    from zero_engine.write.dataset import open_dataset as open_dataset

__version__ = "0.1.0"

_PUBLIC = {
    "Forecast": "zero_engine.run",
    "Pipeline": "zero_engine.pipeline",
    "Progress": "zero_engine.progress",
    "Summary": "zero_engine.run",
    "load_pipeline": "zero_engine.pipeline",
    "open_dataset": "zero_engine.write.dataset",
    "plan_run": "zero_engine.run",
    "run_pipeline": "zero_engine.run",
}
__all__ = ["__version__", "errors", *_PUBLIC]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "errors":
        return import_module("zero_engine.errors")
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'zero_engine' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
