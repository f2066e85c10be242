"""How many drawings of a dataset are right, where the input says by what they are judged.

Tasks of `models make-tasks` have `spec`: for each step a kind of the nano world and its specification, or null. A trace
whose steps are not those of its `spec` (another `parse.rule`, a cap) is judged by nothing. Equal drawings of one
specification are judged once.
"""

from collections.abc import Iterator
from pathlib import Path

from zero_engine import world
from zero_engine.images import decode_image
from zero_engine.parse import parse_trace
from zero_engine.pipeline import Pipeline
from zero_engine.read import read_traces
from zero_engine.records import ParsedTrace, Rejection
from zero_engine.write.manifest import read_manifest
from zero_engine.write.shards import read_candidates

Judge = tuple[str, world.Spec]
SIDE = 64
"""Pixels of a picture of the nano world: others are beyond its oracles."""


def judge_dataset(pipeline: Pipeline, kept: set[tuple[str, int, int]]) -> dict[str, int] | None:
    """Counts of judged and right drawings, of all and of the kept ones, by (trace, step, attempt).

    None where the input names no judge, or the pictures are not of the nano world's size.
    """
    judges = dict(judges_of(pipeline))
    if not judges:
        return None
    out = Path(pipeline.output.path)
    found = dict.fromkeys(("judged", "right", "kept_judged", "kept_right"), 0)
    known: dict[tuple[Judge, bytes], bool] = {}
    for shard in read_manifest(out).shards:
        for one in read_candidates(out / shard.candidates.name) if shard.candidates else ():
            judge = judges.get((one.trace_id, one.step))
            if judge is None:
                continue
            key = judge, one.codes.tobytes()
            if key not in known:
                image_HW3 = decode_image(one.image)
                if image_HW3.shape[:2] != (SIDE, SIDE):
                    return None
                known[key] = world.judge(*judge, image_HW3)
            right = int(known[key])
            found["judged"] += 1
            found["right"] += right
            if (one.trace_id, one.step, one.attempt) in kept:
                found["kept_judged"] += 1
                found["kept_right"] += right
    return found


def judges_of(pipeline: Pipeline) -> Iterator[tuple[tuple[str, int], Judge]]:
    """((trace, step), what judges its drawings). Nothing where the first trace of the input names no judge."""
    for place, trace in enumerate(read_traces(pipeline.input)):
        if isinstance(trace, Rejection):
            continue
        spec = trace.record.get("spec") if isinstance(trace.record, dict) else None
        if spec is None and place == 0:
            return
        parsed = parse_trace(trace, pipeline.parse)
        if isinstance(parsed, ParsedTrace) and isinstance(spec, list) and len(spec) == len(parsed.steps):
            for step, one in zip(parsed.steps, spec, strict=True):
                if one is not None:
                    yield (trace.id, step.index), (one[0], world.spec_of(one[1]))
