"""The process in which shards are made: it takes one task after the other from `chamber`, until that is gone.

It never outlives the process that started it: a thread waits for the end of a pipe, and on Linux the kernel ends it,
too, should a library hold the interpreter. Ctrl-C and SIGTERM reach whole process groups; a drain needs this process,
so it leaves them to the driver. Where memory runs out, the kernel is asked to take this process first.
"""

import contextlib
import ctypes
import gc
import os
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any

from zero_engine.errors import ZeroEngineError
from zero_engine.run import marks
from zero_engine.run.allocator import keep_what_is_freed

PR_SET_PDEATHSIG = 1
LONGEST_TRACEBACK = 20_000


def main(tasks: int, lifeline: int) -> None:
    """Serve the connection with the file descriptor `tasks`; end when the pipe `lifeline` closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):  # Linux only
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("900")
    keep_what_is_freed()
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    os.dup2(2, 1)  # what libraries print is no output of the command
    connection = Connection(tasks)

    def send(message: tuple) -> None:
        try:
            connection.send(message)
        except OSError:  # nobody is there to hear it
            os._exit(1)

    marks.attach(send)
    gc.disable()  # the first task brings its libraries: many objects, no garbage
    while True:
        try:
            message = _answer(*connection.recv())
        except (EOFError, OSError):
            return
        except Exception as error:  # a task that cannot be loaded here
            message = _raised(error)
        send(message)


def _answer(function: Any, argument: object, folder: str) -> tuple:
    gc.enable()
    marks.mark("read")  # from here on the clock runs
    with contextlib.suppress(OSError):  # another machine may not have it
        os.chdir(folder)
    try:
        return "done", function(argument)
    except BaseException as error:  # SystemExit, too: nothing that a record does ends the run
        return _raised(error)


def _raised(error: BaseException) -> tuple:
    """A user's error as it is; anything else by name, text and traceback, which always travel."""
    if isinstance(error, ZeroEngineError):
        return "error", type(error), str(error)
    text = "".join(traceback.format_exception(error))[-LONGEST_TRACEBACK:]
    return "raised", type(error).__name__, str(error)[:2000], isinstance(error, MemoryError), text


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
