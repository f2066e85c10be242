"""Ctrl-C and SIGTERM while a run goes on: the first one drains, the second one stops."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from zero_engine.errors import Interrupted


@contextmanager
def drain_on_signals() -> Iterator[threading.Event]:
    """First SIGINT or SIGTERM: finish what is in flight, then stop. Second: stop at once."""
    draining = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield draining
        return

    def drain(number: int, _frame: object) -> None:
        if draining.is_set():
            raise KeyboardInterrupt
        draining.set()

    before = {number: signal.signal(number, drain) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield draining
    except KeyboardInterrupt:
        raise Interrupted("stopped at once: shards in flight are lost, the others are committed.") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
