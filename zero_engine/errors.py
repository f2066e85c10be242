"""Errors a user can act on.

Contract: the message is one line that says what is wrong, where (file, line, key), and what to do.
The command line prints it without a traceback and leaves with `exit_code`. Everything else that is
raised is a bug of ours and keeps its traceback. Bad *data* is never an error: it becomes a
`records.Rejection` and the run goes on.
"""


class ZeroEngineError(Exception):
    """Base of every error that is the user's to fix. `exit_code` 2: bad usage or bad input."""

    exit_code = 2


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
