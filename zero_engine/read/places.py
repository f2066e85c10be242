"""Where a corpus's pictures stand, while its texts are still being cut and cleaned.

A format writes `mark(n)` in the place of picture n of `Draft.pictures`; chat markers, thought tags and blanks may then
be cut as in any text. `settle` reads the marks when that is done: the question has a `PICTURE` in the place of each of
its pictures, the rationale has none, and `Draft.given` says how many characters stand before each of its own. What a
corpus writes itself, `<image>`, is left in no text of a record with pictures.
"""

import re
from collections.abc import Callable

from zero_engine.read.fields import Draft
from zero_engine.records import PICTURE

PLACE = "<image>"
"""The mark that many corpora write in a text, one for each of the record's pictures."""
MARK = re.compile("\ue000(\\d{1,9})\ue001")


def mark(number: int | str) -> str:
    """Stands for picture `number` of a draft, in private characters that no corpus writes."""
    return f"\ue000{number}\ue001"


def tidied(text: str, tidy: Callable[[str], str]) -> str:
    """The text as `tidy`, which takes nothing but blanks away, leaves it without its marks; the marks stay."""
    left = tidy(MARK.sub("", text))
    found: list[str] = []
    at = 0
    for number, piece in enumerate(MARK.split(text)):
        if number % 2:
            found.append(mark(piece))
            continue
        start = at
        for sign in piece:
            at += at < len(left) and left[at] == sign
        found.append(left[start:at])
    return "".join(found)


def in_question(question: str, images: tuple[object, ...], marked: bool) -> tuple[str, tuple[str, ...]]:
    """A question with a `PICTURE` for each `<image>`, or a note where there are not as many marks as pictures.

    `marked`: whether such a mark means a picture even where the record has none.
    """
    if images and question.count(PICTURE) == len(images):
        return question, ()
    question = question.replace(PICTURE, "") if images else question
    count = question.count(PLACE)
    if not count or not (images or marked):
        return question, ()
    if count == len(images):
        return question.replace(PLACE, PICTURE), ()
    return without_places(question), (f"image_placeholders:{count}_of_{len(images)}",)


def without_places(question: str) -> str:
    """The question without the marks of its pictures."""
    pieces = [piece.strip(" \t") for piece in re.split(f"{PLACE}|{PICTURE}", question)]
    return " ".join(piece for piece in pieces if piece).strip()


def settle(draft: Draft) -> None:
    """Read the marks of a draft and take them out of its texts. Changes it in place."""
    question = draft.question.replace(PICTURE, "")
    own = [int(number) for number in MARK.findall(question) if int(number) < len(draft.pictures)]
    if own:
        draft.question = MARK.sub(PICTURE, question) + PICTURE * len(draft.images)
        draft.images = (*(draft.pictures[number][1] for number in own), *draft.images)
    pieces = MARK.split(draft.rationale)
    if len(pieces) > 1:
        draft.rationale = "".join(pieces[::2])
        at = 0
        for text, number in zip(pieces[::2], pieces[1::2], strict=False):
            at += len(text)
            if int(number) < len(draft.pictures):
                draft.given += ((at, *draft.pictures[int(number)]),)
    if draft.said and (shown := len(MARK.findall(draft.said))):
        draft.said = MARK.sub("", draft.said).strip() or None
        draft.notes += (f"answer_images_dropped:{shown}",)
