"""Stages of an experiment: a `zero-engine` command each, in a folder named by what goes into it.

A stage's recipe is its settings and the recipes of the stages before it. Its folder bears a digest of that: what is
done is not done again, what was stopped goes on, and a changed setting redoes the stage and what follows. A stage is
asked for by its last one, so where the answers of a training are known, nothing that leads to them is made.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import yaml

from zero_engine.hashing import digest_json


class OutOfTime(Exception):
    """The stage's turn comes after the time that there is."""


@dataclass(eq=False)
class Bench:
    """Where stages lie, and until when one may begin."""

    out: Path
    deadline: float = float("inf")
    say: Callable[[str], None] = print
    _locks: dict[str, Lock] = field(default_factory=dict)

    def lock(self, name: str) -> Lock:
        return self._locks.setdefault(name, Lock())


@dataclass(frozen=True, eq=False)
class Stage:
    """`make(folder)` makes the stage from the finished ones `after`; it is done when `mark` lies in its folder."""

    name: str
    settings: dict
    make: Callable[[Path], None]
    mark: str
    after: tuple[Stage, ...] = ()

    @property
    def key(self) -> str:
        return digest_json([self.name.partition(" ")[0], self.settings, *(stage.key for stage in self.after)])

    def folder(self, bench: Bench) -> Path:
        return bench.out / f"{self.name.replace(' ', '-')}-{self.key[:10]}"

    def done(self, bench: Bench) -> Path:
        """The folder, made where it is not there yet, stages before it first. Raises OutOfTime."""
        folder = self.folder(bench)
        with bench.lock(folder.name):
            if (folder / self.mark).exists():
                return folder
            for stage in self.after:
                stage.done(bench)
            if time.time() > bench.deadline:
                raise OutOfTime(self.name)
            began = time.perf_counter()
            self.make(folder)
            bench.say(f"{folder.name:<44} {time.perf_counter() - began:7.1f} s")
        return folder


def command(folder: Path, document: dict, *words: str) -> None:
    """Run a command on its file, which is written beside the folder."""
    file = folder.with_suffix(".yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    options = [word for word in words if word.startswith("--")]
    call(folder, [*(word for word in words if not word.startswith("--")), str(file), *options])


def call(folder: Path, arguments: list[str]) -> None:
    """Run `zero-engine` with one thread; its output goes to a log beside the folder. A failure ends the program."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".log"), "a", encoding="utf-8") as log:
        words = [sys.executable, "-c", "from zero_engine.cli import main; main()", *arguments]
        done = subprocess.run(words, env=environment, stdout=log, stderr=log)
    if done.returncode:
        lines = folder.with_suffix(".log").read_text(encoding="utf-8").splitlines()
        raise SystemExit(
            f"{folder.name}: {lines[-1] if lines else 'failed'} (all in {folder.with_suffix('.log')})"
        )
