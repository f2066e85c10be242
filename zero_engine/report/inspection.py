"""Rows of a finished dataset with all that the folder knows of them: steps, scores, rejections.

Reads only what the manifest lists, shard by shard, in constant memory.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from zero_engine.contracts.manifest import ShardEntry
from zero_engine.contracts.rows import scores_in
from zero_engine.errors import InputError
from zero_engine.hashing import digest
from zero_engine.write.dataset import check_bytes
from zero_engine.write.manifest import read_manifest
from zero_engine.write.place import takes_store
from zero_engine.write.shards import read_rejections


@takes_store()
def inspect_rows(out: Path, trace_id: str | None, count: int) -> list[dict]:
    """The row (or the rejection) of one trace, or the first `count` rows.

    Raises InputError where the dataset has no such trace.
    """
    found: list[dict] = []
    for entry in read_manifest(out).shards:
        for file in (entry.data, entry.rejections):
            if file is not None:
                check_bytes(out, file)
        for row in _rows(out, entry):
            if trace_id is None or row["id"] == trace_id:
                found.append(row)
            if len(found) >= (count if trace_id is None else 1):
                return found
    if trace_id is not None:
        raise InputError(
            f"{out}: no trace {trace_id!r}, neither kept nor rejected. List some with `inspect {out}`."
        )
    return found


LONGEST_NAME = 120
"""Characters of an id in a file's name."""


def save_pictures(rows: list[dict], folder: Path) -> list[Path]:
    """Write the rows' pictures as `<id>-step<k>.<ext>`; ids are made safe for file names."""
    folder.mkdir(parents=True, exist_ok=True)
    saved = []
    for row in rows:
        safe = re.sub(r"[^\w.-]+", "_", row["id"], flags=re.ASCII).strip("._") or "trace"
        if len(safe) > LONGEST_NAME:
            safe = f"{safe[:LONGEST_NAME]}-{digest(row['id'])[:8]}"
        for index, image in row["pictures"]:
            extension = "png" if image.startswith(b"\x89PNG") else "webp"
            path = folder / f"{safe}-step{index}.{extension}"
            path.write_bytes(image)
            saved.append(path)
    return saved


def _rows(out: Path, entry: ShardEntry) -> Iterator[dict]:
    rejections: dict[str, list[dict]] = {}
    whole: list[str] = []
    for r in read_rejections(out / entry.rejections.name) if entry.rejections else ():
        fact = {
            "stage": r.stage,
            "reason": r.reason,
            "detail": r.detail,
            "step": r.step,
            "attempt": r.attempt,
        }
        rejections.setdefault(r.trace_id, []).append(fact)
        if r.is_whole_trace:
            whole.append(r.trace_id)
    for row in _stored_rows(out / entry.data.name):
        yield {
            "id": row["id"],
            "question": row["question"],
            "answer": row["answer"],
            "source": row["source"],
            "rule": row["rule"],
            "notes": row["notes"],
            "steps": [_step(step) for step in row["steps"]],
            "rejections": rejections.get(row["id"], []),
            "pictures": [(s["index"], s["image"]["bytes"]) for s in row["steps"] if s["image"]],
        }
    for trace_id in whole:
        yield {
            "id": trace_id,
            "question": None,
            "answer": None,
            "steps": [],
            "rejections": rejections[trace_id],
            "pictures": [],
        }


def _stored_rows(path: Path) -> Iterator[dict]:
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
        for batch in reader:
            yield from batch.to_pylist()


def _step(step: dict) -> dict:
    return {
        **{name: step[name] for name in ("index", "text", "verdict", "reason", "attempt", "seed", "prompt")},
        "scores": scores_in(step),
        "codes": list(step["codes"]) if step["codes"] is not None else None,
    }
