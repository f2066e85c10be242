"""Traces of a folder with all that it knows of them, for `inspect` and `sample`: rows and rejected ones alike.

The folder may be that of a run under way. Memory is one shard's; of the others only the ids are read.
"""

import heapq
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zero_engine.contracts.manifest import ShardEntry
from zero_engine.errors import InputError, OutputError
from zero_engine.hashing import digest
from zero_engine.records import Rejection
from zero_engine.report.folder import (
    Folder,
    Told,
    ToldStep,
    batches,
    check_shard,
    code_of,
    open_folder,
    scores_of_step,
    traces_in,
)
from zero_engine.report.judged import judged
from zero_engine.write.atomic import atomic_write, make_folder
from zero_engine.write.dataset import check_bytes
from zero_engine.write.place import takes_store
from zero_engine.write.rejections import read_rejections

LONGEST_NAME = 120
"""Characters of an id in a file's name."""


@takes_store()
def inspect_rows(out: Path, trace_id: str | None, count: int) -> list[dict]:
    """The trace with this id, row or rejected, or the first `count` traces.

    Raises InputError where the folder has no such trace, OutputError where it is none of ours, or damaged.
    """
    folder = open_folder(out)
    found: list[dict] = []
    for shard in folder.shards:
        for file in (shard.data, shard.rejections):
            if file is not None:
                check_bytes(folder.out, file)
        if trace_id is None or trace_id in set(_ids(folder, shard)):
            check_shard(folder, shard)
            for trace in traces_in(folder, shard):
                if trace_id is None or trace.id == trace_id:
                    found.append(told(trace, folder))
                if len(found) >= (count if trace_id is None else 1):
                    return found
    if trace_id is not None:
        raise InputError(
            f"{out}: no trace {trace_id!r}, neither kept nor rejected. List some with `sample {out}`."
        )
    return found


@takes_store()
def sample_rows(out: Path, count: int, seed: int = 0, reason: str | None = None) -> list[dict]:
    """`count` traces drawn uniformly, the same for the same seed; with `reason` of those that have it.

    A trace has a reason where it, one of its steps or one of its drawings was left out for it.
    Raises InputError for a reason that no trace has, OutputError like `inspect_rows`.
    """
    folder = open_folder(out)
    chosen: list[tuple[str, int, str]] = []
    for shard in folder.shards:
        for file in (shard.data, shard.rejections):
            if file is not None:
                check_bytes(folder.out, file)
        names = _with_reason(folder, shard, reason) if reason else _ids(folder, shard)
        chosen = heapq.nsmallest(
            count, chosen + [(digest(str(seed), name), shard.index, name) for name in names]
        )
    if reason and not chosen:
        known = sorted({name.partition(": ")[2] for name in folder.counts.get("reasons") or {}})
        raise InputError(f"{out}: nothing was left out as {reason!r}. Reasons: {', '.join(known) or 'none'}.")
    wanted = {name for _, _, name in chosen}
    found = {}
    for shard in folder.shards:
        if shard.index in {index for _, index, _ in chosen}:
            check_shard(folder, shard)
            found.update({t.id: told(t, folder) for t in traces_in(folder, shard) if t.id in wanted})
    return [found[name] for _, _, name in chosen]


def told(trace: Told, folder: Folder) -> dict[str, Any]:
    """A trace as `--json` prints it; `pictures` holds the bytes of its pictures by step and attempt."""
    facts: dict[str, Any] = {
        "id": trace.id,
        "question": trace.question,
        "answer": trace.answer,
        "source": trace.source,
        "rule": trace.rule,
        "notes": trace.notes,
        "steps": [_step(step, folder) for step in trace.steps],
        "rejections": [_rejection(r) for r in [*trace.rejections, *([trace.whole] if trace.whole else [])]],
        "pictures": [
            (step.index, None if c.attempt == step.attempt else c.attempt, c.image)
            for step in trace.steps
            for c in step.drawings
            if step.attempt is None or c.attempt == step.attempt
        ],
    }
    if trace.whole is not None:
        facts |= {"rejected": _rejection(trace.whole), "record": trace.whole.record}
    return facts


def save_pictures(rows: list[dict], folder: Path) -> list[Path]:
    """Write pictures as `<id>-step<k>.<ext>`, k from 1, and of a step that kept none all drawings, with their attempt.

    An id that is no file name as it stands gets a digest behind it, so two ids never share a file. Raises OutputError
    where a file is there already with other content.
    """
    make_folder(folder)
    saved = []
    for row in rows:
        for index, attempt, image in row["pictures"]:
            extension = "png" if image.startswith(b"\x89PNG") else "webp"
            tried = "" if attempt is None else f"-attempt{attempt}"
            path = folder / f"{file_name(row['id'])}-step{index + 1}{tried}.{extension}"
            if path.exists() and path.read_bytes() != image:
                raise OutputError(f"{path}: is there already, with other content. Choose another folder.")
            with atomic_write(path) as file:
                file.write(image)
            saved.append(path)
    return saved


def file_name(name: str) -> str:
    """An id as a part of a file's name; two ids never give the same, in folders that ignore case either."""
    safe = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("._")
    if safe == name and len(safe) <= LONGEST_NAME and safe == safe.lower():
        return safe
    return f"{safe[:LONGEST_NAME] or 'trace'}-{digest(name)[:12]}"


def _ids(folder: Folder, shard: ShardEntry) -> Iterator[str]:
    for batch in batches(folder.out / shard.data.name):
        yield from batch.column("id").to_pylist()
    for rejection in read_rejections(folder.out / shard.rejections.name) if shard.rejections else ():
        if rejection.is_whole_trace:
            yield rejection.trace_id


def _with_reason(folder: Folder, shard: ShardEntry, reason: str) -> set[str]:
    found = read_rejections(folder.out / shard.rejections.name) if shard.rejections else ()
    return {r.trace_id for r in found if code_of(r) == reason}


def _step(step: ToldStep, folder: Folder) -> dict[str, Any]:
    row = step.row or {}
    kept = next((c for c in step.drawings if c.attempt == step.attempt), None)
    return {
        "index": step.index,
        "text": step.text,
        "verdict": step.verdict,
        "reason": step.reason,
        "attempt": step.attempt,
        "origin": row.get("origin"),
        "seed": row.get("seed"),
        "prompt": row.get("prompt"),
        "scores": scores_of_step(step),
        "codes": None if kept is None else kept.codes.tolist(),
        "drawings": [
            {
                "attempts": one.attempts,
                "verdict": one.wall,
                "reasons": one.reasons,
                "scores": dict(one.candidate.scores),
            }
            for one in judged(step, folder.gate)
        ],
    }


def _rejection(r: Rejection) -> dict[str, Any]:
    return {"stage": r.stage, "reason": r.reason, "detail": r.detail, "step": r.step, "attempt": r.attempt}
