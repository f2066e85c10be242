"""Grid: a 6x6 board with numbered rows and columns.

`place`: icons at given cells. `goal`: a robot and a flag. `move`: the robot after a move, a dot where it was; `trail`
continues such a drawing: the earlier dot stays, and the robot moves on. Cells are named (row, column) from 1.
"""

from __future__ import annotations

import random

import numpy as np

from zero_engine.world import canvas, dressing, words
from zero_engine.world.kind import Kind, Spec
from zero_engine.world.splits import templates

SIZE = 6
MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
_CELL = (
    "row {r}, column {c}", "row {r} and column {c}", "({r}, {c})", "cell ({r},{c})", "row {r} column {c}",
    "the cell ({r}, {c})",
)  # fmt: skip
_PLACE_TEXT = (
    "put the {i} at {x}", "the {i} is at {x}", "there is a {i} at {x} of the grid",
    "{name} puts the {i} at {x}", "{i} at {x}", "the {i} stands at {x}", "draw a grid with a {i} at {x}",
    "on the grid, the {i} lies at {x}", "we place the {i} at {x}", "the {i} goes to {x}",
    "the {i} is in {x}", "at {x} there is a {i}", "{name} finds the {i} at {x}",
    "the {i} can be found at {x}", "the place of the {i} is {x}", "you see the {i} at {x}",
    "move the {i} to {x}", "the {i} sits at {x} of the board", "a {i} waits at {x}",
    "{name} leaves the {i} at {x}", "the {i} must be at {x}", "look for the {i} at {x}",
    "the {i} ends up at {x}", "only the {i} is at {x}", "{x} holds the {i}", "in {x} we draw the {i}",
    "the grid shows a {i} at {x}", "the {i} belongs at {x}", "the {i} was put at {x}",
    "mark {x} with the {i}",
)  # fmt: skip
_GOAL_TEXT = (
    "the robot starts at {x} and the flag is at {y}", "the robot is at {x}, the goal flag at {y}",
    "robot at {x}, flag at {y}", "the robot stands at {x} and must reach the flag at {y}",
    "draw the robot at {x} and the flag at {y}", "{name} puts the robot at {x} and the flag at {y}",
    "from {x} the robot wants to go to the flag at {y}", "on the grid: robot at {x}, flag at {y}",
    "start the robot at {x}; its flag is {y}", "a robot at {x} looks for a flag at {y}",
    "the robot at {x} has its flag at {y}", "the robot begins at {x} and its goal is the flag at {y}",
    "the start of the robot is {x}, the flag stands at {y}",
    "the robot waits at {x} while the flag is at {y}", "we have a robot at {x} and a flag at {y}",
    "the robot is in {x} and the flag in {y}", "with the robot at {x} and the flag at {y}",
    "there is a robot at {x} and a flag at {y}", "{name} sees the robot at {x} and the flag at {y}",
    "the robot must go from {x} to the flag at {y}", "the robot: {x}. The flag: {y}",
    "place the robot at {x}, then the flag at {y}", "the robot sits at {x}, far from the flag at {y}",
    "robot {x}, flag {y}", "the board shows the robot at {x} and the flag at {y}",
    "put robot and flag at {x} and {y}", "the robot leaves {x} for the flag at {y}",
    "starting at {x}, the robot has to find the flag at {y}", "the robot is at {x} now and the flag at {y}",
    "let the robot be at {x} and the flag at {y}",
)  # fmt: skip
_MOVE_TEXT = (
    "the robot is at {x}. It moves {m}", "from {x} the robot moves {m}", "the robot at {x} goes {m}",
    "robot at {x}, move {m}", "the robot moves from {x} {m}", "starting at {x}, the robot steps {m}",
    "{name} moves the robot from {x} {m}", "the robot was at {x} and then went {m}",
    "standing at {x}, it moves {m}", "at {x}: move {m}", "from {x}, {m}",
    "the robot leaves {x} and goes {m}", "we move the robot from {x} {m}",
    "the robot stands at {x}; now it moves {m}", "the robot starts at {x} and moves {m}",
    "it goes from {x} {m}", "move the robot at {x} {m}", "from {x} it walks {m}",
    "the robot, now at {x}, takes {m}", "at {x}, the robot turns and goes {m}",
    "with the robot at {x}, go {m}", "the robot walks {m} from {x}", "{m} from {x}",
    "it is at {x} and has to move {m}", "the robot stood at {x} before it moved {m}",
    "{name} lets the robot at {x} walk {m}", "beginning at {x}, go {m}",
    "the robot moves {m}, starting at {x}", "it steps {m} from {x}", "the next move from {x} is {m}",
)  # fmt: skip
_TRAIL_TEXT = (
    "the robot came from {w} to {x}. It moves {m}", "from {w} the robot went to {x}; it moves {m}",
    "after going from {w} to {x}, the robot moves {m}",
    "the robot started at {w} and is at {x}. It goes {m}", "{w}, then {x}, then the robot moves {m}",
    "the robot was at {w}, is now at {x} and moves {m}", "coming from {w}, at {x} it moves {m}",
    "the robot walked from {w} to {x} and goes on {m}", "first {w}, then {x}; the robot moves {m}",
    "{name} moved the robot from {w} to {x} and moves it {m}", "it began at {w}, reached {x} and moves {m}",
    "the path is {w}, {x}, and the next move is {m}", "the robot left {w} for {x}. From there it moves {m}",
    "the trail goes from {w} to {x}. It moves {m}", "at {x} after {w}, the robot moves {m}",
    "the robot, first at {w} and now at {x}, goes {m}", "from {w} to {x}, and then {m}",
    "the second move, after {w} and {x}, is {m}", "having come from {w} to {x}, it moves {m}",
    "the robot passed {w}, stands at {x} and walks {m}", "it went from {w} to {x} before; now it moves {m}",
    "we follow the robot: {w}, {x}, then {m}",
    "the robot goes on from {x}, where it came from {w}, and moves {m}", "so far {w} and {x}; it moves {m}",
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


def put(image: np.ndarray, cell: tuple[int, int], name: str) -> None:
    """An icon on a tile, in place of the tile's frame."""
    row, col = cell
    image[row * 8 : row * 8 + 8, col * 8 : col * 8 + 8] = 255
    canvas.icon(image, row, col, name)


def _specify_place(rng: random.Random) -> Spec:
    return rng.choice(canvas.ICONS), _cell(rng)


def _draw_place(spec: Spec, rng: random.Random) -> np.ndarray:
    image = board()
    put(image, spec[1], spec[0])
    return image


def _phrase_place(spec: Spec, rng: random.Random, held_out: bool) -> str:
    text = rng.choice(templates(_PLACE_TEXT, held_out)).replace("{i}", spec[0])
    return _dressed(text.replace("{x}", _at(spec[1], rng)), rng, held_out)


def _specify_goal(rng: random.Random) -> Spec:
    start = _cell(rng)
    while (goal := _cell(rng)) == start:
        pass
    return start, goal


def _draw_goal(spec: Spec, rng: random.Random) -> np.ndarray:
    image = board()
    put(image, spec[0], "robot")
    put(image, spec[1], "flag")
    return image


def _phrase_goal(spec: Spec, rng: random.Random, held_out: bool) -> str:
    form = rng.choice(_CELL)
    text = rng.choice(templates(_GOAL_TEXT, held_out)).replace("{x}", _at(spec[0], rng, form))
    return _dressed(text.replace("{y}", _at(spec[1], rng, form)), rng, held_out)


def specify_move(rng: random.Random) -> Spec:
    while True:
        (row, col), name, count = _cell(rng), rng.choice(list(MOVES)), rng.randint(1, 3)
        down, right = MOVES[name]
        if 1 <= row + count * down <= SIZE and 1 <= col + count * right <= SIZE:
            return (row, col), name, count


def draw_move(spec: Spec, rng: random.Random) -> np.ndarray:
    (row, col), name, count = spec
    down, right = MOVES[name]
    image = board()
    put(image, (row, col), "step")
    put(image, (row + count * down, col + count * right), "robot")
    return image


def _phrase_move(spec: Spec, rng: random.Random, held_out: bool) -> str:
    cell, name, count = spec
    text = rng.choice(templates(_MOVE_TEXT, held_out)).replace("{x}", _at(cell, rng))
    return _dressed(text.replace("{m}", steps(name, count, rng)), rng, held_out)


def _specify_trail(rng: random.Random) -> Spec:
    """(where it came from, where it is, the move); it does not step back on its own dots."""
    while True:
        came = specify_move(rng)
        (row, col), name, count = came
        here = row + count * MOVES[name][0], col + count * MOVES[name][1]
        _, name, count = specify_move(rng)
        end = here[0] + count * MOVES[name][0], here[1] + count * MOVES[name][1]
        if all(1 <= place <= SIZE for place in end) and end != (row, col):
            return (row, col), here, name, count


def _draw_trail(spec: Spec, rng: random.Random) -> np.ndarray:
    image = draw_move(spec[1:], rng)
    put(image, spec[0], "step")
    return image


def _phrase_trail(spec: Spec, rng: random.Random, held_out: bool) -> str:
    came, here, name, count = spec
    form = rng.choice(_CELL)
    text = rng.choice(templates(_TRAIL_TEXT, held_out)).replace("{w}", _at(came, rng, form))
    text = text.replace("{x}", _at(here, rng, form)).replace("{m}", steps(name, count, rng))
    return _dressed(text, rng, held_out)


def steps(name: str, count: int, rng: random.Random) -> str:
    if count == 1 and rng.random() < 0.3:
        return name
    forms = (f"{name} {count}", f"{count} {name}", f"{name} by {count}", f"{count} step{'s' * (count > 1)} {name}",
             f"{count} cell{'s' * (count > 1)} {name}")  # fmt: skip
    return rng.choice(forms)


def _dressed(text: str, rng: random.Random, held_out: bool) -> str:
    return dressing.dress(words.fill(text, rng), rng, held_out)


def _cell(rng: random.Random) -> tuple[int, int]:
    return rng.randint(1, SIZE), rng.randint(1, SIZE)


def _at(cell: tuple[int, int], rng: random.Random, form: str | None = None) -> str:
    return (form or rng.choice(_CELL)).format(r=cell[0], c=cell[1])


KINDS = (
    Kind("place", "grid", _specify_place, _phrase_place, _draw_place, canvas.judge_same(_draw_place)),
    Kind("goal", "grid", _specify_goal, _phrase_goal, _draw_goal, canvas.judge_same(_draw_goal)),
    Kind("move", "grid", specify_move, _phrase_move, draw_move, canvas.judge_same(draw_move)),
    Kind("trail", "grid", _specify_trail, _phrase_trail, _draw_trail, canvas.judge_same(_draw_trail)),
)
