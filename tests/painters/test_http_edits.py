"""A run whose prompts hold pictures, on two workers that are killed: nothing is asked for twice, the rows are the same.

Every step sees the kept drawings before it, so its requests go to /v1/images/edits, a wave a step. The server's
pictures depend on those that it gets.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.faults.conftest import hashes
from tests.faults.killing import RUN, family_of
from tests.painters.images_server import ImagesServer, painted
from zero_engine.write.shards import read_candidates
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow

TRACES, STEPS, TRIES = 16, 3, 2
PICTURES = TRACES * STEPS * TRIES
AT_ONCE = 3


@pytest.fixture
def run(tmp_path, tiny_anole):
    traces = [
        {
            "id": f"t{at}", "question": "?", "answer": "1",
            "rationale": "\n".join(f"Step {step} of {at} is here." for step in range(STEPS)),
        }
        for at in range(TRACES)
    ]  # fmt: skip
    (tmp_path / "traces.jsonl").write_text("\n".join(map(json.dumps, traces)))

    def run(server: ImagesServer, out: str, workers: int) -> subprocess.Popen:
        document = {
            "input": {"path": str(tmp_path / "traces.jsonl")},
            "parse": {"rule": "lines"},
            "render": {
                "generator": "http", "model": str(tiny_anole), "device": "cpu", "candidates": TRIES, "batch_size": 4,
                "context": "pictures", "template": "{{ history }}\n{{ step }}",
                "http": {
                    "url": server.url, "model": "tiny", "concurrency": AT_ONCE, "retries": 12, "backoff_s": 0.05,
                },
            },
            "score": {"names": ["blank", "likelihood"]},
            "gate": {"min": {}, "rank": {"likelihood": 1.0}},
            "output": {"path": str(tmp_path / out), "rows_per_shard": 4},
            "dask": {"workers": workers, "max_attempts": 3},
        }  # fmt: skip
        file = tmp_path / f"{out}.yaml"
        file.write_text(json.dumps(document))
        return subprocess.Popen(
            [*RUN, str(file), "--no-report"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    return run


def made(server: ImagesServer) -> int:
    return sum(server.painted.values())


def wait(until: Callable[[], bool], run: subprocess.Popen) -> None:
    while not until():
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.01)


def pixels(data: bytes) -> bytes:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).tobytes()


def lost(server: ImagesServer, out: Path) -> set[tuple]:
    """What was answered to somebody who was gone, so neither kept nor committed."""
    kept = [path.read_bytes() for path in (out / ".work/answers").iterdir() if len(path.name) == 32]
    for path in (out / "candidates").glob("*.arrow"):
        kept += [candidate.image for candidate in read_candidates(path)]
    have = set(map(pixels, kept))
    return {key for key in server.painted if painted(*key[:2], given=key[2:]).tobytes() not in have}


def test_a_run_of_edits_killed_on_two_workers_asks_for_no_finished_picture_again(run, tmp_path):
    with ImagesServer() as server:
        calm = run(server, "calm", 0)
        said = calm.communicate(timeout=600)[0]
        assert calm.returncode == 0, said
        assert len(server.painted) == made(server) == PICTURES
        paths = {path: server.requests.count(path) for path in set(server.requests)}
        first = TRACES * TRIES
        assert paths == {"/v1/images/generations": first, "/v1/images/edits": PICTURES - first}
        assert {len(body.get("files", ())) for body in server.bodies} == set(range(STEPS))
        server.painted.clear()
        server.fault = lambda number, body: (500, {}, "") if number % 10 == 3 else None
        server.pause_s = 0.04

        gone: set[tuple] = set()
        for victim, at in (
            ("driver", PICTURES // 4),
            ("child", PICTURES // 2),
            ("driver", 3 * PICTURES // 4),
        ):
            disturbed = run(server, "out", 2)
            family: list[tuple[str, psutil.Process]] = []
            wait(lambda at=at: made(server) >= at, disturbed)
            with contextlib.suppress(psutil.NoSuchProcess):
                family = family_of(disturbed.pid)
            if victim == "child":
                before = made(server)
                next(process for kind, process in family if kind == "child").kill()
                wait(lambda before=before: made(server) > before + AT_ONCE, disturbed)
            os.kill(disturbed.pid, signal.SIGKILL)
            disturbed.communicate(timeout=60)
            for _, process in family:  # they end by themselves when their driver is gone
                with contextlib.suppress(psutil.TimeoutExpired):
                    process.wait(60)
            while server.at_once:
                time.sleep(0.02)
            gone |= lost(server, tmp_path / "out")
        disturbed = run(server, "out", 2)
        said = disturbed.communicate(timeout=600)[0]
        assert disturbed.returncode == 0, said
        twice = {key for key, times in server.painted.items() if times > 1}
    assert len(server.painted) == PICTURES and len(gone) <= 4 * 2 * AT_ONCE
    # the child that was killed alone loses its own, and nobody counts them
    assert len(twice - gone) <= AT_ONCE and all(server.painted[key] <= 3 for key in twice)
    assert hashes(tmp_path / "out") == hashes(tmp_path / "calm")
    assert all(check.ok for check in validate_dataset(tmp_path / "out"))
    assert not any(len(path.name) == 32 for path in (tmp_path / "out").glob(".work/answers/*"))
