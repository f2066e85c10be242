"""Joining: pieces that say nothing by themselves go with their neighbour.

A heading, a bold title, a marker without a text (`### Step 2`), a word with a colon (`Solution:`) and an item's
number go with what follows; `Answer: B`, a box, a bare letter and signs without a word go with what stands before.
"""

import re

from zero_engine.parse.guards import FILLER
from zero_engine.parse.labels import FOREIGN

LONGEST = 80
"""Characters of a piece that may say nothing."""
HEADING = re.compile(
    r"#{1,6}[ \t]+[^\n=]*"
    r"|[^\n=]{1,60}\n={3,}"
    r"|(?:[#>•-]+[ \t]+)?(\*\*|__)(?:(?!\1)[^\n=]){1,76}\1[ \t]*[:：]?"
    r"|[#>*_ \t\[(]*(?:step|thought|part|case|phase|stage|question|q|étape|paso|schritt|шаг)[ \t]*#?"
    r"(?:\d{1,4}|[ivx]{1,4}|[a-z]|one|two|three)"
    r"[*_ \t]*[.:)\]]?[*_ \t]*"
    r"|(?:(?:the|final|detailed|step[ -]by[ -]step) ){0,2}(?:solution|answer|explanation|reasoning|proof|analysis"
    r"|calculations?|computations?|conclusion|verification|summary|result|check|given|rationale)|[解答证證分][：:]?|解答|证明|分析|答案",
    re.IGNORECASE,
)
LEAD_IN = re.compile(
    r"[*_#>]*[^\W\d_][\w'’-]*(?: [\w'’-]+){0,2}[*_ \t]*[:：][*_]*|[^\W\d_]+(?: [^\W\d_]+)?[,，]"
)
SHORT_ANSWER = 60
"""Characters of what follows a heading `Final Answer` and is nothing but the answer."""
SHORT = 6
"""Characters of a letter with its brackets, or of an item's number."""
ENDS_HEADING = ":：*_,，="
NUMBER = re.compile(r"[(\[]?(?:\d{1,3}[.)\]:]|[ivx]{1,4}[.)\]])|[-*•+]", re.IGNORECASE)
ANSWER = re.compile(
    r"[*_#> \t(\[]*(?:(?:so|thus|hence|therefore),?[ \t]+)?(?:the[ \t]+)?(?:(?:final|correct|right|best)[*_]*[ \t]+)?"
    r"(?:(?:answer|ans|option|choice)(?:[ \t]+(?:option|choice))?[*_]*(?:[ \t]*[:=：—–-]|[ \t]+is\b"
    r"|(?=[ \t]+\(?[A-Z]\)?[.*]*$))"
    rf"|(?i:{'|'.join(map(re.escape, FOREIGN))})[*_]*[ \t]*[:：—–=])[*_ \t]*(?P<value>[^\n]*)",
    re.IGNORECASE,
)
MARK = re.compile(r"#{4}[ \t]*[-−+]?[$€£]?\d[\d.,/]*%?")
"""GSM8K's own mark of the answer, which MetaMath and others keep."""
LETTER = re.compile(r"[*(\[]{0,3}[A-Z][)\].:*]{0,4}")
OPTION = re.compile(
    r"[*]{0,2}(?:option|choice)?[ \t]*[(\[]?([A-Z])[)\]]?[ \t]*(?:[.:)][^\n]{0,40})?[.*]{0,3}|", re.IGNORECASE
)
BOX = re.compile(r"(?:\$\$?|\\\[|\\\()?\s*\\boxed\{[^\n]*\}[.\s]*(?:\$\$?|\\\]|\\\))?\.?")
FIRST_WORDS = frozenset(
    "so thus hence therefore the final correct right best answer ans option choice step thought part case phase stage "
    "solution explanation reasoning proof analysis calculation calculations computation computations conclusion given "
    "verification summary result check rationale detailed step-by-step question q paso passo schritt respuesta "
    "resposta reponse risposta antwort jawaban jawab cevap".split()
)
"""The first word, in plain ASCII, of what may say nothing."""
QUALIFIERS = frozenset("so thus hence therefore the final correct right best detailed".split())
NAMED = re.compile(rf"\s(?:{'|'.join(sorted(FIRST_WORDS - QUALIFIERS))})")
"""What one of the qualifiers is followed by, within LOOKED_AT characters, where it says nothing."""
LOOKED_AT = 48


def may_say_nothing(piece: str) -> bool:
    """A quick look: False where `kind` would be empty.

    A heading, a lead-in and an answer's label begin with no amount.
    """
    if len(piece) <= SHORT:
        return True
    if not piece[0].isalpha():
        digit = piece[1] if piece[0] == "$" else piece[0]
        return digit not in "0123456789" or "boxed" in piece
    if piece[-1] in ENDS_HEADING or not piece.isascii():
        return True
    first = piece.split(None, 1)[0].lower().rstrip(":.,-=*)")
    if first not in FIRST_WORDS:
        return False
    return first not in QUALIFIERS or NAMED.search(piece[:LOOKED_AT].lower()) is not None


def kind(piece: str, masked: str, start: int, stop: int) -> str:
    """`next` or `previous`: where a piece belongs that says nothing by itself; empty where it says something.

    `piece` is `text[start:stop]` without blanks around it, of at most LONGEST characters.
    """
    if BOX.fullmatch(piece) or ("\n" in piece and _is_answer_below_heading(piece)):
        return "previous"
    if (found := ANSWER.fullmatch(piece)) and BOX.fullmatch(found["value"].removeprefix(":").strip()):
        return "previous" if found["value"].startswith(":") else ""
    if FILLER in masked[start:stop]:
        return ""
    if MARK.fullmatch(piece):
        return "previous"
    if found and _is_short(piece, found):
        return "previous" if found["value"].strip("*_ \t") else "next"
    if HEADING.fullmatch(piece) or NUMBER.fullmatch(piece):
        return "next"
    if LEAD_IN.fullmatch(piece):
        return "" if masked[stop : stop + 1] == FILLER else "next"
    if LETTER.fullmatch(piece) or not any(char.isalnum() for char in piece):
        return "previous"
    return ""


def names_answer(piece: str) -> bool:
    """Whether a heading announces the answer: `**Final Answer**`."""
    lowered = piece.lower()
    return any(
        word in lowered for word in ("answer", "答案", "ответ", "respuesta", "réponse", "resposta", "उत्तर")
    )


def _is_answer_below_heading(piece: str) -> bool:
    """`**Final Answer**` or `#### 7` and, on the next line, nothing but the answer."""
    heading, _, answer = piece.partition("\n")
    heading, answer = heading.strip(), answer.strip()
    if MARK.fullmatch(heading) and (found := ANSWER.fullmatch(answer)):
        return len(found["value"]) <= SHORT_ANSWER
    if "\n" in answer or len(answer) > SHORT_ANSWER or not names_answer(heading):
        return False
    labelled = ANSWER.fullmatch(heading)
    return HEADING.fullmatch(heading) is not None or (
        labelled is not None and not labelled["value"].strip("*_ \t")
    )


def _is_short(piece: str, found: re.Match[str]) -> bool:
    """`Answer: 7` and `the answer is B`, unlike `The answer is 7 eggs, for 3 + 4 = 7.`"""
    value = found["value"]
    if value.startswith((":", "：")):
        return len(value) <= SHORT_ANSWER and "=" not in value
    if re.search(r"\bis\b", piece[: found.start("value")], re.IGNORECASE):
        return OPTION.fullmatch(value) is not None
    return len(value) <= 48 and "=" not in value[:-1]
