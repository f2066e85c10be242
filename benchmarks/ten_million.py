"""Ten million trace references: memory of the planner and the ledger, and how long the command `status` takes.

Nothing is drawn: the input is planned against a folder whose ledger holds every one of its shards, as a run does that
resumes at its end. With 1,000 records a shard that is 10,000 shards; a shard's entry takes 8 KB in the driver.

    python benchmarks/ten_million.py            some minutes; needs 1 GB of disk
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from zero_engine.pipeline import Pipeline
from zero_engine.read import iter_chunks
from zero_engine.run import tally
from zero_engine.run.plan import Plan, decide, stage_keys
from zero_engine.run.recorded import ledger_line, recorded
from zero_engine.write.folder import LEDGER


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--rows-per-shard", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pipeline = _pipeline(Path(folder), arguments.records, arguments.rows_per_shard)
        out = Path(pipeline.output.path)
        started = time.perf_counter()
        _write_ledger(pipeline, out)
        written = time.perf_counter()
        held, plan = recorded(out), Plan()
        for chunk in iter_chunks(pipeline.input, pipeline.output.rows_per_shard):
            plan.add(chunk, decide(held.entries.get(chunk.index), stage_keys(pipeline, None, chunk), out))
        planned = time.perf_counter()
        status = [sys.executable, "-m", "zero_engine.cli", "status", str(out)]
        subprocess.run(status, check=True, stdout=subprocess.DEVNULL)
        facts = {
            "records": plan.records,
            "shards": plan.shards,
            "plan_s": round(planned - written, 1),
            "ledger_s": round(written - started, 1),
            "status_s": round(time.perf_counter() - planned, 2),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
        }
    print(json.dumps(facts))


def _pipeline(folder: Path, records: int, rows: int) -> Pipeline:
    path = folder / "corpus.jsonl"
    with open(path, "w") as file:
        for number in range(records):
            file.write(f'{{"id":"t{number}","question":"?","rationale":"{number} is a number."}}\n')
    return Pipeline.model_validate(
        {
            "input": {"path": str(path), "format": "generic"},
            "render": {"generator": "none"},
            "output": {"path": str(folder / "out"), "rows_per_shard": rows},
        }
    )


def _write_ledger(pipeline: Pipeline, out: Path) -> None:
    """What a run would leave: a line for every shard, here without its files."""
    path = out / LEDGER
    path.parent.mkdir(parents=True)
    spread = {"n": 512, "sum": -30.5, "min": -0.5, "max": -0.01}
    scores = {f"score{number}": spread for number in range(9)}
    file_of = {"rows": 64, "bytes": 1, "sha256": "ab" * 32}
    with open(path, "w") as ledger:
        ledger.write(ledger_line({"name": pipeline.name, "pipeline": pipeline.model_dump(mode="json")}))
        for chunk in iter_chunks(pipeline.input, pipeline.output.rows_per_shard):
            counts = {**tally.empty(), "records": chunk.rows, "traces": chunk.rows, "rows": chunk.rows}
            entry = {
                "index": chunk.index,
                "first_row": chunk.first_row,
                "records": chunk.rows,
                "digest": chunk.digest,
                "keys": stage_keys(pipeline, None, chunk),
                "counts": {**counts, "scores": scores},
                "data": {"name": f"data/data-{chunk.index:05d}.arrow", **file_of},
                "candidates": {"name": f"candidates/part-{chunk.index:05d}.arrow", **file_of},
                "rejections": {"name": f"rejected/part-{chunk.index:05d}.jsonl", **file_of},
            }
            ledger.write(ledger_line(entry))


if __name__ == "__main__":
    main()
