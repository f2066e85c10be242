"""A command in a pseudo-terminal: what it shows, and when."""

import os
import pty
import re
import select
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """The command runs until it ends or `close` is called; `shown` is all that it has written."""

    def __init__(self, command: Sequence[str], folder: Path, **environment: str) -> None:
        self.began = time.monotonic()
        self.shown = ""
        self.times: list[float] = []
        """When something was written, in seconds from the start."""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(
                command[0], list(command), {**os.environ, "TERM": "xterm", "COLUMNS": "100", **environment}
            )
        self.code: int | None = None

    @property
    def plain(self) -> str:
        """All that was shown, without escape sequences."""
        return ESCAPE.sub("", self.shown)

    @property
    def words(self) -> str:
        """The same with one blank between words: a terminal breaks lines between them."""
        return " ".join(self.plain.split())

    def read_until(self, seen: Callable[[], object], limit_s: float = 240) -> float:
        """Read until `seen` is true or the command has ended; returns the seconds that it took."""
        began = time.monotonic()
        while not seen() and self.code is None:
            assert time.monotonic() - began < limit_s, self.plain[-2000:]
            if not select.select([self._fd], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(self._fd, 1 << 16)
            except OSError:  # the other side is closed
                data = b""
            if not data:
                self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
                break
            self.shown += data.decode(errors="replace")
            self.times.append(time.monotonic() - self.began)
        return time.monotonic() - began

    def wait(self) -> float:
        """Read to the end."""
        return self.read_until(lambda: False)

    def press_ctrl_c(self) -> None:
        os.write(self._fd, b"\x03")

    def close(self) -> None:
        if self.code is None:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        os.close(self._fd)
