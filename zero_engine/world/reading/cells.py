"""Cells: what stands in each 8-pixel cell of a picture, by exact templates with room for a codec's noise.

The templates are the world's own ink: glyphs, icons, quarters of shapes, of the arrow and of the sign "no drawing
fits", and the cells of frames, the line drawings whose letters, numbers or tiles vary. A cell is the template that it
is nearest to, if no more than one of its pixels is off (`canvas.same`).
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable

import numpy as np

from zero_engine.world import KINDS, canvas
from zero_engine.world.glyphs import read_glyphs
from zero_engine.world.ink import SEAMS

Label = tuple
"""("glyph", "A"), ("icon", "robot"), ("shape", "red", "star", quarter), ("arrow", quarter), ("sign", quarter),
("mini", "red", "star", boxed), ("tiny", "7"), ("large",) for a quarter of a large digit (`large_digit` says which),
("white",), or ("line",), a cell of a frame. Quarters count 0..3 in raster order."""

WHITE, BROKEN = 0, -1
"""Ids: of the empty cell, and of a cell that is no template."""
_SLOT = -2

_FRAMES = {
    **{f"rectangle {form}": ("rectangle", spec) for form, spec in
       (("wide", (222, 111)), ("tall", (111, 222)), ("square", (111, 111)))},
    **{f"circle {what}": ("circle", (what, 999)) for what in ("radius", "diameter")},
    **{f"right_angle {form}": ("right_angle", ("ABC", "A", form)) for form in ("tall", "wide", "even")},
    **{f"{what} {side}": (what, ("ABC", "A", "BC", "D", side)) for what in ("altitude", "median")
       for side in ("left", "right")},
}  # fmt: skip
"""Frame -> the kind and a specification whose glyphs fill every slot. The board's slots are its tiles."""


def read_cells(image_HW3: np.ndarray) -> np.ndarray:
    """The ids, (64,), of the cells of a uint8 (64, 64, 3) picture in raster order; `label` says what an id is."""
    patches = canvas.patches(image_HW3)
    found = np.zeros(len(patches), np.int64)
    inked = np.flatnonzero((patches < 255 - canvas.OFF).any(1))
    if inked.size:
        cells, templates = patches[inked].astype(np.float32), _vocabulary()[0]
        # squared distance without |cell|^2, the same for all templates
        best = (_squares() - 2 * cells @ templates.T).argmin(1)
        off = (np.abs(cells - templates[best]) > canvas.OFF).reshape(len(inked), -1, 3).any(2).sum(1)
        found[inked] = np.where(off <= 1, best, BROKEN)
    return found


@functools.cache
def _squares() -> np.ndarray:
    return (_vocabulary()[0] ** 2).sum(1)


def label(cell: int) -> Label:
    """What an id stands for, which is not BROKEN."""
    assert cell != BROKEN, "a broken cell stands for nothing"
    return _vocabulary()[1][cell]


def frame_of(cells_64: np.ndarray) -> tuple[str, np.ndarray] | None:
    """The frame whose every line the cells show, and the places of its slots, in raster order."""
    names, frames = _vocabulary()[2:4]
    fits = np.flatnonzero(((frames == cells_64) | (frames == _SLOT)).all(1))
    return (names[fits[0]], np.flatnonzero(frames[fits[0]] == _SLOT)) if fits.size else None


def large_digit(cells_4: tuple[int, ...]) -> str | None:
    """The digit twice as large that four cells show, in raster order."""
    return _vocabulary()[4].get(cells_4)


@functools.cache
def _vocabulary() -> tuple[np.ndarray, list[Label], list[str], np.ndarray, dict[tuple[int, ...], str]]:
    """Templates (T, 192), what each is, the frames' names and their cells as ids (F, 64), the large digits' cells."""
    ids: dict[bytes, int] = {}
    templates: list[np.ndarray] = []
    labels: list[Label] = []

    def add(patch: np.ndarray, what: Label) -> int:
        if patch.tobytes() not in ids:
            ids[patch.tobytes()] = len(templates)
            templates.append(patch.astype(np.float32))
            labels.append(what)
        return ids[patch.tobytes()]

    add(canvas.patches(canvas.blank())[0], ("white",))
    for char in canvas.GLYPHS:
        image = canvas.blank()
        canvas.write(image, 0, 0, char)
        add(canvas.patches(image)[0], ("glyph", char))
    for name in (*canvas.icon_bitmaps(), *SEAMS):
        image = canvas.blank()
        for part in name.split("+"):
            canvas.icon(image, 0, 0, part)
        add(canvas.patches(image)[0], ("icon", name))
    large = _sights(add)
    masks: dict[Label, tuple[np.ndarray, tuple[int, int, int]]]
    masks = {("shape", color, name): (canvas.shape_mask(name), ink)
             for color, ink in canvas.COLORS.items() for name in canvas.SHAPES}  # fmt: skip
    masks |= {
        ("arrow",): (canvas.arrow_mask(), canvas.BLACK),
        ("sign",): (canvas.nothing_mask(), canvas.BLACK),
    }
    for what, (mask, ink) in masks.items():
        image = canvas.blank()
        canvas.stamp(image, 0, 0, mask, ink)
        for quarter, cell in enumerate((0, 1, 8, 9)):
            add(canvas.patches(image)[cell], (*what, quarter))
    names, frames = [], []
    for name, (image, slots) in _frames().items():
        frame = np.array([add(patch, ("line",)) for patch in canvas.patches(image)])
        frame[slots] = _SLOT
        names.append(name)
        frames.append(frame)
    return np.stack(templates), labels, names, np.stack(frames), large


def _sights(add: Callable[[np.ndarray, Label], int]) -> dict[tuple[int, ...], str]:
    """Small shapes with and without a box, small digits, and large ones, whose cells are returned."""
    for color in canvas.COLORS:
        for shape in canvas.SHAPES:
            for boxed in (False, True):
                image = canvas.blank()
                canvas.mini(image, 0, 0, shape, color, boxed)
                add(canvas.patches(image)[0], ("mini", color, shape, boxed))
    large = {}
    for digit in "0123456789":
        image = canvas.blank()
        canvas.tiny(image, 0, 0, digit)
        add(canvas.patches(image)[0], ("tiny", digit))
        image = canvas.blank()
        canvas.tiny(image, 0, 0, digit, large=True)
        large[tuple(add(canvas.patches(image)[cell], ("large",)) for cell in (0, 1, 8, 9))] = digit
    return large


def _frames() -> dict[str, tuple[np.ndarray, list[int]]]:
    """Name -> a drawing and the places of its slots."""
    found = {}
    for name, (kind, spec) in _FRAMES.items():
        image = KINDS[kind].draw(spec, random.Random(0))
        found[name] = image, [row * canvas.CELLS + col for row, col, _ in read_glyphs(image)]
    tiles = [row * canvas.CELLS + col for row in range(1, 7) for col in range(1, 7)]
    found["board"] = KINDS["place"].draw(("robot", (1, 1)), random.Random(0)), tiles
    return found
