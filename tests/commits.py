"""A progress that acts on every commit of a run: what tests hook into."""

import math
from collections.abc import Callable

from zero_engine.progress import Silent


class Commits(Silent):
    """Calls `on_commit` whenever more records are committed than before, and keeps what is said."""

    def __init__(self, on_commit: Callable[[], None] = lambda: None) -> None:
        self.on_commit = on_commit
        self.messages: list[str] = []
        self.done = 0.0

    def say(self, message: str) -> None:
        self.messages.append(message)

    def stage(self, name, total=None, unit="", done=0, **since) -> None:
        self.done = done if unit == "records" else math.inf  # no commit in any other stage

    def update(self, done, figures=(), parts=(), *, begun=0.0, name=None, eta=True) -> None:
        if done > self.done:
            self.done = done
            self.on_commit()
