"""A swapped picture of a walk: it differs, the walk goes on from it, and each way to go on is told apart."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks" / "claims"))

import swap
import worlds

from zero_engine import world
from zero_engine.world.sight_tasks import sight_tasks

TASKS = list(sight_tasks("silent", 40, "test"))


def test_a_swapped_walk_stays_on_the_board_and_ends_elsewhere():
    found = [(task, made) for task in TASKS if (made := swap._swap(task))]
    assert len(found) > 30
    for task, (at, spec) in found:
        there, here = swap._walk(task, at, spec[0]), swap._walk(task, at, swap._spec(task, at)[0])
        assert swap._stays(there)
        assert there[-1] != here[-1]
        assert here[-1] == tuple(int(word) for word in task.answer.replace(",", "").split() if word.isdigit())


def test_what_goes_on_from_the_picture_is_told_from_what_goes_on_from_the_text():
    rng = np.random.default_rng(0)
    for task in TASKS:
        made = swap._swap(task)
        if made is None:
            continue
        at, spec = made
        row, column = swap._walk(task, at, spec[0])[-1]
        assert swap._answer(task, at, spec, f"row {row}, column {column}.") == "picture"
        assert swap._answer(task, at, spec, task.answer) == "text"
        assert swap._answer(task, at, spec, "") == "neither"
        if at + 1 < len(task.steps):
            _, name, count, _ = swap._spec(task, at + 1)
            after = world.GIVEN["predict"].draw((swap._walk(task, at, spec[0])[0], name, count, None), None)
            assert swap._picture(task, at, spec, after) == "picture"
            assert swap._picture(task, at, spec, task.step_images[at + 1]) == "text"
            noise = rng.integers(0, 255, after.shape, np.uint8)
            assert swap._picture(task, at, spec, noise) == "neither"


@pytest.mark.parametrize("pictures", ["oracle", "none", "blank", "shuffled"])
def test_task_files_hold_the_pictures_of_their_arm(tmp_path, pictures):
    worlds.write(tmp_path / "tasks.jsonl", TASKS, pictures, {task.id for task in TASKS[:10]})
    lines = (tmp_path / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 10
    assert all(("step_images" in line) == (pictures != "none") for line in lines)


def test_shuffled_pictures_are_those_of_another_task_of_the_same_length():
    for task, images in zip(TASKS, worlds._shuffled(TASKS), strict=True):
        assert len(images) == len(task.steps)
        assert images is not task.step_images


def test_right_pictures_are_counted_in_their_turn():
    task = TASKS[0]
    assert worlds.right_pictures(task, list(task.step_images)) == (len(task.steps), len(task.steps))
    assert worlds.right_pictures(task, [])[0] == 0


def test_a_stated_walk_says_where_the_robot_is():
    task = next(iter(worlds.tasks({"family": "stated", "moves": "2-4"}, "train", 1)))
    assert all(step.startswith("The robot is at row ") for step in task.steps)
