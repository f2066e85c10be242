"""Grid: a 6x6 board with numbered rows and columns.

`place`: icons at given cells. `goal`: a robot and a flag. `move`: the robot after a move, a dot where it was; `walk`
continues an earlier drawing with a second move. Cells are named (row, column) from 1.
"""

from __future__ import annotations

import random

import numpy as np

from zero_engine.models.nano.world import canvas, words
from zero_engine.models.nano.world.kind import Kind, Spec
from zero_engine.models.nano.world.splits import templates

SIZE = 6
MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
_CELL = (
    "row {r}, column {c}",
    "row {r} and column {c}",
    "({r}, {c})",
    "cell ({r},{c})",
    "row {r} column {c}",
)
_PLACE_TEXT = (
    "Put the {i} at {x}", "The {i} is at {x}", "There is a {i} at {x} of the grid",
    "{name} puts the {i} at {x}", "{i} at {x}", "{lead}, the {i} stands at {x}",
    "Draw a grid with a {i} at {x}", "On the grid, the {i} lies at {x}", "We place the {i} at {x}",
    "The {i} goes to {x}",
)  # fmt: skip
_GOAL_TEXT = (
    "The robot starts at {x} and the flag is at {y}", "The robot is at {x}, the goal flag at {y}",
    "Robot at {x}, flag at {y}", "{lead}, the robot stands at {x} and must reach the flag at {y}",
    "Draw the robot at {x} and the flag at {y}", "{name} puts the robot at {x} and the flag at {y}",
    "From {x} the robot wants to go to the flag at {y}", "On the grid: robot at {x}, flag at {y}",
    "Start the robot at {x}; its flag is {y}", "A robot at {x} looks for a flag at {y}",
)  # fmt: skip
_MOVE_TEXT = (
    "The robot is at {x}. It moves {m}", "From {x} the robot moves {m}", "The robot at {x} goes {m}",
    "Robot at {x}, move {m}", "{lead}, the robot moves from {x} {m}", "Starting at {x}, the robot steps {m}",
    "{name} moves the robot from {x} {m}", "The robot was at {x} and then went {m}",
    "Standing at {x}, it moves {m}", "At {x}: move {m}",
)  # fmt: skip


def board() -> np.ndarray:
    """An empty board: tiles in rows and columns 1..6 of the canvas, numbers above and on the left."""
    image = canvas.blank()
    canvas.write(image, 0, 1, "123456")
    for row in range(1, SIZE + 1):
        canvas.write(image, row, 0, str(row))
        for col in range(1, SIZE + 1):
            canvas.icon(image, row, col, "tile")
    return image


def put(image: np.ndarray, row: int, col: int, name: str) -> None:
    """An icon on a tile, in place of the tile's frame."""
    image[row * 8 : row * 8 + 8, col * 8 : col * 8 + 8] = 255
    canvas.icon(image, row, col, name)


def _specify_place(rng: random.Random) -> Spec:
    return rng.choice(canvas.ICONS), _cell(rng)


def _draw_place(spec: Spec, rng: random.Random) -> np.ndarray:
    image = board()
    put(image, *spec[1], spec[0])
    return image


def _phrase_place(spec: Spec, rng: random.Random, held_out: bool) -> str:
    text = (
        rng.choice(templates(_PLACE_TEXT, held_out)).replace("{i}", spec[0]).replace("{x}", _at(spec[1], rng))
    )
    return words.fill(text, rng) + rng.choice((".", ""))


def _specify_goal(rng: random.Random) -> Spec:
    start = _cell(rng)
    while (goal := _cell(rng)) == start:
        pass
    return start, goal


def _draw_goal(spec: Spec, rng: random.Random) -> np.ndarray:
    image = board()
    put(image, *spec[0], "robot")
    put(image, *spec[1], "flag")
    return image


def _phrase_goal(spec: Spec, rng: random.Random, held_out: bool) -> str:
    form = rng.choice(_CELL)
    text = rng.choice(templates(_GOAL_TEXT, held_out)).replace("{x}", _at(spec[0], rng, form))
    return words.fill(text.replace("{y}", _at(spec[1], rng, form)), rng) + rng.choice((".", ""))


def _specify_move(rng: random.Random) -> Spec:
    while True:
        (row, col), name, count = _cell(rng), rng.choice(list(MOVES)), rng.randint(1, 3)
        down, right = MOVES[name]
        if 1 <= row + count * down <= SIZE and 1 <= col + count * right <= SIZE:
            return (row, col), name, count


def _draw_move(spec: Spec, rng: random.Random) -> np.ndarray:
    (row, col), name, count = spec
    down, right = MOVES[name]
    image = board()
    put(image, row, col, "step")
    put(image, row + count * down, col + count * right, "robot")
    return image


def _phrase_move(spec: Spec, rng: random.Random, held_out: bool) -> str:
    cell, name, count = spec
    steps = rng.choice(
        (
            f"{name} {count}",
            f"{count} {name}",
            f"{name} by {count}",
            f"{count} step{'s' * (count > 1)} {name}",
        )
    )
    if count == 1 and rng.random() < 0.4:
        steps = name
    text = rng.choice(templates(_MOVE_TEXT, held_out)).replace("{x}", _at(cell, rng)).replace("{m}", steps)
    return words.fill(text, rng) + rng.choice((".", ""))


def _cell(rng: random.Random) -> tuple[int, int]:
    return rng.randint(1, SIZE), rng.randint(1, SIZE)


def _at(cell: tuple[int, int], rng: random.Random, form: str | None = None) -> str:
    return (form or rng.choice(_CELL)).format(r=cell[0], c=cell[1])


KINDS = (
    Kind("place", "grid", _specify_place, _phrase_place, _draw_place, canvas.judge_same(_draw_place)),
    Kind("goal", "grid", _specify_goal, _phrase_goal, _draw_goal, canvas.judge_same(_draw_goal)),
    Kind("move", "grid", _specify_move, _phrase_move, _draw_move, canvas.judge_same(_draw_move)),
)
