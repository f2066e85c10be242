"""Columns of pictures under names that no format reads, for `zero-engine init`: told by what they hold.

A column is one of pictures where every value in it is a picture, or leads to one. Lists under a name of the trace
(`reasoning_images`, `step_pics`) are the steps', others the question's; of several for the question the first counts.
"""

import re
from collections.abc import Iterator

from zero_engine.read.fields import Record
from zero_engine.read.images import MAGIC, PICTURE_NAME
from zero_engine.read.pictured import NUMBERED

OWN = ("image", "images", "step_images")
OF_STEPS = re.compile(r"step|reason|trace|thought|rationale|process|solution|cot", re.IGNORECASE)
BASE64 = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "data:image/")
"""How PNG, JPEG, GIF and WebP begin in base64; and a data URL."""


def picture_columns(records: list[Record], taken: set[str]) -> Iterator[tuple[str, str]]:
    """(field, column) of what no format would read: `image`, `step_images`."""
    names = {str(name) for record in records for name in record}
    pictured = [
        str(name)
        for name in dict.fromkeys(name for record in records for name in record)
        if name not in taken and _all_pictures([record.get(name) for record in records])
    ]
    own = [name for name in pictured if name in OWN[:2] or NUMBERED.fullmatch(name)]
    others = [name for name in pictured if name not in (*OWN, *own)]
    steps = [
        name
        for name in others
        if OF_STEPS.search(name) and any(isinstance(record.get(name), list) for record in records)
    ]
    if steps and "step_images" not in names:
        yield "step_images", steps[0]
    asked = [name for name in others if name not in steps]
    if asked and not own:
        yield "image", asked[0]


def _all_pictures(values: list[object]) -> bool:
    there = [value for value in values if value not in (None, "", [])]
    return bool(there) and all(map(_shows, there))


def _shows(value: object) -> bool:
    if isinstance(value, dict):
        return _shows(value.get("bytes") or value.get("path"))
    if isinstance(value, (list, tuple)):
        there = [one for one in value if one is not None]
        return bool(there) and all(map(_shows, there))
    if isinstance(value, bytes):
        return value.startswith(MAGIC)
    return isinstance(value, str) and (value.startswith(BASE64) or PICTURE_NAME.fullmatch(value) is not None)
