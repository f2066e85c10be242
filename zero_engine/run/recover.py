"""Run a folder's own pipeline again: what `recover`, `validate --repair` and `retry` have in common.

What made a folder stands in its manifest, in the ledger of a run under way, and in `events.jsonl`; one of them is
enough. Drawings are found by what they are, so nothing that is whole is drawn again.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from zero_engine.contracts.manifest import ShardEntry
from zero_engine.errors import InputError, OutputError
from zero_engine.pipeline import Dask, Pipeline, parse_config
from zero_engine.run.driver import run_pipeline
from zero_engine.run.plan import STAGES
from zero_engine.run.progress import Progress
from zero_engine.run.recorded import recorded
from zero_engine.run.summary import Summary
from zero_engine.run.watch import last_beginning
from zero_engine.write.dataset import is_whole
from zero_engine.write.folder import REJECTED
from zero_engine.write.manifest import read_manifest
from zero_engine.write.place import local_folder, small
from zero_engine.write.plain import open_plain, require_folder


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of trying again."""

    summary: Summary
    chosen: int
    """Rejections that were tried again."""
    left: int
    """Rejections of the same reason and stage afterwards."""


def pipeline_of(out: str | Path) -> Pipeline:
    """The pipeline that last wrote to a folder, which may have been moved.

    Raises OutputError where nothing in the folder says it any more.
    """
    with local_folder(out, small) as folder:
        require_folder(folder)
        document = recorded(folder, recover=True).pipeline or last_beginning(folder).get("pipeline")
    try:
        pipeline = Pipeline.model_validate(document)
    except ValidationError:
        raise OutputError(
            f"{out}: nothing says any more which pipeline made it. Run that again: "
            f"`zero-engine run PIPELINE --output {out}` draws nothing that lies here."
        ) from None
    return pipeline.model_copy(update={"output": pipeline.output.model_copy(update={"path": str(out)})})


def recover(out: str | Path, progress: Progress | None = None, workers: int | str | None = None) -> Summary:
    """Make a folder whole: what is damaged or missing is made again, what is in the way moves to `strays/`.

    Raises what `run_pipeline` raises, and OutputError where the folder does not say what made it.
    """
    return run_pipeline(_with_workers(pipeline_of(out), workers), progress=progress)


def retry(
    out: str | Path,
    reason: str | None = None,
    stage: str | None = None,
    progress: Progress | None = None,
    workers: int | str | None = None,
) -> Retried:
    """Try again what was rejected, of one reason or stage or of all.

    What succeeds now takes its place: the bytes are those of a run in which it never failed.
    Raises what `run_pipeline` raises, OutputError where the folder is no finished dataset, and InputError for a stage
    that is none.
    """
    if stage not in (None, *STAGES):
        raise InputError(f"{stage}: no such stage. Give one of {', '.join(STAGES)}.")
    chosen = _chosen(out, reason, stage)
    shards = frozenset(index for index, count in chosen.items() if count)
    pipeline = _with_workers(pipeline_of(out), workers)
    summary = run_pipeline(pipeline, progress=progress, retry=shards)
    return Retried(summary, sum(chosen.values()), sum(_chosen(out, reason, stage).values()))


def _chosen(out: str | Path, reason: str | None, stage: str | None) -> dict[int, int]:
    """How many rejections of this reason and stage each shard has."""
    with local_folder(out, lambda name: small(name) or name.startswith(REJECTED)) as folder:
        return {e.index: _rejected(folder, e, reason, stage) for e in read_manifest(folder).shards}


def rejected_kinds(out: str | Path) -> list[str]:
    """Stages and reasons of the rejections in a folder, as `stage: reason`."""
    with local_folder(out, lambda name: small(name) or name.startswith(REJECTED)) as folder:
        entries = read_manifest(folder).shards
        return sorted(
            {f"{told['stage']}: {told['reason']}" for e in entries for told in _rejections(folder, e)}
        )


def _rejected(out: Path, entry: ShardEntry, reason: str | None, stage: str | None) -> int:
    told = _rejections(out, entry)
    return sum(reason in (None, one["reason"]) and stage in (None, one["stage"]) for one in told)


def _rejections(out: Path, entry: ShardEntry) -> Iterator[dict]:
    if entry.rejections is None or not is_whole(out, entry.rejections):
        return  # a damaged file is made again in any case
    with open_plain(out / entry.rejections.name) as file:
        yield from map(json.loads, file)


def _with_workers(pipeline: Pipeline, workers: int | str | None) -> Pipeline:
    if workers is None:
        return pipeline
    given = {**pipeline.dask.model_dump(), "workers": workers, "scheduler": None}
    return pipeline.model_copy(update={"dask": parse_config(Dask, given, "--workers")})
