"""Cut text to a length without splitting what a reader sees as one character.

Covers the joins that occur in practice: combining marks, variation selectors, zero-width joiners,
skin tones, flags (pairs of regional indicators), keycaps and Hangul jamo; not all of UAX 29.
"""

import unicodedata

JOINER = "\u200d"
LONGEST_CLUSTER = 64


def truncate(text: str, limit: int) -> str:
    """At most `limit` characters of the text, ending between two grapheme clusters."""
    if len(text) <= limit:
        return text
    end = limit
    while end > max(0, limit - LONGEST_CLUSTER) and not _is_boundary(text, end):
        end -= 1
    return text[: end if end and _is_boundary(text, end) else limit]


def _is_boundary(text: str, at: int) -> bool:
    before, after = text[at - 1], text[at]
    if before == JOINER or after == JOINER or (before, after) == ("\r", "\n"):
        return False
    if unicodedata.category(after) in ("Mn", "Me", "Mc") or "\U0001f3fb" <= after <= "\U0001f3ff":
        return False
    if _is_flag_letter(before) and _is_flag_letter(after):
        start = at
        while start and _is_flag_letter(text[start - 1]) and at - start < LONGEST_CLUSTER:
            start -= 1
        return (at - start) % 2 == 0
    return not (_is_jamo(before) and "\u1160" <= after <= "\u11ff")


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _is_jamo(char: str) -> bool:
    return "\u1100" <= char <= "\u11ff" or "\uac00" <= char <= "\ud7a3"
