"""Task files of the arms: the oracle's pictures, none, those of other tasks, or blank ones.

A task is regenerated from its family, split, seed and number, so what judges an answer's pictures needs no file.
"""

from __future__ import annotations

import base64
import json
import random
from collections import defaultdict
from collections.abc import Container
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from zero_engine import world
from zero_engine.images import encode_image
from zero_engine.world.sight_tasks import Task, sight_tasks

BLANK = np.full((64, 64, 3), 255, np.uint8)


def tasks(setting: dict, split: str, count: int, seed: int = 0) -> list[Task]:
    """Tasks of a setting of claims.yaml: a family of sight tasks, or `stated`, silent walks that say where they are."""
    return _tasks(setting["family"], setting.get("moves", "2-4"), split, count, seed)


@cache
def _tasks(family: str, moves: str, split: str, count: int, seed: int) -> list[Task]:
    low, high = map(int, moves.split("-"))
    found = sight_tasks("silent" if family == "stated" else family, count, split, seed, (low, high))
    return [_stated(task) if family == "stated" else task for task in found]


def _stated(task: Task) -> Task:
    """The walk with the position before each move in the step's text."""
    said = [f"The robot is at row {one[1][0][0]}, column {one[1][0][1]}. " for one in task.drawn if one]
    return replace(task, steps=tuple(a + b for a, b in zip(said, task.steps, strict=True)))


def by_length(pool: list[Task], kept: Container[str], most: int) -> tuple[dict[int, list[str]], int]:
    """The names of tasks by their number of steps, and how many to take of each: as many as were kept of the rarest.

    `most` tasks are enough in all.
    """
    of_length: dict[int, list[str]] = defaultdict(list)
    for task in pool:
        of_length[len(task.steps)].append(task.id)
    there = (sum(one in kept for one in ids) for ids in of_length.values())
    return of_length, min(-(-most // len(of_length)), *there)


def write(path: Path, chosen: list[Task], pictures: str, numbers: set[str] | None = None) -> None:
    """Write tasks as JSON Lines. `pictures`: oracle, none, shuffled (those of another task of the same length), blank.

    `numbers` keeps the tasks with these ids.
    """
    given = _pictures(chosen, pictures)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for task, images in zip(chosen, given, strict=True):
            if numbers is not None and task.id not in numbers:
                continue
            row = {
                "id": task.id,
                "question": task.question,
                "image": _inline(task.image),
                "steps": list(task.steps),
                "answer": task.answer,
            }
            if images is not None:
                row["step_images"] = [None if image is None else _inline(image) for image in images]
            file.write(json.dumps(row) + "\n")


def _pictures(chosen: list[Task], pictures: str) -> list[tuple[np.ndarray | None, ...] | None]:
    if pictures == "oracle":
        return [task.step_images for task in chosen]
    if pictures == "blank":
        return [tuple(None if image is None else BLANK for image in task.step_images) for task in chosen]
    if pictures == "shuffled":
        return _shuffled(chosen)
    return [None] * len(chosen)


def _shuffled(chosen: list[Task]) -> list[tuple[np.ndarray | None, ...] | None]:
    """Each task has the pictures of another task with as many steps."""
    given: list[tuple[np.ndarray | None, ...] | None] = [None] * len(chosen)
    random_ = random.Random("shuffled")
    for length in sorted({len(task.steps) for task in chosen}):
        places = [at for at, task in enumerate(chosen) if len(task.steps) == length]
        random_.shuffle(places)
        for place, other in zip(places, places[1:] + places[:1], strict=True):
            given[place] = chosen[other].step_images
    return given


def right_pictures(task: Task, shown: list[np.ndarray]) -> tuple[int, int]:
    """How many of an answer's pictures are right, each in its turn, and how many there should be."""
    wanted = [one for one in task.drawn if one]
    right = sum(world.judge(kind, spec, image) for (kind, spec), image in zip(wanted, shown, strict=False))
    return right, len(wanted)


def _inline(image: np.ndarray) -> str:
    return base64.b64encode(encode_image(image)).decode("ascii")
