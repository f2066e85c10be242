"""Errors a user can act on.

Contract: the message is one line that says what is wrong, where (file, line, key), and what to do.
The command line prints it without a traceback and leaves with `exit_code`. Everything else that is
raised is a bug of ours and keeps its traceback. Bad *data* is never an error: it becomes a
`records.Rejection` and the run goes on.

What is printed may quote a corpus, and a corpus may hold what a terminal obeys: `printable` writes that out.
"""

import re
import shlex
import sys
from pathlib import Path

_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters but tab and line break, marks that turn the direction of text, and lone surrogates."""


def command(name: str, path: object) -> str:
    """A command on a path as it is typed: a path with blanks is quoted."""
    return f"zero-engine {name} {shlex.quote(str(path))}"


def printable(text: str, one_line: bool = False) -> str:
    """The text with all that a terminal could obey as `\\u001b`; that is also how JSON writes it inside a string."""
    text = _OBEYED.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
    return text.replace("\n", "\\n").replace("\t", "\\t") if one_line else text


def install_extra(extra: str) -> str:
    """The command that installs an extra: for a clone from the clone, else from the index."""
    root = Path(__file__).resolve().parent.parent
    cloned = (root / "pyproject.toml").is_file() and (root / "constraints.txt").is_file()
    where = f"-c {root / 'constraints.txt'} -e '{root}[{extra}]'" if cloned else f"'zero-engine[{extra}]'"
    return f"{sys.executable} -m pip install {where}"


def message_of(error: BaseException) -> str:
    """An exception's message, or its name, on one line of at most 200 characters."""
    return " ".join(str(error).split())[:200] or type(error).__name__


class ZeroEngineError(Exception):
    """Base of every error that is the user's to fix. `exit_code` 2: bad usage or bad input."""

    exit_code = 2
    at_once = False
    """Whether the command ends without waiting for its workers and threads."""

    def __str__(self) -> str:
        return printable(super().__str__(), one_line=True)  # it may quote a column's name, or a path


class PipelineError(ZeroEngineError):
    """A pipeline or training file, or a `--set` override, is wrong."""


class InputError(ZeroEngineError):
    """An input path is missing, empty, unreadable, or does not fit its column map."""


class ModelError(ZeroEngineError):
    """A model cannot be found, read, or used as asked."""


class OutputError(ZeroEngineError):
    """An output folder is not ours to write to, is damaged, or the disk is full."""


class CheckFailed(ZeroEngineError):
    """The work finished, but a check on its result failed."""

    exit_code = 1


class Interrupted(ZeroEngineError):
    """The user asked to stop; what was done is committed and the message says how to go on."""

    exit_code = 130

    def __init__(self, message: str = "", at_once: bool = False) -> None:
        super().__init__(message)
        self.at_once = at_once
        """Whether nothing is waited for any more: neither workers nor libraries that want to end in order."""
