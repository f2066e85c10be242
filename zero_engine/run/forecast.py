"""What a run would do, without doing any of it: shards by what they need, drawings by what becomes of them.

A drawing is reused where the folder, what it set aside, or a folder of `--reuse` holds it, made where nobody does, and
set aside where the pipeline no longer asks for it. Each changed key is also tried alone, so that it is plain which
one costs what. Steps that cannot be drawn count as drawings to be made: only the model can tell.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zero_engine.errors import PipelineError
from zero_engine.painter_sections import Diffusion, Http
from zero_engine.painters.generators import generator_fingerprint
from zero_engine.pipeline import Pipeline
from zero_engine.read import iter_chunks, read_chunk
from zero_engine.records import Candidate, ParsedTrace
from zero_engine.render.identity import known_batch_size, settings_key
from zero_engine.render.planned import Planned, plan_drawings
from zero_engine.run.checks import check_pipeline
from zero_engine.run.ledger import open_ledger
from zero_engine.run.plan import Plan, decide, stage_keys
from zero_engine.run.recorded import Recorded
from zero_engine.run.reuse import Sources
from zero_engine.run.stages import parse_all
from zero_engine.score.gate import pick
from zero_engine.write.folder import CANDIDATES
from zero_engine.write.place import here, local_folder
from zero_engine.write.store import Store

SHAPES_DRAWINGS = ("input.", "parse.", "render.", "gate.", "seed")
"""Keys that can change which drawings are asked for; the gate, where later steps see what it kept."""
SHAPES_NOTHING = (
    "dask.",
    "output.path",
    "render.device",
    "input.strict",
    *(f"render.http.{key}" for key in Http.SHAPES_NO_PICTURE),
    *(f"render.diffusion.{key}" for key in Diffusion.SHAPES_NO_PICTURE),
)


@dataclass(slots=True)
class Drawings:
    """What becomes of drawings."""

    reused: int = 0
    made: int = 0
    set_aside: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A key whose value is not what the folder was made with, and what it alone would do."""

    key: str
    before: Any
    now: Any
    drawings: Drawings


@dataclass(slots=True)
class Forecast:
    """All that `zero-engine plan` says."""

    plan: Plan = field(default_factory=Plan)
    drawings: Drawings = field(default_factory=Drawings)
    changes: list[Change] = field(default_factory=list)

    def as_dict(self) -> dict:
        return {
            **self.plan.as_dict(),
            "drawings": asdict(self.drawings),
            "changes": [asdict(change) for change in self.changes],
        }


def plan_run(pipeline: Pipeline, reuse: Sequence[str | Path] = ()) -> Forecast:
    """What `run_pipeline` would do. Raises what it would raise before the first shard."""
    check_pipeline(pipeline)
    with local_folder(pipeline.output.path) as out:
        return _forecast(pipeline, Sources(pipeline.output.path, open_ledger(out, pipeline).held, reuse))


def _forecast(pipeline: Pipeline, sources: Sources) -> Forecast:
    forecast, held = Forecast(), sources.folders[0][1]
    with tempfile.TemporaryDirectory() as folder:
        store = sources.index(Path(folder, "drawings.sqlite")) if sources.any() else None
        forecast.drawings = _count(pipeline, held, sources, store, forecast.plan)
        changed = list(_changed(held.pipeline, pipeline))
        costly = [key for key, _, _, _ in changed if key.startswith(SHAPES_DRAWINGS)]
        for key, before, now, alone in changed:
            if key not in costly:
                drawings = Drawings(reused=_held(held))
            elif len(costly) == 1:
                drawings = forecast.drawings
            else:
                drawings = _count(alone, held, sources, store, Plan())
            forecast.changes.append(Change(key, before, now, drawings))
    return forecast


def _count(pipeline: Pipeline, held: Recorded, sources: Sources, store: Store | None, plan: Plan) -> Drawings:
    """Go through the input; what the shards need is added to `plan`."""
    generator = generator_fingerprint(pipeline.render)
    batch_size = known_batch_size(pipeline.render, sources.model(generator))
    settings = None if batch_size is None else settings_key(pipeline.render, generator or "", batch_size)
    drawings, used = Drawings(), 0
    for chunk in iter_chunks(pipeline.input, pipeline.output.rows_per_shard):
        entry = held.entries.get(chunk.index)
        decision = decide(entry, stage_keys(pipeline, generator, chunk), here(sources.out))
        plan.add(chunk, decision)
        if entry and decision.start in (None, "gate"):
            drawings.reused += entry.counts.get("pictures", 0)
            used += entry.counts.get("pictures", 0)
            continue
        parsed, _ = parse_all(read_chunk(chunk, pipeline.input), pipeline)
        for planned in _planned(parsed, pipeline, settings, store):
            names = [wanted.identity(settings) for wanted in planned] if settings and store else []
            found = store.places(names) if store and names else {}
            drawings.reused += len(found)
            drawings.made += len(set(names) - set(found)) if names else len(planned)
            used += sum(
                folder == sources.out and name.startswith(CANDIDATES) for folder, name in found.values()
            )
    drawings.set_aside = max(0, _held(held) - used)
    return drawings


def _planned(
    parsed: list[ParsedTrace], pipeline: Pipeline, settings: str | None, store: Store | None
) -> Iterator[list[Planned]]:
    """What a shard asks for; where later steps see drawings, level by level, as far as the stored ones tell.

    Where a step's drawings do not lie anywhere yet, nobody knows what the gate would keep of them: later steps of
    that trace count as if nothing were kept, which is drawings to be made all the same.
    """
    render, kept = pipeline.render, dict[str, dict[int, np.ndarray]]()
    if render.context == "text":
        yield plan_drawings(parsed, render, pipeline.seed)[0]
        return
    for level in range(max((len(trace.steps) for trace in parsed), default=0)):
        planned, _ = plan_drawings(parsed, render, pipeline.seed, level, kept)
        yield planned
        if not store or not settings:
            continue
        found = store.find([wanted.identity(settings) for wanted in planned])
        rivals: dict[tuple[str, int], list[Candidate]] = {}
        for wanted in planned:
            stored = found.get(wanted.identity(settings))
            if stored is not None:
                rivals.setdefault((wanted.trace.trace.id, wanted.step), []).append(stored.candidate)
        for (trace_id, step), candidates in rivals.items():
            chosen = pick(candidates, pipeline.gate)
            if chosen is not None:
                kept.setdefault(trace_id, {})[step] = chosen.codes


def _held(held: Recorded) -> int:
    """Drawings in use in the folder."""
    return sum(entry.candidates.rows for entry in held.entries.values() if entry.candidates)


def _changed(before: dict | None, now: Pipeline) -> Iterator[tuple[str, Any, Any, Pipeline]]:
    """(key, value before, value now, the old pipeline with that key alone changed)."""
    if before is None:
        return
    try:
        old = Pipeline.model_validate(before).model_dump(mode="json")
    except ValueError:  # written by a version with other keys
        return
    new = now.model_dump(mode="json")
    was, flat = dict(_flat(old)), dict(_flat(new))
    for key in dict.fromkeys((*flat, *was)):
        if was.get(key) == flat.get(key) or key.startswith(SHAPES_NOTHING):
            continue
        document = Pipeline.model_validate(before).model_dump(mode="json")
        document["output"]["path"] = now.output.path
        _put(document, key, flat.get(key))
        try:
            yield key, was.get(key), flat.get(key), Pipeline.model_validate(document)
        except (ValueError, PipelineError):  # a key that makes sense only beside others that changed, too
            yield key, was.get(key), flat.get(key), now


def _flat(section: dict, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, dict) and value and prefix.count(".") < 1 and not prefix.startswith("gate"):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _put(document: dict, key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        if not isinstance(document.get(parent), dict):
            document[parent] = {}
        document = document[parent]
    document[last] = value
