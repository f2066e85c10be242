"""A small corpus, drawn by a model of noise so that a run takes a moment, and processes that can be poisoned."""

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from zero_engine.pipeline import Pipeline

POISONED = Path(__file__).parent / "poisoned"


@pytest.fixture
def poisonable(repository: Path) -> Iterator[dict[str, str]]:
    """`poisoned_children` of one test."""
    with poisoned_children(repository) as environment:
        yield environment


@contextlib.contextmanager
def poisoned_children(repository: Path) -> Iterator[dict[str, str]]:
    """Children and workers started in the block know the poison; the environment for others that need it.

    A child is kept for the next block, and for no other run: it is made for one environment.
    """
    path = os.pathsep.join([str(POISONED), str(repository)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZERO_ENGINE_POISON", "1")
        patch.setenv("PYTHONPATH", path)
        patch.syspath_prepend(str(repository))
        patch.syspath_prepend(str(POISONED))
        yield {"ZERO_ENGINE_POISON": "1", "PYTHONPATH": path}


@pytest.fixture
def make_run(tmp_path: Path):
    """`pipeline_in` the test's own folder."""
    return partial(pipeline_in, tmp_path)


def pipeline_in(
    folder: Path, out: str = "out", records: int = 8, poison: dict[int, str] | None = None, **sections: object
) -> Pipeline:
    """A pipeline over records of our own; `poison` puts words into some of them."""
    path = folder / f"{out}.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        for number in range(records):
            word = f" {poison[number]}" if poison and number in poison else ""
            text = (
                f"There are {number} apples and {number + 1} pears.\n{number} + {number + 1} is a sum.{word}"
            )
            record = {"id": f"t{number}", "question": "How many?", "rationale": text, "answer": str(number)}
            file.write(json.dumps(record) + "\n")
    document = {
        "name": "faults",
        "input": {"path": str(path), "format": "generic", "name": "faults"},
        "render": {"candidates": 2, "batch_size": 4},
        "score": {"names": ["likelihood", "caption", "blank"]},
        "gate": {"min_pictures": 0, "min": {}, "rank": {"likelihood": 1.0}},
        "output": {"path": str(folder / out), "rows_per_shard": 4},
        "dask": {"workers": 0, "max_attempts": 1, "shard_timeout_s": 60},
    }
    for name, section in sections.items():
        document[name] = {**document.get(name, {}), **section} if isinstance(section, dict) else section
    return Pipeline.model_validate(document)


def hashes(out: str | Path) -> dict[str, str]:
    """sha256 of every file of rows, drawings and rejections, by name."""
    files = [p for folder in ("data", "candidates", "rejected") for p in Path(out, folder).glob("*-*.*")]
    return {f"{p.parent.name}/{p.name}": hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(files)}


def rejections(out: str | Path) -> list[dict]:
    """All rejections of a dataset, in order."""
    files = sorted(Path(out, "rejected").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


@dataclass
class Cluster:
    """A scheduler and workers of Dask's own commands, each in its process group."""

    address: str
    scheduler: subprocess.Popen
    workers: list[subprocess.Popen] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def add_worker(self, *options: str, **environment: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", "worker", self.address, "--nthreads", "1", "--no-dashboard"]
        command += ["--memory-limit", "700MB", "--death-timeout", "120", *options]
        folder = environment.pop("folder", None)
        self.workers.append(start(command, {**self.environment, **environment}, folder))
        return self.workers[-1]


@contextlib.contextmanager
def cluster(workers: int, environment: dict[str, str], protocol: str = "tcp") -> Iterator[Cluster]:
    """A cluster on loopback that ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "dask",
        "scheduler",
        "--host",
        f"{protocol}://127.0.0.1",
        "--port",
        str(port),
    ]
    scheduler = start([*command, "--no-dashboard"], environment)
    running = Cluster(f"{protocol}://127.0.0.1:{port}", scheduler, environment=environment)
    try:
        _wait_for(port)
        for _ in range(workers):
            running.add_worker()
        yield running
    finally:
        for process in (*running.workers, scheduler):
            with contextlib.suppress(OSError):
                os.killpg(process.pid, 9)
            process.wait()


def start(command: list[str], environment: dict[str, str], folder: str | None = None) -> subprocess.Popen:
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _wait_for(port: int, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError("the scheduler did not start")


def seeds(count: int) -> range:
    """Seeds of a test; ZERO_ENGINE_SEEDS asks for more of them."""
    return range(int(os.environ.get("ZERO_ENGINE_SEEDS", count)))
