"""Find a million drawings by identity: how long `plan` and `run` take, and how much memory of the driver.

    python benchmarks/million_drawings.py --json [--drawings 1000000] [--rows-per-shard 1000]

A finished folder is written with synthetic codes and one small picture, its identities those that the pipeline asks
for. Then `zero-engine plan` is run on it as a process of its own: with the folder as it is (nothing to be looked up),
and with `parse.max_steps` changed, which makes every shard look for every drawing of its own in the index. `run` then
makes every shard again around its drawings, in a child, beside the same for a thousandth of them: the difference is
what the drawings cost its driver.
"""

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zero_engine.contracts.manifest import InputInfo, Manifest, ModelInfo, ShardEntry
from zero_engine.hashing import digest
from zero_engine.images import encode_image
from zero_engine.painters.generators import generator_fingerprint
from zero_engine.pipeline import Pipeline
from zero_engine.read import Chunk, iter_chunks, read_chunk
from zero_engine.records import Candidate
from zero_engine.render.identity import settings_key
from zero_engine.render.renderer import plan_drawings
from zero_engine.run import tally
from zero_engine.run.plan import stage_keys
from zero_engine.run.stages import gate_all, parse_all
from zero_engine.write.finish import finish_dataset
from zero_engine.write.folder import candidates_name, data_name
from zero_engine.write.manifest import versions
from zero_engine.write.shards import write_candidates, write_trajectories

STEPS, CANDIDATES = 4, 4


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--drawings", type=int, default=1_000_000)
    parser.add_argument("--rows-per-shard", type=int, default=1000)
    parser.add_argument("--folder", help="where to work; a temporary folder by default")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    facts: dict = {"drawings": options.drawings, "machine": platform.processor() or platform.machine()}
    other = ["--set", "parse.max_steps=100"]
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        file = _folder(Path(folder), options.drawings, options.rows_per_shard)
        facts["as it is"] = _driver("plan", file, [])
        facts["every drawing looked for"] = _driver("plan", file, other)
        facts["run"] = _driver("run", file, other)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        file = _folder(
            Path(folder), max(STEPS * CANDIDATES, options.drawings // 1000), options.rows_per_shard
        )
        facts["run of a thousandth"] = _driver("run", file, other)
    print(json.dumps(facts, indent=2) if options.json else facts)


def _folder(folder: Path, drawings: int, rows_per_shard: int) -> Path:
    """A finished dataset; returns its pipeline file."""
    pipeline = _pipeline(folder, drawings, rows_per_shard)
    _write_folder(pipeline)
    (folder / "pipeline.json").write_text(pipeline.model_dump_json())
    return folder / "pipeline.json"


def _pipeline(folder: Path, drawings: int, rows_per_shard: int) -> Pipeline:
    traces = drawings // (STEPS * CANDIDATES)
    with open(folder / "traces.jsonl", "w", encoding="utf-8") as file:
        for number in range(traces):
            steps = [f"{number} + {step} = {number + step}" for step in range(STEPS)]
            row = {"id": f"t{number}", "question": "Add.", "rationale": "\n".join(steps), "answer": "1"}
            file.write(json.dumps(row) + "\n")
    return Pipeline.model_validate(
        {
            "name": "drawings",
            "input": {"path": str(folder / "traces.jsonl")},
            "render": {"candidates": CANDIDATES},
            "score": {"names": ["likelihood"]},
            "gate": {"rank": {"likelihood": 1.0}, "max": {}},
            "output": {"path": str(folder / "out"), "rows_per_shard": rows_per_shard},
            "dask": {"workers": 0},
        }
    )


def _write_folder(pipeline: Pipeline) -> None:
    """What a run would have left, with drawings made of random codes."""
    out = Path(pipeline.output.path)
    for name in ("data", "candidates", "rejected"):
        (out / name).mkdir(parents=True)
    generator = generator_fingerprint(pipeline.render) or ""
    totals, entries = tally.empty(), []
    for chunk in iter_chunks(pipeline.input, pipeline.output.rows_per_shard):
        entry = _write_shard(out, pipeline, generator, chunk)
        totals = tally.add(totals, entry.counts)
        entries.append(entry)
    model = ModelInfo(
        name="nano",
        fingerprint=generator,
        codes_per_picture=64,
        device="cpu",
        batch_size=32,
        height=8,
        width=8,
    )
    manifest = Manifest(
        name=pipeline.name,
        created="2026-01-01T00:00:00Z",
        versions=versions(),
        pipeline=pipeline.model_dump(mode="json"),
        fingerprints={"pipeline": pipeline.fingerprint, "model": generator},
        model=model,
        input=InputInfo(paths=[str(pipeline.input.path)], records=totals["records"], digest=digest("")),
        shards=entries,
        counts=totals,
    )
    finish_dataset(out, manifest, {})


def _write_shard(out: Path, pipeline: Pipeline, generator: str, chunk: Chunk) -> ShardEntry:
    parsed, _ = parse_all(read_chunk(chunk, pipeline.input), pipeline)
    candidates = list(_candidates(parsed, pipeline, generator))
    texts = {(p.trace.id, s.index): s.text for p in parsed for s in p.steps}
    rows, _ = gate_all(parsed, candidates, pipeline)
    return ShardEntry(
        index=chunk.index,
        first_row=chunk.first_row,
        records=chunk.rows,
        digest=chunk.digest,
        keys=stage_keys(pipeline, generator, chunk),
        counts=tally.count(chunk.rows, len(parsed), parsed, candidates, rows, []),
        data=write_trajectories(out / data_name(chunk.index), rows, pipeline.fingerprint, generator).renamed(
            data_name(chunk.index)
        ),
        candidates=write_candidates(out / candidates_name(chunk.index), candidates, texts).renamed(
            candidates_name(chunk.index)
        ),
    )


def _candidates(parsed: list, pipeline: Pipeline, generator: str) -> Iterator[Candidate]:
    settings = settings_key(pipeline.render, generator, 32)
    picture = encode_image(np.full((8, 8, 3), 255, np.uint8))
    for wanted in plan_drawings(parsed, pipeline.render, pipeline.seed)[0]:
        codes = np.random.PCG64(wanted.seed).random_raw(64).astype(np.uint16) % 285
        yield Candidate(
            trace_id=wanted.trace.trace.id,
            step=wanted.step,
            attempt=wanted.attempt,
            seed=wanted.seed,
            prompt=wanted.prompt,
            codes=codes,
            image=picture,
            scores={"likelihood": -0.1},
            identity=wanted.identity(settings),
        )


def _driver(verb: str, pipeline: Path, more: list[str]) -> dict:
    """Seconds and the driver's peak memory of `zero-engine plan` or `run`, and what it says of drawings."""
    code = (
        "import resource, sys\nfrom zero_engine.cli import main\ntry: main()\nfinally: print('peak', "
        "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, verb, str(pipeline), "--json", *more]
    command += ["--no-report"] * (verb == "run")
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    return {
        "wall_s": round(time.monotonic() - started, 1),
        "peak_mb": round(int(re.findall(r"peak (\d+)", done.stderr)[0]) / 1024),
        "drawings": said["drawings"] if verb == "plan" else {"made": said["drawn"]},
    }


if __name__ == "__main__":
    main()
