"""Ctrl-C and SIGTERM while a training goes on: the first one finishes the step and saves, the second one stops."""

import contextlib
import threading
from collections.abc import Iterator

from zero_engine.progress import Progress
from zero_engine.signals import stop_signals

STOPPING = "finishing this step and saving; press again to stop now. The same command goes on from the last saved step."


@contextlib.contextmanager
def stop_signal(progress: Progress) -> Iterator[list[int]]:
    """A list that is not empty once SIGINT or SIGTERM has come; a second one ends the process as usual.

    The message comes from a thread of its own: the signal may have come in the middle of a write to the same terminal.
    """
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        asked.append(number)
        threading.Thread(target=progress.say, args=(STOPPING,), daemon=True).start()
        give_back()

    with stop_signals(ask) as give_back:
        yield asked
