"""Expressions: whether two formulas are equal by their mathematics, as math-verify of the extra `train` judges.

A model can write a few characters that keep a computer algebra system busy for hours, so math-verify sees only short
expressions without towers of powers, large factorials or deep brackets, and with a deadline where one can be set.
"""

import re
import threading

LONGEST = 400
"""Characters of both sides together that math-verify is asked about."""
LONGEST_WITHOUT_A_CLOCK = 120
"""The same outside the main thread, where math-verify's deadline cannot be set."""
SECONDS = 2
MOST_POWERS, MOST_FACTORIALS = 8, 2
PLAIN_NUMBER = re.compile(r"[-+]?[$€£¥₹₽]? ?[\d.,]+(?:/\d+)?(?:e[-+]?\d{1,3})?%?")
EXPRESSION = re.compile(r"[\\^{}()\[\]=√π|]|\d ?[-+*/] ?\w|\w ?[+*/] ?\d|\d[a-z]|!")
WORD = re.compile(r"(?<![\\A-Za-z])(?!(?:sin|cos|tan|cot|sec|log|exp|sqrt|mod)(?![A-Za-z]))[A-Za-z]{3,}")
"""Prose, of which math-verify would take the first number it finds."""
WILD = re.compile(
    r"\^ ?\d+ ?\^|\^\{[^{}]{0,40}\d ?\^|\*\*|\^\{?[-+]?\d{4,}|\d{3,}\)* ?!|!!"
    r"|\\(?:int|sum|prod|lim|binom|bigcup)|\d{40,}|(?:[({\[][^)}\]]{0,9}){9}"
)
"""Towers, large powers and factorials, deep brackets."""
TOWER = re.compile(r"\^ ?\{?\(?(\d+)")


def same_expression(left: str, right: str) -> bool:
    """Whether two cleaned texts are one expression. Without math-verify: whether they are spelled alike."""
    sides = left, right
    if not all(EXPRESSION.search(side) or PLAIN_NUMBER.fullmatch(side) for side in sides):
        return False
    if not any(EXPRESSION.search(side) for side in sides):
        return False
    squeezed = [side.replace(" ", "").replace("*", "") for side in sides]
    if squeezed[0] == squeezed[1]:
        return True
    in_main = threading.current_thread() is threading.main_thread()
    longest = LONGEST if in_main else LONGEST_WITHOUT_A_CLOCK
    if len(left) + len(right) > longest or any(_is_wild(side) or WORD.search(side) for side in sides):
        return False
    return _verified(left, right, SECONDS if in_main else None)


def _is_wild(text: str) -> bool:
    if sum(map(text.count, "([{")) != sum(map(text.count, ")]}")):
        return True  # of what is no formula, math-verify would take the part that it understands
    if text.count("^") > MOST_POWERS or text.count("!") > MOST_FACTORIALS:
        return True
    return bool(WILD.search(text)) or any(len(found) > 2 for found in TOWER.findall(text))


def _verified(left: str, right: str, seconds: int | None) -> bool:
    try:
        from math_verify import parse, verify
    except ImportError:  # see the top of this file
        return False
    try:
        sides = [parse(f"${side.strip('$ ')}$", parsing_timeout=seconds) for side in (left, right)]
        return all(sides) and bool(verify(sides[0], sides[1], timeout_seconds=seconds))
    except Exception:  # an answer that the library cannot take is not known to be equal
        return False
