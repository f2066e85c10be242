"""Ctrl-C and SIGTERM while a run goes on: the first one drains and says so at once, the second one stops."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zero_engine.errors import Interrupted


@contextmanager
def drain_on_signals(halt: Callable[[], None], tell: Callable[[], None]) -> Iterator[threading.Event]:
    """First SIGINT or SIGTERM: `halt`, `tell`, finish what is begun, then stop. Second: stop at once.

    `tell` runs in a thread of its own: the signal may have come in the middle of a write to the same terminal.
    """
    draining = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield draining
        return

    def drain(number: int, _frame: object) -> None:
        if draining.is_set():
            raise KeyboardInterrupt
        draining.set()
        halt()
        threading.Thread(target=tell, daemon=True).start()

    before = {number: signal.signal(number, drain) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield draining
    except KeyboardInterrupt:
        raise Interrupted(
            "stopped at once: shards that were under way are lost, the others are committed. "
            "Run the same command again to go on.",
            at_once=True,
        ) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
