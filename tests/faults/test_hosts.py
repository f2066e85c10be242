"""Three hosts, as network namespaces: one is cut off in the middle, one joins late, and the bytes are those of one."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import hashes, start
from tests.faults.test_cluster_faults import Said
from zero_engine.run import run_pipeline

pytestmark = pytest.mark.slow

SUBNET = f"10.{os.getpid() % 200 + 20}.{os.getpid() // 200 % 250}"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def can_make_hosts() -> bool:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    probe = f"ze{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True).returncode == 0
    subprocess.run(["ip", "netns", "del", probe], capture_output=True)
    return made


@contextlib.contextmanager
def hosts(count: int) -> Iterator[list[str]]:
    """Names of namespaces with the addresses SUBNET.2, .3, ... on one bridge; this process is SUBNET.1."""
    tag = f"ze{os.getpid() % 100000}"
    names = [f"{tag}h{number}" for number in range(count)]
    try:
        ip("link", "add", tag, "type", "bridge")
        ip("addr", "add", f"{SUBNET}.1/24", "dev", tag)
        ip("link", "set", tag, "up")
        for number, name in enumerate(names):
            ip("netns", "add", name)
            ip("link", "add", f"{name}v", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"{name}v", "master", tag, "up")
            ip("-n", name, "addr", "add", f"{SUBNET}.{number + 2}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "link", "del", tag], capture_output=True)


@pytest.mark.soak
def test_a_host_that_is_cut_off_and_one_that_joins_late_change_no_byte(poisonable, make_run):
    if not can_make_hosts():
        pytest.skip("network namespaces need root and iproute2")
    sections = {"records": 40, "output": {"rows_per_shard": 1}}
    plain = hashes(run_pipeline(make_run("plain", **sections)).out)
    environment = {**poisonable, "ZERO_ENGINE_SLOW": "0.1", "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "6s"}
    with hosts(3) as (first, second, third), contextlib.ExitStack() as stack:
        address = f"tcp://{SUBNET}.2:8786"
        dask = [sys.executable, "-m", "dask"]

        def on(host: str, *words: str) -> None:
            process = start(["ip", "netns", "exec", host, *dask, *words], environment)
            stack.callback(process.wait)
            stack.callback(process.kill)

        on(first, "scheduler", "--host", f"{SUBNET}.2", "--port", "8786", "--no-dashboard")
        worker = ("worker", address, "--nthreads", "1", "--no-dashboard", "--death-timeout", "60")
        on(second, *worker, "--host", f"{SUBNET}.3")

        def cut_one_and_add_one() -> None:
            ip("link", "set", f"{second}v", "down")
            on(third, *worker, "--host", f"{SUBNET}.4")

        pipeline = make_run("plain", **sections, dask={"scheduler": address, "workers_timeout_s": 60})
        out = str(Path(pipeline.output.path).with_name("hosts"))
        pipeline = pipeline.model_copy(update={"output": pipeline.output.model_copy(update={"path": out})})
        run_pipeline(pipeline, progress=Said(5, cut_one_and_add_one))
    assert hashes(out) == plain
