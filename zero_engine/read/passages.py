"""Passages: what a question asks about, in a column of its own, for the guess of `zero-engine init`.

A passage, a table or the story of a word problem is the longest text of its record, and no reasoning: taken for the
rationale, it would be drawn and learned. Nor is a column that says the question once more (`formatted_question`).
"""

from typing import Any

from zero_engine.read.fields import Record, find
from zero_engine.read.spelling import spelled

CONTEXT = (
    "context",
    "passage",
    "article",
    "story",
    "narrative",
    "paragraph",
    "premises",
    "background",
    "body",
    "theory",
    "table",
    "document",
    "pre_text",
)
"""Names of what a question asks about; the first one that a record has goes before its question."""
OTHER_PASSAGES = (
    "post_text",
    "lecture",
    "hint",
    "premise",
    "hypothesis",
    "documents",
    "contexts",
    "evidence",
)
"""Names of texts beside a question that are no reasoning, either."""
REPEATS = ("question", "problem", "query", "prompt")
"""The words of a column that says the question again."""
SHARE = 0.5


def is_passage(name: str) -> bool:
    """Whether a column is called by what a question asks about."""
    return spelled(name.partition(".")[0]) in (*CONTEXT, *OTHER_PASSAGES)


def says_again(records: list[Record], name: str, question: str) -> bool:
    """Whether a column holds the question once more, or a part of it, in most of the records that have both."""
    if set(REPEATS) & set(spelled(name).split("_")):
        return True
    pairs = [(_plain(find(record, question)), _plain(find(record, name))) for record in records]
    pairs = [(asked, text) for asked, text in pairs if asked and text]
    return sum(asked in text or text in asked for asked, text in pairs) > SHARE * len(pairs)


def tell_apart(records: list[Record], name: str) -> bool:
    """Whether a column holds texts of several words, each another: `source` is the question in CoT-Collection."""
    texts = [value for record in records if isinstance(value := find(record, name), str)]
    return bool(texts) and len(set(texts)) == len(texts) and min(len(text.split()) for text in texts) > 3


def _plain(value: Any) -> str:
    return " ".join(value.split()).casefold() if isinstance(value, str) else ""
