"""Markers: steps that the text itself numbers, `Step 3:`, `### Step 2`, `THOUGHT 5:`, or a numbered list.

A marked step runs to the next marker of the same rank. Markers and numbers inside it are not boundaries: items of a
list that is indented, bulleted below a paragraph, or that starts again at 1 before the outer list has gone on.
Paragraphs without a marker are steps of their own where marked steps are one paragraph long; where they have bodies,
the last step gets no longer a body than the others, so that no marker swallows what the text says after the list.
"""

import re
from itertools import pairwise

BULLETS = "*•-"
NUMBER_WORDS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
MARKER_WORDS = ("step", "thought", "étape", "paso", "passo", "schritt", "шаг", "langkah")
HINTS = ("tep", "TEP", "hought", "HOUGHT", "aso", "asso", "hritt", "gkah")
OTHER_HINTS = ("étape", "Étape", "ÉTAPE", "шаг", "Шаг", "ШАГ", "步", "चरण")
"""Parts of the words, for a quick look: in any text, and in those that are not plain English."""
STEP_MARKER = re.compile(
    rf"""(?:^|(?<=\n))(?P<lead>[ \t\#>*_•-]*)
        (?:(?:{"|".join(MARKER_WORDS)}|चरण)[ \t]*\#?(?:(?P<number>\d{{1,6}})|{NUMBER_WORDS}|[IVX]{{1,6}})\b
        (?:[*_ \t]*[.:)\]–—：-]|[ \t]*[*_]+|[ \t]*(?=\n|$)|[ \t]+(?-i:(?=[A-Z])))
        |(?:步骤[ \t]*(?P<digit>\d{{1,6}}|[一二三四五六七八九十]{{1,3}})
           |第[ \t]*(?P<place>\d{{1,6}}|[一二三四五六七八九十]{{1,3}})[ \t]*步)
        [*_ \t]*(?:[：:，,、.]|(?=\n|$)))""",
    re.VERBOSE | re.IGNORECASE,
)
INLINE_MARKER = re.compile(
    r"(?<=[.!?])[ \t]+(?=[*_\[(]{0,2}(?:Step|STEP|Thought|THOUGHT)[ \t]+\d+[*_]{0,2}[:.\])])"
)
LIST_NUMBER = re.compile(r"(?:^|(?<=\n))([ \t#>*_]*)(\d{1,3})[.)](?=[ \t*_]|\\|\$)")
BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")
CONTINUES = re.compile(r"[a-z]|[-*•+][ \t]|\d{1,3}[.)][ \t]|[ \t]")
"""What a paragraph begins with that goes on with the one before it: an item, a small letter."""
CONCLUDES = re.compile(
    r"[*_#> \t]*(?:therefore|thus|hence|so\b|finally|in conclusion|conclusion|(?:the )?final answer|(?:the )?answer"
    r"|overall|in total|in summary|summary|因此|所以|综上|答案)",
    re.IGNORECASE,
)
CONCLUDING_LINE = re.compile(
    r"\n(?=(?:Therefore|Thus|Hence|So|In conclusion|In total|The (?:final )?answer)\b|所以|因此|综上)"
)


def marker_cuts(text: str, masked: str) -> list[int]:
    """Beginnings of marked steps, where at least two are marked, and of paragraphs outside of them; else none."""
    begun = _words(masked) if _may_hold_words(masked) else []
    begun = begun or _numbers(masked)
    if not begun:
        return []
    return sorted({*begun, *_loose_paragraphs(masked, begun), *_conclusion(masked, begun)} - {0})


def _may_hold_words(masked: str) -> bool:
    for hint in HINTS:
        if hint in masked:
            return True
    return not masked.isascii() and any(hint in masked for hint in OTHER_HINTS)


def _words(masked: str) -> list[int]:
    """Places of the markers with a word, of the highest rank; none where they number lists inside of paragraphs."""
    found = list(STEP_MARKER.finditer(masked))
    inner = [_is_item(match["lead"]) for match in found]
    if not all(inner):
        found = [match for match, is_inner in zip(found, inner, strict=True) if not is_inner]
    if len(found) < 2:
        return []
    if _number_lists(masked, found, all(inner)):
        return []
    last = _number_of(found[-1])
    numbered = LIST_NUMBER.search(masked, found[-1].end())
    goes_on = numbered is not None and last is not None and int(numbered[2]) == last + 1
    return [match.start() for match in found] + ([numbered.start()] if numbered and goes_on else [])


def _is_item(lead: str) -> bool:
    """Whether what stands before a marker makes it an item: a bullet, or an indentation."""
    return lead[:1] in (" ", "\t") or (lead[:1] in BULLETS and lead[1:2] in (" ", "\t"))


def _number_lists(masked: str, found: list[re.Match[str]], all_items: bool) -> bool:
    """Whether the markers are items of lists below paragraphs, rather than the steps of the text."""
    firsts = [found[0]]
    for before, after in pairwise(found):
        numbers = _number_of(before), _number_of(after)
        if numbers[0] is not None and numbers[1] is not None and numbers[1] <= numbers[0]:
            firsts.append(after)
    below = [not _begins_paragraph(masked, match.start()) for match in firsts]
    if all_items:
        return len(firsts) > 1 or below[0]
    return len(firsts) > 1 and all(below) and BLANK_LINE.search(masked) is not None


def _begins_paragraph(masked: str, at: int) -> bool:
    before = masked[max(0, at - 200) : at].rstrip(" \t")
    return (
        not before
        or (before.endswith("\n") and not before[:-1].rstrip(" \t\r").strip("\n"))
        or (before.endswith("\n") and before[:-1].rstrip(" \t\r").endswith("\n"))
    )


def _number_of(found: re.Match[str]) -> int | None:
    digits = found["number"] or found["digit"] or found["place"]
    return int(digits) if digits and digits.isdecimal() else None


def _numbers(masked: str) -> list[int]:
    """Places of the items of a numbered list that the text begins with, inner lists left out."""
    first = LIST_NUMBER.match(masked)
    if not first or int(first[2]) > 1:
        return []
    rest = list(LIST_NUMBER.finditer(masked, first.end()))
    expected = int(first[2]) + 1
    rank = min((_indentation(match) for match in rest if int(match[2]) == expected), default=0)
    cuts: list[int] = []
    inner, inner_before = 0, 0  # items of the list inside this item, and inside the one before
    for match in rest:
        number = int(match[2])
        if _indentation(match) > rank + 1:
            continue
        is_next_of_both = number == expected and inner and number == inner + 1
        if number == expected and not (is_next_of_both and not (inner_before and inner >= inner_before)):
            cuts.append(match.start())
            expected += 1
            inner, inner_before = 0, inner
        elif number == inner + 1:
            inner = number
    return [0, *cuts] if cuts else []


def _indentation(found: re.Match[str]) -> int:
    lead = found[1]
    blanks = lead[: len(lead) - len(lead.lstrip(" \t"))]
    return len(blanks) + 3 * blanks.count("\t")


def _loose_paragraphs(masked: str, begun: list[int]) -> list[int]:
    """Beginnings of the paragraphs that belong to no marked step."""
    blank = [found.end() for found in BLANK_LINE.finditer(masked)]
    blank = [at for at in blank if at < len(masked)]
    if not blank:
        return []
    edges = [0, *[at for at in begun if at], len(masked)]
    inside: list[list[int]] = [[] for _ in edges[1:]]
    step = 0
    starts = set(begun)
    for at in blank:
        while at >= edges[step + 1]:
            step += 1
        if at not in starts and not CONTINUES.match(masked, at):
            inside[step].append(at)
    has_intro = bool(begun) and begun[0] != 0
    loose = inside.pop(0) if has_intro else []
    bodies, last = inside[:-1], inside[-1]
    long = [len(cuts) for cuts in bodies if cuts]
    if len(long) * 2 < max(1, len(bodies)):
        return loose + [at for cuts in inside for at in cuts]
    longest = max(long, default=0)
    concluded = next((i for i, at in enumerate(last) if CONCLUDES.match(masked, at)), len(last))
    return loose + last[min(longest, concluded) :]


def _conclusion(masked: str, begun: list[int]) -> list[int]:
    """Where a conclusion begins on a line of its own below the last of steps that are one line each."""
    for start, stop in pairwise(begun):
        if "\n" in masked[start:stop].strip():
            return []
    found = CONCLUDING_LINE.search(masked, begun[-1]) if len(begun) > 1 else None
    return [found.start() + 1] if found else []
