"""A finished dataset of two shards with drawings, thresholds and dead letters, written by the real writers."""

from pathlib import Path

import cv2
import numpy as np
import pytest

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
from zero_engine.write.shards import write_candidates, write_rejections, write_trajectories

STEPS = ("Janet sells 16 - 3 - 4 = 9 duck eggs a day.", "She makes 9 * 2 = $18 every day.")
ATTEMPTS = 3


def png(shade: int, side: int = 64) -> bytes:
    """A square with a bar in it, the bar's place set by `shade`."""
    image = np.full((side, side, 3), 255, np.uint8)
    image[:, shade % side : shade % side + side // 8] = (shade % 200, 40, 160)
    return cv2.imencode(".png", image)[1].tobytes()


def parsed_trace(
    trace_id: str, steps: tuple[str, ...] = STEPS, question: str = "How much a day?"
) -> ParsedTrace:
    source = Source("gsm8k", "gsm8k.jsonl", 0, "MIT")
    trace = Trace(trace_id, question, "\n".join(steps), "18", source)
    return ParsedTrace(
        trace, tuple(Step(i, text) for i, text in enumerate(steps)), "18", "lines", ("steps_capped",)
    )


def candidate(trace_id: str, step: int, attempt: int, side: int = 64) -> Candidate:
    seed = seed_for(0, trace_id, step, attempt)
    scores = {"likelihood": -0.1 - 0.1 * (seed % 8), "blank": 0.5, "my_plugin": 1.5}
    codes = np.arange(64, dtype=np.uint16)
    return Candidate(trace_id, step, attempt, seed, f"prompt of {step}", codes, png(seed, side), scores)


def drawings(trace_id: str, steps: int = len(STEPS)) -> list[Candidate]:
    return [candidate(trace_id, step, attempt) for step in range(steps) for attempt in range(ATTEMPTS)]


def trajectory(trace_id: str) -> Trajectory:
    """The first step keeps its second drawing, the other stays text-only."""
    kept = Verdict(0, "kept", None, candidate(trace_id, 0, 1))
    return Trajectory(parsed_trace(trace_id), (kept, Verdict(1, "text_only", "likelihood_low")))


def letters_of(trace_id: str) -> list[Rejection]:
    last = [Rejection(trace_id, "gate", "likelihood_low", "-0.7 < -0.3", 1, a) for a in range(ATTEMPTS)]
    return [Rejection(trace_id, "gate", "likelihood_low", "no drawing passed", 1), *last]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    for folder in ("data", "candidates", "rejected"):
        (out / folder).mkdir(parents=True)
    shards = [_write_shard(out, index, [f"gsm8k-{index}-{i}" for i in range(4)]) for index in range(2)]
    counts = {
        **_tally(8, 2),
        "steps": 16,
        "steps_drawn": 16,
        "pictures": 48,
        "pictures_kept": 8,
        "reasons": {"gate: likelihood_low": 32, "parse: empty_rationale": 2},
    }
    manifest = Manifest(
        name="tiny",
        created="2026-01-01T00:00:00Z",
        versions={"zero-engine": "0.1.0"},
        pipeline={
            "input": {"path": "gsm8k.jsonl"},
            "gate": {"min": {"likelihood": -0.3}, "max": {"blank": 0.98}},
        },
        fingerprints={"pipeline": "p" * 16},
        model=ModelInfo(name="nano", fingerprint="m" * 16),
        input=InputInfo(paths=["gsm8k.jsonl"], records=10, digest="d"),
        shards=shards,
        counts=counts,
    )
    finish_dataset(out, manifest, {"counts": counts})
    return out


def _write_shard(out: Path, index: int, ids: list[str]) -> ShardEntry:
    rows = [trajectory(trace_id) for trace_id in ids]
    drawn = [drawing for trace_id in ids for drawing in drawings(trace_id)]
    texts = {(trace_id, step): text for trace_id in ids for step, text in enumerate(STEPS)}
    letters = [letter for trace_id in ids for letter in letters_of(trace_id)]
    letters.append(
        Rejection(f"bad-{index}", "parse", "empty_rationale", "nothing to cut", record={"question": "?"})
    )
    name = f"{index:05d}"
    data = write_trajectories(out / f"data/data-{name}.arrow", rows, "p" * 16, "m" * 16)
    candidates = write_candidates(out / f"candidates/part-{name}.arrow", drawn, texts)
    rejections = write_rejections(out / f"rejected/part-{name}.jsonl", letters)
    return ShardEntry(
        index=index,
        first_row=index * 5,
        records=5,
        digest=f"{index:064x}",
        keys={"gate": "0" * 16},
        counts=_tally(len(ids), 1),
        data=data.renamed(f"data/{data.name}"),
        candidates=candidates.renamed(f"candidates/{candidates.name}"),
        rejections=rejections.renamed(f"rejected/{rejections.name}"),
    )


def _tally(rows: int, rejected: int) -> dict[str, int]:
    total = rows + rejected
    return {"records": total, "traces": total, "rows": rows, "rejected_traces": rejected}
