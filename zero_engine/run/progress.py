"""What a person sees while a run goes on: one line with traces, pictures/s, keep rate, ETA, dashboard.

On a terminal the line is redrawn in place; elsewhere (a log file, CI) it is printed at most every
ten seconds. `Progress` only shows; it holds no truth that the ledger does not.
"""

import time
from typing import TYPE_CHECKING, Protocol

from zero_engine.errors import printable

if TYPE_CHECKING:
    from rich.live import Live

LOG_EVERY_S = 10.0


class Progress(Protocol):
    def start(self, total_records: int | None, done_records: int, dashboard: str | None) -> None: ...

    def update(self, *, records: int, drawn: int, pictures: int, kept: int) -> None:
        """Add what one shard brought."""

    def say(self, message: str) -> None: ...

    def stop(self) -> None: ...


class Silent:
    """For use from Python."""

    def start(self, total_records: int | None, done_records: int, dashboard: str | None) -> None:
        pass

    def update(self, *, records: int, drawn: int, pictures: int, kept: int) -> None:
        pass

    def say(self, message: str) -> None:
        pass

    def stop(self) -> None:
        pass


class Console:
    """A progress line on stderr."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole

        self._console = RichConsole(stderr=True, highlight=False)
        self._live: Live | None = None
        self._records = self._drawn = self._pictures = self._kept = self._skipped = 0
        self._total: int | None = None
        self._dashboard: str | None = None
        self._started = self._printed = time.monotonic()

    def start(self, total_records: int | None, done_records: int, dashboard: str | None) -> None:
        from rich.live import Live

        self._total, self._skipped, self._dashboard = total_records, done_records, dashboard
        self._started = self._printed = time.monotonic()
        if self._console.is_terminal:
            self._live = Live(self.line(), console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        else:
            self._console.print(self.line(), soft_wrap=True)

    def update(self, *, records: int, drawn: int, pictures: int, kept: int) -> None:
        self._records += records
        self._drawn += drawn
        self._pictures += pictures
        self._kept += kept
        if self._live:
            self._live.update(self.line())
        elif time.monotonic() - self._printed >= LOG_EVERY_S:
            self._printed = time.monotonic()
            self._console.print(self.line(), soft_wrap=True)

    def say(self, message: str) -> None:
        self._console.print(printable(message), soft_wrap=True, markup=False)

    def stop(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def line(self) -> str:
        """`640/1319 traces  48.1 pictures/s  keep 71 %  ETA 0:02:11  http://...`"""
        elapsed_s = max(time.monotonic() - self._started, 1e-9)
        done = self._skipped + self._records
        parts = [f"{done}/{self._total} traces" if self._total else f"{done} traces"]
        if self._drawn:
            parts.append(f"{self._drawn / elapsed_s:.1f} pictures/s")
        elif self._records:
            parts.append(f"{self._records / elapsed_s:.0f} traces/s")
        if self._pictures:
            parts.append(f"kept {self._kept} of {self._pictures} pictures")
        if self._total and self._records:
            left_s = (self._total - done) * elapsed_s / self._records
            parts.append(f"ETA {_clock(left_s)}")
        if self._dashboard:
            parts.append(self._dashboard)
        return "  ".join(parts)


def _clock(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
