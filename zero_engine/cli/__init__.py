"""The `zero-engine` command: thin typer commands over the package's public functions.

Exit codes: 0 done, 1 finished with a failed check, 2 bad usage or input, 130 interrupted. A user's
mistake is one line on stderr, without a traceback. Facts go to stdout, progress to stderr; every
command that prints facts has `--json`.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LONG = ("run", "demo", "preview", "plan", "retry", "recover", "train", "eval", "answer", "models", "validate")
"""Commands that load for a while: a terminal is told so at once."""


def main() -> None:
    """Entry point of the console script."""
    from zero_engine.cli.screen import greet, hush, if_stopped, interrupted
    from zero_engine.errors import printable
    from zero_engine.wrapping import fold

    if asked := os.environ.get("_ZERO_ENGINE_COMPLETE"):
        from zero_engine.cli import completion

        shells = {"complete_bash": completion.complete_in_bash, "complete_zsh": completion.complete_in_zsh}
        shells.get(asked, lambda complete: complete())(_called)
        return
    if any(word in ("--show-completion", "--install-completion") for word in sys.argv[1:]):
        from zero_engine.cli.completion import keep_keys_open

        keep_keys_open()
    if_stopped(None)
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    try:
        with _terminated_like_ctrl_c():
            if words and words[0] in LONG and not any("--help" in word for word in sys.argv):
                greet()
            code, message, at_once = _called()
    except KeyboardInterrupt:
        code, message, at_once = 130, "", True
    if code == 130 and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is ending: who presses again needs no traceback
        message = message or interrupted()
    hush()
    if message:
        print(fold(printable(f"zero-engine: {message}"), sys.stderr), file=sys.stderr)
    if at_once:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # workers and threads end with this process, and nothing else is worth waiting for
    if code:
        sys.exit(code)


def _called() -> tuple[int, str, bool]:
    """Exit code, message, and whether to end at once, of the command line in `sys.argv`."""
    from zero_engine.errors import ZeroEngineError, printable

    try:
        from zero_engine.cli.app import app

        code = app(prog_name="zero-engine", standalone_mode=False)
        return (code, "", code == 130) if isinstance(code, int) else (0, "", False)
    except ZeroEngineError as error:
        text = printable(str(error), one_line=True)
        return error.exit_code, text, bool(getattr(error, "at_once", False))
    except BrokenPipeError:  # `zero-engine parse ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0, "", False
    except Exception as error:
        from zero_engine.cli.usage import limit, misuse, refused

        if told := misuse(error) or refused(error):
            return *told, False
        if lack := limit(error):
            return 2, lack, False
        raise


@contextmanager
def _terminated_like_ctrl_c() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does: in order, and with a word."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
