"""A process of its own for what a record may do: die, hang, eat memory.

Every worker, and a run with `--workers 0`, hands its shards to one child process (`child`), which keeps the model. So
a record never ends the process that Dask, or the user, looks after: the child is ended or found dead, and another
takes its place. The clock of a task runs while it runs, not while it waits for its turn or for a core that other work
has, and stands still while a model is loaded.
Memory is what the child holds; it is looked at every POLL_S and before the worker's own limit.

A child costs one start of Python for each worker (its libraries are imported there instead of here), and is kept for
the next run in this process.
"""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Pipe
from typing import Any

from zero_engine.run.marks import LOADING, START

POLL_S = 0.05
LOADING_LIMIT_S = 1800.0
"""Longest start of a process or of a model, where the task's own limit is shorter."""
LEAST_PACE = 0.1
"""Of the time that passes, what counts in any case, however busy the machine is."""
MEMORY_SHARE = 0.95
"""Of a worker's memory that its child may hold."""


class Ended(Exception):
    """A task that came to no result: the child died, was ended, or raised."""

    def __init__(
        self,
        reason: str,
        detail: str,
        exception: str,
        stage: str,
        position: int | str | None,
        trace: str = "",
    ):
        super().__init__(detail)
        self.reason, self.detail, self.exception = reason, detail, exception
        self.stage, self.position = stage, position
        self.trace = trace
        """The child's traceback, where it raised."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a task may take. With `each`, the time is that of one record, not of the whole task."""

    seconds: float
    memory_bytes: int | None = None
    each: bool = False


@dataclass(slots=True)
class _Clock:
    """The time that a task has had."""

    passed_s: float = 0.0
    waited_s: float = 0.0
    """Of it, without a core. The system adds a wait when it is over, so only the sums can be compared."""

    @property
    def spent_s(self) -> float:
        return max(LEAST_PACE * self.passed_s, self.passed_s - self.waited_s)


class Chamber:
    """One child process, started when it is needed, and again when it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._made_for: object = None

    def run(
        self,
        function: Callable[[Any], Any],
        argument: object,
        limits: Limits,
        folder: str = ".",
        on_mark: Callable[[str, int | None], None] = lambda stage, position: None,
        on_count: Callable[[dict], None] = lambda counts: None,
    ) -> Any:
        """What `function(argument)` returns in the child, whose working folder is `folder` where there is such a one.

        Raises Ended, or the ZeroEngineError that the function raised.
        """
        self._start()
        stage, position = START, None
        clock, loading_s, at = _Clock(), max(LOADING_LIMIT_S, limits.seconds), time.monotonic()
        waited_s = self._waited_s()
        kills = _kernel_kills()
        with contextlib.suppress(OSError):  # dead already: the next receive says so
            self._tasks.send((function, argument, folder))
        while True:
            try:
                message = self._tasks.recv() if self._tasks.poll(POLL_S) else None
            except (EOFError, OSError):
                raise self._dead(stage, position, kills) from None
            now, waited_s_now = time.monotonic(), self._waited_s()
            if stage in (START, LOADING):
                loading_s -= now - at
            else:
                clock.passed_s += now - at
                clock.waited_s += waited_s_now - waited_s
            at, waited_s = now, waited_s_now
            if message and message[0] == "mark":
                stage, position = message[1:]
                if limits.each and position is not None:
                    clock = _Clock()
                on_mark(stage, position)
            elif message and message[0] == "count":
                on_count(message[1])
            elif message:
                return self._result(message, stage, position)
            elif limits.memory_bytes and self._memory() > MEMORY_SHARE * limits.memory_bytes:
                self.close()
                what = f"held over {MEMORY_SHARE * limits.memory_bytes / 1e9:.2f} GB"
                raise Ended("out_of_memory", what, "MemoryError", stage, position)
            elif clock.spent_s >= limits.seconds or loading_s <= 0:
                self.close()
                what = f"took over {limits.seconds:g} s" if loading_s > 0 else "did not start in time"
                raise Ended("timed_out", what, "TimeoutError", stage, position)

    def close(self) -> None:
        """End the child."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()
            process.wait()
            self._tasks.close()
            os.close(self._lifeline)

    def _start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        made_for = (tuple(sys.path), tuple(sorted(environment.items())))
        if self._process is not None and (self._process.poll() is not None or made_for != self._made_for):
            self.close()
        if self._process is not None:
            return
        self._made_for = made_for
        self._tasks, theirs = Pipe()
        lifeline, self._lifeline = os.pipe()
        paths = [os.path.abspath(path) for path in sys.path]
        command = [sys.executable, "-P", "-m", "zero_engine.run.child", str(theirs.fileno()), str(lifeline)]
        started = threading.Event()

        def keep() -> None:
            """The kernel ends a child with the *thread* that started it, so this one waits as long as the child is."""
            try:
                self._process = process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(), lifeline),
                    process_group=0,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                )
            finally:
                started.set()
            process.wait()

        threading.Thread(target=keep, daemon=True, name="zero-engine-child").start()
        started.wait()
        theirs.close()
        os.close(lifeline)
        if self._process is None:
            raise OSError("no process can be started")

    def _result(self, message: tuple, stage: str, position: int | None) -> Any:
        if message[0] == "done":
            return message[1]
        if message[0] == "error":
            raise message[1](message[2])
        name, text, no_memory, trace = message[1:]
        reason = "out_of_memory" if no_memory else "failed"
        raise Ended(reason, text, name, stage, position, trace)

    def _dead(self, stage: str, position: int | str | None, kills: int) -> Ended:
        process = self._process
        assert process is not None, "only a child that was started can be dead"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)  # the pipe closes a moment before
        self.close()
        code = process.returncode
        if code == -signal.SIGKILL and _kernel_kills() > kills:
            return Ended(
                "out_of_memory", "the kernel ended it for its memory", "MemoryError", stage, position
            )
        name = _signal_name(-code) if code and code < 0 else f"exit code {code}"
        return Ended("worker_died", f"its process ended: {name}", name, stage, position)

    def _waited_s(self) -> float:
        """Seconds that the child has been ready to run and had no core; 0 where the system does not say."""
        try:
            with open(f"/proc/{self._process.pid if self._process else 0}/schedstat") as file:
                return int(file.read().split()[1]) / 1e9
        except (OSError, ValueError, IndexError):
            return 0.0

    def _memory(self) -> int:
        """Bytes that the child holds in memory; 0 where the system does not say."""
        try:
            with open(f"/proc/{self._process.pid if self._process else 0}/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, IndexError):
            return 0


_chamber = Chamber()
_in_use = threading.Lock()


@contextlib.contextmanager
def this_chamber() -> Iterator[Chamber]:
    """The chamber of this process; one of its own for whoever comes while it is in use."""
    if _in_use.acquire(blocking=False):
        try:
            yield _chamber
        except BaseException as error:
            if not isinstance(error, Exception):  # interrupted: the child is in the middle of something
                _chamber.close()
            raise
        finally:
            _in_use.release()
        return
    other = Chamber()
    try:
        yield other
    finally:
        other.close()


def close_chamber() -> None:
    """End the child of this process, if there is one."""
    if _in_use.acquire(blocking=False):
        try:
            _chamber.close()
        finally:
            _in_use.release()


atexit.register(close_chamber)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _kernel_kills() -> int:
    """How many processes this machine's kernel has ended for want of memory."""
    try:
        with open("/proc/vmstat") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
    except (OSError, ValueError):
        return 0
