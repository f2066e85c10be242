"""Ctrl-C and SIGTERM while a run goes on: the first one drains and says so at once, the second one stops."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zero_engine.errors import Interrupted
from zero_engine.signals import stop_signals


@contextmanager
def drain_on_signals(halt: Callable[[], None], tell: Callable[[], None]) -> Iterator[threading.Event]:
    """First SIGINT or SIGTERM: `halt`, `tell`, finish what is begun, then stop. Second: stop at once.

    `tell` runs in a thread of its own: the signal may have come in the middle of a write to the same terminal.
    """
    draining = threading.Event()

    def drain(number: int, _frame: object) -> None:
        if draining.is_set():
            raise KeyboardInterrupt
        draining.set()
        halt()
        threading.Thread(target=tell, daemon=True).start()

    try:
        with stop_signals(drain):
            yield draining
    except KeyboardInterrupt:
        raise Interrupted(
            "stopped at once: shards that were under way are lost, the others are committed. "
            "Run the same command again to go on.",
            at_once=True,
        ) from None
