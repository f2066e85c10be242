"""Answers: take the final answer out of a text. Whether two are the same is equality.py's.

Solutions write their answer at the end, and in this order of trust: in `<answer>7</answer>` or another tag, in
`\\boxed{7}`, as a last line `#### 7`, or in words (said.py): `Answer: B`, `the answer is 51`, `答案：7`. What was
said last counts. Linear in the length of the text.
"""

import re

from zero_engine.parse.boxes import boxed
from zero_engine.parse.equality import answers_equal
from zero_engine.parse.said import said, value_of

__all__ = [
    "answers_equal",
    "extract_answer",
    "looks_like_a_solution",
    "stated_answer",
    "without_final_answer",
]

TAG = re.compile(
    r"<(?P<end>/?)(?P<name>answer|final_answer|output|solution|conclusion)>|<\|(?P<edge>begin|end)_of_(?P<part>solution|answer|box)\|>"
    r"|\[(?P<close>/?)(?P<mark>ANSWER)\]",
    re.IGNORECASE,
)
BOLD = re.compile(r"\*\*([^*\n]+)\*\*\.?")
MAY_BE_TAG = re.compile(r"<[/a|]")
MARKUP = re.compile(r"[ \\#:<$*\[]")
PLAIN = 24
"""Characters below which an answer without markup is taken as it is."""


def extract_answer(answer: str | None, rationale: str = "") -> str | None:
    """The final answer: out of `answer` if there is one, else as the rationale states it, else None."""
    if answer is not None and (answer := answer.strip()):
        if len(answer) < PLAIN and answer.isascii() and not MARKUP.search(answer):
            return answer
        return stated_answer(answer) or (bold[1] if (bold := BOLD.fullmatch(answer)) else answer)
    return stated_answer(rationale)


def stated_answer(text: str) -> str | None:
    """The answer that a text states in a tag, in a box, after `####` or in words; None where it states none."""
    if (MAY_BE_TAG.search(text) or "[ANS" in text) and (tagged := _tagged(text)) is not None:
        return _in_text(tagged) or tagged
    return _in_text(text)


def without_final_answer(rationale: str) -> tuple[str, str | None]:
    """The rationale without a last line `#### answer`, and that answer."""
    at = rationale.rfind("####")
    if at < 0 or rationale[at - 1 : at] == "#":
        return rationale, None
    answer = rationale[at + 4 :].strip()
    if "\n" in answer or (at and not rationale[at - 1].isspace()):
        return rationale, None
    return rationale[:at].rstrip(), answer or None


def looks_like_a_solution(answer: str | None) -> str:
    """Why a truth is no truth but the way to it: in words, empty where it may be one."""
    lines = [line for line in (answer or "").splitlines() if line.strip()]
    words = (answer or "").split()
    if re.search(r"^\s*####", answer or "", re.MULTILINE):
        return "it has a line ####"
    if re.search(r"<<[^<>]*=[^<>]*>>", answer or ""):
        return "it has calculator notes <<..>>"
    if "\\boxed" in (answer or "") and len(words) > 8:
        return "its answer stands in \\boxed inside a text"
    if re.search(r"final answer|answer is\b|</think>", answer or "", re.IGNORECASE) and len(words) > 8:
        return "it states its answer inside a text"
    if len(lines) > 2 or len(words) > 60:
        return f"{len(lines)} lines, {len(words)} words"
    return ""


def _in_text(text: str) -> str | None:
    if (box := boxed(text)) is not None:
        return box
    if "#" in text and (hashed := without_final_answer(text)[1]):
        return said(hashed) or value_of(hashed)
    return said(text)


def _tagged(text: str) -> str | None:
    """What stands in the last tag that holds something; a tag that the text ends in without closing it counts too."""
    content, begun = None, None
    for found in TAG.finditer(text):
        name = (found["name"] or found["part"] or found["mark"]).lower()
        closes = bool(found["end"] or found["close"] or (found["edge"] or "").lower() == "end")
        if not closes:
            begun = (name, found.end())
        elif begun and begun[0] == name:
            content = text[begun[1] : found.start()].strip() or content
            begun = None
    if begun and (rest := text[begun[1] :].strip()) and content is None and "\n\n" not in rest:
        return rest
    return content
