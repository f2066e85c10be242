"""Where a corpus's pictures stand, while its texts are still being cut and cleaned.

A format writes `mark(n)` in the place of picture n of `Draft.pictures`; chat markers, thought tags and blanks may then
be cut as in any text. `settle` reads the marks when that is done: the question has a `PICTURE` in the place of each of
its pictures, the rationale has none, and `Draft.given` says how many characters stand before each of its own.

Corpora write marks of their own, and none of them is left in a text of a record with pictures:

    <image>                 the next picture; also <image/>, <|image|>, <|image_pad|>, <start_of_image>
    <image_2>, <image 2>    picture 2, counted from 1, or from 0 where a number is 0; also <|image_2|>
    ![alt](path)            the picture of that path, or the one that a data URL holds; also <img src="path">
"""

import posixpath
import re
from collections.abc import Callable, Sequence

from zero_engine.read.fields import Draft
from zero_engine.records import PICTURE

PLACE = "<image>"
"""The mark that most corpora write in a text, one for each of the record's pictures."""
WRITTEN = re.compile(
    r"(?:<\|vision_start\|>)?"
    r"(?:<(?:image|img|image_placeholder|start_of_image|imagehere) ?/?>|<\|image(?:_pad)?\|>)"
    r"(?:<\|vision_end\|>|</(?:image|img)>)?"
    r"|<\|?(?:image|img)[ _-]?(?P<number>\d{1,3})\|?>"
    r"|!\[[^\]\n]{0,200}\]\((?P<name>data:image/[^()\s]+|[^()\s]{1,1024})\)"
    r"|<img\s[^<>]{0,300}?\bsrc=[\"']?(?P<source>data:image/[^\"'\s<>]+|[^\"'\s<>]{1,1024})[^<>]{0,300}>",
    re.IGNORECASE,
)
"""A mark of a corpus, in any spelling."""
_SIGNS = (PLACE[:-1], "<|image", "<start_of_image", "data:image/")
"""One of these is in every text that `plain` finds a mark in."""
BLANKS = re.compile("[ \t]{1,9}(?=\ue000)")
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


def dealt(texts: Sequence[str], images: Sequence[object]) -> tuple[list[str], tuple[object, ...]] | None:
    """The texts with our mark for each mark of the corpus, and the pictures: mark n stands for picture n.

    The pictures are `images` and behind them those of data URLs. None where one of `images` has no mark, or a mark no
    picture.
    """
    names = {name: at for at in reversed(range(len(images))) for name in called(images[at])}
    marks = [found for text in texts for found in written(text, images)]
    told_names = [name for found in marks if (name := named(found))]
    held = list(dict.fromkeys(name for name in told_names if name not in names))
    names |= {url: len(images) + at for at, url in enumerate(held)}
    numbers = {int(found["number"]) for found in marks if found["number"]}
    first = 0 if 0 in numbers else 1
    told = {number - first for number in numbers} | {names[name] for name in told_names}
    pictures = (*images, *held)
    free = [at for at in range(len(pictures)) if at not in told]
    plain = sum(not found["number"] and not named(found) for found in marks)
    if plain != len(free) or not told <= set(range(len(pictures))):
        return None
    waiting = iter(free)

    def placed(found: re.Match[str]) -> str:
        if name := named(found):
            return mark(names[name]) if name in names else found[0]
        return mark(int(found["number"]) - first if found["number"] else next(waiting))

    return [WRITTEN.sub(placed, text) for text in texts], pictures


def written(text: str, images: Sequence[object] = ()) -> list[re.Match[str]]:
    """The corpus's marks in a text. Of those that name a path, only the ones of `images`, and data URLs."""
    if "<" not in text and "](" not in text:
        return []
    paths = {path for image in images for path in called(image)}
    return [
        found
        for found in WRITTEN.finditer(text)
        if not (name := named(found)) or name in paths or name[:5] == "data:"
    ]


def named(found: re.Match[str]) -> str | None:
    """The path or data URL that a mark names, if it names one."""
    return found["name"] or found["source"]


def plain(text: str) -> list[re.Match[str]]:
    """The marks that mean a picture even where a record has none: all but `<img>`, which pages have, and paths."""
    if not any(sign in text for sign in _SIGNS):
        return []
    return [
        one
        for one in WRITTEN.finditer(text)
        if ((name := named(one)) and name[:5] == "data:") or (not name and one[0][:4].lower() != "<img")
    ]


def holds_picture(text: str) -> bool:
    """A cheap look: whether a text may hold a picture in a data URL."""
    return "data:image/" in text


def snug(text: str) -> str:
    """The text without the blanks before our marks."""
    return BLANKS.sub("", text)


def in_question(
    question: str, images: tuple[object, ...], marked: bool
) -> tuple[str, tuple[object, ...], tuple[str, ...]]:
    """A question with a `PICTURE` for each mark, its pictures in their order, and notes.

    The note `image_placeholders:k_of_n` says that there are k marks for n pictures: then the question has no places.
    `marked`: whether `<image>` means a picture even where the record has none.
    """
    if images and question.count(PICTURE) == len(images):
        return question, images, ()
    own = question.count(PICTURE) if images else 0
    question = question.replace(PICTURE, "") if images else question
    found = written(question, images) if images else plain(question)
    if not found or not (images or marked):
        return question, images, (f"image_placeholders:{own}_of_{len(images)}",) if own else ()
    if placed := dealt([question], images):
        (asked,), pictures = placed
        return MARK.sub(PICTURE, asked), tuple(pictures[int(n)] for n in MARK.findall(asked)), ()
    held = dict.fromkeys(name for one in found if (name := named(one)) and name[:5] == "data:")
    pictures = (*images, *held)
    return (
        without_places(question, pictures),
        pictures,
        (f"image_placeholders:{len(found)}_of_{len(pictures)}",),
    )


def names_of(images: Sequence[object], pool: Sequence[object], names: Sequence[str]) -> tuple[str, ...]:
    """What the pictures of a question are called: as those of the pool, or by their places."""
    return tuple(
        names[pool.index(one)] if one in pool else picture_of_question(at) for at, one in enumerate(images)
    )


def without_places(text: str, images: Sequence[object] = ()) -> str:
    """The text without the marks of its pictures."""
    taken = {found.span() for found in written(text, images)}
    bare = WRITTEN.sub(lambda found: PICTURE if found.span() in taken else found[0], text)
    pieces = [piece.strip(" \t") for piece in bare.split(PICTURE)]
    return " ".join(piece for piece in pieces if piece).strip()


def unmarked(text: str) -> tuple[str, int]:
    """The text without the corpus's marks and the blanks before them, and how many there were."""
    return _without(text, written(text))


def without_marks(draft: Draft, images: Sequence[object] | None) -> None:
    """Take out of the trace, its options and its answers the marks that are left, and count them.

    `images`: the pictures of the draft; None where it has none, and only a mark that means a picture anywhere is one.
    """
    lost = 0

    def bare(text: str) -> str:
        nonlocal lost
        text, count = _without(text, plain(text) if images is None else written(text, images))
        lost += count
        return text

    rationale = bare(draft.rationale)
    if draft.steps is not None:
        lost = 0  # the rationale is its steps
        draft.steps = tuple(map(bare, draft.steps))
    draft.rationale, draft.choices = rationale, tuple(map(bare, draft.choices))
    draft.answer, draft.said = bare(draft.answer or "") or None, bare(draft.said or "") or None
    before = sum(int(one.partition(":")[2]) for one in draft.notes if one.startswith(_DROPPED))
    if lost:
        draft.notes = (*(one for one in draft.notes if not one.startswith(_DROPPED)), *dropped(before + lost))


def _without(text: str, found: Sequence[re.Match[str]]) -> tuple[str, int]:
    if not found:
        return text, 0
    starts = [0, *(one.end() for one in found)]
    ends = [*(one.start() for one in found), len(text)]
    pieces = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    return "".join([*(piece.rstrip(" \t") for piece in pieces[:-1]), pieces[-1]]).strip(), len(found)


_DROPPED = "image_marks_dropped:"


def dropped(count: int) -> tuple[str, ...]:
    """The note of marks that stood where no picture has a place."""
    return (f"{_DROPPED}{count}",) if count else ()


def called(image: object) -> tuple[str, ...]:
    """What a text may call a picture: its path, or the path's last part."""
    path = image.get("path") if isinstance(image, dict) else image
    if not isinstance(path, str) or len(path) > 1024:
        return ()
    return (path, posixpath.basename(path))


def settle(draft: Draft) -> None:
    """Read the marks of a draft and take them out of its texts. Changes it in place."""
    question = draft.question.replace(PICTURE, "")
    own = [int(number) for number in MARK.findall(question) if int(number) < len(draft.pictures)]
    if own:
        draft.question = MARK.sub(PICTURE, question) + PICTURE * len(draft.images)
        names = draft.image_names or tuple(map(picture_of_question, range(len(draft.images))))
        draft.images = (*(draft.pictures[number][1] for number in own), *draft.images)
        draft.image_names = (*(draft.pictures[number][0] for number in own), *names)
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


def picture_of_question(at: int) -> str:
    """What a picture is called that no column or mark names."""
    return f"picture {at + 1} of the question"
