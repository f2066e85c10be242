"""Stages of an experiment: a `zero-engine` command each, in a folder named by what goes into it.

A stage's recipe is its settings and the recipes of the stages before it. Its folder bears a digest of that: what is
done is not done again, what was stopped goes on, and a changed setting redoes the stage and what follows. A stage is
asked for by its last one, so where the answers of a training are known, nothing that leads to them is made.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from zero_engine.hashing import digest_json


@dataclass(frozen=True, eq=False)
class Stage:
    """`make(folder)` makes the stage from the finished ones `after`; it is done when `mark` lies in its folder."""

    name: str
    settings: dict
    make: Callable[[Path], None]
    mark: str
    after: tuple[Stage, ...] = ()

    @cached_property
    def key(self) -> str:
        return digest_json([self.name.partition(" ")[0], self.settings, *(stage.key for stage in self.after)])

    def folder(self, out: Path) -> Path:
        return out / f"{self.name.replace(' ', '-')}-{self.key[:10]}"

    def done(self, out: Path) -> bool:
        return (self.folder(out) / self.mark).exists()


def carry_out(
    wanted: list[Stage],
    out: Path,
    workers: Executor,
    jobs: int,
    make: Callable[[str], float],
    deadline: float,
    ready: Callable[[Stage], None],
) -> None:
    """Make the stages and all before them, as early in the list as can be; begins none after the deadline.

    `make` gets the key of a stage, in a worker, and returns the seconds that it took. `ready` is called for each of
    `wanted` that is done.
    """
    waiting = {stage.key: stage for last in wanted for stage in with_all_before(last)}
    asked = {stage.key for stage in wanted}
    running: dict[Future[float], Stage] = {}
    while True:
        for key, stage in list(waiting.items()):
            if stage.done(out):
                del waiting[key]
                if key in asked:
                    ready(stage)
        busy = {stage.key for stage in running.values()}
        if time.time() < deadline:
            for key, stage in waiting.items():
                if len(running) < jobs and key not in busy and all(one.done(out) for one in stage.after):
                    running[workers.submit(make, key)] = stage
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            stage = running.pop(future)
            print(f"{stage.folder(out).name:<44} {future.result():7.1f} s", flush=True)


def with_all_before(stage: Stage) -> Iterator[Stage]:
    for one in stage.after:
        yield from with_all_before(one)
    yield stage


def beside(folder: Path, suffix: str) -> Path:
    """The file of a stage that lies beside its folder. A name may have a dot in it: `perpo omni_r1 0.05 0`."""
    return folder.with_name(folder.name + suffix)


def command(folder: Path, document: dict, *words: str) -> None:
    """Run a command on its file, which is written beside the folder."""
    file = beside(folder, ".yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    options = [word for word in words if word.startswith("--")]
    call(folder, [*(word for word in words if not word.startswith("--")), str(file), *options])


def call(folder: Path, arguments: list[str]) -> None:
    """Run `zero-engine` in this process; its output goes to a log beside the folder. A failure ends the program."""
    from zero_engine.cli import main

    folder.parent.mkdir(parents=True, exist_ok=True)
    log, code = beside(folder, ".log"), 0
    with _output_to(log):
        sys.argv = ["zero-engine", *arguments]
        try:
            main()
        except SystemExit as error:
            code = error.code
    if code:
        lines = log.read_text(encoding="utf-8").splitlines()
        raise RuntimeError(f"{folder.name}: {lines[-1] if lines else 'failed'} (all in {log})")


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """What this process prints goes to the end of a file, what its libraries and children print, too."""
    held = [os.dup(stream) for stream in (1, 2)]
    try:
        with log.open("a", encoding="utf-8") as file:
            for stream in (1, 2):
                os.dup2(file.fileno(), stream)
        yield
    finally:
        for stream, was in enumerate(held, 1):
            os.dup2(was, stream)
            os.close(was)
