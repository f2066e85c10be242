"""Pictures of a question: from whatever a corpus holds to encoded bytes.

Bytes stay as they are encoded. Text is a data URL, a path relative to the input file, or base64.
`datasets` stores {bytes, path}. What is missing or no picture is the trace's rejection, because a
question about a picture means nothing without it.
"""

import base64
import binascii
import os
import posixpath
import re
from typing import Any

from zero_engine.errors import InputError
from zero_engine.read.fields import Unusable
from zero_engine.read.files import is_remote, open_raw

MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")
PICTURE_NAME = re.compile(r"[^\n]{1,1024}\.(?:png|jpe?g|gif|webp|bmp|tiff?)", re.IGNORECASE)
PLACEHOLDER = re.compile(r"[ \t]*<image>[ \t]*")


def load_pictures(references: tuple[object, ...], input_path: str) -> tuple[bytes, ...]:
    """Encoded bytes of each reference. Raises Unusable(image_missing or not_a_picture)."""
    pictures = tuple(_load(reference, input_path) for reference in references if reference is not None)
    for picture in pictures:
        if not picture.startswith(MAGIC):
            raise Unusable(
                "not_a_picture", f"an image holds {picture[:8]!r}..., which no picture format begins with"
            )
    return pictures


def without_placeholders(question: str) -> str:
    """The question without `<image>` marks, for runs that drop its pictures."""
    return PLACEHOLDER.sub(" ", question).strip()


def _load(reference: Any, input_path: str) -> bytes:
    if isinstance(reference, dict):
        inner = reference.get("bytes") or reference.get("path") or reference.get("url")
        if inner is None:
            raise Unusable("image_missing", "an image has neither bytes nor a path")
        return _load(inner, input_path)
    if isinstance(reference, (bytes, bytearray)):
        return bytes(reference)
    if not isinstance(reference, str):
        raise Unusable("wrong_type", f"an image must be bytes or text, got {type(reference).__name__}")
    if reference.startswith("data:"):
        return _from_base64(reference.partition(",")[2])
    if PICTURE_NAME.fullmatch(reference):
        return _from_path(reference, input_path)
    return _from_base64(reference)


def _from_path(path: str, input_path: str) -> bytes:
    if not is_remote(path):
        folder = input_path.rpartition("/")[0] if is_remote(input_path) else os.path.dirname(input_path)
        path = (posixpath if is_remote(input_path) else os.path).join(folder, path)
    try:
        with open_raw(path) as file:
            return file.read()
    except InputError as error:
        raise Unusable("image_missing", str(error)) from None


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Unusable(
            "image_missing", f"an image is neither a file name nor base64: {text[:40]!r}"
        ) from None
