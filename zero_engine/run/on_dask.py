"""Tasks on a Dask scheduler: who works, whether they fit, and what is left when they go.

The driver asks the scheduler for its workers every COUNT_EVERY_S. New ones are looked at (`sameness`) before their
results count; lost ones of a local cluster are replaced. A lost worker says nothing of the task that it held: a task
that ends its process ends a child of the worker (`contain`), so `Died` is an accident, and the task is placed again.
"""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

from zero_engine.errors import InputError, message_of
from zero_engine.pipeline import Dask
from zero_engine.run.cluster import POLL_S, Died, Probe

COUNT_EVERY_S = 5.0
LOST = (OSError, TimeoutError, RuntimeError, CancelledError)
"""What Dask raises where the scheduler or a worker is gone."""
GPU_TOO_LATE = (
    "has a GPU, and this run draws without one: a GPU draws other pictures. Set render.device: cpu to use its "
    "processor, or stop, and run again with GPU workers from the start"
)


class OnDask:
    """Tasks on a Dask scheduler, local or not."""

    is_remote = True
    cluster: Any = None
    wanted = 0

    def __init__(
        self,
        client: Any,
        dask: Dask,
        look: Callable[[], object] | None = None,
        judge: Probe = lambda said: None,
        say: Callable[[str], None] = lambda message: None,
        device: str = "auto",
    ) -> None:
        self._client, self._dask, self._device = client, dask, device
        self._look, self._judge, self._say = look, judge, say
        self._known: set[str] = set()
        self._retired: set[str] = set()
        self._seen_at, self._counted, self._counted_at = time.monotonic(), 0, float("-inf")
        self._resources = self._first_workers(dask.workers_timeout_s)

    @property
    def workers(self) -> int:
        """Workers now; asked at most every COUNT_EVERY_S, because each time is a round trip."""
        self.check()
        return max(1, self._counted)

    @property
    def dashboard(self) -> str | None:
        return self._client.dashboard_link

    def submit(self, function: Callable, argument: object) -> "_Remote":
        try:
            return _Remote(
                self._client.submit(function, argument, pure=False, retries=0, resources=self._resources)
            )
        except (OSError, RuntimeError) as error:  # the client has closed
            raise self._gone(error) from None

    def wait(self, jobs: set) -> set:
        from distributed import wait

        futures = {job.future: job for job in jobs}
        with contextlib.suppress(TimeoutError, CancelledError):
            wait(list(futures), timeout=POLL_S, return_when="FIRST_COMPLETED")
        done = {job for future, job in futures.items() if future.done()}
        if not done:
            self.check()
        return done

    def listen(self, topic: str, hear: Callable[[dict], None]) -> None:
        """Events are for the screen alone: a scheduler that cannot pass them on costs nothing else."""
        with contextlib.suppress(OSError, TimeoutError, RuntimeError):
            self._client.subscribe_topic(topic, lambda event: hear(event[1]))

    def abandon(self, job: "_Remote") -> None:
        try:
            holders = [w for w, keys in self._client.processing().items() if job.future.key in keys]
            job.future.cancel()
            if holders:
                self._client.restart_workers(holders, timeout=30, raise_for_error=False)
        except (
            OSError,
            TimeoutError,
            ValueError,
            RuntimeError,
        ) as error:  # a worker without a nanny, or gone
            self._say(f"a worker cannot be restarted ({message_of(error)}); it is left alone")

    def check(self) -> None:
        """Count the workers, look at new ones, replace lost ones. Raises InputError where none is left for too long."""
        now = time.monotonic()
        if now - self._counted_at < COUNT_EVERY_S:
            return
        try:
            workers = self._client.scheduler_info(n_workers=-1).get("workers")
        except LOST as error:
            self._client_lost(error)
            return
        if workers is None or self._client.status != "running":
            self._client_lost(OSError("the connection is lost"))
            return
        self._counted_at = time.monotonic()
        try:
            self._look_at_new({a: w for a, w in workers.items() if a not in self._known | self._retired})
        except LOST as error:
            self._client_lost(error)
            return
        able = {address for address, worker in workers.items() if not self._resources or _has_gpu(worker)}
        self._counted = len(able - self._retired)
        if self._counted:
            self._seen_at = self._counted_at
        if self.cluster is not None and self._counted < self.wanted:
            with contextlib.suppress(OSError, TimeoutError, RuntimeError):
                self.cluster.scale(self.wanted)
        if self._counted_at - self._seen_at > self._dask.workers_timeout_s:
            kind = "worker with a GPU" if self._resources else "worker"
            raise InputError(
                f"dask: no {kind} is left since {self._dask.workers_timeout_s:g} s (dask.workers_timeout_s). "
                "What is done is committed. Start workers, then run the same command again."
            )

    def _client_lost(self, error: Exception) -> None:
        """The scheduler does not answer: wait for it as long as for workers."""
        if self._client.status == "closed" or time.monotonic() - self._seen_at > self._dask.workers_timeout_s:
            raise self._gone(error) from None
        time.sleep(POLL_S)

    def _gone(self, error: Exception) -> InputError:
        where = self._dask.scheduler or "the local scheduler"
        return InputError(
            f"dask: {where} is gone ({message_of(error)}). What is done is committed. "
            "Start it and its workers, then run the same command again."
        )

    def _first_workers(self, timeout_s: float) -> dict[str, int] | None:
        """Wait for the first worker and look at those there are; ask for a GPU where the workers announce them."""
        try:
            # an adaptive cluster starts workers for tasks alone
            asked = self._client.submit(len, (), pure=False)
            self._client.wait_for_workers(1, timeout=timeout_s)
            asked.release()
        except TimeoutError:
            raise InputError(
                f"dask: no worker came within {timeout_s:g} s (dask.workers_timeout_s). "
                "Start workers, or raise the limit."
            ) from None
        except LOST as error:
            raise self._gone(error) from None
        try:
            workers = self._client.scheduler_info(n_workers=-1)["workers"]
            misfits = self._misfits(set(workers))
        except (*LOST, KeyError) as error:
            raise self._gone(error) from None
        for address, problem in misfits.items():
            raise InputError(f"dask: the worker {address} {problem}.")
        return {"GPU": 1} if self._device != "cpu" and any(map(_has_gpu, workers.values())) else None

    def _look_at_new(self, workers: dict[str, dict]) -> None:
        problems = self._misfits(set(workers))
        if self._device != "cpu" and self._resources is None:
            problems |= {address: GPU_TOO_LATE for address, worker in workers.items() if _has_gpu(worker)}
        for address, problem in problems.items():
            self._retired.add(address)
            self._say(f"the worker {address} {problem}; it is sent away")
            with contextlib.suppress(OSError, TimeoutError, RuntimeError):
                self._client.retire_workers([address], close_workers=True)

    def _misfits(self, addresses: set[str]) -> dict[str, str]:
        """Workers that do not fit, and why; those that fit are known from now on."""
        if not addresses:
            return {}
        said: dict[str, object] = dict.fromkeys(addresses)
        if self._look is not None:
            said.update(self._client.run(self._look, workers=sorted(addresses), on_error="return"))
            said = {
                address: word for address, word in said.items() if not isinstance(word, OSError)
            }  # gone since
            addresses = set(said)
        found = {address: self._judge(word) for address, word in said.items()} if self._look else {}
        self._known |= {address for address in addresses if found.get(address) is None}
        return {address: problem for address, problem in found.items() if problem is not None}


def _has_gpu(worker: dict) -> bool:
    return "GPU" in worker.get("resources", {})


class _Remote:
    """A Dask future, with its ways to fail told apart."""

    def __init__(self, future: Any) -> None:
        self.future = future

    def result(self) -> Any:
        from distributed import KilledWorker

        try:
            value = self.future.result()
        except (KilledWorker, OSError, CancelledError) as error:
            raise Died(message_of(error)) from None
        except RuntimeError as error:
            if "deserializ" not in str(error):
                raise
            raise InputError(
                f"dask: a worker or the scheduler cannot load the task ({message_of(error.__cause__ or error)}). "
                "Install the same zero-engine there as here."
            ) from None
        finally:
            with contextlib.suppress(OSError, RuntimeError):
                self.future.release()
        return value
