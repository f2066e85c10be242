"""Boxes: the content of `\\boxed{..}` or, without one, of `\\fbox{..}`, by braces that balance. One pass, linear in the
length. A box may have its backslash escaped once too often, or stand behind the end of a row."""

import re

BRACE = re.compile(r"\\{1,4}f?boxed[ \t\n]{0,4}\{|\\.|[{}]", re.DOTALL)
BARE = re.compile(r"\\boxed[ \t]{1,4}([^\s{}$\\]{1,20})")
BETWEEN = re.compile(
    r"[ \t$,;、\\()\[\]]{0,12}(?:and|or|und|oder|et|ou|y|o|e|и|или|和|或|及|&)?[ \t$,;、\\()\[\]]{0,12}"
    r"(?:[A-Za-z]\w{0,3}[ \t]{0,2}=[ \t$\\()\[\]]{0,8})?",
    re.IGNORECASE,
)
"""What stands between the boxes of one answer: `\\boxed{2}$ and $\\boxed{3}`, `\\boxed{2}, y = \\boxed{3}`."""


def boxed(text: str) -> str | None:
    """Content of the last box that holds something; of several in one enumeration all, joined by commas.

    Of a box in a box the inner one counts. An unclosed box and an empty one are none.
    """
    if "\\" not in text:
        return None
    if "boxed" not in text:
        return boxed(text.replace("\\fbox{", "\\boxed{")) if "\\fbox{" in text else None
    found = _boxes(text)
    if not found:
        bare = list(BARE.finditer(text))
        return bare[-1].group(1).rstrip(".,;") or None if bare else None
    start, _, content = found[-1]
    answers = [content]
    for earlier_start, earlier_stop, earlier in reversed(found[:-1]):
        if not BETWEEN.fullmatch(text, earlier_stop, start):
            break
        if earlier != answers[-1]:
            answers.append(earlier)
        start = earlier_start
    return ", ".join(reversed(answers))


def _boxes(text: str) -> list[tuple[int, int, str]]:
    """(start, stop, content) of the innermost boxes that hold something, in order."""
    boxes: list[tuple[int, int, str]] = []
    open_at: list[tuple[int, int] | None] = []
    for found in BRACE.finditer(text, max(0, text.find("boxed") - 5)):
        token = found.group()
        if token == "{" or len(token) > 2:
            open_at.append(found.span() if len(token) > 2 else None)
        elif token == "}" and open_at and (begun := open_at.pop()) is not None:
            holds_another = boxes and boxes[-1][0] >= begun[0]
            if not holds_another and (content := text[begun[1] : found.start()].strip()):
                boxes.append((begun[0], found.end(), content))
    return boxes
