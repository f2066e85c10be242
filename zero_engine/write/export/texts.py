"""Rows as text, for the formats that hold text: a prompt, a completion, and marks where pictures stand.

The texts are those of the template `plain`: the question with its choices, then the steps, then `Final Answer:
...`, which is what the rewards look for. A mark that means something to a reader (`<image>`, and `<video>` and
`<audio>`, which verl, LLaMA-Factory and ms-swift count, too) and stands in the *data* is respelled (`< image>`), and
counted: the reader would take it for a picture, or refuse a row with fewer videos than marks.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from zero_engine.render.sequences import TEMPLATES, Template, around_pictures
from zero_engine.write.export.job import Shard
from zero_engine.write.export.rows import Row

MARK = "<image>"
MARKS = (MARK, "<video>", "<audio>")
Parts = list[str | int]
"""Text, and pictures as their places in a list."""


def respelled(shard: Shard, text: str, marks: Sequence[str] = MARKS) -> str:
    """The text without a mark of the reader's in it."""
    for mark in marks:
        if mark in text:
            shard.lost["marks respelled"] += text.count(mark)
            text = text.replace(mark, f"{mark[0]} {mark[1:]}")
    return text


def question_parts(shard: Shard, row: Row) -> Parts:
    """The question with its choices; its pictures stand at their marks where there are as many, else behind it."""
    parts = around_pictures(row.asked(), len(row.given))
    if len(parts) == 1:
        return [respelled(shard, parts[0]), *range(len(row.given))]
    found: Parts = [respelled(shard, parts[0])]
    for place, part in enumerate(parts[1:]):
        found += [place, respelled(shard, part)]
    return [part for part in found if part != ""]


def completion_parts(shard: Shard, row: Row, template: Template, first: int = 0) -> Parts:
    """Steps, each with its picture behind it, then the answer; pictures are numbered from `first`."""
    found: Parts = [template.open] if template.open else []
    number = first
    for place, step in enumerate(row.steps):
        found.append((template.between if place else "") + respelled(shard, step.text))
        if step.image is not None:
            found.append(number)
            number += 1
    if row.answer is None:
        shard.lost["rows without an answer"] += 1
        return joined(found)
    return joined(
        [*found, template.close + template.answer.replace("{answer}", respelled(shard, row.answer))]
    )


def joined(parts: Parts) -> Parts:
    """The parts with neighbouring texts made one, and none empty."""
    found: Parts = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        elif part != "":
            found.append(part)
    return found


def flat(parts: Parts, mark: Callable[[int], str] = lambda place: MARK) -> str:
    """One text, a mark for each picture."""
    return "".join(part if isinstance(part, str) else mark(part) for part in parts)


def typed(parts: Parts) -> list[dict[str, str | None]]:
    """OpenAI-style content: `{type: text, text}` and `{type: image}` by turns."""
    return [
        {"type": "text", "text": part} if isinstance(part, str) else {"type": "image", "text": None}
        for part in parts
    ]


def drawings(row: Row) -> Iterator[bytes]:
    return (step.image for step in row.steps if step.image is not None)


def plain() -> Template:
    return TEMPLATES["plain"]


def without_breaks(text: str) -> str:
    """A name that can be part of a file's name."""
    return re.sub(r"[^\w.-]", "_", text)
