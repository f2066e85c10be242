"""Pictures of an answer as a reward: against the reference's numbers, by codes and by hidden states."""

import json

import numpy as np
import pytest
import torch

from zero_engine.models.chameleon.layout import TokenLayout
from zero_engine.models.chameleon.perception import Projection
from zero_engine.score.pictures import distances_at, perception_reward, picture_starts
from zero_engine.train.config import Rewards

BOI, EOI, FIRST, CODES = 69, 68, 4, 16
OVER = {"two_min": "min", "two_mean": "mean", "weight.3": "min"}


@pytest.fixture(scope="module")
def golden(data):
    found = json.loads((data / "goldens/rewards.json").read_text())
    with np.load(data / "goldens/pesft.npz") as pesft, np.load(data / "goldens/rewards_hidden.npz") as hidden:
        return found, pesft["codebook"], dict(hidden)


@pytest.fixture(scope="module")
def code_of():
    return np.array([id - FIRST if FIRST <= id < FIRST + 64 else -1 for id in range(1080)])


@pytest.fixture
def layout():
    return type("Layout", (), {"boi": BOI, "eoi": EOI})()


@pytest.mark.parametrize("name", OVER)
def test_the_worst_or_the_mean_of_an_answers_pictures_is_the_references(golden, code_of, layout, name):
    case = next(case for case in golden[0]["image_cases"] if case["name"] == name)
    ids = np.array(case["ids"])
    pictures = [code_of[ids[at : at + CODES]] for at in picture_starts(ids, 0, code_of, layout, CODES)]
    found = perception_reward(pictures, golden[1], (4, 4), Rewards(over=OVER[name]))
    assert len(pictures) == 2 and found == pytest.approx(case["out"]["image"], rel=1e-6)


def test_hidden_states_are_judged_as_the_reference_judges_them(golden, code_of, layout):
    facts, codebook, hidden = golden
    ids = np.array(next(case for case in facts["image_cases"] if case["name"] == "two_min")["ids"])
    linear = torch.nn.Linear(64, 16)
    linear.load_state_dict({"weight": torch.tensor(hidden["proj_w"]), "bias": torch.tensor(hidden["proj_b"])})
    starts = picture_starts(ids, 0, code_of, layout, CODES)
    states = torch.tensor(hidden["hidden"])
    found = distances_at(states, code_of[ids], starts, CODES, Projection(linear, 0), torch.tensor(codebook))
    assert found == pytest.approx(facts["hidden_mse"], rel=1e-5)  # sums of 256 squares in another order
    pictures = [code_of[ids[at : at + CODES]] for at in starts]
    worst = perception_reward(pictures, codebook, (4, 4), Rewards(over="min"), found)
    assert worst == pytest.approx(1 / (1 + max(facts["hidden_mse"]) / 3.0), rel=1e-5)


def test_blank_and_repeated_pictures_score_nothing_by_hidden_states_either(golden):
    drawn, blank = np.arange(CODES), np.zeros(CODES, np.int64)
    for over, expected in (("mean", 0.5 / 3), ("min", 0.0)):
        pictures = [drawn, drawn, blank]
        found = perception_reward(pictures, golden[1], (4, 4), Rewards(over=over), [3.0, 0.0, 0.0])
        assert found == pytest.approx(expected)


def test_a_picture_that_is_cut_short_or_stands_in_the_prompt_does_not_count(code_of, layout):
    whole = [BOI, *range(4, 20), EOI]
    ids = np.array([0, *whole, 100, *whole, BOI, *range(4, 10)])
    assert picture_starts(ids, 0, code_of, layout, CODES) == [2, 21]
    assert picture_starts(ids, 10, code_of, layout, CODES) == [21]


def test_the_layout_has_the_marks(code_of):
    assert {"boi", "eoi"} <= set(TokenLayout.__dataclass_fields__)
