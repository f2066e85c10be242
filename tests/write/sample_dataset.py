"""Small, real-looking rows, drawings and dead letters, and a whole dataset folder made of them."""

import struct
import zlib
from pathlib import Path

import numpy as np

from zero_engine.contracts.manifest import InputInfo, Manifest, ModelInfo, ShardEntry
from zero_engine.hashing import seed_for
from zero_engine.records import (
    Candidate,
    ParsedTrace,
    Rejection,
    Source,
    Step,
    Trace,
    Trajectory,
    Verdict,
)
from zero_engine.write.finish import finish_dataset
from zero_engine.write.manifest import versions
from zero_engine.write.shards import write_candidates, write_rejections, write_trajectories

CODES = 64


def png(shade: int, size: int = 8) -> bytes:
    """A grey picture, written by hand so that tests need no imaging library."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes([shade % 256]) * 3 * size for _ in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def parsed_trace(
    trace_id: str = "gsm8k-0", steps: tuple[str, ...] = ("16 - 3 = 13", "13 * 2 = 26"), **changes
):
    source = changes.pop("source", Source("gsm8k", "test.jsonl", 0, "MIT"))
    trace = Trace(
        id=trace_id,
        question=changes.pop("question", "How many eggs are left?"),
        rationale="\n".join(steps),
        answer=None,
        source=source,
        choices=changes.pop("choices", ()),
        question_images=changes.pop("question_images", ()),
    )
    numbered = tuple(Step(i, text) for i, text in enumerate(steps))
    return ParsedTrace(trace, numbered, changes.pop("answer", "26"), "lines", changes.pop("notes", ()))


def candidate(trace_id: str, step: int, attempt: int, **changes) -> Candidate:
    seed = seed_for(0, trace_id, step, attempt)
    codes = (np.arange(CODES) * (seed % 7 + 1) + attempt) % 640
    fields = {
        "seed": seed,
        "prompt": f"Draw: step {step}",
        "codes": codes.astype(np.uint16),
        "image": png(seed),
        "scores": {"likelihood": -0.1 * attempt, "blank": 1 / 3, "duplicate": 0.0},
    }
    return Candidate(trace_id, step, attempt, **{**fields, **changes})


def trajectory(trace_id: str = "gsm8k-0", drawn: bool = True, **changes) -> Trajectory:
    """Two steps: the first keeps its second drawing, the other stays text-only."""
    parsed = parsed_trace(trace_id, **changes)
    first = (
        Verdict(0, "kept", None, candidate(trace_id, 0, 1)) if drawn else Verdict(0, "text_only", "not_drawn")
    )
    rest = tuple(Verdict(step.index, "text_only", "blank_high") for step in parsed.steps[1:])
    return Trajectory(parsed, (first, *rest))


def build_dataset(out: Path, shards: int = 2, rows: int = 3, drawn: bool = True) -> Manifest:
    """A finished folder: `shards` shards of `rows` rows and one whole-trace rejection each."""
    for folder in ("data", "candidates", "rejected"):
        (out / folder).mkdir(parents=True)
    entries = []
    for index in range(shards):
        ids = [f"t-{index}-{i}" for i in range(rows)]
        kept = [trajectory(trace_id, drawn) for trace_id in ids]
        drawings = [candidate(i, step, attempt) for i in ids for step in (0, 1) for attempt in (0, 1)]
        texts = {(row.parsed.trace.id, s.index): s.text for row in kept for s in row.parsed.steps}
        letters = [Rejection(f"t-{index}-bad", "parse", "empty_rationale", record={"question": "?"})]
        letters += [Rejection(ids[0], "gate", "blank_high", step=1)] if rows else []
        data = write_trajectories(out / f"data/data-{index:05d}.arrow", kept, "p" * 16, "m" * 16)
        part = f"part-{index:05d}"
        candidates = write_candidates(out / f"candidates/{part}.arrow", drawings, texts)
        rejections = write_rejections(out / f"rejected/{part}.jsonl", letters)
        entry = ShardEntry(
            index=index,
            first_row=index * (rows + 1),
            records=rows + 1,
            digest=f"{index:064x}",
            keys={"gate": "0" * 16},
            counts=tally(rows, 1),
            data=data.renamed(f"data/{data.name}"),
            candidates=candidates.renamed(f"candidates/{part}.arrow") if drawn else None,
            rejections=rejections.renamed(f"rejected/{part}.jsonl"),
        )
        if not drawn:
            (out / f"candidates/{part}.arrow").unlink()
        entries.append(entry)
    manifest = Manifest(
        name="tiny",
        created="2026-01-01T00:00:00Z",
        versions=versions(),
        pipeline={"name": "tiny", "input": {"path": "test.jsonl", "license": "MIT"}},
        fingerprints={"pipeline": "p" * 16, "model": "m" * 16},
        model=ModelInfo(name="nano", fingerprint="m" * 16, codebook_size=640, codes_per_picture=CODES)
        if drawn
        else None,
        input=InputInfo(paths=["test.jsonl"], records=shards * (rows + 1), digest="d"),
        shards=entries,
        counts=tally(shards * rows, shards),
    )
    finish_dataset(out, manifest, {"counts": manifest.counts})
    return manifest


def tally(rows: int, rejected: int) -> dict:
    total = rows + rejected
    return {"records": total, "traces": total, "rows": rows, "rejected_traces": rejected}
