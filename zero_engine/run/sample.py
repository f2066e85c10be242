"""The first traces of an input, taken through all stages in this process, with nothing written.

`preview` shows such a sample; `plan --calibrate` proposes thresholds from it. Stages and seeds are
those of a real run, so the drawings are the ones that a run would make of a shard of that size.
"""

from dataclasses import dataclass, field
from itertools import islice

from zero_engine.pipeline import Pipeline
from zero_engine.read import read_traces
from zero_engine.records import Candidate, ParsedTrace, Rejection, Trajectory
from zero_engine.run.driver import check_pipeline
from zero_engine.run.stages import draw_all, gate_all, parse_all, score_all


@dataclass(slots=True)
class Sample:
    parsed: list[ParsedTrace] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    trajectories: list[Trajectory] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)


def draw_sample(pipeline: Pipeline, traces: int) -> Sample:
    """Parse, draw, score and gate the first `traces` traces of the input."""
    check_pipeline(pipeline)
    records = list(islice(read_traces(pipeline.input), traces))
    sample = Sample(rejections=[r for r in records if isinstance(r, Rejection)])
    sample.parsed, refused = parse_all([r for r in records if not isinstance(r, Rejection)], pipeline)
    sample.rejections += refused
    drawn, refused = draw_all(sample.parsed, pipeline)
    sample.rejections += refused
    sample.candidates, refused = score_all(drawn, sample.parsed, pipeline)
    sample.rejections += refused
    sample.trajectories, refused = gate_all(sample.parsed, sample.candidates, pipeline)
    sample.rejections += refused
    return sample
