"""Think tags: where the rationale of one text begins and ends.

Models write `<think>` with every fault there is: never opened (the prompt held the tag), never
closed (the text was cut), opened again after a first answer, or named in prose. The rules:
- A block opens at a tag that begins a line, or at any tag that is closed later; inside a block
  further opening tags are prose.
- Of the closing tags before the next opening one, a block closes at the first that is at an edge of
  a line, or else at the first.
- A tag in backticks or quotes is prose.
- A closing tag before any block closes one that began with the text (`think_unopened`).
- A block that never closes runs to the end, and there is no answer (`think_unclosed`).
- All that comes before the end of the last block, without the tags, is the rationale, in order
  (`think_blocks:n` where there are several); the answer is what follows it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

QUOTES = ("`", '"', "'")


@dataclass(frozen=True, slots=True)
class Thinking:
    """A text cut at its think tags."""

    rationale: str
    answer: str
    notes: tuple[str, ...] = ()


def split_thinking(text: str, tags: tuple[str, str]) -> Thinking | None:
    """Rationale and answer of a text with think tags; None where there is no tag. Linear in its length."""
    opening, closing = tags
    if opening not in text and closing not in text:
        return None
    marks = [mark for mark in _pattern(tags).finditer(text) if not _is_quoted(text, mark)]
    blocks: list[tuple[re.Match[str] | None, re.Match[str] | None]] = []
    last_close = max((i for i, mark in enumerate(marks) if mark.group() == closing), default=-1)
    at = 0
    while at < len(marks):
        mark = marks[at]
        if mark.group() == opening:
            at += 1
            if at <= last_close or _begins_line(text, mark):
                end, at = _block_end(text, marks, at, closing)
                blocks.append((mark, end))
        elif not blocks:
            end, at = _block_end(text, marks, at, closing)
            blocks.append((None, end))
        else:
            at += 1
    if not blocks:
        return None
    notes = ("think_unopened",) if blocks[0][0] is None else ()
    pieces, position = [], 0
    for mark in (mark for block in blocks for mark in block if mark):
        pieces.append(text[position : mark.start()])
        position = mark.end()
    if blocks[-1][1] is None:
        notes += ("think_unclosed",)
        pieces.append(text[position:])
        position = len(text)
    if len(blocks) > 1:
        notes += (f"think_blocks:{len(blocks)}",)
    return Thinking("".join(pieces).strip(), text[position:].strip(), notes)


def _block_end(
    text: str, marks: list[re.Match[str]], at: int, closing: str
) -> tuple[re.Match[str] | None, int]:
    """The closing tag of a block that began before `marks[at]`, and where to go on.

    Of the closing tags before the next opening one, the first at an edge of a line, else the first.
    """
    first = next((i for i in range(at, len(marks)) if marks[i].group() == closing), None)
    if first is None:
        return None, len(marks)
    for i in range(first, len(marks)):
        if marks[i].group() != closing:
            break
        if _begins_line(text, marks[i]) or _ends_line(text, marks[i]):
            return marks[i], i + 1
    return marks[first], first + 1


@lru_cache(maxsize=16)
def _pattern(tags: tuple[str, str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(tag) for tag in tags))


def _is_quoted(text: str, mark: re.Match[str]) -> bool:
    before, after = text[mark.start() - 1 : mark.start()], text[mark.end() : mark.end() + 1]
    return before in QUOTES and after in QUOTES


def _begins_line(text: str, mark: re.Match[str]) -> bool:
    return not text[text.rfind("\n", 0, mark.start()) + 1 : mark.start()].strip()


def _ends_line(text: str, mark: re.Match[str]) -> bool:
    end = text.find("\n", mark.end())
    return not text[mark.end() : end if end >= 0 else len(text)].strip()
