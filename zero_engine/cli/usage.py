"""Errors of the command line's own in one line: wrong uses, and limits that the machine sets to this process."""

import errno
import os
import sys
from typing import Any

from zero_engine.batches import is_out_of_memory


def misuse(error: Exception) -> tuple[int, str] | None:
    """Exit code and message of an error of the command line's own; None where it is something else.

    Known by what it can do: typer and click have classes of their own for the same errors.
    """
    name = type(error).__name__
    if name == "NoArgsIsHelpError":
        return 2, ""  # it has printed the help
    if name == "Abort":
        return 1, "nothing was done."
    if not hasattr(error, "format_message") or not hasattr(error, "exit_code"):
        return None
    context: Any = getattr(error, "ctx", None)
    path = context.command_path if context is not None else _command_path()
    text = " ".join(str(error.format_message()).split()).rstrip(".")
    text = text.replace("Input should be", "it must be").split(", unable to parse")[0]
    inside = path.removeprefix("zero-engine").strip()
    return error.exit_code, f"{inside}{': ' * bool(inside)}{text}. See {path} --help."


def limit(error: Exception) -> str | None:
    """What this process lacks, where the machine refused it a thread, a process, a file or memory; None for others."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EAGAIN or (isinstance(error, RuntimeError) and "start new thread" in str(error)):
        lack, how = "no further thread or process can be started", "Raise `ulimit -u`"
    elif number in (errno.EMFILE, errno.ENFILE):
        lack, how = "no further file can be opened", "Raise `ulimit -n`"
    elif number == errno.ENOMEM or is_out_of_memory(error):
        lack, how = "no memory is left", "Free some"
    else:
        return None
    said = " ".join(str(error).split()) or type(error).__name__
    return f"{lack} ({said}). {how}, or ask for less, such as fewer --workers."


_OF_THE_PATH = (
    errno.ENAMETOOLONG,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ELOOP,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENOSPC,
    errno.EDQUOT,
)
_OF_THE_DISK = (
    errno.EIO,
    errno.ESTALE,
    errno.ENOTCONN,
    errno.EREMOTEIO,
    errno.ENODEV,
    errno.ENXIO,
)


def refused(error: Exception) -> tuple[int, str] | None:
    """Exit code and message where the system refuses a path, which is the user's to mend; None for other errors."""
    if not isinstance(error, OSError) or error.filename is None:
        return None
    if error.errno in _OF_THE_PATH:
        mend = "Check the path and its permissions"
    elif error.errno in _OF_THE_DISK:
        mend = "Mend its disk or mount"
    else:
        return None
    path = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
    return 2, f"{path}: {os.strerror(error.errno)}. {mend}."


def _command_path() -> str:
    """The command that was typed, for errors that do not say it."""
    from typer.main import get_command

    from zero_engine.cli.app import app

    node: Any = get_command(app)
    path = "zero-engine"
    for word in sys.argv[1:]:
        node = getattr(node, "commands", {}).get(word)
        if node is None:
            break
        path += f" {word}"
    return path
