"""What a person sees while long work goes on: the stage by name, time, rate, time left, and what is under way.

Work tells a `Progress` which stage it is in and how far it has come; a clock of `Console` keeps the screen fresh
between two of these calls. On a terminal some lines at the bottom are redrawn in place, and a notebook shows the same
lines in its cell. Elsewhere (a log file, CI) one line is printed every LOG_EVERY_S, and on a terminal that cannot
redraw (TERM=dumb) one for every stage, too. All of it goes to stderr. A `Progress` only shows: it holds no truth that
files do not.

    progress.stage("drawing", total=1319, unit="traces")
    progress.update(38, figures=["66.2 pictures/s"], parts=["shard 3: drawing, 96 of 280 pictures"])

Nothing heavy is imported here, so that the first line comes before the libraries that a run needs.
"""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol, TextIO

from zero_engine.errors import printable
from zero_engine.wrapping import cut, fields, fold, redraws

LOG_EVERY_S = 10.0
TICK_S = 0.25
PARTS_SHOWN = 6
MARGIN = 3
"""Lines of a terminal that are left to what was there before."""


class Progress:
    """Whoever shows how far work has come. These methods show nothing."""

    def stage(
        self,
        name: str,
        total: int | None = None,
        unit: str = "",
        done: float = 0,
        *,
        since: float | None = None,
        paced_since: float | None = None,
    ) -> None:
        """A stage begins. `done` of `total` units are there already.

        `since` is when the clock that is shown began, `paced_since` when the first of its own units did, in seconds of
        time.monotonic(); both are now unless they are given.
        """

    def update(
        self,
        done: float,
        figures: Sequence[str] = (),
        parts: Sequence[str] = (),
        *,
        begun: float = 0.0,
        name: str | None = None,
        eta: bool = True,
    ) -> None:
        """How far the stage has come; `figures` join its line, `parts` are a line each.

        `begun` units are under way, as whole ones: they count for the time left. `name` renames the stage. Without
        `eta` no time left is shown: the rest is not going to be done.
        """

    def say(self, message: str) -> None:
        """A message that stays."""

    def stop(self) -> None:
        """Nothing is shown any more, until the next stage begins."""


class Silent(Progress):
    """Shows nothing."""


def shown(progress: "Progress | bool | None") -> Progress:
    """Who shows it: True is a `Console`, False nobody, None a `Console` where a person watches."""
    if progress is None:
        progress = _in_notebook() or sys.stderr.isatty()
    if isinstance(progress, bool):
        return Console() if progress else Silent()
    return progress


class Console(Progress):
    """Lines at the bottom of a terminal, in a notebook's cell, or one every ten seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._screen: _Screen | None = None
        if redraws(self._stream):
            self._screen = _Terminal(self._stream)
        elif stream is None and _in_notebook():
            self._screen = _Cell()
        self._each_stage = self._screen is None and self._stream.isatty()
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._clock: threading.Thread | None = None
        self._name, self._unit = "", ""
        self._total: int | None = None
        self._first = self._done = self._begun = 0.0
        self._figures: tuple[str, ...] = ()
        self._parts: tuple[str, ...] = ()
        self._eta = True
        self._began = self._paced = time.monotonic()
        self._due = self._began + LOG_EVERY_S

    def stage(
        self,
        name: str,
        total: int | None = None,
        unit: str = "",
        done: float = 0,
        *,
        since: float | None = None,
        paced_since: float | None = None,
    ) -> None:
        with self._lock:
            now = time.monotonic()
            self._name, self._total, self._unit = name, total, unit
            self._first, self._done, self._begun = done, done, 0.0
            self._figures, self._parts, self._eta = (), (), True
            self._began = now if since is None else since
            self._paced = now if paced_since is None else paced_since
            if self._each_stage:
                self._due = now
            if self._clock is None:
                self._stopped.clear()
                self._clock = threading.Thread(target=self._tick, args=(self._stopped,), daemon=True)
                self._clock.start()
            self._draw()

    def update(
        self,
        done: float,
        figures: Sequence[str] = (),
        parts: Sequence[str] = (),
        *,
        begun: float = 0.0,
        name: str | None = None,
        eta: bool = True,
    ) -> None:
        with self._lock:
            self._done, self._begun, self._eta = done, begun, eta
            self._figures, self._parts = tuple(figures), tuple(parts)
            self._name = name or self._name

    def say(self, message: str) -> None:
        with self._lock:
            if self._screen is not None:
                self._screen.above(printable(message))
                if self._clock is not None:
                    self._draw()
            else:
                self._print(printable(message))

    def stop(self) -> None:
        with self._lock:
            self._stopped.set()
            self._stopped, self._clock = threading.Event(), None
            if self._screen is not None:
                self._screen.draw([])

    def lines(self) -> list[str]:
        """What is shown now: the stage's line, then a line for each part."""
        parts = list(self._parts[:PARTS_SHOWN])
        if len(self._parts) > PARTS_SHOWN:
            parts.append(f"... and {len(self._parts) - PARTS_SHOWN} more")
        return [printable(line, one_line=True) for line in (self._line(), *(f"  {part}" for part in parts))]

    def doing(self) -> str:
        """What is under way, without a clock: `answering, 38 of 64 questions`; empty where nothing is."""
        with self._lock:
            return printable(", ".join(self._where()), one_line=True) if self._clock is not None else ""

    def _where(self) -> list[str]:
        """The stage by name, and how far it has come."""
        if self._total:
            return [self._name, f"{int(self._done):,} of {self._total:,} {self._unit}".rstrip()]
        return [self._name, *([f"{int(self._done):,} {self._unit}".rstrip()] if self._done else [])]

    def _line(self) -> str:
        """`drawing  38 of 64 traces  0:12  ETA 0:08  66.2 pictures/s`."""
        now = time.monotonic()
        said = [*self._where(), clock(now - self._began)]
        made, paced_s = self._done + self._begun - self._first, now - self._paced
        if self._eta and self._total and made > 0 and paced_s > 1:
            left = max(0.0, self._total - self._done - self._begun)
            said.append(f"ETA {clock(left * paced_s / made)}")
        return "  ".join([*said, *self._figures])

    def _tick(self, stopped: threading.Event) -> None:
        while not stopped.wait(TICK_S):
            with self._lock:
                if not stopped.is_set():
                    self._draw()

    def _draw(self) -> None:
        if self._screen is not None:
            self._screen.draw(self.lines())
        elif time.monotonic() >= self._due:
            self._due = time.monotonic() + LOG_EVERY_S
            self._print("; ".join(line.strip() for line in self.lines()))

    def _print(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody reads it any more; the work goes on
            self._stream.write(text + "\n")
            self._stream.flush()


class _Screen(Protocol):
    def draw(self, lines: Sequence[str]) -> None:
        """Replace the lines that are shown."""

    def above(self, message: str) -> None:
        """Put a message that stays where the lines are, which go until they are drawn again."""


class _Terminal:
    """Lines redrawn in place at the bottom of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._height = 0

    def draw(self, lines: Sequence[str]) -> None:
        columns, rows = shutil.get_terminal_size()
        room = max(1, columns - 1)
        whole = [part for line in lines for part in fields(line, room)]
        shown = [cut(line, room) for line in whole[: max(1, rows - MARGIN)]]
        self._write(self._erased() + "\n".join(shown) + "\r" * bool(shown))
        self._height = len(shown)

    def above(self, message: str) -> None:
        self._write(f"{self._erased()}{fold(message, self._stream)}\n")
        self._height = 0

    def _erased(self) -> str:
        """Back to the first of the lines, and everything below cleared."""
        if not self._height:
            return ""
        up = f"\x1b[{self._height - 1}A" if self._height > 1 else ""
        return f"\r{up}\x1b[J"

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


class _Cell:
    """Lines in the output of a notebook's cell."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown: list[str] = []

    def draw(self, lines: Sequence[str]) -> None:
        if list(lines) == self._shown:
            return
        from IPython.display import display  # type: ignore[import-not-found, unused-ignore]

        self._shown = list(lines)
        data = {"text/plain": "\n".join(lines)}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)

    def above(self, message: str) -> None:
        print(message)


def clock(seconds: float) -> str:
    """`0:07`, `12:30`, `1:02:11`."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def on_items(progress: Progress, name: str, total: int, unit: str) -> Callable[[object], None]:
    """A stage of `total` items; the function returned is called once for each item that begins."""
    progress.stage(name, total, unit)
    begun = -1

    def begin(item: object) -> None:
        nonlocal begun
        begun += 1
        progress.update(begun, parts=[str(item)])

    return begin


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"
