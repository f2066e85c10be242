"""Seeded SIGKILLs at whoever takes part in a run, again and again, until the run is done: what a soak is made of.

Three settings: one process and its child, a local cluster of two workers, and a scheduler and workers of Dask's own
commands. Victims: the driver, a worker, its nanny, the scheduler, the child that makes a shard.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.faults.conftest import cluster, hashes

LIMIT_S = 600
COME_S = 300
"""How long the last run waits for workers that were started a moment ago, maybe on a busy machine."""
WEIGHTS = {"driver": 2, "scheduler": 1, "nanny": 2, "worker": 3, "child": 3}
"""How often each is chosen: those that take others along are rarer."""
RUN = [sys.executable, "-c", "from zero_engine.cli import main; main()", "run"]


@dataclass
class Account:
    """What came of a hunt."""

    kills: dict[str, int] = field(default_factory=dict)
    runs: int = 0
    finished: int = 0
    differences: list[str] = field(default_factory=list)


class Hunt:
    """Kills in one setting, on one pipeline file whose output is `out`."""

    def __init__(self, file: Path, out: Path, expected: dict, environment: dict[str, str], seed: int) -> None:
        self.file, self.out, self.expected = file, out, expected
        self.environment = {**os.environ, **environment, "ZERO_ENGINE_SLOW": "0.02"}
        self.random = random.Random(seed)
        self.account = Account()

    def local(self, workers: int, kills: int) -> Account:
        """Kill in a run with `workers` local workers."""
        while self.killed < kills:
            self._drive(["--workers", str(workers)], kills, list)
        return self._to_the_end(["--workers", str(workers)])

    def external(self, kills: int) -> Account:
        """Kill in a run on two workers of an external scheduler, which is started again when it is gone."""
        while True:
            with cluster(2, self.environment) as running:
                flags = ["--scheduler", running.address, "--set", "dask.workers_timeout_s=120"]

                def others(running=running) -> list[tuple[str, psutil.Process]]:
                    for process in [p for p in running.workers if p.poll() is not None]:
                        running.workers.remove(process)  # its nanny was killed
                        with contextlib.suppress(OSError):
                            os.killpg(process.pid, signal.SIGKILL)
                        running.add_worker()
                    found = [("scheduler", psutil.Process(running.scheduler.pid))]
                    for nanny in running.workers:
                        found.append(("nanny", psutil.Process(nanny.pid)))
                        found += family_of(nanny.pid)
                    return found

                while self.killed < kills and running.scheduler.poll() is None:
                    self._drive(flags, kills, others)
                if self.killed >= kills and running.scheduler.poll() is None:
                    others()
                    flags[-1] = f"dask.workers_timeout_s={COME_S}"
                    return self._to_the_end(flags)

    @property
    def killed(self) -> int:
        return sum(self.account.kills.values())

    def _drive(self, flags: list[str], kills: int, others) -> None:
        """Start the run, kill until it has ended or the kills are used up."""
        driver, errors = self._start(flags)
        deadline = time.monotonic() + LIMIT_S
        while driver.poll() is None and time.monotonic() < deadline:
            time.sleep(self.random.uniform(0.05, 0.9))
            if self.killed >= kills:
                continue
            with contextlib.suppress(psutil.NoSuchProcess):
                victims = [("driver", psutil.Process(driver.pid)), *family_of(driver.pid), *others()]
                kinds = sorted({kind for kind, _ in victims})
                kind = self.random.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
                if kind == "driver" and len(kinds) < 3 and self.random.random() < 0.7:
                    continue  # nobody else has started yet
                victim = self.random.choice([p for k, p in victims if k == kind])
                victim.kill()
                if (
                    kind == "scheduler"
                ):  # dying takes a while on a busy machine, and `external` asks whether it lives
                    os.waitid(os.P_PID, victim.pid, os.WEXITED | os.WNOWAIT)
                self.account.kills[kind] = self.account.kills.get(kind, 0) + 1
        self._ended(driver, errors)

    def _to_the_end(self, flags: list[str]) -> Account:
        ends = []
        for _ in range(3):  # what was killed last may have ended a run
            driver, errors = self._start(flags)
            with contextlib.suppress(subprocess.TimeoutExpired):
                driver.wait(LIMIT_S)
            code = self._ended(driver, errors)
            if code == 0:
                return self.account
            ends.append(f"exit {code}: {errors.read_text()[-500:]}")
        self.account.differences.append(f"the run does not end: {ends}")
        return self.account

    def _start(self, flags: list[str]) -> tuple[subprocess.Popen, Path]:
        errors = self.file.with_suffix(".err")
        command = [*RUN, str(self.file), "--no-report", *flags]
        with open(errors, "w") as file:
            driver = subprocess.Popen(
                command, env=self.environment, stdout=subprocess.DEVNULL, stderr=file, start_new_session=True
            )
        self.account.runs += 1
        return driver, errors

    def _ended(self, driver: subprocess.Popen, errors: Path) -> int | None:
        code, said = driver.poll(), errors.read_text()
        if code is None:
            driver.kill()
            driver.wait()
            self.account.differences.append(f"hung: {said[-2000:]}")
        elif code not in (0, 2, -signal.SIGKILL) or ("Traceback" in said and code != -signal.SIGKILL):
            self.account.differences.append(f"exit {code}: {said[-2000:]}")
        elif code == 0:
            self.account.finished += 1
            if hashes(self.out) != self.expected:
                self.account.differences.append("other bytes")
            shutil.rmtree(self.out)
        return code


def family_of(pid: int) -> list[tuple[str, psutil.Process]]:
    """Workers and children below a process."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            command = " ".join(process.cmdline())
            if "zero_engine.run.child" in command:
                found.append(("child", process))
            elif "spawn_main" in command:
                found.append(("worker", process))
    return found
