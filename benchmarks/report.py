"""A report of 10,000 rows: seconds to write it, peak memory, bytes of its pages.

    python benchmarks/report.py --rows 10000

The folder is made here with the real writers and noise for pictures, out of 4,096: no two drawings of a step are equal,
so four times as many are shown as of a model that mostly draws a step alike. Prints one JSON object.
"""

import argparse
import json
import resource
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np

from zero_engine.contracts.manifest import InputInfo, Manifest, ModelInfo, ShardEntry
from zero_engine.images import encode_image
from zero_engine.pipeline import Gate
from zero_engine.records import Candidate, ParsedTrace, Rejection, Source, Step, Trace, Trajectory
from zero_engine.report import write_report
from zero_engine.score.gate import judge
from zero_engine.write.finish import finish_dataset
from zero_engine.write.manifest import versions
from zero_engine.write.shards import write_candidates, write_rejections, write_trajectories

STEPS, ATTEMPTS, SHARD, SIDE, PICTURES = 4, 4, 250, 64, 4096
GATE = Gate(rank={"likelihood": 1.0}, min={"likelihood": -0.8}, max={"blank": 0.98}, min_pictures=1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--out", help="keep the folder here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(options.out or folder)
        build(out, options.rows)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        page = write_report(out, most=0, verify=False)
        seconds = time.perf_counter() - began
        files = [page, *page.with_suffix("").iterdir()]
        sizes = [file.stat().st_size for file in files]
        facts = {
            "rows": options.rows,
            "drawings": options.rows * STEPS * ATTEMPTS,
            "write_s": round(seconds, 1),
            "rows_per_s": round(options.rows / seconds, 1),
            "memory_grew_mb": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 1),
            "files": len(files),
            "largest_page_mb": round(max(sizes) / 1e6, 3),
            "all_mb": round(sum(sizes) / 1e6, 1),
        }
        print(json.dumps(facts, indent=1))


def build(out: Path, rows: int) -> None:
    """A finished folder of `rows` traces, of which those without a drawing that passes are rejected."""
    for name in ("data", "candidates", "rejected"):
        (out / name).mkdir(parents=True, exist_ok=True)
    shards = [_shard(out, i, range(i * SHARD, min(rows, (i + 1) * SHARD))) for i in range(-(-rows // SHARD))]
    kept = sum(shard.counts["rows"] for shard in shards)
    counts = {
        "records": rows,
        "traces": rows,
        "rows": kept,
        "rejected_traces": rows - kept,
        "steps": rows * STEPS,
        "steps_drawn": rows * STEPS,
        "pictures": rows * STEPS * ATTEMPTS,
        "pictures_kept": sum(shard.counts.get("pictures_kept", 0) for shard in shards),
    }
    manifest = Manifest(
        name="noise",
        created="2026-01-01T00:00:00Z",
        versions=versions(),
        pipeline={"name": "noise", "gate": GATE.model_dump(mode="json")},
        fingerprints={"pipeline": "p" * 16, "model": "m" * 16},
        model=ModelInfo(name="noise", fingerprint="m" * 16, codebook_size=640, codes_per_picture=64),
        input=InputInfo(paths=["noise"], records=rows, digest="d"),
        shards=shards,
        counts=counts,
    )
    finish_dataset(out, manifest, {"counts": counts})


def _shard(out: Path, index: int, numbers: range) -> ShardEntry:
    rng = np.random.default_rng(index)
    kept: list[Trajectory] = []
    drawn: list[Candidate] = []
    refused: list[Rejection] = []
    texts = {}
    for number in numbers:
        name = f"noise-{number:06d}"
        steps = tuple(
            Step(i, f"Step {i} of trace {number}: {i} + {number} = {i + number} eggs") for i in range(STEPS)
        )
        texts.update({(name, step.index): step.text for step in steps})
        question = f"How many eggs has farmer {number}? " + "She counts them every day. " * 8
        trace = Trace(
            name, question, "", str(number), Source("noise", "noise", number), record={"question": question}
        )
        mine = [_drawing(rng, name, step, attempt) for step in range(STEPS) for attempt in range(ATTEMPTS)]
        outcome, lost = judge(ParsedTrace(trace, steps, str(number), "lines"), mine, GATE)
        drawn += mine
        refused += lost
        if isinstance(outcome, Rejection):
            refused.append(outcome)
        else:
            kept.append(outcome)
    part = f"part-{index:05d}"
    data = write_trajectories(out / f"data/data-{index:05d}.arrow", kept, "p" * 16, "m" * 16)
    candidates = write_candidates(out / f"candidates/{part}.arrow", drawn, texts)
    rejections = write_rejections(out / f"rejected/{part}.jsonl", refused)
    return ShardEntry(
        index=index,
        first_row=numbers[0],
        records=len(numbers),
        digest=f"{index:064x}",
        keys={"gate": "0" * 16},
        counts={
            "records": len(numbers),
            "traces": len(numbers),
            "rows": len(kept),
            "rejected_traces": len(numbers) - len(kept),
            "pictures_kept": sum(v.verdict == "kept" for row in kept for v in row.verdicts),
        },
        data=data.renamed(f"data/{data.name}"),
        candidates=candidates.renamed(f"candidates/{candidates.name}"),
        rejections=rejections.renamed(f"rejected/{rejections.name}"),
    )


def _drawing(rng: np.random.Generator, name: str, step: int, attempt: int) -> Candidate:
    likelihood, blank, contrast = rng.random(3).tolist()
    seed = int(rng.integers(1 << 62))
    codes, image = _pictures()[seed % PICTURES]
    scores = {"likelihood": -likelihood, "blank": blank, "contrast": contrast}
    return Candidate(name, step, attempt, seed, f"step {step}", codes, image, scores)


@cache
def _pictures() -> list[tuple[np.ndarray, bytes]]:
    """Colours in 8 x 8 tiles, with codes: as large in bytes as drawings of the bundled model."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(PICTURES):
        tiles = rng.integers(0, 8, (8, 8, 1)) * np.array([31, 17, 23])
        image = tiles.astype(np.uint8).repeat(SIDE // 8, 0).repeat(SIDE // 8, 1)
        found.append((rng.integers(0, 640, 64).astype(np.uint16), encode_image(image)))
    return found


if __name__ == "__main__":
    main()
