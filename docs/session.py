"""Record docs/session.txt: a small demo in a real terminal (tmux), stopped by Ctrl-C, gone on with, and
compared with the same drawings behind another gate.

    python docs/session.py docs/session.txt [--command zero-engine] [--every 5]

The text is what the screen showed: a frame whenever something but a clock changed, at most one in so many seconds.
"""

import argparse
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

COLUMNS, ROWS = 110, 56
LIMIT_S = 1800.0
DEMO = "zero-engine demo --workers 1 --limit 12 --set output.rows_per_shard=4"


class Screen:
    """A terminal of tmux in an empty folder, and its frames so far."""

    def __init__(self, command: str, folder: str, every_s: float) -> None:
        self.name, self.every_s = f"zero-engine-{os.getpid()}", every_s
        self.frames: list[str] = []
        self._last, self._taken_at, self._began = "", float("-inf"), time.monotonic()
        size = ["-x", str(COLUMNS), "-y", str(ROWS)]
        self._tmux("new-session", "-d", "-s", self.name, *size, "-c", folder, "env PS1='$ ' bash --norc")
        if command != "zero-engine":
            self.type(f'zero-engine() {{ {command} "$@"; }}; clear')
            time.sleep(1)

    def type(self, line: str) -> None:
        self._tmux("send-keys", "-t", self.name, line, "Enter")

    def press_ctrl_c(self) -> None:
        self.frames.append(f"--- {self._clock()}  Ctrl-C is pressed")
        self._tmux("send-keys", "-t", self.name, "C-c")

    def watch(self, until: Callable[[str], object]) -> None:
        """Take frames until the screen shows what is waited for."""
        deadline = time.monotonic() + LIMIT_S
        while not until(text := self._text()):
            if time.monotonic() > deadline:
                raise TimeoutError(text)
            self._take(text)
            time.sleep(0.2)
        self._take(text, always=True)

    def clear(self) -> None:
        self._tmux("send-keys", "-t", self.name, "clear", "Enter")
        time.sleep(0.5)
        self._last = ""

    def close(self) -> None:
        self._tmux("kill-session", "-t", self.name)

    def _take(self, text: str, always: bool = False) -> None:
        due = time.monotonic() - self._taken_at >= self.every_s
        still = re.sub(r"\d+:\d\d", "", text)
        if not text.strip() or still == self._last or not (due or always):
            return
        if (
            still == f"{self._last}\n$" or still == f"{self._last}\n\n$"
        ):  # the same, and the shell waits again
            self.frames.pop()
        self._last, self._taken_at = still, time.monotonic()
        self.frames.append(f"--- {self._clock()}\n{text}")

    def _clock(self) -> str:
        seconds = round(time.monotonic() - self._began)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def _text(self) -> str:
        shown = self._tmux("capture-pane", "-p", "-t", self.name)
        return "\n".join(line.rstrip() for line in shown.splitlines()).strip("\n")

    def _tmux(self, *words: str) -> str:
        return subprocess.run(["tmux", *words], check=True, capture_output=True, text=True).stdout


def record(command: str, every_s: float) -> list[str]:
    """The frames of the whole session."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        screen = Screen(command, folder, every_s)
        try:
            screen.type(DEMO)
            screen.watch(lambda text: re.search(r"drawing, \d+ of \d+ pictures", text))
            screen.press_ctrl_c()
            screen.watch(ended)
            screen.clear()
            screen.type(f"{DEMO}   # the same command goes on")
            screen.watch(ended)
            screen.clear()
            screen.type("zero-engine status out/gsm8k_nano")
            screen.watch(ended)
            screen.clear()
            screen.type("cp -r out/gsm8k_nano out/before")
            screen.watch(ended)
            screen.clear()
            screen.type(f"{DEMO} --set gate.min.likelihood=-0.005")
            screen.watch(ended)
            screen.clear()
            screen.type("zero-engine diff out/before out/gsm8k_nano -n 2")
            screen.watch(ended)
            return [anywhere(frame, folder) for frame in screen.frames]
        finally:
            screen.close()


def ended(text: str) -> bool:
    """Whether a command has been typed, and the shell waits for the next one."""
    return text.count("$ ") >= 1 and text.endswith("\n$")


def anywhere(frame: str, folder: str) -> str:
    """The frame without the folders of the machine that recorded it."""
    return re.sub(r"/\S*/zero_engine/bundled", ".../zero_engine/bundled", frame.replace(folder, "~/demo"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("--command", default="zero-engine", help="what to call instead of zero-engine")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two frames, at least")
    options = parser.parse_args()
    head = (
        f"A session in a terminal of {COLUMNS} columns, recorded by docs/session.py. A line that begins with dashes\n"
        "says the time since the start, and begins a new picture of the screen.\n"
    )
    options.page.write_text(
        "\n\n".join([head, *record(options.command, options.every)]) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
