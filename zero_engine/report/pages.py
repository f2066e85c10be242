"""Data in pages beside a page of HTML: what keeps a report of any size quick to open.

A page that is opened from a disk may not read files. It may show them in a frame, so each data page is a small HTML
document whose one script hands its text to the page that framed it. The text is JSON in a block that no browser runs,
and the policy of both documents lets no script run but ours, named by its hash, and forbids every request.

    report.html  report/<edition>-<group>-00000.html ...

The edition is a digest of everything that the pages are made of. A report names the pages of its own edition, and those
of earlier ones are deleted once the new report stands, so a page never meets the data of another.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any

from zero_engine.errors import OutputError
from zero_engine.hashing import digest
from zero_engine.write.atomic import atomic_write, disk_errors, make_folder, sweep

PAGE_BYTES = 600_000
"""A page is closed once it holds this much; with its last item it stays far below 3 MB."""
_TURNING = {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
"""Marks that turn the direction of what follows, written out: behind one, 3 + 4 = 7 reads as 7 = 4 + 3."""
_TURNED_JSON = re.compile(r"(?<!\\)((?:\\\\)*)\\(u202[a-e]|u206[6-9])")
SCRIPTS = ("frame", "load", "gate", "dom", "wall", "story", "traces", "scores", "main")
"""All of `assets/*.js`: `frame` is the script of a data page, the others are joined into the report's."""


class Pages:
    """The data pages of one group, written one after another; only the open one is held in memory."""

    def __init__(self, folder: Path, edition: str, group: str, items: int, head: dict | None = None) -> None:
        self._folder, self._prefix, self._items = folder, f"{edition}-{group}", items
        self._open: list[str] = []
        self._bytes = 0
        self.head = head if head is not None else {}
        """What stands on the open page beside its items, JSON-able; emptied with it."""
        self.counts: list[int] = []
        """Items of each page that is written."""

    def place(self) -> tuple[int, int]:
        """Page and position of the next item."""
        if len(self._open) >= self._items or self._bytes >= PAGE_BYTES:
            self._write()
        return len(self.counts), len(self._open)

    def add(self, item: Any) -> tuple[int, int]:
        """Adds an item; says where it stands."""
        place = self.place()
        text = as_json(item)
        self._open.append(text)
        self._bytes += len(text)
        return place

    def weigh(self, size: int) -> None:
        """The head of the open page grew by this much."""
        self._bytes += size

    def close(self) -> list[int]:
        """Writes what is left; the number of items of each page."""
        if self._open:
            self._write()
        return self.counts

    def _write(self) -> None:
        name = f"{self._prefix}-{len(self.counts):05d}.html"
        head = "".join(f"{as_json(key)}:{as_json(value)}," for key, value in self.head.items())
        text = f'{{{head}"items":[{",".join(self._open)}]}}'
        path = self._folder / name
        with atomic_write(path, "w") as file:
            file.write(data_page(text))
        self.counts.append(len(self._open))
        for value in self.head.values():
            value.clear()
        self._open, self._bytes = [], 0


def data_page(text: str) -> str:
    """The document that hands a JSON text to the page that frames it."""
    script = asset("frame.js")
    policy = f"default-src 'none'; script-src '{source_hash(script)}'"
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><title>data</title>\n'
        f'<script type="application/json" id="data">{text}</script>\n<script>{script}</script></html>\n'
    )


def as_json(value: Any) -> str:
    """JSON in ASCII that can stand inside a `script` element: no text in it can end the element.

    Marks that turn the direction of a text are written out in it, as in `put_page`.
    """
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), default=str)
    text = _TURNED_JSON.sub(r"\1\\\\\2", text)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def asset(name: str) -> str:
    """A file of `assets/`."""
    return resources.files("zero_engine.report").joinpath("assets", name).read_text(encoding="utf-8")


def page_script() -> str:
    """The report's script."""
    return "\n".join(asset(f"{name}.js") for name in SCRIPTS if name != "frame")


def source_hash(text: str) -> str:
    """How a content security policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def edition_of(*parts: str) -> str:
    """8 hex digits over what a report is made of, and over the code that makes it."""
    code = [asset(name) for name in ("report.html.j2", "style.css", *(f"{name}.js" for name in SCRIPTS))]
    return digest(*parts, *code)[:8]


def pages_folder(page: Path) -> Path:
    """Where the data of a page lies: beside it, under its name without the suffix. Makes the folder."""
    folder = page.with_suffix("")
    if folder == page or (folder.exists() and not folder.is_dir()):
        raise OutputError(f"{folder}: in the way of the pages of {page}. Move it away, or name another page.")
    make_folder(folder)
    return folder


def commit_page(page: Path, folder: Path, edition: str, text: str) -> None:
    """Writes the page, and deletes data pages of earlier editions, and what killed calls left."""
    with atomic_write(page) as file:
        file.write(_bytes_of(text))
    with disk_errors(folder):
        for old in folder.glob("????????-*-?????.html"):
            if not old.name.startswith(f"{edition}-"):
                old.unlink()
    sweep(page.parent, page.name)
    sweep(folder)


@contextmanager
def whole_or_none(folder: Path, edition: str) -> Iterator[None]:
    """Who is stopped before the page stands takes its data pages along, but not those of an equal page before."""
    before = set(folder.glob(f"{edition}-*"))
    try:
        yield
    except BaseException:
        for page in set(folder.glob(f"{edition}-*")) - before:
            page.unlink(missing_ok=True)
        with suppress(OSError):  # there are others
            folder.rmdir()
        raise


def put_page(path: str | Path, text: str) -> None:
    """Write a page of HTML, atomically. Raises OutputError where it cannot be written."""
    if not Path(path).parent.is_dir():
        raise OutputError(f"{path}: no such folder to write the page into. Make it, or choose another path.")
    with atomic_write(path) as file:
        file.write(_bytes_of(text))
    sweep(Path(path).parent, Path(path).name)


def _bytes_of(html: str) -> bytes:
    return html.translate(_TURNING).encode("utf-8", "replace")
