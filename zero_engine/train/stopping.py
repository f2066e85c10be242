"""Ctrl-C and SIGTERM while a training goes on: the first one finishes the step and saves, the second one stops."""

import contextlib
import signal
import threading
from collections.abc import Iterator

from zero_engine.progress import Progress

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
        for known, before in previous.items():
            signal.signal(known, before)

    try:
        previous = {known: signal.signal(known, ask) for known in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: whoever started it has the signals
        previous = {}
    try:
        yield asked
    finally:
        for known, before in previous.items():
            signal.signal(known, before)
