"""Given pictures and the steps they belong to: a step ends at a picture.

A picture belongs to the step whose words stand last before it, or, where nothing but a label does (`Step 2:`), to the
step of that label; one before all words belongs to the first step. A step that goes on after its picture is cut there,
if both sides say something. A row has one picture a step: a second one is left out and counted.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from zero_engine.parse.markers import MARKER_WORDS
from zero_engine.parse.steps import is_visible
from zero_engine.records import Given

HELD = "trace_images"
"""Note of a trace whose rationale has pictures of its own. `redrawn`: they were dropped; parsing takes it away."""
SAYS_SOMETHING = re.compile(r"[^\W_]")
LABEL = re.compile(
    rf"[\W_]{{0,9}}(?:{'|'.join(MARKER_WORDS)})?[\W_]{{0,9}}\d{{0,6}}[\W_]{{0,9}}", re.IGNORECASE
)


def between_words(rationale: str, steps: Sequence[str], given: Sequence[Given]) -> Iterator[str | Given]:
    """Steps of a rationale, cut at the pictures, and the pictures, in order. `Given.at` counts characters."""
    waiting = deque(sorted(given, key=lambda picture: picture.at))
    end = 0
    for step in steps:
        start = max(rationale.find(step, end), end)
        end = start + len(step)
        of_label: list[Given] = []
        while waiting and waiting[0].at < end:
            before, after = rationale[start : waiting[0].at], rationale[max(start, waiting[0].at) : end]
            if not SAYS_SOMETHING.search(after):
                break
            if before and LABEL.fullmatch(before):
                of_label.append(waiting.popleft())
                continue
            if SAYS_SOMETHING.search(before):
                yield before.strip()
                yield from of_label
                of_label, start = [], waiting[0].at
            yield waiting.popleft()
        yield rationale[start:end].strip()
        yield from of_label
        while waiting and waiting[0].at <= end:
            yield waiting.popleft()
    yield from waiting


def after_steps(steps: Sequence[Sequence[str]], given: Sequence[Given]) -> Iterator[str | Given]:
    """The pieces of each step, then its pictures. `Given.at` is the index of a step; one that is not there has none."""
    for index, pieces in enumerate(steps):
        yield from pieces
        yield from (picture for picture in given if picture.at == index)


def paired(stream: Iterable[str | Given]) -> tuple[list[tuple[str, Given | None]], int]:
    """Each text that shows anything with its picture, and how many pictures have no place."""
    steps: list[tuple[str, Given | None]] = []
    first: Given | None = None
    lost = 0
    for item in stream:
        if isinstance(item, str):
            if item and (item.isascii() or is_visible(item)):
                steps.append((item, first))
                first = None
        elif steps and steps[-1][1] is None:
            steps[-1] = (steps[-1][0], item)
        elif not steps and first is None:
            first = item
        else:
            lost += 1
    return steps, lost + (first is not None)


def by_characters(rationale: str, steps: Sequence[str], given: Sequence[Given]) -> list[Given]:
    """The pictures of marked steps as pictures of the rationale: each behind the words of its step."""
    ends, end = [], 0
    for step in steps:
        found = rationale.find(step.strip(), end)
        end = found + len(step.strip()) if found >= 0 else end
        ends.append(end)
    return [replace(one, at=ends[one.at]) for one in given if one.at < len(ends)]
