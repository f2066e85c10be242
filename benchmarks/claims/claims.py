"""The claims of claims.yaml: run its experiments, keep every answer, say of each contrast what came out.

    make claims                                        # all that is not there yet, for up to 85 minutes
    python benchmarks/claims/claims.py E1-short E1-long --minutes 85 --jobs 2
    python benchmarks/claims/claims.py --pilot         # one seed of each: settings, not results

What was answered is kept in benchmarks/results/claims/answers.parquet, a row for each experiment, arm, steps, seed and
question, with the digest of all that led to it; what is there is not done again. Ends with claims.json and, with the
page, docs/claims.md. Several calls, one after another, do the whole.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from arms import Plan
from stages import Bench, OutOfTime, Stage
from verdicts import verdicts

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
Job = tuple[str, str, int, int]
"""Experiment, arm, steps, seed."""


class Answers:
    """The answers that there are, by the digest of their stage; a Parquet file."""

    def __init__(self, path: Path):
        self.path = path
        rows = pq.read_table(path).to_pylist() if path.exists() else []
        self.by_stage: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            self.by_stage.setdefault(row["stage"], []).append(row)

    def add(self, job: Job, stage: Stage, found: list[dict[str, Any]]) -> None:
        named = dict(zip(("experiment", "arm", "steps", "seed"), job, strict=True))
        self.by_stage[stage.key[:16]] = [{**named, "stage": stage.key[:16], **row} for row in found]

    def save(self) -> None:
        rows = [row for key in sorted(self.by_stage) for row in self.by_stage[key]]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        pq.write_table(pa.Table.from_pylist(rows), part, compression="zstd")
        part.replace(self.path)


def main() -> None:
    options = _arguments()
    document = yaml.safe_load((HERE / "claims.yaml").read_text(encoding="utf-8"))
    bench = Bench(options.out, time.time() + 60 * options.minutes, say=lambda line: print(line, flush=True))
    plan, answers = Plan(document, bench), Answers(options.results / "answers.parquet")

    def seeds(name: str) -> range:
        return range(1 if options.pilot else document["experiments"][name].get("seeds", document["seeds"]))

    jobs = [
        (name, arm, steps, seed)
        for name in options.experiments or document["experiments"]
        for arm, each in document["experiments"][name]["steps"].items()
        for steps, seed in product(each, seeds(name))
    ]
    jobs.sort(
        key=lambda job: (list(document["experiments"]).index(job[0]), job[3])
    )  # a seed whole, then the next
    stages = {job: plan.answers(*job) for job in jobs}
    todo = [job for job in jobs if stages[job].key[:16] not in answers.by_stage]
    print(f"{len(jobs) - len(todo)} of {len(jobs)} evaluations are there")

    def answer(job: Job) -> tuple[Job, list[dict[str, Any]] | None]:
        try:
            return job, json.loads((stages[job].done(bench) / "answers.json").read_text())
        except OutOfTime:
            return job, None

    with ThreadPoolExecutor(options.jobs) as pool:
        for job, found in pool.map(answer, todo):
            if found is not None:
                answers.add(job, stages[job], found)
                answers.save()
    left = [job for job in jobs if stages[job].key[:16] not in answers.by_stage]
    current = {
        stages[job].key[:16]: answers.by_stage[stages[job].key[:16]] for job in jobs if job not in left
    }
    facts = verdicts(document, [row for rows in current.values() for row in rows])
    facts["swaps"] = swapped(document, plan, {job[0] for job in jobs if job not in left}, seeds)
    (options.results / "claims.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(f"{len(left)} evaluations are left; {options.results / 'claims.json'}")


def swapped(
    document: dict[str, Any], plan: Plan, ready: set[str], seeds: Callable[[str], range]
) -> dict[str, Any]:
    """E3: by name, the shares of every seed, of experiments whose trainings are there."""
    found: dict[str, Any] = {}
    for name, (experiment, arm, steps) in document["swaps"].items():
        try:
            stages = [plan.swaps(experiment, arm, steps, seed) for seed in seeds(experiment)]
            if experiment in ready:
                found[name] = [json.loads((s.done(plan.bench) / "swaps.json").read_text()) for s in stages]
        except OutOfTime:
            print(f"{name} is left")
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", help="names of claims.yaml; all by default")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "claims")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "claims")
    parser.add_argument("--minutes", type=float, default=85.0, help="begin no stage after so many minutes")
    parser.add_argument("--jobs", type=int, default=2, help="stages at a time, one thread each")
    parser.add_argument("--pilot", action="store_true", help="one seed only")
    return parser.parse_args()


if __name__ == "__main__":
    main()
