"""Cut text to a length without splitting what a reader sees as one character.

A grapheme cluster is what Unicode says (UAX 29, extended), by the library `regex`: an emoji with its skin tone, a
flag, a letter with its accents. A cluster can be of any length. One that reaches further back from the limit than
LONGEST_CLUSTER characters is nothing that anybody reads, and is cut at the limit.
"""

import regex

LONGEST_CLUSTER = 64
_CLUSTER = regex.compile(r"\X")


def truncate(text: str, limit: int) -> str:
    """At most `limit` characters of the text, ending between two grapheme clusters."""
    if len(text) <= limit:
        return text
    end = 0
    for cluster in _CLUSTER.finditer(text, 0, limit + LONGEST_CLUSTER):
        if cluster.end() > limit:
            break
        end = cluster.end()
    return text[: end if end > max(0, limit - LONGEST_CLUSTER) else limit]
