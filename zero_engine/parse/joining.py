"""Joining: pieces that say nothing by themselves go with their neighbour.

A heading, a bold title, a marker without a text (`### Step 2`), a word with a colon (`Solution:`) and an item's number go with
what follows; `Answer: B`, a box, a bare letter and signs without a word go with what stands before.
"""

import re

from zero_engine.parse.guards import FILLER
from zero_engine.parse.labels import FOREIGN

LONGEST = 80
"""Characters of a piece that may say nothing."""
HEADING = re.compile(
    r"#{1,6}[ \t]+[^\n=]*"
    r"|(?:[#>•-]+[ \t]+)?(\*\*|__)(?:(?!\1)[^\n=]){1,76}\1[ \t]*[:：]?"
    r"|[#>*_ \t]*(?:step|thought|part|case|phase|stage|question|q|étape|paso|schritt|шаг)[ \t]*#?(?:\d{1,4}|[ivx]{1,4}|[a-z]|one|two|three)"
    r"[*_ \t]*[.:)]?[*_ \t]*"
    r"|[*_#>]*[^\W\d_][\w'’-]*(?: [\w'’-]+){0,2}[*_ \t]*[:：][*_]*",
    re.IGNORECASE,
)
NUMBER = re.compile(r"[(\[]?(?:\d{1,3}[.)\]:]|[ivx]{1,4}[.)\]])|[-*•+]", re.IGNORECASE)
ANSWER = re.compile(
    r"[*_#> \t(\[]*(?:(?:so|thus|hence|therefore),?[ \t]+)?(?:the[ \t]+)?(?:(?:final|correct|right|best)[*_]*[ \t]+)?(?:"
    r"(?:answer|ans|option|choice)(?:[ \t]+(?:option|choice))?[*_]*(?:[ \t]*[:=：—–-]|[ \t]+is\b|(?=[ \t]+\(?[A-Z]\)?[.*]*$))"
    rf"|(?i:{'|'.join(map(re.escape, FOREIGN))})[*_]*[ \t]*[:：—–=])[*_ \t]*(?P<value>[^\n]*)",
    re.IGNORECASE,
)
LETTER = re.compile(r"[*(\[]{0,3}[A-Z][)\].:*]{0,4}", re.IGNORECASE)
OPTION = re.compile(r"[*]{0,2}(?:option|choice)?[ \t]*[(\[]?([A-Z])[)\]]?[ \t]*(?:[.:)][^\n]{0,40})?[.*]{0,3}|", re.IGNORECASE)
BOX = re.compile(r"(?:\$\$?|\\\[|\\\()?\s*\\boxed\{[^\n]*\}[.\s]*(?:\$\$?|\\\]|\\\))?\.?")


def kind(piece: str, masked: str) -> str:
    """`next` or `previous`: where a piece belongs that says nothing by itself; empty where it says something."""
    if len(piece) > LONGEST:
        return ""
    first = piece[0]
    if first.isalnum() and len(piece) > 2 and ":" not in piece and "：" not in piece:
        if not _may_be_answer(piece):
            return "next" if HEADING.fullmatch(piece) or NUMBER.fullmatch(piece) else ""
    if BOX.fullmatch(piece):
        return "previous"
    if FILLER in masked:
        return ""
    if (found := ANSWER.fullmatch(piece)) and _is_short(piece, found):
        return "previous" if found["value"].strip("*_ \t") else "next"
    if HEADING.fullmatch(piece) or NUMBER.fullmatch(piece):
        return "next"
    if LETTER.fullmatch(piece) or not any(char.isalnum() for char in piece):
        return "previous"
    return ""


def names_answer(piece: str) -> bool:
    """Whether a heading announces the answer: `**Final Answer**`."""
    lowered = piece.lower()
    return any(word in lowered for word in ("answer", "答案", "ответ", "respuesta", "réponse", "resposta", "उत्तर"))


def _may_be_answer(piece: str) -> bool:
    lowered = piece.lower()
    return "ans" in lowered or "option" in lowered or "choice" in lowered or not piece.isascii()


def _is_short(piece: str, found: re.Match[str]) -> bool:
    """`Answer: 7` and `the answer is B`, unlike `The answer is 7 eggs, for 3 + 4 = 7.`"""
    value = found["value"]
    if re.search(r"\bis\b", piece[: found.start("value")], re.IGNORECASE):
        return OPTION.fullmatch(value) is not None
    return len(value) <= 48 and "=" not in value[:-1]
