"""Said: the answer that a text states in words, `Answer: B`, `the answer is 51`, `答案：7`. What was said last counts.

Every label (labels.py) is looked at from the last to the first. What stands around it is matched inside windows of
fixed size, so that time is linear in the length whatever a text repeats.
"""

import re

from zero_engine.parse.labels import AFTER_FOREIGN, VERB_LAST, labels_in

BEFORE = 48
"""Characters looked at before a label."""
AFTER = 80
"""Characters looked at after a label, for `is` or a colon."""
LONGEST_VALUE = 500
"""Characters in which a stated value ends."""
ANNOUNCES = re.compile(
    r"(?:^|[\n.:;,!?。！？।：；，>*#\"'“({\[\\|=—–-]|\b(?:so|thus|hence|therefore|then|gives|get))[*_#>\" \t({\"“‘(\[]*"
    r"(?:the |our |its |my )?(?:(?:final|correct|right|best|numerical|required|actual)[*_]*\s)*$",
    re.IGNORECASE,
)
"""What stands before a label that begins a statement: the beginning of a line, of a sentence, of a clause."""
NAMED = re.compile(
    r"\b(?:the|our|final|correct|right)\s+(?:(?:final|correct|right|best|numerical|required)\s+)*$", re.I
)
IS_DOUBTED = re.compile(
    r"\b(?:if|whether|unless|suppose|assume|assuming)\s+(?:the\s+|our\s+)?(?:\w+\s+)?$", re.I
)
STATES = re.compile(
    r"(?:[ \t]+(?:choice|option|key|letter|value|here|(?:to|for) (?:the|this|our|your) \w{1,12}(?: \w{1,12})?)(?!\w))?"
    r"[*_`\"'”’)\]}\\ \t]{0,12}"
    r"(?:(?P<sign>[:：﹕=＝|]|[—–-](?=[ \t])|\.(?=[A-Z]\b))"
    r"|(?P<word>is|are|would be|will be|must be|should be|has to be|equals|comes out (?:to be|as))(?!\w))"
    r"(?:[ \t]*(?:therefore|thus|then|simply|just|indeed|hence|clearly|exactly|now|actually|really|in fact|probably"
    r"|approximately|:|：|=|,(?=[ \t])))*"
    r"[*_ }\t]{0,12}",
    re.IGNORECASE,
)
LETTER_NEXT = re.compile(
    r"[ \t]*(?:choice|option)?[ \t]*[(\[*]{0,3}([A-Z])[)\]*.]{0,4}[ \t]*"
    r"(?=$|\n|\)|is (?:the )?(?:correct|right|answer))"
)
LETTER_BEFORE = re.compile(
    r"(?:^|[\s(\[*])(?:(?:option|choice)[ \t]+)?[(\[*]{0,3}([A-Z])[)\].*]{0,3}[ \t]+(?:is|as|must be|would be)[ \t]+"
    r"(?:the[ \t]+)?(?:(?:correct|right|best|final)[ \t]+)?$",
    re.IGNORECASE,
)
LETTER_VALUE = re.compile(r"[(\[*]{0,3}[A-Z](?![\w'’])")
BEGINS_LINE = re.compile(
    r"[*_#> \t]*(?:(?:step|part) ?\d{1,3} ?[.:)] ?[*_]*)?(?:the )?(?:(?:final|correct)[*_]* )?[*_]*",
    re.IGNORECASE,
)
ALONE = re.compile(r"[*_`:：. \t#]{0,12}(?=\n|$)")
NO_VALUE = re.compile(
    r"(?:not|in|at(?! (?:least|most)\b)|on|of|the same|correct|incorrect|right|wrong|given|found|obtained|shown"
    r"|below|above|as follows|that|which|whether|what|how|still|already|also|only|expected|supposed|unclear|unknown"
    r"|reasonable|yours?|there)\b",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(
    r"(?:(?<!\b[DMS][rst])(?<!\bMrs)\.|[!?])(?=[*_\")]*[ \t]+[^\Wa-z\d_])|[。！？।；۔؛؟]"
    r"|[ \t,]\b(?:because|since|which|as (?:required|desired|expected))\b"
)
DISPLAY = (("\\[", "\\]"), ("$$", "$$"))
FENCED = re.compile(r"```\w{0,12}\n([^`]{1,500})```")
ITEM = re.compile(r"[-*•] +(?=\S)")
WRAPS = (
    ("$$", "$$"),
    ("$", "$"),
    ("\\(", "\\)"),
    ("\\[", "\\]"),
    ("**", "**"),
    ("`", "`"),
    ('"', '"'),
    ("“", "”"),
    ("'", "'"),
    ("「", "」"),
)
JSON_VALUE = re.compile(r'"[ \t\n]{0,20}:[ \t\n]{0,20}(?:"([^"\\\n]{0,300})"|([^\s",{}\[\]]{1,100}))')
LAST_LETTER = re.compile(r"[*(\[]{0,3}([A-H])[)\]*.]{0,4}")
LETTER_IN_BRACKETS = re.compile(r"[(\[]([A-Z])[)\]]")
CLOSING_TAG = re.compile(r"<[|/]?[^<>\n]{0,40}>$")


def said(text: str) -> str | None:
    """The answer that a text states last, or None. Linear in its length."""
    lines = text.rstrip()
    if "\n" in lines[-12:] and (alone := LAST_LETTER.fullmatch(lines[lines.rfind("\n") + 1 :].strip())):
        return alone.group(1)
    lowered = text.lower()
    if len(lowered) != len(text):  # one letter in a million lower-cases to two
        lowered = text
    for start, stop, is_english in reversed(labels_in(lowered)):
        value = _english(text, lowered, start, stop) if is_english else _foreign(text, stop)
        if value:
            return value
    return None


def value_of(text: str) -> str | None:
    """The value at the beginning of a text: to the end of its sentence or line, without markup around it."""
    text = text[: LONGEST_VALUE * 2].lstrip(" \t*_")
    if found := FENCED.match(text):
        return _bare(found.group(1))
    text = ITEM.sub("", text, count=1) if text[:1] in "-*•" else text
    for opener, closer in DISPLAY:
        if text.startswith(opener) and (stop := text.find(closer, len(opener))) > 0:
            return _bare(text[len(opener) : stop])
    text = text.partition("\n")[0][:LONGEST_VALUE]
    if end := SENTENCE_END.search(text, 1):
        text = text[: end.start()]
    return _bare(VERB_LAST.sub("", text))


def _bare(text: str) -> str | None:
    for _ in range(4):
        text = (
            CLOSING_TAG.sub("", text.strip().rstrip(".,;．。|").strip())
            .strip(" \t\n")
            .rstrip(".")
            .strip("*_ \t\n")
        )
        if text.endswith("}") and text.count("}") > text.count("{"):
            text = text[:-1]
        for opener, closer in WRAPS:
            inner = text[len(opener) : -len(closer)]
            if len(text) > len(opener) + len(closer) and text.startswith(opener) and text.endswith(closer):
                if opener[-1] not in inner and closer not in inner:
                    text = inner
                break
    if found := LETTER_IN_BRACKETS.fullmatch(text):
        return found.group(1)
    return text if text and any(char.isalnum() or char in "<>=+∞∅" for char in text) else None


def _english(text: str, lowered: str, start: int, stop: int) -> str | None:
    if lowered[start - 1 : start].isalpha() or lowered[stop : stop + 1].isalnum():
        return None
    before = text[max(0, start - BEFORE) : start]
    is_choice = lowered[start] in "oc"
    if (found := LETTER_BEFORE.search(before)) and not lowered.startswith((":", " is"), stop):
        return found.group(1).upper() if found.group(1).isupper() else None
    if text[start - 1 : start] == '"' and (found := JSON_VALUE.match(text, stop)):
        return _bare(found.group(1) or found.group(2) or "")
    begins = ANNOUNCES.search(before) is not None
    if is_choice:
        begins = begins and (
            text[start].isupper()
            or "correct" in before.lower()
            or "right" in before.lower()
            or before[-1:] == "\n"
        )
    named = begins or NAMED.search(before) is not None
    if IS_DOUBTED.search(before):
        return None
    if found := STATES.match(text, stop, stop + AFTER):
        sign = found.group("sign")
        if not (named or (sign and text[start].isupper())):
            return None
        value = _value_at(text, found.end())
        if is_choice and value and not LETTER_VALUE.match(value):
            return None
        return value
    if (found := LETTER_NEXT.match(text, stop, stop + AFTER)) and (
        named or text[start].isupper() or text.startswith("is ", found.end())
    ):
        return found.group(1)
    if begins and not is_choice and ALONE.match(text, stop, stop + AFTER) and _begins_line(text, start):
        return _value_at(text, stop)
    return None


def _foreign(text: str, stop: int) -> str | None:
    if text[stop - 1] in ":：":
        return _value_at(text, stop)
    if found := AFTER_FOREIGN.match(text, stop, stop + AFTER):
        return _value_at(text, found.end())
    return _value_at(text, stop) if ALONE.match(text, stop, stop + AFTER) else None


def _value_at(text: str, at: int) -> str | None:
    """The value at a place, or on the next line that is not blank where nothing follows on this one."""
    if alone := ALONE.match(text, at, at + AFTER):
        at = alone.end()
        while at < len(text) and text[at].isspace():
            at += 1
    if NO_VALUE.match(text, at):
        return None
    return value_of(text[at : at + 2 * LONGEST_VALUE])


def _begins_line(text: str, start: int) -> bool:
    line = text[max(0, start - BEFORE) : start].rpartition("\n")[2]
    return BEGINS_LINE.fullmatch(line) is not None
