"""The claims of claims.yaml: run its experiments, keep every answer, say of each contrast what came out.

    make claims                                        # all that is not there yet, for up to 85 minutes
    python benchmarks/claims/claims.py E1-short E1-long --minutes 85 --jobs 2
    python benchmarks/claims/claims.py --pilot         # one seed of each: settings, not results

What was answered is kept in benchmarks/results/claims/answers.parquet, a row for each experiment, arm, steps, seed and
question, with the digest of all that led to it; what is there is not done again. drawings.parquet has the drawings of
rounds, a row for each step. Ends with claims.json and, with the page, docs/claims.md. Several calls, one after another,
do the whole.

The trainings are in bfloat16, which a CPU must multiply itself (AVX-512 BF16). On another one `--precision float32` is
ten times as fast (AVX2, one core, a warm start's steps: 1,125 to 1,288 tokens/s against 84 to 106); give it for all of
an experiment, so that no contrast mixes the two.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from arms import Plan
from rounds import drawers
from stages import Stage, carry_out
from verdicts import verdicts

from zero_engine.nano.recipe.language import has_bfloat16

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
Job = tuple[str, str, int, int]
"""Experiment, arm, steps, seed."""


class Answers:
    """The answers, or drawings, that there are, by the digest of their stage; a Parquet file."""

    def __init__(self, path: Path):
        self.path = path
        rows = pq.read_table(path).to_pylist() if path.exists() else []
        self.by_stage: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            self.by_stage.setdefault(row["stage"], []).append(row)

    def there(self, stage: Stage) -> bool:
        return stage.key[:16] in self.by_stage

    def of(self, job: Job, stage: Stage) -> list[dict[str, Any]]:
        """Under the name of this job: two that ask for the same, in two experiments, share a stage."""
        return [row | _named(job) for row in self.by_stage[stage.key[:16]]]

    def add(self, job: Job, stage: Stage, found: list[dict[str, Any]]) -> None:
        self.by_stage[stage.key[:16]] = [{**_named(job), "stage": stage.key[:16], **row} for row in found]

    def save(self) -> None:
        rows = [row for key in sorted(self.by_stage) for row in self.by_stage[key]]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        pq.write_table(pa.Table.from_pylist(rows), part, compression="zstd")
        part.replace(self.path)


def _named(job: Job) -> dict[str, Any]:
    return dict(zip(("experiment", "arm", "steps", "seed"), job, strict=True))


def main() -> None:
    options = _arguments()
    document = yaml.safe_load((HERE / "claims.yaml").read_text(encoding="utf-8"))
    plan, answers = Plan(document, options.out), Answers(options.results / "answers.parquet")
    drawings = Answers(options.results / "drawings.parquet")

    def seeds(name: str) -> range:
        return range(1 if options.pilot else document["experiments"][name].get("seeds", document["seeds"]))

    names = options.experiments or list(document["experiments"])
    jobs = [
        (name, arm, steps, seed)
        for name in names
        for arm, each in document["experiments"][name]["steps"].items()
        for steps, seed in product(each, seeds(name))
    ]
    stages = {job: plan.answers(*job) for job in jobs}
    drawn_jobs = [
        (name, arm, steps, seed)
        for name in names
        for seed in seeds(name)
        for arm, steps in drawers(document["experiments"][name])
    ]
    drawn_stages = {job: plan.drawings(*job) for job in drawn_jobs}
    job_of = {
        stage.key: (job, kept)
        for kept, of in ((answers, stages), (drawings, drawn_stages))
        for job, stage in of.items()
    }
    swaps = {
        name: [plan.swaps(experiment, arm, steps, seed) for seed in seeds(experiment)]
        for name, (experiment, arm, steps) in document["swaps"].items()
        if experiment in names
    }
    todo = [job for job in jobs if not answers.there(stages[job])]
    print(f"{len(jobs) - len(todo)} of {len(jobs)} evaluations are there")
    if todo and options.device == "cpu" and options.precision is None and not has_bfloat16():
        print(
            "this CPU does not multiply bfloat16 itself: with --precision float32 it trains ten times as fast"
        )

    def ready(stage: Stage) -> None:
        if stage.key in job_of:
            job, kept = job_of[stage.key]
            kept.add(job, stage, json.loads((stage.folder(options.out) / stage.mark).read_text()))
            kept.save()

    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}  # the workers inherit it
    workers = ProcessPoolExecutor(
        options.jobs,
        multiprocessing.get_context("spawn"),
        _begin_worker,
        (
            document,
            jobs,
            drawn_jobs,
            list(document["swaps"].values()),
            options.out,
            options.device,
            options.precision,
        ),
    )
    deadline = time.time() + 60 * options.minutes
    to_draw = [job for job in drawn_jobs if not drawings.there(drawn_stages[job])]
    asked = [(job, stages[job]) for job in todo]
    asked += [(job, drawn_stages[job]) for job in to_draw]
    asked.sort(key=lambda one: (names.index(one[0][0]), one[0][3]))  # a seed whole, with its drawings
    wanted = [stage for _, stage in asked] + [stage for each in swaps.values() for stage in each]
    with workers:
        carry_out(wanted, options.out, workers, options.jobs, _make, deadline, ready)
    left = [job for job in jobs if not answers.there(stages[job])]
    facts = verdicts(
        document,
        [row for job in jobs if job not in left for row in answers.of(job, stages[job])],
        [row for job, one in drawn_stages.items() if drawings.there(one) for row in drawings.of(job, one)],
    )
    facts["swaps"] = {
        name: [json.loads((stage.folder(options.out) / stage.mark).read_text()) for stage in each]
        for name, each in swaps.items()
        if all(stage.done(options.out) for stage in each)
    }
    (options.results / "claims.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(f"{len(left)} evaluations are left; {options.results / 'claims.json'}")
    if missing := sum(not drawings.there(stage) for stage in drawn_stages.values()):
        print(f"{missing} of {len(drawn_jobs)} drawings of rounds are left")


_plan: Plan
"""A worker's own; it knows all stages."""


def _begin_worker(
    document: dict[str, Any],
    jobs: list[Job],
    drawn_jobs: list[Job],
    swaps: list[tuple[str, str, int]],
    out: Path,
    device: str,
    precision: str | None,
) -> None:
    global _plan
    _plan = Plan(document, out, device, precision)
    for job in jobs:
        _plan.answers(*job)
    for job in drawn_jobs:
        _plan.drawings(*job)
    for (experiment, arm, steps), seed in product(swaps, range(document["seeds"])):
        _plan.swaps(experiment, arm, steps, seed)


def _make(key: str) -> float:
    """Make a stage, in a worker; returns the seconds that it took."""
    began, stage = time.perf_counter(), _plan.stages[key]
    stage.make(stage.folder(_plan.out))
    return time.perf_counter() - began


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", help="names of claims.yaml; all by default")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "claims")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "claims")
    parser.add_argument("--minutes", type=float, default=85.0, help="begin no stage after so many minutes")
    parser.add_argument("--jobs", type=int, default=2, help="stages at a time, one thread each")
    parser.add_argument(
        "--device", default="cpu", help="cuda runs many small jobs beside one another: --jobs 14"
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        help="of trainings, where the file's is slow: bfloat16 on a CPU that does not multiply it itself",
    )
    parser.add_argument("--pilot", action="store_true", help="one seed only")
    return parser.parse_args()


if __name__ == "__main__":
    main()
