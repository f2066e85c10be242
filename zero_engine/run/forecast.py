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

from zero_engine.contracts.manifest import ShardFile
from zero_engine.contracts.scores import SCORES
from zero_engine.errors import PipelineError, ZeroEngineError
from zero_engine.hashing import digest
from zero_engine.painter_sections import Diffusion, Http
from zero_engine.painters.generators import generator_fingerprint
from zero_engine.pipeline import Pipeline
from zero_engine.read import iter_chunks, read_chunk
from zero_engine.records import Candidate, ParsedTrace
from zero_engine.render.identity import known_batch_size, settings_key
from zero_engine.render.planned import Planned, plan_drawings
from zero_engine.run.checks import check_pipeline
from zero_engine.run.ledger import open_ledger
from zero_engine.run.plan import Plan, decide, scoring_key, stage_keys
from zero_engine.run.recorded import Recorded
from zero_engine.run.reuse import Sources, grows
from zero_engine.run.stages import parse_all
from zero_engine.score.gate import pick
from zero_engine.sections import Gate
from zero_engine.write.folder import CANDIDATES
from zero_engine.write.place import here, local_folder
from zero_engine.write.store import DrawingFile, Store, Stored, drawing_files, identities
from zero_engine.write.unused import Seen

SHAPES_DRAWINGS = ("input.", "parse.", "render.", "seed")
"""Keys that can change which drawings are asked for."""
SHAPES_PROMPTS = ("gate.", "score.")
"""Keys that can change it where later steps see what the gate kept of earlier ones."""
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
    passed_over: list[str] = field(default_factory=list)
    """Files of folders to reuse that are damaged or cannot be read."""

    def as_dict(self) -> dict:
        return {
            **self.plan.as_dict(),
            "drawings": asdict(self.drawings),
            "changes": [asdict(change) for change in self.changes],
            "passed_over": self.passed_over,
        }


def plan_run(pipeline: Pipeline, reuse: Sequence[str | Path] = ()) -> Forecast:
    """What `run_pipeline` would do. Raises what it would raise before the first shard."""
    check_pipeline(pipeline)
    with local_folder(pipeline.output.path) as out:
        return _forecast(pipeline, Sources(pipeline.output.path, open_ledger(out, pipeline).held, reuse))


def _forecast(pipeline: Pipeline, sources: Sources) -> Forecast:
    forecast, held = Forecast(), sources.folders[0][1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = sources.index(folder / "drawings.sqlite") if sources.any() else None
        forecast.passed_over = sources.passed_over
        forecast.drawings = _count(pipeline, held, sources, store, folder, forecast.plan)
        changed = list(_changed(held.pipeline, pipeline))
        costly = [key for key, _, _, alone in changed if _shapes_drawings(key, alone)]
        for key, before, now, alone in changed:
            if key not in costly:
                drawings = Drawings(reused=_held(held))
            elif len(costly) == 1:
                drawings = forecast.drawings
            else:
                try:
                    drawings = _count(alone, held, sources, store, folder, Plan())
                except ZeroEngineError:
                    # nothing can be read that way: the key goes with others, as another path
                    drawings = forecast.drawings
            forecast.changes.append(Change(key, before, now, drawings))
    return forecast


def _shapes_drawings(key: str, alone: Pipeline) -> bool:
    sees = alone.render.context == "pictures"
    return key.startswith(SHAPES_DRAWINGS) or (sees and key.startswith(SHAPES_PROMPTS))


def _count(
    pipeline: Pipeline, held: Recorded, sources: Sources, store: Store | None, scratch: Path, plan: Plan
) -> Drawings:
    """Go through the input; what the shards need is added to `plan`."""
    generator = generator_fingerprint(pipeline.render)
    batch_size = known_batch_size(pipeline.render, sources.model(generator))
    settings = None if batch_size is None else settings_key(pipeline.render, generator or "", batch_size)
    same_codes = _scoring_with(held.pipeline, pipeline.score.tau)
    drawings, kept = Drawings(), list[ShardFile]()
    with Seen(scratch / "asked.sqlite") as asked, Seen(scratch / "coming.sqlite") as coming:
        for chunk in iter_chunks(pipeline.input, pipeline.output.rows_per_shard):
            entry = held.entries.get(chunk.index)
            decision = decide(entry, stage_keys(pipeline, generator, chunk), here(sources.out))
            plan.add(chunk, decision)
            if entry and decision.start in (None, "gate"):
                drawings.reused += entry.counts.get("pictures", 0)
                kept += [entry.candidates] if entry.candidates else []
                continue
            parsed, _ = parse_all(read_chunk(chunk, pipeline.input), pipeline)
            for planned, lost in _planned(parsed, pipeline, settings, store, same_codes):
                known = [wanted for wanted in planned if wanted.given or wanted.trace.trace.id not in lost]
                names = [wanted.identity(settings) for wanted in known] if settings and store else []
                found = store.holds(names) if store and names else set()
                missing = [
                    w for w, name in zip(known, names or [""] * len(known), strict=True) if name not in found
                ]
                missing += [w for w in planned if not w.given and w.trace.trace.id in lost]
                made = _made(missing, coming, "" if grows(pipeline) else f"{chunk.index}")
                drawings.made += made
                drawings.reused += len(planned) - made
                asked.note(found)
        if len(kept) < sum(entry.candidates is not None for entry in held.entries.values()):
            drawings.set_aside = _not_asked_for(sources.out, held, kept, asked)
    return drawings


def _made(missing: Sequence[Planned], coming: Seen, shard: str) -> int:
    """How many of them a shard makes: each drawing once, and a given picture that no earlier shard encoded.

    `coming` is what earlier shards make; with a `shard` of its own name, none of it is found.
    """
    drawn = coming.note(wanted.identity(shard) for wanted in missing if not wanted.given)
    given = [digest(shard, wanted.identity(""))[:32] for wanted in missing if wanted.given]
    names = list(dict.fromkeys(given))
    fresh = {name for name, new in zip(names, coming.add(names), strict=True) if new}
    return drawn + sum(name in fresh for name in given)


def _not_asked_for(out: str, held: Recorded, kept: Sequence[ShardFile], asked: Seen) -> int:
    """Drawings in use in the folder that lie neither in the files `kept` nor under a name in `asked`."""
    names = {file.name for file in kept}
    for one in kept:
        asked.note(name for _, name in identities(DrawingFile(out, one.name, one.sha256), held.identify))
    fresh = 0
    for file in drawing_files(out, held.trusts):
        if file.name.startswith(CANDIDATES) and file.name not in names:
            told = [name for _, name in identities(file, held.identify)]
            fresh += told.count("") + asked.note(told)
    return fresh


def _planned(
    parsed: list[ParsedTrace],
    pipeline: Pipeline,
    settings: str | None,
    store: Store | None,
    same_codes: str | None,
) -> Iterator[tuple[list[Planned], set[str]]]:
    """What a shard asks for; where later steps see drawings, level by level, as far as the stored ones tell.

    Where a drawing of a step does not lie anywhere yet, or was scored in another way, nobody knows what the gate would
    keep of that step. The trace then joins the set beside: what is drawn for its later steps counts as drawings to be
    made.
    """
    scored = scoring_key(pipeline)
    render, kept, lost = pipeline.render, dict[str, dict[int, np.ndarray]](), set[str]()
    if render.context == "text":
        yield plan_drawings(parsed, render, pipeline.seed)[0], lost
        return
    for level in range(max((len(trace.steps) for trace in parsed), default=0)):
        planned, _ = plan_drawings(parsed, render, pipeline.seed, level, kept)
        yield planned, lost
        found = store.find([wanted.identity(settings) for wanted in planned]) if store and settings else {}
        rivals: dict[tuple[str, int], list[Candidate]] = {}
        for wanted in planned:
            stored = found.get(wanted.identity(settings)) if settings else None
            alike = stored and (
                stored.scored == scored or _judged_alike(stored, pipeline.gate, stored.scored == same_codes)
            )
            if stored is None or not alike:
                lost.add(wanted.trace.trace.id)
            else:
                rivals.setdefault((wanted.trace.trace.id, wanted.step), []).append(stored.candidate)
        for (trace_id, step), candidates in rivals.items():
            chosen = pick(candidates, pipeline.gate) if trace_id not in lost else None
            if chosen is not None:
                kept.setdefault(trace_id, {})[step] = chosen.codes


def _judged_alike(stored: Stored, gate: Gate, same_codes: bool) -> bool:
    """Whether scores that were computed under another score section are those that the gate will see."""
    doubtful = {"earlier", "checkpoint"} if same_codes else {"earlier", "checkpoint", "codes"}
    settled = {name for name, info in SCORES.items() if info.needs not in doubtful}
    return {*gate.rank, *gate.min, *gate.max} <= settled & stored.candidate.scores.keys()


def _scoring_with(before: dict | None, tau: float) -> str | None:
    """The `scoring_key` of the pipeline before, where its score.tau was this one."""
    try:
        was = Pipeline.model_validate(before)
    except ValueError:
        return None
    return scoring_key(was) if was.score.tau == tau else None


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
        if key in ("gate.rank", "gate.min", "gate.max"):
            before_of, now_of = was.get(key) or {}, flat.get(key) or {}
            for score in dict.fromkeys((*now_of, *before_of)):
                if before_of.get(score) != now_of.get(score):
                    one = {**before_of, score: now_of.get(score)}
                    kept = {name: bound for name, bound in one.items() if bound is not None}
                    alone = _alone(before, key, kept, now)
                    yield f"{key}.{score}", before_of.get(score), now_of.get(score), alone
            continue
        yield key, was.get(key), flat.get(key), _alone(before, key, flat.get(key), now)


def _alone(before: dict, key: str, value: Any, now: Pipeline) -> Pipeline:
    """The old pipeline with that key changed; the new one where the key makes sense only beside others."""
    document = Pipeline.model_validate(before).model_dump(mode="json")
    document["output"]["path"] = now.output.path
    _put(document, key, value)
    try:
        return Pipeline.model_validate(document)
    except (ValueError, PipelineError):
        return now


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
