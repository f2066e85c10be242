"""Ctrl-C and SIGTERM while something goes on that must end in order: a run, a training, a recipe."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def stop_signals(handle: Callable[[int, Any], None]) -> Iterator[Callable[[], None]]:
    """SIGINT and SIGTERM call `handle` while the block runs. Yields what gives them back before its end.

    Outside the main thread nothing changes: whoever started the thread has the signals.
    """
    before: dict[int, Any] = {}

    def give_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    if threading.current_thread() is threading.main_thread():
        before |= {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield give_back
    finally:
        give_back()
