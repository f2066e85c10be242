"""Answers: take the final answer out of a text, and say whether two answers are the same.

Extraction looks for what solutions write at their end: `\\boxed{}`, `#### 18`, `Answer: B`,
`the answer is 51`. Equivalence is strict where the reference implementation is not: an empty answer
equals nothing, `5 red cars` is not `9 red cars`, and `No` is `NO`.
"""

import re
import threading
import unicodedata
from fractions import Fraction

HASHES = re.compile(r"(?:^|\n)[ \t]*####[ \t]*([^\n]*)\s*$")
STATED = re.compile(
    r"(?:^|\n|[.:;,!?]\s|\b(?:so|thus|hence|therefore|,)\s+)"
    r"[*_ \t]*(?:the\s+)?(?:final\s+|correct\s+)?(?:answer|ans)(?:\s+choice|\s+option)?"
    r"(?:[*_ \t]*(?::|=)[*_ \t]*|\s+(?:is|would be|must be)[*_ \t]*:?[ \t]*)(\S[^\n]*)",
    re.IGNORECASE,
)
FIRST_SENTENCE = re.compile(r"(.*?)(?:\.(?=\s+[A-Z])|\.?[*_]*\s*$)")
LETTER = re.compile(
    r"\(?\[?([A-Za-z])\]?\)?[.:]?|(?:option|choice|answer)\s+\(?([A-Za-z])\)?\.?", re.IGNORECASE
)
LETTER_AND_TEXT = re.compile(r"\(?([A-Z])[).:]\s*(\S.*)")
FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]+)\}\s*\{([^{}]+)\}|\\[dt]?frac(\d)(\d)")
WRAPPED = re.compile(r"\\(?:text|textbf|mathrm|mbox|mathbf)\s*\{([^{}]*)\}")
NUMBER = re.compile(
    r"([-+]?)\s*(?:[$€£¥]\s*)?([-+]?)(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    r"(?:e([-+]?\d{1,3}))?(?:\s*/\s*(\d+(?:\.\d+)?)|\s+(\d+)/(\d+))?\s*(%|percent\b|°|degrees?\b)?\s*(.*)",
    re.IGNORECASE,
)
UNIT = re.compile(r"(?!.*\b(?:or|and|to|not|but)\b)[^\d=<>,;:]*")
"""What may follow a number without changing it: words, but no second number and no alternative."""
SAME_WORDS = {"true": "yes", "false": "no", "y": "yes", "n": "no", "correct": "yes", "incorrect": "no"}
LONGEST_EXPRESSION = 400
"""Characters of both sides together; longer texts are equal only where they are the same."""


def extract_answer(answer: str | None, rationale: str = "") -> str | None:
    """The final answer: out of `answer` if there is one, else as the rationale states it, else None."""
    if answer is not None and (answer := answer.strip()):
        if len(answer) < 24 and not any(sign in answer for sign in " \\#:"):
            return answer
        return _stated(answer) or answer
    return _stated(rationale)


def answers_equal(first: str | None, second: str | None, choices: tuple[str, ...] = ()) -> bool:
    """Whether two answers say the same; never for an empty one.

    With `choices`, a letter equals the text of its choice. Expressions that are not plain numbers are
    compared by math-verify where it is installed.
    """
    if not first or not second:
        return False
    left, right = normal_form(first), normal_form(second)
    if not left or not right:
        return False
    if left == right:
        return True
    letters = _letter(first, choices), _letter(second, choices)
    if all(letters):
        return letters[0] == letters[1]
    if choices and any(letters):
        return False
    if len(left) + len(right) > LONGEST_EXPRESSION:
        return False
    numbers = NUMBER.fullmatch(left), NUMBER.fullmatch(right)
    if numbers[0] and numbers[1]:
        return _same_numbers(numbers[0], numbers[1]) or _same_expression(first, second)
    return _same_expression(first, second)


def normal_form(answer: str) -> str:
    """One spelling of an answer: case, blanks, wrapping, LaTeX fractions and number signs unified."""
    text = unicodedata.normalize("NFKC", answer).replace("\u2212", "-").replace("\u2013", "-").strip()
    if (box := _boxed(text)) is not None:
        text = box
    text = (
        WRAPPED.sub(r"\1", text).replace("\\$", "$").replace("\\%", "%").replace("\\!", "").replace("\\,", "")
    )
    text = FRACTION.sub(lambda m: f"{m[1] or m[3]}/{m[2] or m[4]}", text)
    while len(text) > 1 and (text[0], text[-1]) in (("$", "$"), ("*", "*"), ("`", "`"), ('"', '"')):
        text = text[1:-1].strip()
    if text.startswith("\\(") and text.endswith("\\)"):
        text = text[2:-2]
    text = " ".join(text.split()).rstrip(".").strip().casefold()
    return SAME_WORDS.get(text, text)


def without_final_answer(rationale: str) -> tuple[str, str | None]:
    """The rationale without a last line `#### answer`, and that answer."""
    found = HASHES.search(rationale) if "####" in rationale else None
    if not found:
        return rationale, None
    return rationale[: found.start()], found.group(1).strip() or None


def _stated(text: str) -> str | None:
    if (box := _boxed(text)) is not None:
        return box or None
    if "####" in text and (found := HASHES.search(text)):
        return found.group(1).strip() or None
    if "nswer" not in text and "ANS" not in text and "ans" not in text.lower():
        return None
    stated = list(STATED.finditer(text))
    if not stated:
        return None
    sentence = FIRST_SENTENCE.match(stated[-1].group(1))
    said = (sentence.group(1) if sentence else stated[-1].group(1)).strip(" \t*_")
    return said or None


def _boxed(text: str) -> str | None:
    """Content of the last `\\boxed{...}`, with balanced braces."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth, begin = 1, start + len("\\boxed{")
    for at in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return text[begin:at].strip()
    return None


def _letter(answer: str, choices: tuple[str, ...]) -> str | None:
    """The letter of a choice that an answer names, as `B`, `(B)`, `B) five` or, with choices, `five`."""
    text = answer.strip()
    if found := LETTER.fullmatch(text):
        return (found.group(1) or found.group(2)).upper()
    if found := LETTER_AND_TEXT.fullmatch(text):
        return found.group(1)
    wanted = normal_form(text)
    named = [i for i, choice in enumerate(choices) if normal_form(choice) == wanted]
    return chr(ord("A") + named[0]) if len(named) == 1 else None


def _same_numbers(left: re.Match[str], right: re.Match[str]) -> bool:
    units = [_unit(found) for found in (left, right)]
    if (all(units) and units[0] != units[1]) or any(not UNIT.fullmatch(unit) for unit in units):
        return False
    values = [_value(found) for found in (left, right)]
    if values[0] is None or values[1] is None:
        return False
    if values[0] == values[1]:
        return True
    percents = [bool(found.group(8)) and found.group(8) in ("%", "percent") for found in (left, right)]
    scaled = [
        value / 100 if is_percent else value for value, is_percent in zip(values, percents, strict=True)
    ]
    return percents[0] != percents[1] and scaled[0] == scaled[1]


def _value(found: re.Match[str]) -> Fraction | None:
    sign, inner_sign, digits, exponent, divisor, upper, lower = found.groups()[:7]
    value = Fraction(digits.replace(",", "")) * Fraction(10) ** int(exponent or 0)
    if divisor is not None or lower is not None:
        if Fraction(divisor or lower) == 0:
            return None
        value = (
            value / Fraction(divisor) if divisor is not None else value + Fraction(upper) / Fraction(lower)
        )
    return -value if "-" in (sign, inner_sign) else value


def _unit(found: re.Match[str]) -> str:
    words = found.group(9).strip(" .").split()
    return " ".join(word.removesuffix("s") for word in words)


def _same_expression(first: str, second: str) -> bool:
    if not all(re.search(r"[\\^{}()=√π]|\d\s*[-+*/]\s*\w", text) for text in (first, second)):
        return False
    try:
        from math_verify import parse, verify
    except ImportError:
        return False
    seconds = 2 if threading.current_thread() is threading.main_thread() else None
    sides = [parse(f"${text.strip('$ ')}$", parsing_timeout=seconds) for text in (first, second)]
    return all(sides) and bool(verify(sides[0], sides[1], timeout_seconds=seconds))
