"""The one `Console` of a command: it speaks before the libraries are loaded, and is quiet before facts are printed.

It also says the last word of a command that Ctrl-C or SIGTERM ends: where it was, what is kept, how to go on.
"""

import sys
from collections.abc import Callable

from zero_engine.progress import Console

NOTHING_KEPT = "Nothing was written. Run the same command again."
"""What is kept of a command that has not said otherwise: it writes at its end, all at once."""

_console: Console | None = None
_kept: Callable[[], str] | None = None


def console() -> Console:
    """What shows the progress of this command."""
    global _console
    if _console is None:
        _console = Console()
    return _console


def greet() -> None:
    """The first line of a command that loads for a while, where a person watches."""
    if sys.stderr.isatty():
        console().stage("starting")


def if_stopped(kept: Callable[[], str] | None) -> None:
    """From here on, who stops the command is told this: what is kept, and how to go on."""
    global _kept
    _kept = kept


def interrupted() -> str:
    """The line about a command that was stopped: `interrupted while answering, 12 of 64 questions. Kept: ...`."""
    doing = _console.doing() if _console is not None else ""
    return f"interrupted{' while ' * bool(doing)}{doing}. {_kept() if _kept else NOTHING_KEPT}"


def hush() -> None:
    """Nothing is shown any more."""
    global _console
    if _console is not None:
        _console.stop()
        _console = None
