"""Executors: the same surface in this process and on workers, and what a dying worker costs."""

import os
import re
import subprocess
import sys
import threading
import time

import psutil
import pytest

from zero_engine.errors import InputError
from zero_engine.pipeline import Dask
from zero_engine.run import cluster
from zero_engine.run.cluster import Died, open_executor

pytestmark = pytest.mark.slow


def double_or_die(number: int) -> int:
    if number == 3:
        os._exit(1)
    return 2 * number


def sleep_for_ever(_: int) -> None:
    time.sleep(3600)


def _collect(executor, jobs: dict) -> dict:
    """Results by argument; Died where the worker died."""
    results = {}
    while jobs:
        for job in executor.wait(set(jobs)):
            argument = jobs.pop(job)
            try:
                results[argument] = job.result()
            except Died:
                results[argument] = Died
    return results


def test_workers_that_hang_while_they_start_are_not_waited_for_for_ever(monkeypatch):
    """Seen where a process may open too few files: 100 s and more of silence."""
    end = threading.Event()
    monkeypatch.setattr(cluster, "local_cluster", lambda *_: end.wait(60))
    began = time.monotonic()
    with (
        pytest.raises(
            InputError, match="1 local workers do not start .not within 0.2 s.*--workers 0"
        ) as told,
        open_executor(Dask(workers=1, workers_timeout_s=0.2)),
    ):
        raise AssertionError
    assert time.monotonic() - began < 30 and told.value.at_once
    end.set()


def test_in_process_tasks_run_in_the_order_they_were_submitted():
    with open_executor(Dask(workers=0)) as executor:
        seen = []
        jobs = {executor.submit(seen.append, n) for n in range(3)}
        while jobs:
            jobs -= executor.wait(jobs)
        assert seen == [0, 1, 2]


def test_a_task_that_kills_its_process_fails_alone_and_work_goes_on():
    with open_executor(Dask(workers=2)) as executor:
        results = _collect(executor, {executor.submit(double_or_die, n): n for n in (1, 3)})
        assert results == {1: 2, 3: Died}
        assert _collect(executor, {executor.submit(double_or_die, n): n for n in (4, 5)}) == {4: 8, 5: 10}


def test_an_overdue_task_is_abandoned_and_its_worker_comes_back():
    with open_executor(Dask(workers=1)) as executor:
        job = executor.submit(sleep_for_ever, 0)
        time.sleep(1)
        executor.abandon(job)
        assert _collect(executor, {executor.submit(double_or_die, 4): 4}) == {4: 8}


def test_a_scheduler_that_is_not_there_is_named():
    with (
        pytest.raises(InputError, match="tcp://127.0.0.1:9 *: cannot be reached"),
        open_executor(Dask(scheduler="tcp://127.0.0.1:9", workers_timeout_s=1)),
    ):
        pass


def test_a_local_cluster_and_its_dashboard_listen_on_loopback_alone():
    with open_executor(Dask(workers=1)) as executor:
        assert executor.cluster.scheduler_address.startswith("tcp://127.0.0.1:")
        ports = {int(re.search(r":(\d+)", url.partition("//")[2])[1]) for url in (executor.dashboard,)}
        ports |= {int(address.rpartition(":")[2]) for address in _addresses(executor)}
        listening = [
            c for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr.port in ports
        ]
    assert len({c.laddr.port for c in listening}) == len(ports) >= 2
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


def _addresses(executor) -> list[str]:
    return [executor.cluster.scheduler_address, *executor.cluster.scheduler_info["workers"]]


def test_a_script_that_each_worker_runs_again_is_told_so(monkeypatch):
    def fails(**settings):
        raise RuntimeError("Nanny failed to start.")

    monkeypatch.setattr("distributed.LocalCluster", fails)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "my.py", raising=False)
    with (
        pytest.raises(InputError, match=r'In my.py, call the run below `if __name__ == "__main__":`'),
        open_executor(Dask(workers=1)),
    ):
        pass


def test_a_worker_that_imports_a_script_runs_nothing_and_says_nothing():
    code = (
        "import multiprocessing\nfrom zero_engine import run_pipeline\n"
        "multiprocessing.current_process()._inheriting = True\nrun_pipeline('nowhere.yaml')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")
