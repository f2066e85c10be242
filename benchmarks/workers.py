"""Two workers against one: whole runs of the main job in turn, and beside them what the machine itself allows.

    python benchmarks/workers.py --input test.jsonl --limit 400

A run's time is that of the whole command with its start. The limit is how much more two processes than one multiply, at
the shapes of the bundled model's layers, without anything of ours between them: what two cores share (memory, caches,
their clock, other guests of the host) is missing there, too. Prints both as JSON; 2.0 is perfect.
"""

import argparse
import json
import multiprocessing
import os
import platform
import sys
import tempfile
from multiprocessing.synchronize import Barrier as BarrierType
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent))

from run_overhead import REPOSITORY, measure

ROWS, PASSES = 64, 600
SHAPES = ((192, 576), (192, 192), (192, 1024), (512, 192)) * 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pipeline", default=str(REPOSITORY / "pipelines/gsm8k_nano.yaml"))
    parser.add_argument("--input", help="by default the pipeline's own")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    wall: dict[int, list[float]] = {1: [], 2: []}
    drawing: dict[int, list[float]] = {1: [], 2: []}
    limit: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(options.repeats):
        for workers in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                options.workers = workers
                facts = measure(Path(folder) / "out", options)
            wall[workers].append(facts["wall_s"])
            drawing[workers].append(facts["drawing_and_scoring_s"])
            limit[workers].append(multiplying(workers))
    print(
        json.dumps(
            {
                "traces": facts["traces"],
                "pictures": facts["pictures"],
                "wall_s": wall,
                "drawing_and_scoring_s": drawing,
                "two_workers_over_one": round(min(wall[1]) / min(wall[2]), 3),
                "two_processes_over_one": round(2 * min(limit[1]) / min(limit[2]), 3),
                "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            },
            indent=2,
        )
    )


def multiplying(processes: int) -> float:
    """Seconds until each of so many processes has multiplied rows by the layers' matrices `PASSES` times."""
    context = multiprocessing.get_context("spawn")
    barrier, seconds = context.Barrier(processes), context.SimpleQueue()
    started = [context.Process(target=_multiply, args=(barrier, seconds)) for _ in range(processes)]
    for process in started:
        process.start()
    slowest = max(seconds.get() for _ in started)
    for process in started:
        process.join()
    return slowest


def _multiply(barrier: BarrierType, seconds: "multiprocessing.SimpleQueue[float]") -> None:
    import torch

    torch.set_num_threads(1)
    matrices = [torch.randn(shape) for shape in SHAPES]
    rows = {inner: torch.randn(ROWS, inner) for inner, _ in SHAPES}
    barrier.wait()
    started = perf_counter()
    for _ in range(PASSES):
        for matrix in matrices:
            rows[len(matrix)] @ matrix
    seconds.put(perf_counter() - started)


if __name__ == "__main__":
    main()
