"""Brackets and quotes: spans that hold together, so that no rule cuts inside them.

A span closes in the paragraph it opens in, within LONGEST characters; what never closes holds nothing together.
Straight quotes pair up where one opens (after a blank) and one closes (before a blank or a stop), so inches and
apostrophes are none. Code between backticks is a span. A text that is one span from end to end is cut inside it. One
pass over the signs: linear.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass

LONGEST = 1000
SIGNS = re.compile(r"[(\[{)\]}\"“”„«»「」『』（）《》【】]|(?<!`)`(?!`)|\n[^\S\n]*\n")
OPENERS = {"(": ")]", "[": "])", "{": "}", "“": "”", "„": "”“", "«": "»", "「": "」", "『": "』"}
OPENERS |= {"（": "）", "《": "》", "【": "】"}
CLOSERS = frozenset("".join(OPENERS.values()))
BEFORE_OPENING = " \t\n([{“:—–-="
QUOTED = frozenset('"“„«「『')


@dataclass(frozen=True, slots=True)
class Spans:
    """Spans in order, none overlapping another."""

    starts: list[int]
    stops: list[int]

    def __bool__(self) -> bool:
        return bool(self.starts)

    def holds(self, at: int) -> bool:
        """Whether a position lies inside a span."""
        before = bisect_right(self.starts, at - 1) - 1
        return before >= 0 and at < self.stops[before]


NONE = Spans([], [])


def closed_spans(masked: str, with_quotes: bool = True) -> Spans:
    """The outermost closed spans of a text. Linear in its length."""
    if masked.isascii() and not any(sign in masked for sign in '([{"`'):
        return NONE
    spans: list[tuple[int, int]] = []
    stack: list[tuple[str, int]] = []
    for found in SIGNS.finditer(masked):
        sign, at = found.group(), found.start()
        if sign[0] == "\n":
            stack.clear()
        elif sign == '"':
            if with_quotes:
                _straight(masked, at, stack, spans)
        elif sign == "`":
            _code(masked, at, stack, spans)
        elif sign in CLOSERS and (stack_at := _opened(stack, sign, at)) is not None:
            opener, start = stack[stack_at]
            del stack[stack_at:]
            if with_quotes or opener not in QUOTED:
                _add(spans, start, at + 1)
        elif sign in OPENERS and masked[at - 1 : at] not in (":", ";"):  # `:(` opens nothing
            stack.append((sign, at))
    if not spans or (
        len(spans) == 1 and not masked[: spans[0][0]].strip() and not masked[spans[0][1] :].strip(" .")
    ):
        return NONE
    return Spans([start for start, _ in spans], [stop for _, stop in spans])


def _opened(stack: list[tuple[str, int]], sign: str, at: int) -> int | None:
    """Where the opener of a closer lies among the last few of the stack."""
    for index in range(len(stack) - 1, max(-1, len(stack) - 5), -1):
        if sign in OPENERS.get(stack[index][0], ""):
            return index if at - stack[index][1] <= LONGEST else None
    return None


def _straight(masked: str, at: int, stack: list[tuple[str, int]], spans: list[tuple[int, int]]) -> None:
    opens = at == 0 or masked[at - 1] in BEFORE_OPENING
    for index in range(len(stack) - 1, max(-1, len(stack) - 5), -1):
        if stack[index][0] == '"':
            if opens and masked[at + 1 : at + 2].strip() and masked[at - 1 : at] != '"':
                break  # a second one opens: the first was none
            start = stack[index][1]
            del stack[index:]
            if at - start <= LONGEST:
                _add(spans, start, at + 1)
            return
    if opens and masked[at + 1 : at + 2].strip():
        stack.append(('"', at))


def _code(masked: str, at: int, stack: list[tuple[str, int]], spans: list[tuple[int, int]]) -> None:
    """Code between backticks on one line; a backtick after a blank closes nothing."""
    last = range(len(stack) - 1, max(-1, len(stack) - 5), -1)
    opened = next((index for index in last if stack[index][0] == "`"), None)
    is_closed = opened is not None and not masked[at - 1].isspace()
    if opened is not None:
        start = stack[opened][1]
        del stack[opened:]
        if is_closed and at - start <= LONGEST and "\n" not in masked[start:at]:
            _add(spans, start, at + 1)
            return
    if masked[at + 1 : at + 2].strip():
        stack.append(("`", at))


def _add(spans: list[tuple[int, int]], start: int, stop: int) -> None:
    while spans and spans[-1][0] >= start:
        spans.pop()
    spans.append((start, stop))
