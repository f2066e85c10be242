"""A page of pictures side by side, without a script: for `diff`, and for thresholds with the drawings around them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2

from zero_engine.report.pages import asset, put_page, source_hash
from zero_engine.report.pictures import Picture


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture, or a word in its place, with a line or two under it."""

    picture: Picture | None
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """Some pictures under a word: `A`, `B`, `rejected`, `kept`."""

    label: str
    tone: str
    """kept, passed, rejected, or empty."""
    tiles: list[Tile]


@dataclass(frozen=True, slots=True)
class Group:
    """Sides that belong together."""

    title: str
    sides: list[Side]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A titled part of the page: groups of pictures, or a table, or a text to paste."""

    title: str
    note: str = ""
    groups: list[Group] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    rows: list[tuple] = field(default_factory=list)
    code: str = ""
    wide: bool = False
    """Whether a group takes the page's whole width."""


def write_sides(path: str | Path, title: str, subtitle: str, parts: Sequence[Part]) -> Path:
    """Write the page. Raises OutputError where it cannot be written."""
    path = Path(path)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("zero_engine.report", "assets"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    style = asset("style.css")
    text = environment.get_template("sides.html.j2").render(
        title=title, subtitle=subtitle, parts=parts, style=style, style_hash=source_hash(style)
    )
    put_page(path, text)
    return path
