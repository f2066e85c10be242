"""Reasoning tasks with pictures: a question with its picture, steps of which some are drawn, an answer.

    zoom      which digit is in a part of the picture: zoom in, read it        (a step's picture: the part, large)
    mark      how many, or what: box the named objects, count or name them     (the picture with boxes)
    line      a triangle: draw the auxiliary line, read the letters            (the triangle with its line)
    predict   a board: where is the robot after its move                       (the board after it)
    silent    a walk of several moves; a step says the move and nothing else, the position is in its drawing alone

The annotated pictures are the oracles' own; `Task.drawn` says by what kind and specification each is judged. A task is
a function of (family, split, seed, index). The test split has specifications and phrasings that no other split has and
that the bundled model never trains on; validation has specifications of its own, in the held-out phrasings too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from zero_engine.world import GIVEN, grid
from zero_engine.world.grid import MOVES, SIZE
from zero_engine.world.kind import Spec
from zero_engine.world.sight import PLACES, QUARTERS, boxed
from zero_engine.world.splits import phrases, spec_split, templates

Made = tuple[str, np.ndarray, list[str], Sequence[tuple[str, Spec] | None], str]
"""Question, its picture, steps, what judges their drawings, answer."""
FAMILIES = ("zoom", "mark", "line", "predict", "silent")


@dataclass(frozen=True)
class Task:
    """One task. `step_images` and `drawn` are aligned with the steps, None where a step draws nothing."""

    id: str
    question: str
    image: np.ndarray
    """The question's picture, uint8 (64, 64, 3)."""
    steps: tuple[str, ...]
    step_images: tuple[np.ndarray | None, ...]
    drawn: tuple[tuple[str, Spec] | None, ...]
    """(kind, specification) that judges the step's picture."""
    answer: str


def sight_tasks(
    family: str, count: int, split: str = "train", seed: int = 0, moves: tuple[int, int] = (2, 4)
) -> Iterator[Task]:
    """`count` tasks of a family. `moves`: the fewest and the most of a silent walk. Raises KeyError for no family."""
    make = _MAKERS[family]
    for index in range(count):
        rng = random.Random(f"sight-{family}-{moves}-{seed}-{split}-{index}")
        while True:
            question, image, steps, drawn, answer = make(rng, split != "train", moves)
            if _split(family, image, drawn) == split:
                break
        pictures = tuple(GIVEN[one[0]].draw(one[1], rng) if one else None for one in drawn)
        name = f"{family}-{split}-{index:06d}"
        yield Task(name, question, image, tuple(steps), pictures, tuple(drawn), answer)


def _split(family: str, image: np.ndarray, drawn: Sequence[tuple[str, Spec] | None]) -> str:
    """The split of a task: of its drawing's specification, or of a whole walk."""
    if family == "silent":
        return spec_split("silent", tuple(one[1] for one in drawn if one))
    kind, spec = next(one for one in drawn if one)
    return spec_split(GIVEN[kind].split_name(spec), spec)


def _ask(name: str, rng: random.Random, held_out: bool, **slots: str) -> str:
    text = rng.choice(templates(phrases("question", name), held_out))
    for slot, word in slots.items():
        text = text.replace("{" + slot + "}", word)
    return text


def _step(kind: str, spec: Spec, rng: random.Random, held_out: bool) -> str:
    text = GIVEN[kind].phrase(spec, rng, held_out)
    return text if text.endswith((".", "!", "?")) else text + "."


def _given(kind: str, spec: Spec, rng: random.Random) -> np.ndarray:
    """The question's picture."""
    given = GIVEN[kind].given
    assert given is not None, f"{kind} starts from a picture"
    return given(spec, rng)


def _zoom(rng: random.Random, held_out: bool, moves: tuple[int, int]) -> Made:
    spec = GIVEN["zoom"].specify(rng)
    digit = spec[0][spec[1]][0]
    question = _ask("zoom", rng, held_out, q=QUARTERS[spec[1]])
    steps = [_step("zoom", spec, rng, held_out), f"The digit is {digit}."]
    return question, _given("zoom", spec, rng), steps, [("zoom", spec), None], digit


def _mark(rng: random.Random, held_out: bool, moves: tuple[int, int]) -> Made:
    spec = GIVEN["box"].specify(rng)
    things, (how, *names) = spec
    found = boxed(spec)
    if how == "place" and len(found) == 1:
        answer = " ".join(things[found[0]][2:])
        question, last = _ask("name", rng, held_out, p=names[0]), f"It is a {answer}."
    else:
        named = {"thing": " ".join(names), "color": f"{names[0]} object", "shape": names[0]}.get(
            how, names[0]
        )
        question = _ask("count", rng, held_out, t=named + ("es" if named.endswith("cross") else "s"))
        answer, last = str(len(found)), f"The boxes are {len(found)} in number."
    steps = [_step("box", spec, rng, held_out), last.replace("a orange", "an orange")]
    return question, _given("box", spec, rng), steps, [("box", spec), None], answer


def _line(rng: random.Random, held_out: bool, moves: tuple[int, int]) -> Made:
    spec = GIVEN["auxiliary"].specify(rng)
    what, (_, _, base, foot, side) = spec
    word = rng.choice(("altitude", "height")) if what == "altitude" else "median"
    question = _ask(what, rng, held_out, w=word, f=foot)
    if what == "altitude":
        answer = base[0] if side == "left" else base[1]
        last = f"{foot} is nearer to {answer}."
    else:
        answer, last = base, f"{foot} halves {base}."
    steps = [_step("auxiliary", spec, rng, held_out), last]
    return question, _given("auxiliary", spec, rng), steps, [("auxiliary", spec), None], answer


def _predict(rng: random.Random, held_out: bool, moves: tuple[int, int]) -> Made:
    spec = GIVEN["predict"].specify(rng)
    (row, col), name, count, _ = spec
    answer = _cell(row + count * MOVES[name][0], col + count * MOVES[name][1])
    question = _ask("predict", rng, held_out, m=f"{count} {name}")
    steps = [_step("predict", spec, rng, held_out), f"It is at {answer} now."]
    return question, _given("predict", spec, rng), steps, [("predict", spec), None], answer


def _silent(rng: random.Random, held_out: bool, moves: tuple[int, int]) -> Made:
    """A walk as `world.tasks` has them, whose steps do not say where the robot is."""
    here = start = rng.randint(1, SIZE), rng.randint(1, SIZE)
    came: tuple[int, int] | None = None
    steps, told = [], []
    drawn: list[tuple[str, Spec]] = []
    for _ in range(rng.randint(*moves)):
        options = [
            (name, count)
            for name, (down, right) in MOVES.items()
            for count in (1, 2, 3)
            if 1 <= here[0] + down * count <= SIZE and 1 <= here[1] + right * count <= SIZE
        ]
        name, count = rng.choice(options)
        steps.append(f"It moves {count} {name}.")
        told.append(f"{count} {name}")
        drawn.append(("predict", (here, name, count, came)))
        came, here = here, (here[0] + MOVES[name][0] * count, here[1] + MOVES[name][1] * count)
    question = (
        f"A robot stands at {_cell(*start)} of a 6x6 grid. It moves {', then '.join(told)}. Where is it?"
    )
    image = grid.board()
    grid.put(image, start, "robot")
    return question, image, steps, drawn, _cell(*here)


def _cell(row: int, col: int) -> str:
    return f"row {row}, column {col}"


_MAKERS: dict[str, Callable[[random.Random, bool, tuple[int, int]], Made]] = {
    "zoom": _zoom, "mark": _mark, "line": _line, "predict": _predict, "silent": _silent,
}  # fmt: skip


def near_misses(kind: str, spec: Spec) -> list[Spec]:
    """Specifications with the same given picture whose drawing is another: one thing in each is wrong."""
    if kind == "zoom":
        return [(spec[0], other) for other in range(len(QUARTERS)) if spec[0][other] != spec[0][spec[1]]]
    if kind == "box":
        things = {(t[2], t[3]) for t in spec[0]}
        others = (
            [("thing", *t) for t in things]
            + [("color", c) for c, _ in things]
            + [("place", p) for p in PLACES]
        )
        return [(spec[0], other) for other in others if boxed((spec[0], other)) != boxed(spec)]
    if kind == "auxiliary":
        what, (corners, vertex, base, foot, side) = spec
        other_foot = next(letter for letter in "DEFGH" if letter not in corners + foot)
        lines = [(corners, vertex, base, other_foot, side), (corners, vertex, base[::-1], foot, side),
                 (corners, vertex, base, foot, "left" if side == "right" else "right")]  # fmt: skip
        return [("median" if what == "altitude" else "altitude", spec[1]), *((what, line) for line in lines)]
    (row, col), name, count, came = spec
    moves = [(way, number) for way in MOVES for number in (1, 2, 3) if (way, number) != (name, count)]
    return [
        ((row, col), way, number, came)
        for way, number in moves
        if 1 <= row + number * MOVES[way][0] <= SIZE and 1 <= col + number * MOVES[way][1] <= SIZE
    ]
