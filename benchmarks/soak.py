"""A thousand kills: nothing lost, nothing twice, the same bytes.

Runs are started and their processes killed with SIGKILL at random: the driver, workers, nannies, the scheduler, the
child that makes a shard; in one process, on two local workers, and on a scheduler with two workers of Dask's own
commands. Each run that comes to its end is compared, file by file, with one that nobody disturbed. The model is one
of noise (`tests/fake_model.py`), because what is tried is the run, not the drawing.

    python benchmarks/soak.py --kills 1000        about an hour on two cores; writes benchmarks/results/soak.json
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "soak.json"
SETTINGS = ("alone", "two workers", "external")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--result", type=Path, default=RESULT)
    arguments = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "faults" / "poisoned")]
    os.environ["ZERO_ENGINE_POISON"] = "1"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tests" / "faults" / "poisoned"), str(ROOT)])
    total = {name: {"kills": Counter(), "runs": 0, "finished": 0, "differences": []} for name in SETTINGS}
    started, seed = time.monotonic(), arguments.seed
    while (left := arguments.kills - _killed(total)) > 0:
        setting = SETTINGS[seed % len(SETTINGS)]
        with tempfile.TemporaryDirectory() as folder:
            account = _hunt(Path(folder), setting, min(25, left), seed)
        total[setting]["kills"].update(account.kills)
        total[setting]["runs"] += account.runs
        total[setting]["finished"] += account.finished
        total[setting]["differences"] += account.differences
        seed += 1
        _write(arguments.result, total, time.monotonic() - started)
        print(
            f"{_killed(total)} kills, {sum(len(t['differences']) for t in total.values())} differences",
            flush=True,
        )
    return 1 if any(part["differences"] for part in total.values()) else 0


def _killed(total: dict) -> int:
    return sum(sum(part["kills"].values()) for part in total.values())


def _hunt(folder: Path, setting: str, kills: int, seed: int) -> object:
    import yaml

    from tests.faults.conftest import hashes, pipeline_in
    from tests.faults.killing import Hunt
    from zero_engine.run import run_pipeline

    sections = {"records": 24, "dask": {"max_attempts": 3}}
    plain = run_pipeline(pipeline_in(folder, "plain", output={"rows_per_shard": 1}, **sections))
    out = folder / "out"
    pipeline = pipeline_in(folder, "plain", output={"path": str(out), "rows_per_shard": 1}, **sections)
    file = folder / "pipeline.yaml"
    file.write_text(yaml.safe_dump(pipeline.model_dump(mode="json")))
    hunt = Hunt(file, out, hashes(plain.out), {}, seed)
    if setting == "external":
        return hunt.external(kills)
    return hunt.local(0 if setting == "alone" else 2, kills)


def _write(path: Path, total: dict, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "command": "python benchmarks/soak.py",
        "kills": _killed(total),
        "runs": sum(part["runs"] for part in total.values()),
        "finished": sum(part["finished"] for part in total.values()),
        "differences": sum(len(part["differences"]) for part in total.values()),
        "minutes": round(seconds / 60, 1),
        "cores": os.cpu_count(),
        "settings": {name: {**part, "kills": dict(part["kills"])} for name, part in total.items()},
    }
    path.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
