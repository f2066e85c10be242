"""Tasks with pictures: the oracle accepts what is annotated and refuses near misses; splits share nothing."""

import random

import numpy as np
import pytest

from zero_engine.world import GIVEN, judge
from zero_engine.world.reading import agrees, read_figure
from zero_engine.world.sight_tasks import FAMILIES, near_misses, sight_tasks
from zero_engine.world.splits import held_out_spec


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_oracle_accepts_every_annotated_picture_and_refuses_each_near_miss(family):
    refused = 0
    for task in sight_tasks(family, 200, "test"):
        assert len(task.steps) == len(task.step_images) == len(task.drawn) >= 2
        for one, image in zip(task.drawn, task.step_images, strict=True):
            assert (one is None) == (image is None)
            if one:
                assert judge(*one, image)
                assert not judge(*one, task.image) or family == "silent"
                for other in near_misses(*one):
                    assert not judge(*one, GIVEN[one[0]].draw(other, random.Random(0))), (one, other)
                    refused += 1
    assert refused >= 200


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_splits_share_neither_specification_nor_phrasing(family):
    specs, texts = {}, {}
    for split in ("train", "validation", "test"):
        tasks = list(sight_tasks(family, 200, split))
        specs[split] = {repr([(task.image.tobytes(), one) for one in task.drawn if one]) for task in tasks}
        texts[split] = {task.question for task in tasks}
        if split == "test" and family != "silent":
            assert all(held_out_spec(*one) for task in tasks for one in task.drawn if one)
    assert not specs["train"] & specs["test"]
    assert not specs["train"] & specs["validation"]
    assert not specs["validation"] & specs["test"]
    assert not texts["train"] & texts["test"] or family == "silent"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_text_of_a_step_agrees_with_its_picture_and_the_same_tasks_come_again(family):
    again = sight_tasks(family, 60, "validation")
    for task, other in zip(sight_tasks(family, 60, "validation"), again, strict=True):
        assert (task.question, task.steps, task.answer) == (other.question, other.steps, other.answer)
        assert np.array_equal(task.image, other.image)
        for text, image in zip(task.steps, task.step_images, strict=True):
            if image is not None:
                assert agrees(read_figure(image), text) is True, text


@pytest.mark.parametrize("moves", [(2, 4), (4, 6)])
def test_a_silent_walk_says_its_position_in_its_pictures_alone(moves):
    for task in sight_tasks("silent", 60, "train", moves=moves):
        assert moves[0] <= len(task.steps) <= moves[1]
        assert not any("row" in step or "column" in step for step in task.steps)
        row, col = (int(word.strip(",")) for word in task.answer.split() if word.strip(",").isdigit())
        assert read_figure(task.step_images[-1]).icons[row, col] == "robot"


def test_an_answer_can_be_read_from_the_pictures_alone():
    for task in sight_tasks("zoom", 60):
        assert read_figure(task.step_images[0]).digit == task.answer
    for task in sight_tasks("mark", 60):
        scene = read_figure(task.step_images[0])
        assert task.answer == str(len(scene.boxed)) or len(scene.boxed) == 1
    for task in sight_tasks("line", 60):
        assert (
            set(task.answer) <= set(vars(read_figure(task.step_images[0])).values()) or len(task.answer) == 2
        )
