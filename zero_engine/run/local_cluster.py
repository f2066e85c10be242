"""A Dask cluster on this machine: a process a core, or one a GPU.

It listens on 127.0.0.1 alone, and so does its dashboard. One thread a worker, so that a dying process takes no innocent
neighbours along; no waiting for ever (`no-workers-timeout`, `worker-ttl`); Dask's own retries off, because the driver
keeps the account of attempts. A worker that Dask gives up (`lost-worker-timeout`, 15 s: too short on a busy machine) is
replaced by `cluster`.

What Dask watches in its processes, it watches seldom here: at its own pace, up to a hundred times a second, a scheduler
and two workers that wait for their children took 6 % of two cores from the drawing.
"""

import contextlib
import logging
import multiprocessing
import sys
from collections.abc import Iterator
from typing import Any

from zero_engine.errors import InputError, message_of
from zero_engine.pipeline import Dask

STARTS = 3
"""Tries to start a local cluster."""

_SELDOM = {
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.worker.profile.enabled": False,
}


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """Dask's settings while a run goes on; they do not reach a scheduler that runs already."""
    import dask

    with dask.config.set(
        {
            "distributed.scheduler.allowed-failures": 0,
            "distributed.scheduler.no-workers-timeout": None,  # the driver's own clock names what to do
            "distributed.scheduler.worker-ttl": "5 minutes",
            "distributed.deploy.lost-worker-timeout": "1 hour",
            "distributed.worker.daemon": True,
            **_SELDOM,
        }
    ):
        yield


def local_cluster(dask: Dask, workers: int, has_gpus: bool) -> Any:
    """A cluster on this machine; a worker that dies while it starts costs another try."""
    from distributed import LocalCluster

    problem: Exception | None = None
    for _ in range(STARTS):
        try:
            return LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=dask.memory_limit,
                resources={"GPU": 1} if has_gpus else None,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
                preload=["zero_engine.run.obey"],
            )
        except (OSError, RuntimeError, TimeoutError) as error:
            problem = error
    raise _no_start(workers, message_of(problem or RuntimeError())) from None


def too_late(dask: Dask, workers: int) -> tuple[float, InputError]:
    """How long local workers may take to start, and what is said then."""
    error = _no_start(workers, f"not within {dask.workers_timeout_s:g} s, dask.workers_timeout_s")
    error.at_once = True  # processes that hang are not waited for
    return dask.workers_timeout_s, error


def _no_start(workers: int, why: str) -> InputError:
    fewer = "--workers 0" if workers == 1 else "--workers 1, or 0"
    return InputError(
        f"dask: {workers} local workers do not start ({why}). Ask for fewer: {fewer}.{_guard_missing()}"
    )


def leave_a_worker() -> None:
    """Ends a worker that is importing a script without a guard: the script itself is told so, once."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(1)


def _guard_missing() -> str:
    """What a script of the user's may lack: each worker imports it, and so calls the run once more."""
    script = getattr(sys.modules.get("__main__"), "__file__", None) or ""
    if not script.endswith(".py") or script.endswith("__main__.py"):
        return ""
    return f' In {script}, call the run below `if __name__ == "__main__":`, because each worker imports that file.'
