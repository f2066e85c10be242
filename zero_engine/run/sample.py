"""The first traces of an input, taken through all stages in this process, with nothing written.

`preview` shows such a sample; `plan --calibrate` proposes thresholds from it. Stages and seeds are
those of a real run, so the drawings are the ones that a run would make of a shard of that size.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from zero_engine.pipeline import Pipeline
from zero_engine.progress import Progress, Silent
from zero_engine.read import read_traces
from zero_engine.records import Candidate, ParsedTrace, Rejection, Trajectory
from zero_engine.run import marks
from zero_engine.run.checks import check_pipeline
from zero_engine.run.drawings import make_drawings
from zero_engine.run.progress import STAGES
from zero_engine.run.stages import gate_all, parse_all


@dataclass(slots=True)
class Sample:
    parsed: list[ParsedTrace] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    trajectories: list[Trajectory] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)


def draw_sample(pipeline: Pipeline, traces: int, progress: Progress | None = None) -> Sample:
    """Parse, draw, score and gate the first `traces` traces of the input."""
    progress = progress or Silent()
    progress.stage(f"reading {pipeline.input.path}")
    generator = check_pipeline(pipeline)
    with _told(progress, pipeline.render.model):
        return _draw(pipeline, traces, generator)


@contextmanager
def _told(progress: Progress, model: str) -> Iterator[None]:
    """Inside, the stages of this process and its count of pictures go to `progress`."""

    def hear(message: tuple) -> None:
        if message[0] == "count":
            counts = message[1]
            progress.update(counts["drawn"], [f"{counts['distinct']:,} distinct"], name="drawing")
        elif message[1] == marks.LOADING:
            progress.stage(f"loading {model}")
        else:
            progress.stage(STAGES.get(message[1], message[1]), None, "pictures")

    marks.attach(hear)
    try:
        yield
    finally:
        marks.attach(None)


def _draw(pipeline: Pipeline, traces: int, generator: str | None) -> Sample:
    records = list(islice(read_traces(pipeline.input), traces))
    sample = Sample(rejections=[r for r in records if isinstance(r, Rejection)])
    sample.parsed, refused = parse_all([r for r in records if not isinstance(r, Rejection)], pipeline)
    sample.rejections += refused
    made = make_drawings(sample.parsed, pipeline, generator, "", _marked)
    sample.candidates = made.candidates
    sample.rejections += made.rejections
    sample.trajectories, refused = gate_all(sample.parsed, sample.candidates, pipeline)
    sample.rejections += refused
    return sample


@contextmanager
def _marked(stage: str) -> Iterator[None]:
    marks.mark(stage)
    yield
