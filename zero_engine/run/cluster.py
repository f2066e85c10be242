"""Where shards run: in this process, on a local Dask cluster, or on an existing scheduler.

All three offer the same small surface (`Executor`): submit a task, wait until something is done.
What was measured about Dask and decides the settings here: one thread a worker, so that a dying
process takes no innocent neighbours along; no actors (their calls hang when the worker dies); no
waiting for ever (`no-workers-timeout`, `worker-ttl`); Dask's own retries off, because the driver
keeps the account of attempts.

Workers ignore Ctrl-C: the terminal sends it to every process of the group, and a drain needs them.
"""

import contextlib
import glob
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from zero_engine.errors import InputError
from zero_engine.pipeline import Dask

POLL_S = 0.25
"""Longest wait inside one call of `wait`, so that signals and progress are served in time."""

COUNT_EVERY_S = 5.0


class Died(Exception):
    """The worker process died under a task, or the task outran its limit."""


class Job(Protocol):
    """A submitted task."""

    def result(self) -> Any:
        """What the task returned; raises what it raised, or Died."""


class Executor(Protocol):
    workers: int
    dashboard: str | None
    is_remote: bool
    """Whether tasks leave this process."""

    def submit(self, function: Callable, argument: object) -> Job: ...

    def wait(self, jobs: set) -> set:
        """Those of `jobs` that are done, after at most POLL_S unless one is computed right here."""

    def abandon(self, job: Job) -> None:
        """Give up on a job that takes too long: its worker is restarted."""


@contextlib.contextmanager
def open_executor(dask: Dask, device: str = "auto") -> Iterator[Executor]:
    """The executor that a pipeline's `dask` section asks for; closed at the end of the block.

    Raises InputError where an existing scheduler cannot be reached or no worker comes in time.
    """
    if dask.scheduler is None and dask.workers == 0:
        yield InProcess()
        return
    from distributed import Client, LocalCluster

    gpus = 0 if device == "cpu" else len(glob.glob("/dev/nvidia[0-9]*"))
    with contextlib.ExitStack() as stack:
        stack.enter_context(_settings(dask))
        if dask.scheduler is not None:
            client = stack.enter_context(_connect(dask))
        else:
            workers = (gpus or os.cpu_count() or 1) if dask.workers == "auto" else dask.workers
            with _interrupts_ignored():
                cluster = stack.enter_context(
                    LocalCluster(
                        n_workers=workers,
                        threads_per_worker=1,
                        processes=True,
                        memory_limit=dask.memory_limit,
                        resources={"GPU": 1} if gpus else None,
                        dashboard_address=":0",
                        silence_logs=logging.CRITICAL,
                    )
                )
            client = stack.enter_context(Client(cluster, timeout=dask.workers_timeout_s))
        yield OnDask(client, dask)


class InProcess:
    """`--workers 0`: tasks run here, one at a time, with the one thread that a worker would have."""

    workers = 1
    dashboard = None
    is_remote = False

    def submit(self, function: Callable, argument: object) -> "_Lazy":
        return _Lazy(function, argument)

    def wait(self, jobs: set) -> set:
        job = min(jobs, key=lambda job: job.order)
        job.compute()
        return {job}

    def abandon(self, job: Job) -> None:
        """A task in this process cannot be stopped; it is never waited for either."""


class _Lazy:
    """A task that runs when it is waited for."""

    _count = 0

    def __init__(self, function: Callable, argument: object) -> None:
        self.function, self.argument = function, argument
        self.value: Any = None
        self.error: Exception | None = None
        _Lazy._count += 1
        self.order = _Lazy._count

    def compute(self) -> None:
        try:
            self.value = self.function(self.argument)
        except Exception as error:  # handed to whoever asks for the result
            self.error = error

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


class OnDask:
    """Tasks on a Dask scheduler, local or not."""

    is_remote = True

    def __init__(self, client: Any, dask: Dask) -> None:
        self._client = client
        self._resources = self._gpu_resources(dask.workers_timeout_s)
        self._counted, self._counted_at = 0, float("-inf")

    @property
    def workers(self) -> int:
        """Workers now; asked at most every COUNT_EVERY_S, because each time is a round trip."""
        if time.monotonic() - self._counted_at > COUNT_EVERY_S:
            self._counted = len(self._client.scheduler_info(n_workers=-1)["workers"])
            self._counted_at = time.monotonic()
        return max(1, self._counted)

    @property
    def dashboard(self) -> str | None:
        return self._client.dashboard_link

    def submit(self, function: Callable, argument: object) -> "_Remote":
        future = self._client.submit(function, argument, pure=False, retries=0, resources=self._resources)
        return _Remote(future)

    def wait(self, jobs: set) -> set:
        from distributed import wait

        futures = {job.future: job for job in jobs}
        with contextlib.suppress(TimeoutError):
            wait(list(futures), timeout=POLL_S, return_when="FIRST_COMPLETED")
        return {job for future, job in futures.items() if future.done()}

    def abandon(self, job: "_Remote") -> None:
        holders = [w for w, keys in self._client.processing().items() if job.future.key in keys]
        job.future.cancel()
        if holders:
            self._client.restart_workers(holders, raise_for_error=False)

    def _gpu_resources(self, timeout_s: float) -> dict[str, int] | None:
        """Wait for the first worker; ask for a GPU where the workers announce them."""
        try:
            self._client.wait_for_workers(1, timeout=timeout_s)
        except TimeoutError:
            raise InputError(
                f"dask: no worker came within {timeout_s:g} s (dask.workers_timeout_s). "
                "Start workers, or raise the limit."
            ) from None
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        return {"GPU": 1} if any("GPU" in worker.get("resources", {}) for worker in workers) else None


class _Remote:
    """A Dask future, with its ways to fail told apart."""

    def __init__(self, future: Any) -> None:
        self.future = future

    def result(self) -> Any:
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        try:
            value = self.future.result()
        except (KilledWorker, FutureCancelledError) as error:
            raise Died(str(error)) from None
        except RuntimeError as error:
            if "deserializ" not in str(error):
                raise
            reason = " ".join(str(error.__cause__ or error).split())
            raise InputError(
                f"dask: a worker or the scheduler cannot load the task ({reason}). "
                "Install the same zero-engine there as here."
            ) from None
        finally:
            self.future.release()
        return value


@contextlib.contextmanager
def _connect(dask: Dask) -> Iterator[Any]:
    from distributed import Client

    try:
        client = Client(dask.scheduler, timeout=dask.workers_timeout_s)
    except (OSError, ValueError) as error:
        raise InputError(
            f"dask.scheduler {dask.scheduler}: cannot be reached ({error}). Check the address and that it runs."
        ) from None
    with client:
        yield client


@contextlib.contextmanager
def _settings(dask: Dask) -> Iterator[None]:
    import dask as dask_library

    with dask_library.config.set(
        {
            "distributed.scheduler.allowed-failures": 0,
            "distributed.scheduler.no-workers-timeout": f"{dask.workers_timeout_s:g}s",
            "distributed.scheduler.worker-ttl": "5 minutes",
            "distributed.worker.daemon": True,
        }
    ):
        yield


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Children started inside inherit that SIGINT is ignored. Only a main thread may set signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
