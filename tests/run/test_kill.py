"""What happens to a run when somebody ends it: SIGKILL, Ctrl-C, a worker that dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from zero_engine.run import run_pipeline
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow

SMALL_SHARDS = {"render": {"candidates": 1}, "output": {"rows_per_shard": 1}}


def start(pipeline, tmp_path: Path) -> subprocess.Popen:
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(pipeline.model_dump(mode="json")))
    command = [
        sys.executable,
        "-c",
        "from zero_engine.cli import main; main()",
        "run",
        str(path),
        "--no-report",
    ]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, text=True
    )


def wait_for_commits(out: Path, lines: int, process: subprocess.Popen, timeout_s: float = 120) -> None:
    """Until the ledger has its identity line and `lines - 1` shards."""
    ledger = out / ".work" / "ledger.jsonl"
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and process.poll() is None:
        if ledger.exists() and ledger.read_bytes().count(b"\n") >= lines:
            return
        time.sleep(0.02)


@pytest.fixture(scope="module")
def plain(make_pipeline_in, tmp_path_factory) -> str:
    """The folder of a run that nobody ended."""
    return run_pipeline(make_pipeline_in(tmp_path_factory.mktemp("plain"), **SMALL_SHARDS)).out


@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_run_resumes_to_the_same_bytes(plain, make_pipeline, hashes, tmp_path, workers):
    pipeline = make_pipeline("killed", dask={"workers": workers}, **SMALL_SHARDS)
    out = Path(pipeline.output.path)
    for kill in range(2):
        process = start(pipeline, tmp_path)
        wait_for_commits(out, 2 + kill, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not (out / "manifest.json").exists()
    process = start(pipeline, tmp_path)
    assert process.wait(timeout=300) == 0, process.stderr.read()
    assert hashes(out) == hashes(plain)
    assert all(check.ok for check in validate_dataset(out))


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_drains_commits_and_says_how_to_go_on(make_pipeline, tmp_path, workers):
    pipeline = make_pipeline("stopped", dask={"workers": workers}, input={"limit": 24}, **SMALL_SHARDS)
    out = Path(pipeline.output.path)
    process = start(pipeline, tmp_path)
    wait_for_commits(out, 2, process)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert "Run the same command again" in errors and "Traceback" not in errors
    assert list((out / "data").glob("*.arrow")) and not (out / "manifest.json").exists()
