"""Steps: cut a rationale into units. Pure, and linear in its length.

`auto` picks the rule that the trace calls for, in this order:
- markers: at least two lines begin with `Step 3:`, `### Step 2`, `THOUGHT 5:`, or the text is a numbered
  list from its first line on. A step runs to the next marker; text before the first is its own step.
- blank_lines: paragraphs, where most line breaks are between paragraphs.
- lines: one step a line; a line of display math or a drawing goes with the line before it.
- sentences: text in one line.
- whole: none of these finds two steps.

Nothing is lost: the steps joined are the rationale, blanks aside, with markers (`Step 1:`) kept. No rule
cuts inside a guard (guards.py). A piece of nothing but blanks and zero-width characters is no step.
"""

import re
from itertools import pairwise

from zero_engine.parse.guards import FILLER, mask
from zero_engine.parse.sentences import sentence_cuts

NUMBER_WORDS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
MARKER_WORDS = ("step", "thought", "étape", "paso", "schritt")
MARKER_WORD = re.compile("[sS]tep|STEP|[tT]hought|THOUGHT|[éÉ]tape|[pP]aso|[sS]chritt")
STEP_MARKER = re.compile(
    rf"""(?:^|(?<=\n))[ \t\#>*_•-]*
        (?:{"|".join(MARKER_WORDS)})[ \t]*\#?(?:\d+|{NUMBER_WORDS}|[IVX]+)\b
        (?:[*_ \t]*[.:)\]–—-]|[ \t]*[*_]+|[ \t]*(?=\n|$)|[ \t]+(?-i:(?=[A-Z])))""",
    re.VERBOSE | re.IGNORECASE,
)
INLINE_MARKER = re.compile(
    r"(?<=[.!?])[ \t]+(?=[*_]{0,2}(?:Step|STEP|Thought|THOUGHT)[ \t]+\d+[*_]{0,2}[:.])"
)
LIST_NUMBER = re.compile(r"(?:^|(?<=\n))[ \t#>*_]*(\d{1,3})[.)](?=[ \t*_]|\\|\$)")
LINE_BREAK = re.compile(r"\n+")
BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
VISIBLE = re.compile(rf"[^\s{INVISIBLE}]")
MATH_LINE = re.compile(r"[ \t]*(?:\$\$|\\\[|\\begin\{|\[asy\]|\$[^$\n]+\$[.,;]?[ \t]*(?:\n|$))")


def segment(text: str, rule: str = "auto") -> tuple[list[str], str]:
    """(steps, the rule that was used) of a rationale. `rule` as in `pipeline.Parse.rule`."""
    text = text.strip()
    masked = mask(text)
    if rule == "auto":
        rule, cuts = _choose(text, masked)
    else:
        cuts = _RULES[rule](text, masked)
    steps = _pieces(text, cuts)
    return steps, rule if len(steps) > 1 or rule == "markers" else "whole"


def is_visible(piece: str) -> bool:
    """Whether a stripped text shows anything to a reader."""
    return bool(piece) and (piece.isascii() or VISIBLE.search(piece) is not None)


def _choose(text: str, masked: str) -> tuple[str, list[int]]:
    if "\n" in masked:
        if cuts := _marker_cuts(text, masked):
            return "markers", cuts
        lines = _line_cuts(text, masked)
        paragraphs = _paragraph_cuts(text, masked)
        if paragraphs and _is_set_in_paragraphs(len(paragraphs) + 1, len(lines) + 1):
            return "blank_lines", paragraphs
        if lines:
            return "lines", lines
    elif "tep " in masked or "TEP " in masked or "hought " in masked or "HOUGHT " in masked:
        cuts = [found.end() for found in INLINE_MARKER.finditer(masked)]
        if cuts:
            return "markers", cuts
    return "sentences", sentence_cuts(text, masked)


def _is_set_in_paragraphs(paragraphs: int, lines: int) -> bool:
    """Two blocks of several lines are lines with a stray blank one; three or more blocks are paragraphs."""
    return paragraphs >= 3 or lines <= paragraphs + 1


def _marker_cuts(text: str, masked: str) -> list[int]:
    """Beginnings of marked steps, where at least two are marked; else none."""
    found = [match.start() for match in STEP_MARKER.finditer(masked)] if MARKER_WORD.search(masked) else []
    if len(found) >= 2:
        last = _number_of(STEP_MARKER.search(masked, found[-1]))
        numbers = [m for m in LIST_NUMBER.finditer(masked, found[-1]) if last and int(m.group(1)) == last + 1]
        return [at for at in (*found, *(m.start() for m in numbers[:1])) if at]
    first = LIST_NUMBER.match(masked)
    if not first or int(first.group(1)) > 1:
        return []
    cuts, expected = [], int(first.group(1)) + 1
    for match in LIST_NUMBER.finditer(masked, first.end()):
        if int(match.group(1)) == expected:
            cuts.append(match.start())
            expected += 1
    return cuts


def _number_of(found: re.Match[str] | None) -> int | None:
    digits = re.search(r"\d+", found.group()) if found else None
    return int(digits.group()) if digits else None


def _paragraph_cuts(text: str, masked: str) -> list[int]:
    if "\n\n" not in masked and "\n " not in masked and "\n\t" not in masked and "\r" not in masked:
        return []
    return _joined([found.end() for found in BLANK_LINE.finditer(masked)], text, masked)


def _line_cuts(text: str, masked: str) -> list[int]:
    return _joined([found.end() for found in LINE_BREAK.finditer(masked)], text, masked)


def _joined(cuts: list[int], text: str, masked: str) -> list[int]:
    """The cuts without those before display math or a drawing, which goes with what it follows."""
    return cuts if masked is text else [at for at in cuts if not MATH_LINE.match(text, at)]


def _pieces(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *cuts, len(text)]
    pieces = [text[start:stop].strip() for start, stop in pairwise(edges)]
    return [piece for piece in pieces if is_visible(piece)]


_RULES = {
    "markers": _marker_cuts,
    "blank_lines": _paragraph_cuts,
    "lines": _line_cuts,
    "sentences": sentence_cuts,
    "whole": lambda text, masked: [],
}
assert FILLER not in INVISIBLE
