"""The first traces of an input, taken through all stages in this process, with nothing written.

`preview` shows such a sample; `plan --calibrate` proposes thresholds from it. Stages and seeds are
those of a real run, so the drawings are the ones that a run would make of a shard of that size.
"""

from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice

from zero_engine.pipeline import Pipeline
from zero_engine.read import read_traces
from zero_engine.records import Candidate, ParsedTrace, Rejection, Trajectory
from zero_engine.run.drawings import make_drawings
from zero_engine.run.driver import check_pipeline
from zero_engine.run.stages import gate_all, parse_all


@dataclass(slots=True)
class Sample:
    parsed: list[ParsedTrace] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    trajectories: list[Trajectory] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)


def draw_sample(pipeline: Pipeline, traces: int) -> Sample:
    """Parse, draw, score and gate the first `traces` traces of the input."""
    generator = check_pipeline(pipeline)
    records = list(islice(read_traces(pipeline.input), traces))
    sample = Sample(rejections=[r for r in records if isinstance(r, Rejection)])
    sample.parsed, refused = parse_all([r for r in records if not isinstance(r, Rejection)], pipeline)
    sample.rejections += refused
    made = make_drawings(sample.parsed, pipeline, generator, "", lambda stage: nullcontext())
    sample.candidates = made.candidates
    sample.rejections += made.rejections
    sample.trajectories, refused = gate_all(sample.parsed, sample.candidates, pipeline)
    sample.rejections += refused
    return sample
