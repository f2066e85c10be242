"""A run by a program that is killed, through a server that fails and goes away: nothing is asked for twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.painters.images_server import ImagesServer
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow

KEY = "sk-nowhere-to-be-found"
STEPS = 200
AT_ONCE = 4


def command(repository: Path, tmp_path: Path, server: ImagesServer, out: str, *sets: str) -> subprocess.Popen:
    document = {
        "input": {"path": str(tmp_path / "traces.jsonl")},
        "parse": {"rule": "lines"},
        "render": {
            "generator": "http",
            "candidates": 1,
            "device": "cpu",
            "http": {
                "url": server.url, "model": "tiny", "key_env": "TINY_KEY", "concurrency": AT_ONCE, "retries": 12,
                "backoff_s": 0.2,
            },
        },
        "score": {"names": ["blank"]},
        "gate": {"rank": {"blank": -1.0}},
        "output": {"path": str(tmp_path / out), "rows_per_shard": 20},
        "dask": {"workers": 0},
    }  # fmt: skip
    (tmp_path / "run.yaml").write_text(json.dumps(document))
    words = [word for override in sets for word in ("--set", override)]
    return subprocess.Popen(
        [sys.executable, "-c", "from zero_engine.cli import main; main()", "run", str(tmp_path / "run.yaml"), *words],
        cwd=repository, env={**os.environ, "TINY_KEY": KEY}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def command_lines() -> str:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode("utf-8", "replace"))
        except OSError:
            continue
    return " ".join(found)


def test_a_disturbed_run_asks_for_each_drawing_once_and_makes_the_same_rows(repository, tmp_path):
    traces = [
        {
            "id": f"t{at}",
            "question": "?",
            "answer": "1",
            "rationale": "\n".join(f"Step {step} of {at} is here." for step in range(5)),
        }
        for at in range(STEPS // 5)
    ]
    (tmp_path / "traces.jsonl").write_text("\n".join(map(json.dumps, traces)))
    with ImagesServer() as server:
        run = command(repository, tmp_path, server, "calm")
        assert run.communicate(timeout=900)[1] is None and run.returncode == 0
        assert len(server.painted) == STEPS and set(server.painted.values()) == {1}
        server.painted.clear()
        server.fault = lambda number, body: (500, {}, "") if number % 10 == 3 else None
        server.pause_s = 0.05
        said = []
        run = command(repository, tmp_path, server, "out", "render.http.max_requests=30")
        said.append(run.communicate(timeout=900)[0])
        last = said[-1].strip().splitlines()[-1]
        assert run.returncode == 2 and "max_requests: 30 requests are made" in last

        run = command(repository, tmp_path, server, "out")
        while sum(server.painted.values()) < 60:
            time.sleep(0.02)
        assert KEY not in command_lines()
        run.send_signal(signal.SIGKILL)
        said.append(run.communicate(timeout=60)[0])
        while server.at_once:
            time.sleep(0.02)
        answers = [p for p in (tmp_path / "out/.work/answers").iterdir() if len(p.name) == 32]
        lost = sum(server.painted.values()) - len(answers)
        assert 0 <= lost <= AT_ONCE  # answered to a program that was gone
        server.stop()
        run = command(repository, tmp_path, server, "out")
        time.sleep(2)
        server.start()
        while sum(server.painted.values()) < 150:
            time.sleep(0.02)
            assert run.poll() is None
        server.stop()
        time.sleep(1)
        server.start()
        said.append(run.communicate(timeout=900)[0])
        assert run.returncode == 0, said[-1]
        repeated = sum(server.painted.values()) - STEPS
        # the server's threads answer on after it stopped listening; a cut answer counts as no answer
        assert len(server.painted) == STEPS and repeated == lost
    assert all(check.ok for check in validate_dataset(tmp_path / "out"))
    for name in ("data/data-00000.arrow", "data/data-00001.arrow"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(KEY.encode() not in path.read_bytes() for path in written) and all(
        KEY not in text for text in said
    )
