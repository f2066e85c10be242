"""Steps: cut a rationale into units. Pure, and linear in its length.

`auto` picks the rule that the trace calls for, in this order:
- markers: at least two lines begin with `Step 3:`, `### Step 2`, `THOUGHT 5:`, or the text is a numbered
  list from its first line on (markers.py).
- blank_lines: paragraphs, where most line breaks are between paragraphs.
- lines: one step a line; a line of display math or a drawing goes with the line before it, an item of an inner list
  with the item it is indented under, an answer `A:` with its question `Q:`, a line `= 7` with the equation it goes on
  with.
- sentences: text in one line (sentences.py).
- whole: none of these finds two steps.

Nothing is lost: the steps joined are the rationale, blanks aside, with markers (`Step 1:`) kept. No rule
cuts inside a guard (guards.py), and lines and sentences not inside brackets (brackets.py). A piece that says nothing by
itself, a heading or `Answer: B`, goes with its neighbour (joining.py); one of nothing but blanks and zero-width
characters is no step.
"""

import re
from itertools import pairwise

from zero_engine.parse.brackets import closed_spans
from zero_engine.parse.guards import FILLER, mask
from zero_engine.parse.joining import LONGEST, SHORT_ANSWER, kind, may_say_nothing, names_answer
from zero_engine.parse.markers import BLANK_LINE, INLINE_MARKER, marker_cuts
from zero_engine.parse.sentences import sentence_cuts

LINE_BREAK = re.compile(r"\n\n*")  # a fixed first character is looked for four times as fast as `\n+`
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
VISIBLE = re.compile(rf"[^\s{INVISIBLE}]")
MATH_LINE = re.compile(r"[ \t]*(?:\$\$|\\\[|\\begin\{|\[asy\]|\$[^$\n]+\$[.,;]?[ \t]*(?:\n|$))")
ITEM = re.compile(
    r"([ \t]*)(?:[-*•+]|\d{1,3}[.)]|(?:[a-z]|[ivx]{2,5})[.)]|\((?:[a-z]|[ivx]{2,5}|\d{1,3})\))[ \t]"
)
PECULIAR_LINE = re.compile(
    r"\n(?:[^A-Za-z0-9]|\d{1,3}[.)](?!\d)|Q|(?i:step|thought|paso|passo|schritt|langkah))"
)
"""A line that is blank or indented, or that may begin with a marker, an item, math or a question. Most solutions have
none, and then `lines` is the rule."""
GOES_ON = re.compile(r"[ \t]*(?:=(?!>)|[≈≠≤≥≡])")
MAY_GO_ON = re.compile(r"\n[ \t]*[=≈≠≤≥≡]|[^=][=≈×÷][ \t]*\n")
ASKED = re.compile(r"[*_]{0,2}(?:Q|Question)[ \t]?\d{0,3}[*_]{0,2}[:.)]")
ANSWERED = re.compile(r"[*_]{0,2}(?:A|Answer)[ \t]?\d{0,3}[*_]{0,2}[:.)]")


def segment(text: str, rule: str = "auto") -> tuple[list[str], str]:
    """(steps, the rule that was used) of a rationale. `rule` as in `pipeline.Parse.rule`."""
    text = text.strip()
    masked = mask(text)
    if is_auto := rule == "auto":
        rule, cuts = _choose(text, masked)
    else:
        cuts = _RULES[rule](text, masked)
    steps = _pieces(text, masked, cuts)
    if is_auto and len(steps) == 1 and cuts and rule != "sentences":  # one line, and the answer or a heading
        rule, steps = "sentences", _pieces(text, masked, sentence_cuts(text, masked))
    return steps, rule if len(steps) > 1 or rule == "markers" else "whole"


def cut_long(text: str, limit: int) -> list[str]:
    """A text cut where lines and sentences end, into as few pieces of at most `limit` characters as that allows.

    Only a stop that is written ends a sentence here, so a piece may stay longer than the limit.
    """
    if len(text) <= limit:
        return [text]
    masked = mask(text)
    places = sorted({*_line_cuts(text, masked), *sentence_cuts(text, masked, stops_only=True)})
    cuts: list[int] = []
    start = 0
    for at, following in pairwise([*places, len(text)]):
        if following - start > limit:
            cuts.append(at)
            start = at
    return _pieces(text, masked, cuts)


def is_visible(piece: str) -> bool:
    """Whether a stripped text shows anything to a reader."""
    return bool(piece) and (piece.isascii() or VISIBLE.search(piece) is not None)


def _choose(text: str, masked: str) -> tuple[str, list[int]]:
    if "\n" in masked:
        if masked is text and not PECULIAR_LINE.search(f"\n{text}") and (cuts := _line_starts(text)):
            return "lines", cuts
        if cuts := marker_cuts(text, masked):
            return "markers", cuts
        lines = _line_cuts(text, masked)
        paragraphs = _paragraph_cuts(text, masked)
        blocks = len(_pieces(text, masked, paragraphs)) if paragraphs else 1
        if blocks > 1 and _is_set_in_paragraphs(blocks, len(lines) + 1):
            return "blank_lines", paragraphs
        if lines:
            return "lines", lines
    elif "tep " in masked or "TEP " in masked or "hought " in masked or "HOUGHT " in masked:
        cuts = [found.end() for found in INLINE_MARKER.finditer(masked)]
        if cuts:
            return "markers", cuts + _after_last(cuts, sentence_cuts(text, masked))
    return "sentences", sentence_cuts(text, masked)


def _after_last(cuts: list[int], sentences: list[int]) -> list[int]:
    """Where sentences begin after the last marked one, if no marked step before it has a second sentence."""
    marked = {0, *cuts}
    has_bodies = any(at < cuts[-1] and at not in marked for at in sentences)
    return [] if has_bodies else [at for at in sentences if at > cuts[-1]]


def _is_set_in_paragraphs(paragraphs: int, lines: int) -> bool:
    """Two blocks of several lines are lines with a stray blank one; three or more blocks are paragraphs.

    A heading or an answer by itself is no block.
    """
    return paragraphs >= 3 or lines <= paragraphs + 1


def _paragraph_cuts(text: str, masked: str) -> list[int]:
    if "\n\n" not in masked and "\n " not in masked and "\n\t" not in masked and "\r" not in masked:
        return []
    return _joined([found.end() for found in BLANK_LINE.finditer(masked)], text, masked)


def _line_starts(masked: str) -> list[int]:
    cuts = [found.end() for found in LINE_BREAK.finditer(masked)]
    closed = closed_spans(masked, with_quotes=False)
    return [at for at in cuts if not closed.holds(at)] if closed else cuts


def _line_cuts(text: str, masked: str) -> list[int]:
    cuts = _joined(_line_starts(masked), text, masked)
    may_have_inner = "\n " in masked or "\n\t" in masked or "Q" in masked
    return _without_inner_items(masked, cuts) if may_have_inner else cuts


def _without_inner_items(masked: str, cuts: list[int]) -> list[int]:
    """The cuts without those before an item that is indented under an item, and before the answer to a question."""
    kept: list[int] = []
    outer = ITEM.match(masked)
    is_asked = ASKED.match(masked) is not None
    for at in cuts:
        item = ITEM.match(masked, at)
        if item and outer and len(item[1]) > len(outer[1]) + 1:
            continue
        if is_asked and ANSWERED.match(masked, at):
            is_asked = False
            continue
        kept.append(at)
        outer, is_asked = item, ASKED.match(masked, at) is not None
    return kept


def _joined(cuts: list[int], text: str, masked: str) -> list[int]:
    """The cuts outside of equations, and not before display math or a drawing, which goes with what it follows."""
    if masked is not text:
        cuts = [at for at in cuts if not MATH_LINE.match(text, at)]
    if MAY_GO_ON.search(masked):
        cuts = [at for at in cuts if not GOES_ON.match(masked, at) and not _ends_open(masked, at)]
    return cuts


def _ends_open(masked: str, at: int) -> bool:
    """Whether the line before a cut ends in a sign that a value follows."""
    before = masked[max(0, at - 8) : at].rstrip()
    return before[-1:] in ("=", "≈", "×", "÷") and before[-2:] != "=="


def _pieces(text: str, masked: str, cuts: list[int]) -> list[str]:
    """The texts between the cuts; what says nothing by itself joined to its neighbour."""
    steps: list[str] = []
    begun = 0  # where the last of `steps` begins
    waiting = -1  # where pieces begin that go with the next one
    is_answer = False
    start = 0
    for stop in [*cuts, len(text)]:
        piece = text[start:stop].strip()
        if is_visible(piece):
            is_short = len(piece) <= LONGEST
            belongs = kind(piece, masked, start, stop) if is_short and may_say_nothing(piece) else ""
            if belongs == "next" or (belongs and not steps):
                is_answer = names_answer(piece)
                waiting = start if waiting < 0 else waiting
            elif steps and (belongs or (is_answer and len(piece) <= SHORT_ANSWER and "\n" not in piece)):
                steps[-1] = text[begun:stop].strip()
                waiting, is_answer = -1, False
            else:
                begun = start if waiting < 0 else waiting
                steps.append(piece if waiting < 0 else text[begun:stop].strip())
                waiting, is_answer = -1, False
        start = stop
    if waiting >= 0:  # nothing follows
        begun = begun if steps else waiting
        steps[-1:] = [text[begun:].strip()]
    return steps


_RULES = {
    "markers": marker_cuts,
    "blank_lines": _paragraph_cuts,
    "lines": _line_cuts,
    "sentences": sentence_cuts,
    "whole": lambda text, masked: [],
}
assert FILLER not in INVISIBLE
