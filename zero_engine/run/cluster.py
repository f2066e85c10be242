"""Where shards run: in this process, on a local Dask cluster, or on an existing scheduler.

All three offer the same small surface (`Executor`): submit a task, wait until something is done.
There are no actors: their calls hang when the worker dies. A worker that Dask gives up is replaced here. Settings made
here do not reach an existing scheduler, so the driver keeps clocks of its own: no worker, or no scheduler, for
`dask.workers_timeout_s` is one line and the end. `tls://` takes distributed's own settings (`distributed.comm.tls`).

Ctrl-C and SIGTERM do not reach workers, although they are sent to every process of the group: a drain needs them. A
cluster is started, and a scheduler called, in a thread in which both are blocked, and processes inherit that (`obey`
says who may still end a worker); the main thread stays free to hear them and to say what is waited for. Who presses
twice waits for no process to end in order.
"""

import contextlib
import glob
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from typing import Any, Protocol, TypeVar

from zero_engine.errors import InputError, Interrupted, message_of
from zero_engine.pipeline import Dask
from zero_engine.progress import Progress, Silent
from zero_engine.run.local_cluster import local_cluster, settings, too_late

T = TypeVar("T")

POLL_S = 0.25
"""Longest wait inside one call of `wait`, so that signals and progress are served in time."""


class Died(Exception):
    """The worker process died under a task, or the task outran its limit."""


class Job(Protocol):
    """A submitted task."""

    def result(self) -> Any:
        """What the task returned; raises what it raised, or Died."""


class Executor(Protocol):
    @property
    def workers(self) -> int:
        """How many shards can be made at once."""

    @property
    def dashboard(self) -> str | None: ...

    @property
    def is_remote(self) -> bool:
        """Whether tasks leave this process."""

    def submit(self, function: Callable, argument: object) -> Job: ...

    def wait(self, jobs: set) -> set:
        """Those of `jobs` that are done, after at most POLL_S unless one is computed right here."""

    def abandon(self, job: Any) -> None:
        """Give up on a job that takes too long: its worker is restarted."""

    def check(self) -> None:
        """Look after the workers. Raises InputError where nobody is left to work."""

    def listen(self, topic: str, hear: Callable[[dict], None]) -> None:
        """`hear` what tasks tell under this topic while they run."""


Probe = Callable[[object], str | None]
"""What is wrong with a worker, from what `look_around` said there; None where it fits."""


@contextlib.contextmanager
def open_executor(
    dask: Dask,
    device: str = "auto",
    look: Callable[[], object] | None = None,
    judge: Probe = lambda said: None,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Executor]:
    """The executor that a pipeline's `dask` section asks for; closed at the end of the block.

    Every worker of an existing scheduler is asked to `look`, and judged by what it says: one that does not fit at the
    start is an InputError, a later one is retired, and `progress` tells of it.

    Raises InputError where an existing scheduler cannot be reached or no worker comes in time, and Interrupted where
    `stop` is set before there is anybody to work.
    """
    if dask.scheduler is None and dask.workers == 0:
        yield InProcess()
        return
    from distributed import Client

    from zero_engine.run.on_dask import OnDask

    gpus = 0 if device == "cpu" else len(glob.glob("/dev/nvidia[0-9]*"))
    progress, cluster, workers = progress or Silent(), None, 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(settings())
        if dask.scheduler is not None:
            progress.stage(f"connecting to {dask.scheduler} (for at most {dask.workers_timeout_s:g} s)")
            client = _attended(lambda: _connect(dask), stop)
        else:
            workers = (gpus or os.cpu_count() or 1) if dask.workers == "auto" else dask.workers
            progress.stage(f"starting {workers} worker" + "s" * (workers != 1))
            cluster = _attended(
                lambda: local_cluster(dask, workers, bool(gpus)), stop, too_late(dask, workers)
            )
            stack.callback(_close, cluster)
            client = _attended(lambda: Client(cluster, timeout=dask.workers_timeout_s), stop)
        stack.callback(_close, client)
        if dask.scheduler is not None:
            progress.stage(
                f"waiting for workers at {dask.scheduler} (for at most {dask.workers_timeout_s:g} s)"
            )

        def executor() -> OnDask:
            if cluster is None:
                return OnDask(client, dask, look, judge, progress.say, device)
            return OnDask(client, dask)

        made = _attended(executor, stop)
        made.cluster, made.wanted = cluster, workers
        try:
            yield made
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) or getattr(error, "at_once", False):
                _abandon(stack.pop_all(), cluster)
            raise


class InProcess:
    """`--workers 0`: tasks run one at a time. A shard does so in a child process (`contain`), as on a worker."""

    workers = 1
    dashboard = None
    is_remote = False

    def submit(self, function: Callable, argument: object) -> "_Lazy":
        return _Lazy(function, argument)

    def wait(self, jobs: set) -> set:
        job = min(jobs, key=lambda job: job.order)
        job.compute()
        return {job}

    def abandon(self, job: Any) -> None:
        """A task in this process ends by the limits of its own child."""

    def check(self) -> None:
        """There is always this process."""

    def listen(self, topic: str, hear: Callable[[dict], None]) -> None:
        """A task in this process is heard without a scheduler (`flights.listening`)."""


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


def _connect(dask: Dask) -> Any:
    from distributed import Client

    try:
        return Client(dask.scheduler, timeout=dask.workers_timeout_s)
    except (OSError, ValueError, TypeError, TimeoutError, RuntimeError) as error:
        raise InputError(
            f"dask.scheduler {dask.scheduler}: cannot be reached ({message_of(error)}). "
            "Check the address, that it runs, and for tls:// the settings distributed.comm.tls."
        ) from None


def _attended(
    make: Callable[[], T], stop: threading.Event | None, late: tuple[float, InputError] | None = None
) -> T:
    """What `make` returns, made in a thread that Ctrl-C does not reach; neither do processes that it starts.

    Raises what `make` raises, Interrupted as soon as `stop` is set, and the error of `late` after its seconds: what is
    made after that is closed.
    """
    until = time.monotonic() + late[0] if late else float("inf")
    made: list[T] = []
    failed: list[BaseException] = []
    given_up = threading.Event()

    def work() -> None:
        _start_tracker()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            made.append(make())
        except BaseException as error:  # raised again by who waits
            failed.append(error)
        if given_up.is_set() and made and hasattr(made[0], "close"):
            _close(made[0])

    thread = threading.Thread(target=work, daemon=True, name="zero-engine-start")
    thread.start()
    while thread.is_alive():
        thread.join(0.05)
        if stop is not None and stop.is_set():
            given_up.set()
            raise Interrupted(
                "stopped before any shard began. Run the same command again to go on.", at_once=True
            )
        if late and time.monotonic() > until:
            given_up.set()
            raise late[1]
    if failed:
        raise failed[0]
    return made[0]


def _start_tracker() -> None:
    """Start the process that clears up after Python's own processes, now: its start unblocks SIGINT where it happens.

    It is not to warn of what it clears up when a run ends at once.
    """
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore:resource_tracker"
    try:
        resource_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


def _close(owner: Any) -> None:
    """Close a client or a cluster; one that is gone is closed."""
    with contextlib.suppress(OSError, TimeoutError, RuntimeError):
        owner.close(timeout=10)


def _abandon(owners: contextlib.ExitStack, cluster: Any) -> None:
    """End local workers without waiting for them: what they are doing is lost. The rest closes in the background."""
    for nanny in getattr(cluster, "workers", {}).values():
        process = getattr(nanny, "process", None)
        if process is not None and process.pid:
            with contextlib.suppress(OSError):
                os.kill(process.pid, signal.SIGKILL)
    threading.Thread(target=owners.close, daemon=True, name="zero-engine-close").start()
