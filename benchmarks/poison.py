"""Poisoned records, quiet and with every core burnt four times over: who is rejected, and what a hang costs.

Four kinds of poison (raises, kills its process, hangs, eats memory) in three stages, all in one corpus, with 0, 1 and
2 workers and on a scheduler with two workers of Dask's own commands. Exactly the poisoned records must be rejected,
each for its own reason, and the other rows be those of a corpus without poison. Then 500 traces of which one hangs: the
run may take two time limits longer. Burners are processes at the same priority, on the cores that this one may use;
beside them a start of Python takes seconds, so a limit is a minute there.

    python benchmarks/poison.py [--burn 0 4]        some half an hour; writes benchmarks/results/poison.json
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "poison.json"
PLACES = ("0 workers", "1 worker", "2 workers", "external")
HANG_LIMIT_S, HANG_LIMIT_BURNT_S = 10, 60


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--burn", type=int, nargs="+", default=[0, 4], help="burning processes a core")
    parser.add_argument("--places", nargs="+", choices=PLACES, default=PLACES)
    parser.add_argument("--result", type=Path, default=RESULT)
    arguments = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "faults" / "poisoned")]
    from tests.faults.conftest import poisoned_children

    cores = len(os.sched_getaffinity(0))
    facts = {"command": "python benchmarks/poison.py", "cores": cores, "runs": []}
    with poisoned_children(ROOT) as environment:
        for times in arguments.burn:
            one_hang = partial(_one_hang, limit_s=HANG_LIMIT_BURNT_S if times else HANG_LIMIT_S)
            with burning(times * cores):
                for place in arguments.places:
                    for measure in (_all_kinds, one_hang):
                        with tempfile.TemporaryDirectory() as folder:
                            facts["runs"].append(
                                {
                                    "burners a core": times,
                                    "load": round(os.getloadavg()[0], 1),
                                    **measure(Path(folder), place, environment),
                                }
                            )
                        print(json.dumps(facts["runs"][-1]), flush=True)
                        arguments.result.write_text(json.dumps(facts, indent=1) + "\n")
    return 0 if all(run["as promised"] for run in facts["runs"]) else 1


@contextlib.contextmanager
def burning(processes: int) -> Iterator[None]:
    """So many processes that do nothing but use a core."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def _all_kinds(folder: Path, place: str, environment: dict[str, str]) -> dict:
    from tests.faults.conftest import pipeline_in, rejections
    from tests.faults.test_poison import LIMITS, REASONS, STAGES, rows
    from zero_engine.run import run_pipeline
    from zero_engine.write.validate import validate_dataset

    wanted = [(kind, stage) for kind in REASONS for stage in STAGES]
    poison = {3 * at + 1: f"POISON {kind} {stage}" for at, (kind, stage) in enumerate(wanted)}
    records = 3 * len(wanted)
    before = rows(run_pipeline(pipeline_in(folder, "clean", records=records)).out)
    with _placed(place, environment) as dask:
        started = time.monotonic()
        out = run_pipeline(
            pipeline_in(folder, "poisoned", records=records, poison=poison, dask={**LIMITS, **dask})
        ).out
        seconds = time.monotonic() - started
    found = {}
    for r in rejections(out):
        name = r["record"]["text"] if r["stage"] == "read" else r["trace_id"]
        found[name] = (r["stage"], "failed" if r["reason"].endswith("failed") else r["reason"])
    after = rows(out)
    changed = sum(after.get(f"t{at}") != before[f"t{at}"] for at in range(records) if at not in poison)
    expected = sorted((STAGES[stage], REASONS[kind]) for kind, stage in wanted)
    wrong = [list(pair) for pair in sorted(found.values()) if pair not in expected]
    good = sorted(found.values()) == expected and not changed
    return {
        "what": "4 kinds x 3 stages",
        "place": place,
        "rejected": len(found),
        "wrongly": wrong,
        "innocent rows changed": changed,
        "seconds": round(seconds, 1),
        "as promised": good and all(check.ok for check in validate_dataset(out)),
    }


def _one_hang(folder: Path, place: str, environment: dict[str, str], limit_s: float) -> dict:
    """500 traces, one of which hangs while it is drawn, beside the same without it."""
    from tests.faults.conftest import pipeline_in, rejections
    from zero_engine.run import run_pipeline

    taken, sections = {}, {"records": 500, "output": {"rows_per_shard": 50}}
    with _placed(place, environment) as dask:
        for name, poison in (("warm", {}), ("clean", {}), ("hangs", {250: "POISON hangs drawing"})):
            started = time.monotonic()
            dask["shard_timeout_s"] = limit_s
            pipeline = pipeline_in(folder, name, poison=poison, dask=dask, **sections)
            out = run_pipeline(pipeline).out
            taken[name] = time.monotonic() - started
    found = [(r["trace_id"], r["stage"], r["reason"]) for r in rejections(out)]
    cost = (taken["hangs"] - taken["clean"]) / limit_s
    return {
        "what": "one hang among 500",
        "place": place,
        "limit_s": limit_s,
        "rejected": len(found),
        "seconds without": round(taken["clean"], 1),
        "seconds with": round(taken["hangs"], 1),
        "limits": round(cost, 2),
        "as promised": found == [("t250", "render", "timed_out")] and cost <= 2,
    }


@contextlib.contextmanager
def _placed(place: str, environment: dict[str, str]) -> Iterator[dict]:
    from tests.faults.conftest import cluster

    if place != "external":
        yield {"workers": int(place.split()[0])}
        return
    with cluster(2, environment) as running:
        yield {"workers": 2, "scheduler": running.address}


if __name__ == "__main__":
    sys.exit(main())
