"""What Dask, reading, writing and start-up add to drawing and scoring.

    python benchmarks/run_overhead.py --json [--input FILE] [--workers 2] [--limit N]

Runs the main job from the command line and compares its wall time with the workers' own seconds of
drawing and scoring divided by their number: 1.0 would be no overhead at all. Both come from the
same run.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pipeline", default=str(REPOSITORY / "pipelines/gsm8k_nano.yaml"))
    parser.add_argument("--input", help="by default the pipeline's own")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        facts = measure(Path(folder) / "out", options)
    print(json.dumps(facts, indent=2) if options.json else _sentence(facts))


def measure(out: Path, options: argparse.Namespace) -> dict:
    """Run once, and set the wall time against the pure work."""
    command = [sys.executable, "-c", "from zero_engine.cli import main; main()", "run", options.pipeline]
    command += ["--output", str(out), "--workers", str(options.workers), "--json", "--no-report"]
    command += ["--input", options.input] if options.input else []
    command += ["--limit", str(options.limit)] if options.limit else []
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    wall_s = time.monotonic() - started
    summary = json.loads(done.stdout)
    pure_s = summary["seconds"]["render"] + summary["seconds"]["score"]
    return {
        "traces": summary["counts"]["traces"],
        "pictures": summary["drawn"],
        "workers": options.workers,
        "wall_s": round(wall_s, 1),
        "pictures_per_s": round(summary["drawn"] / wall_s, 1),
        "drawing_and_scoring_s": round(pure_s, 1),
        "ratio": round(wall_s / (pure_s / max(1, options.workers)), 3),
        "seconds": summary["seconds"],
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
    }


def _sentence(facts: dict) -> str:
    return (
        f"{facts['traces']} traces, {facts['pictures']} pictures in {facts['wall_s']} s "
        f"({facts['pictures_per_s']} pictures/s, {facts['workers']} workers): "
        f"{facts['ratio']} x (drawing and scoring / workers)"
    )


if __name__ == "__main__":
    main()
