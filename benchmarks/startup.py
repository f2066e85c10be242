"""How long a worker's child takes until it can draw: Python, imports, the model.

    python benchmarks/startup.py                        # this checkout
    python benchmarks/startup.py . ../before --rounds 5 # checkouts in turn, in one run

Each round starts the process in which shards are made (`zero_engine.run.chamber`) and has it load the model as a shard
does. In a checkout from before there was such a child, the worker itself loaded the model, and that is
timed. Seconds on the clock and of the processor; the least of all rounds, because other work can only add to them.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("checkouts", nargs="*", default=[str(Path(__file__).resolve().parent.parent)])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    found: dict[str, list[dict]] = {checkout: [] for checkout in asked.checkouts}
    for _ in range(asked.rounds):
        for checkout, rounds in found.items():
            path = os.pathsep.join([str(Path(checkout).resolve()), str(Path(__file__).resolve().parent)])
            command = [sys.executable, "-P", "-c", f"import startup; startup.one({asked.model!r})"]
            environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
            rounds.append(json.loads(done.stdout))
    first = None
    for checkout, rounds in found.items():
        least = {name: min(one[name] for one in rounds) for name in rounds[0]}
        first = first or least
        shares = ", ".join(f"{least[name] / first[name]:.2f}" for name in ("wall_s", "cpu_s"))
        print(f"{checkout}: {least['wall_s']:.2f} s, processor {least['cpu_s']:.2f} s ({shares} of the first); "
              f"{least['modules']} modules")  # fmt: skip


def one(model: str) -> None:
    """A child of this process, from nothing to the first drawing that it could make."""
    began = time.perf_counter()
    try:
        from zero_engine.run.chamber import Chamber, Limits
    except ImportError:
        command = [
            sys.executable,
            "-P",
            "-c",
            f"import json, startup; print(json.dumps(startup.loaded({model!r})))",
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        cpu_s, modules = json.loads(done.stdout)
        wall_s = time.perf_counter() - began
    else:
        chamber, began = Chamber(), time.perf_counter()
        cpu_s, modules = chamber.run(ready, model, Limits(600.0))
        wall_s = time.perf_counter() - began
        chamber.close()
    print(json.dumps({"wall_s": wall_s, "cpu_s": cpu_s, "modules": modules}))


def ready(model: str) -> tuple[float, int]:
    """Load the model as a shard does; seconds of the processor and number of modules since the process began."""
    import zero_engine.run.contain  # noqa: F401 (what a shard's task is made of)
    from zero_engine.run import marks

    with marks.loading():
        return loaded(model)


def loaded(model: str) -> tuple[float, int]:
    """Load the model; seconds of the processor and number of modules since the process began."""
    from zero_engine.models import get_model

    get_model(model, device="cpu")
    return time.process_time(), len(sys.modules)


if __name__ == "__main__":
    main()
