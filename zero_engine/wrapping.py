"""Text fitted to the columns of a terminal: no word, path or command is broken where it need not be.

A pipe, a file and a terminal that cannot redraw (TERM=dumb) get every line whole.
"""

import os
import re
import shutil
import unicodedata
from typing import TextIO

_WORD = re.compile(r"\s*(?:[^\s`]*`[^`]*`\S*|\S+)")
"""A word, or a command between backticks: pasted in two lines it would be another command."""
_FIELD = re.compile(r"\s*\S+(?: \S+)*")


def redraws(stream: TextIO) -> bool:
    """Whether the stream is a terminal whose lines can be redrawn."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def fold(text: str, stream: TextIO) -> str:
    """The text for a stream: on a terminal its lines break between words, indented as they begin."""
    if not redraws(stream):
        return text
    columns = shutil.get_terminal_size().columns
    return "\n".join(
        "\n".join(_broken(line, columns, _WORD, len(line) - len(line.lstrip()))) for line in text.split("\n")
    )


def fields(line: str, columns: int) -> list[str]:
    """The line, broken between two of its fields, which two blanks part; what is broken off is indented."""
    return _broken(line, columns, _FIELD, 2)


def cut(line: str, columns: int) -> str:
    """The line in at most so many columns."""
    used = 0
    for at, letter in enumerate(line):
        used += _width(letter)
        if used > columns:
            return line[: max(0, at - 3)] + "..."[:columns]
    return line


def _broken(line: str, columns: int, piece: re.Pattern[str], indent: int) -> list[str]:
    if _width(line) <= columns:
        return [line]
    lines, used = [""], 0
    for word in piece.findall(line):
        if lines[-1].strip() and used + _width(word) > columns:
            lines.append(" " * indent + word.lstrip())
            used = _width(lines[-1])
        else:
            lines[-1] += word
            used += _width(word)
    return lines


def _width(text: str) -> int:
    """Columns of a terminal; East Asian letters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
