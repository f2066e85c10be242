"""The one `Console` of a command: it speaks before the libraries are loaded, and is quiet before facts are printed."""

import sys

from zero_engine.progress import Console

_console: Console | None = None


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


def hush() -> None:
    """Nothing is shown any more."""
    global _console
    if _console is not None:
        _console.stop()
        _console = None
