"""How far the process that makes a shard has come: said at every stage, and for every record where it matters.

The process that contains it (`chamber`) hears the marks. When the other process dies, hangs or grows, the last mark
says in which stage, and, where records are taken one by one, at which record. Outside a chamber a mark does nothing.
"""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

START, LOADING = "start", "loading"
"""Stages that no record is to blame for: the process starts, a model is loaded."""

Item = int | str | None
"""A record by its position, a trace by its id; None is all of them."""

_send: Callable[[tuple], None] | None = None
_now: tuple[str, Item] = (START, None)


def attach(send: Callable[[tuple], None] | None) -> None:
    """From here on marks go to `send`."""
    global _send, _now
    _send, _now = send, (START, None)


def mark(stage: str, position: Item = None) -> None:
    """Say that `stage` begins, for one record or for all of them (None)."""
    global _now
    _now = (stage, position)
    if _send is not None:
        _send(("mark", stage, position))


def counted(drawn: int, of: int, distinct: int) -> None:
    """Say how many of the pictures that this shard still needs are drawn, and how many of them differ."""
    if _send is not None:
        _send(("count", {"drawn": drawn, "of": of, "distinct": distinct}))


def now() -> tuple[str, Item]:
    """The last mark."""
    return _now


@contextmanager
def loading() -> Iterator[None]:
    """A model is loaded inside: the clock of the shard stands still.

    Garbage is not collected meanwhile: importing its libraries makes a million objects, of which none is garbage. Where
    libraries came, what is there is set aside for good; elsewhere there may be garbage among it.
    """
    before, collects, libraries = _now, gc.isenabled(), len(sys.modules)
    mark(LOADING)
    gc.disable()
    try:
        yield
    finally:
        if collects:
            if len(sys.modules) > libraries:
                gc.freeze()
            gc.enable()
        mark(*before)
