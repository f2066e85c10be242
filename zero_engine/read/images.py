"""Pictures of a question or a step: from whatever a corpus holds to encoded bytes, and which references are followed.

Bytes stay as they are encoded. Text is a data URL, a path relative to the input file, or base64.
`datasets` stores {bytes, path}. A list of one picture is that picture. A question's picture that is missing, or is
none, is the trace's rejection, because a question about a picture means nothing without it; a step's is the step's
(`given`).

A reference is what somebody else wrote, so by default it leads only to files under the input's own folder (links
followed): neither `/etc` nor `..` nor a URL (`picture_refused`). `input.pictures: anywhere` allows any local file,
`fetch` http and https from the hosts that `input.picture_hosts` names, and from no other that one sends on to. Chained
and other protocols (`simplecache::..`, `file://`, `memory://`) are never followed. Pictures with more pixels than the
limit are refused by their header, undecoded; the others are decoded once, so that a broken one is known by its name.
"""

import base64
import binascii
import os
import posixpath
import re
import struct
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zero_engine.errors import InputError
from zero_engine.images import why_broken
from zero_engine.pipeline import Input
from zero_engine.read.fields import Unusable
from zero_engine.read.files import INSIDE, is_one_pass, is_remote, open_raw
from zero_engine.read.folders import roots

MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")
PICTURE_NAME = re.compile(r"[^\n\0]{1,1024}\.(?:png|jpe?g|gif|webp|bmp|tiff?)", re.IGNORECASE)
PROTOCOL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}(?::/|::)")
LARGEST_BYTES = 256 * 1024 * 1024
FETCH_TIMEOUT_S = 20.0
DEEPEST_REFERENCE = 8
MOST_NARROW = 256
"""How often a picture's shorter side may go into its longer one: a codec enlarges the shorter one to its own size."""


@dataclass(frozen=True, slots=True)
class PictureRules:
    """Which references are followed, and how large a picture may be."""

    follow: str
    hosts: tuple[str, ...]
    max_pixels: int
    roots: tuple[str, ...]
    """Folders that the user named as input."""

    @classmethod
    def of(cls, spec: Input) -> "PictureRules":
        hosts = tuple(host.lower() for host in spec.picture_hosts)
        return cls(spec.pictures, hosts, spec.max_picture_pixels, roots(spec))


def load_pictures(
    references: Sequence[object], names: Sequence[str], input_path: str, rules: PictureRules
) -> tuple[bytes, ...]:
    """Encoded bytes of each reference. Raises Unusable with the picture's name in its detail (`load_picture`)."""
    pictures = []
    for reference, name in zip(references, names, strict=True):
        try:
            pictures.append(load_picture(reference, input_path, rules))
        except Unusable as problem:
            raise Unusable(problem.reason, f"{name}: {problem.detail}") from None
    return tuple(pictures)


def load_picture(reference: object, input_path: str, rules: PictureRules) -> bytes:
    """Encoded bytes of a reference. Raises Unusable(image_missing, picture_refused, picture_too_large,
    picture_too_narrow, not_a_picture, picture_broken)."""
    if reference is None:
        raise Unusable("image_missing", "the record has no picture under this name")
    picture = _load(reference, input_path, rules, 0)
    if not picture.startswith(MAGIC):
        raise Unusable(
            "not_a_picture", f"an image holds {picture[:8]!r}..., which no picture format begins with"
        )
    width, height = picture_size(picture) or (0, 0)
    if width * height > rules.max_pixels:
        raise Unusable(
            "picture_too_large",
            f"a picture of {width} x {height} pixels; input.max_picture_pixels is {rules.max_pixels}",
        )
    if max(width, height) > MOST_NARROW * min(width, height):
        raise Unusable(
            "picture_too_narrow", f"a picture of {width} x {height} pixels, over 1 : {MOST_NARROW}"
        )
    if problem := why_broken(picture):
        raise Unusable("picture_broken", problem)
    return picture


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height as a picture's header says; None where it says nothing that could be read."""
    try:
        if data.startswith(b"\x89PNG") and data[12:16] == b"IHDR":
            return struct.unpack(">II", data[16:24])
        if data.startswith(b"GIF8"):
            return struct.unpack("<HH", data[6:10])
        if data.startswith(b"BM"):
            width, height = struct.unpack("<ii", data[18:26])
            return abs(width), abs(height)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp_size(data)
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
        if data.startswith((b"II*\0", b"MM\0*")):
            return _tiff_size(data)
    except struct.error:
        return None
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    order = "<" if data.startswith(b"II") else ">"
    (at,) = struct.unpack(order + "I", data[4:8])
    (entries,) = struct.unpack(order + "H", data[at : at + 2])
    sizes = {}
    for entry in range(min(entries, 512)):
        tag, kind, _, value = struct.unpack(order + "HHI4s", data[at + 2 + 12 * entry : at + 14 + 12 * entry])
        if tag in (256, 257):
            sizes[tag] = struct.unpack(order + ("H" if kind == 3 else "I"), value[: 2 if kind == 3 else 4])[0]
    return (sizes[256], sizes[257]) if len(sizes) == 2 else None


def _load(reference: Any, input_path: str, rules: PictureRules, depth: int) -> bytes:
    if isinstance(reference, (list, tuple)) and len(reference) > 1:
        raise Unusable("wrong_type", f"a list of {len(reference)} pictures stands where one belongs")
    if isinstance(reference, (list, tuple)) and reference and depth < DEEPEST_REFERENCE:
        return _load(reference[0], input_path, rules, depth + 1)
    if isinstance(reference, dict):
        inner = reference.get("bytes") or reference.get("path") or reference.get("url")
        if inner is None or depth == DEEPEST_REFERENCE:
            raise Unusable("image_missing", "an image has neither bytes nor a path")
        return _load(inner, input_path, rules, depth + 1)
    if isinstance(reference, (bytes, bytearray)):
        return bytes(reference)
    if not isinstance(reference, str):
        raise Unusable("wrong_type", f"an image must be bytes or text, got {type(reference).__name__}")
    if reference.startswith("data:"):
        return _from_base64(reference.partition(",")[2])
    if PROTOCOL.match(reference):
        return _from_url(reference, input_path, rules)
    if PICTURE_NAME.fullmatch(reference):
        return _from_path(reference, input_path, rules)
    return _from_base64(reference)


def _from_path(path: str, input_path: str, rules: PictureRules) -> bytes:
    archive, inside, member = input_path.partition(INSIDE)
    base = archive if inside else input_path
    if is_remote(base):
        folder = base.rpartition("/")[0]
        if path.startswith("/") or posixpath.normpath(path).startswith(".."):
            raise _refused(path, "lies outside the input's folder", rules)
        return _read(posixpath.join(folder, posixpath.normpath(path)), path)
    if inside and not os.path.exists(input_path):
        near = posixpath.normpath(posixpath.join(posixpath.dirname(member), path))
        if near.startswith(("/", "..")):
            raise _refused(path, "lies outside the archive", rules)
        return _read(f"{archive}{INSIDE}{near}", path)
    folder = os.getcwd() if is_one_pass(base) else os.path.dirname(base)
    full = os.path.join(folder, path)
    if rules.follow != "anywhere":
        real = os.path.realpath(full)
        allowed = [
            folder,
            *(root for root in rules.roots if _is_under(os.path.realpath(base), os.path.realpath(root))),
        ]
        if not any(_is_under(real, os.path.realpath(root or ".")) for root in allowed):
            raise _refused(path, "lies outside the input's folder", rules)
    if os.path.exists(full) and not os.path.isfile(full):
        raise Unusable("image_missing", f"{path[:200]} is no file")
    return _read(full, path)


def _is_under(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _refused(reference: str, why: str, rules: PictureRules) -> Unusable:
    hint = (
        "input.pictures: anywhere follows any local path" if "outside" in why else "see input.pictures: fetch"
    )
    return Unusable("picture_refused", f"the picture {reference[:200]!r} {why}; {hint}")


def _read(path: str, shown: str) -> bytes:
    try:
        with open_raw(path) as file:
            data = file.read(LARGEST_BYTES + 1)
    except InputError as error:
        raise Unusable("image_missing", str(error)) from None
    except OSError as error:
        raise Unusable("image_missing", f"{shown[:200]}: {error.strerror or error}") from None
    return _not_too_large(data, shown)


def _not_too_large(data: bytes, shown: str) -> bytes:
    if len(data) > LARGEST_BYTES:
        raise Unusable("picture_too_large", f"{shown[:200]} holds over {LARGEST_BYTES} bytes")
    return data


def _from_url(url: str, input_path: str, rules: PictureRules) -> bytes:
    try:
        parts = urllib.parse.urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        raise _refused(url, "is no URL that could be read", rules) from None
    if parts.scheme.lower() not in ("http", "https") or "::" in url:
        raise _refused(url, "is neither a path nor an http address", rules)
    if rules.follow != "fetch":
        raise _refused(url, "is a URL, and URLs are not fetched", rules)
    if host not in rules.hosts:
        raise _refused(url, f"is on {host or 'no host'}, which input.picture_hosts does not name", rules)
    opener = urllib.request.build_opener(_SameHosts(rules.hosts))
    try:
        with opener.open(url, timeout=FETCH_TIMEOUT_S) as answer:
            return _not_too_large(answer.read(LARGEST_BYTES + 1), url)
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise Unusable("image_missing", f"{url[:200]} cannot be fetched: {error}") from None


class _SameHosts(urllib.request.HTTPRedirectHandler):
    """Follows a redirection only to a host that the user named."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        self._hosts = hosts

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        parts = urllib.parse.urlsplit(newurl)
        if (parts.hostname or "").lower() not in self._hosts or parts.scheme not in ("http", "https"):
            raise urllib.error.URLError(
                f"it sends on to {parts.hostname}, which input.picture_hosts does not name"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Unusable(
            "image_missing", f"an image is neither a file name nor base64: {text[:40]!r}"
        ) from None
