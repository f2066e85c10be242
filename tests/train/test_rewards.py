"""Rewards against the reference's, with a list of where it is wrong, and against answers that try to cheat."""

import json

import numpy as np
import pytest

from tests.train.conftest import TINY
from zero_engine.errors import PipelineError
from zero_engine.render.answers import parse_completion
from zero_engine.render.sequences import TEMPLATES
from zero_engine.score.pictures import perception_reward
from zero_engine.train.config import Rewards, Rl
from zero_engine.train.outside import compute_score, trl_reward, trl_reward_for
from zero_engine.train.rewards import reward, same_answer
from zero_engine.train.rollout import Sampler

GOLDEN = json.loads((TINY.parent / "rewards.json").read_text())["compute_score"]
LOOK = "THOUGHT 0: look.\nFinal Answer: "
DIFFERENT = {
    # solution, truth: (our accuracy, why the reference is wrong)
    (LOOK + "042", "42"): (1, "a leading zero does not change a number; it compares the texts"),
    (LOOK + "1e3", "1000"): (1, "1e3 is 1000"),
    (LOOK + "４２", "42"): (1, "full-width digits are digits"),
    (LOOK + "½", "0.5"): (1, "one half is 0.5"),
    (LOOK + "No", "NO"): (1, "case does not change a word"),
    (LOOK + "(7)", "-7"): (0, "brackets are no minus outside of bookkeeping"),
    (LOOK + "42 apples", "42 pears"): (0, "the units differ"),
    (LOOK + "€5", "£5"): (0, "the currencies differ"),
    (LOOK + "B", "2"): (0, "without choices a letter is no number"),
    (LOOK + "3)", "C"): (0, "without choices a number is no letter"),
    (LOOK + "A and B", "A"): (0, "two answers are no answer"),
    (LOOK + "II.", "B"): (0, "a Roman number is no letter"),
    (LOOK + "vii", "G"): (0, "a Roman number is no letter"),
    (LOOK + "the red hose", "the red house"): (0, "an answer is right or wrong; it pays for likeness"),
    (LOOK + "turning left at the corner", "turn left at the corner"): (0, "likewise"),
    (LOOK + "there are 5 cars and 2 dogs", "there are 5 cars and 2 dogs today"): (
        0,
        "the texts differ; likewise",
    ),
    (LOOK + "2-methylpropane", "3-methylpropane"): (0, "the compounds differ"),
    (LOOK, ""): (0, "an empty answer equals nothing"),
    ("THOUGHT x <reserved12866>42<reserved12867>", "42"): (
        1,
        "it does not know the brackets of its own checkpoint",
    ),
}
NO_FORM = {
    (LOOK, ""): "there is no answer to have a form",
    ("THOUGHT Final Answer:", "42"): "likewise",
}


@pytest.mark.parametrize("case", GOLDEN, ids=lambda c: f"{c['solution'][-24:]!r}={c['gt']!r}")
def test_agreement_with_the_reference_but_where_it_is_wrong(case):
    key = case["solution"], case["gt"]
    found = compute_score("golden", case["solution"], case["gt"])
    expected_accuracy = DIFFERENT[key][0] if key in DIFFERENT else case["out"]["acc"]
    assert found["acc"] == expected_accuracy
    if key not in DIFFERENT and key not in NO_FORM:
        assert found["score"] == pytest.approx(case["out"]["score"])


def test_every_difference_is_one():
    disagreed = {
        (c["solution"], c["gt"])
        for c in GOLDEN
        if compute_score("", c["solution"], c["gt"])["score"] != pytest.approx(c["out"]["score"])
    }
    assert disagreed == {*DIFFERENT, *NO_FORM} and len(GOLDEN) == 59


def omni(thought: str, answer: str) -> str:
    return f"<reserved12856>{thought}<reserved12857><reserved12866>{answer}<reserved12867>"


@pytest.mark.parametrize(
    ("text", "truth", "accuracy", "form"),
    [
        (omni("so 42", "42"), "42", 1, 1),
        (omni("so 42", "42") + "</s>", "42", 1, 1),
        ("", "42", 0, 0),
        ("", "", 0, 0),
        (omni("", ""), "", 0, 0),
        (omni("so 42", ""), "42", 0, 0),
        (omni("", "42"), "42", 1, 0),
        ("42", "42", 0, 0),
        (omni("so 42", "42") * 2, "42", 0, 0),
        ("<reserved12856>" * 3 + omni("x", "42"), "42", 0, 0),
        ("<reserved12866><reserved12867>" * 9, "42", 0, 0),
        ("<reserved12856>so <reserved12866>42<reserved12867><reserved12857>", "42", 0, 0),
        ("<reserved12856>so <reserved12866>42<reserved12867>", "42", 0, 0),
        (omni("so 42", "42 or 43"), "42", 0, 1),
        (omni("so", "42<reserved12867><reserved12866>43"), "42", 0, 0),
        (omni("so 42", "42") + " or 43", "42", 0, 0),
        ("thinking\nFinal Answer: 42\nFinal Answer: 43", "42", 0, 0),
        (omni("x", "5 red cars"), "9 red cars", 0, 1),
        (omni("x", "5 red cars"), "5 red cars", 1, 1),
        (omni("x", "42.0"), "42", 1, 1),
        (omni("x", "1/2"), "0.5", 1, 1),
        (omni("x", "No"), "NO", 1, 1),
        (omni("x", "yes"), "No", 0, 1),
        (omni("x", "5 km"), "5 m", 0, 1),
        (omni("x", "5 km"), "5", 1, 1),
        (omni("x", "50%"), "0.5", 1, 1),
        (omni("x", "50%"), "0.05", 0, 1),
        (omni("x", "CO"), "Co", 0, 1),
        (omni("x", "row 3, column 4"), "row 3, column 4", 1, 1),
        (omni("x", "row 3, column 4"), "row 4, column 3", 0, 1),
        (omni("x", "left of"), "right of", 0, 1),
        (omni("x", r"\frac{1}{2}"), "0.5", 1, 1),
        (omni("x", r"\sqrt{8}"), r"2\sqrt{2}", 1, 1),
        (omni("x", "x = 3"), "3", 1, 1),
        (omni("x", "x = 3"), "4", 0, 1),
        (omni("x", "42"), None, 0, 1),
        (omni("x", "$460"), "460", 1, 1),
        (omni("x", "The answer is \\boxed{7}."), "7", 1, 1),
        (omni("x", "答案：7"), "7", 1, 1),
        (omni("x", "5x"), "5", 0, 1),
        (omni("x", "5!"), "5", 0, 1),
        (omni("x", "5²"), "52", 0, 1),
        (omni("x", "2π"), "2", 0, 1),
        (omni("x", "9^9^9^9"), "9^9^9^8", 0, 1),
        (omni("x", "(2, 1)"), "(1, 2)", 0, 1),
    ],
)
def test_an_answer_that_tries_to_cheat_earns_nothing_and_an_honest_one_all(text, truth, accuracy, form):
    found = reward(text, truth)
    assert (found.accuracy, found.format) == (accuracy, form)
    assert found.total == pytest.approx(0.9 * accuracy + 0.1 * form)


def test_letters_and_choices():
    choices = ("red", "green", "blue")
    assert (
        same_answer("B", "green", choices) and same_answer("green", "B", choices) and same_answer("(B)", "B")
    )
    assert not same_answer("C", "green", choices) and not same_answer("red", "B", choices)


CODEBOOK = np.random.default_rng(0).normal(size=(64, 16)).astype(np.float32)
DRAWN = np.arange(16, dtype=np.uint16)
BLANK = np.full(16, 5, np.uint16)


@pytest.mark.parametrize(
    ("pictures", "share"),
    [([], 0), ([BLANK], 0), ([DRAWN], 1), ([DRAWN, DRAWN], 0.5), ([DRAWN, BLANK], 0.5), ([BLANK, BLANK], 0)],
)
def test_missing_blank_and_repeated_pictures_score_nothing(pictures, share):
    whole = perception_reward([DRAWN], CODEBOOK, (4, 4), Rewards())
    assert 0 < whole < 1
    assert perception_reward(pictures, CODEBOOK, (4, 4), Rewards()) == pytest.approx(share * whole)
    assert perception_reward([DRAWN], CODEBOOK, (4, 4), Rewards(min_pictures=2)) == 0


def test_the_parts_are_weighed_as_the_paper_says():
    found = reward(omni("x", "42"), "42", perception=0.4, weight=0.05)
    assert found.total == pytest.approx(0.95 * (0.9 + 0.1) + 0.05 * 0.4)
    missing = reward(omni("x", "42"), "42", perception=0.0, weight=0.05)
    assert missing.total < found.total


def test_signatures_of_verl_and_trl():
    text = omni("x", "B")
    facts = compute_score("m3cot", text, "green", {"choices": ["red", "green"], "perception": 0.5})
    assert facts["score"] == pytest.approx(0.95 + 0.025) and facts["acc"] == 1
    chats = [[{"role": "assistant", "content": text}], [{"role": "assistant", "content": "no"}]]
    assert trl_reward(
        prompts=["p", "p"], completions=chats, completion_ids=[[1], [2]], answer=["B", "B"]
    ) == [1.0, 0.0]
    assert trl_reward(completions=[text], answer=["green"], choices=[["red", "green"]]) == [1.0]


def test_a_template_of_ones_own_is_parsed_by_its_pieces():
    plain = TEMPLATES["plain"]
    assert parse_completion("a\nb\nFinal Answer: 3", plain).answer == "3"
    assert not parse_completion("Final Answer: 3", plain).well_formed
    assert parse_completion(omni("a", "3"), TEMPLATES["bare"]).well_formed


def test_hidden_states_cannot_judge_without_a_projection_or_inside_trl(tiny):
    options = {
        "model": str(TINY),
        "output": "x",
        "data": {"path": "x"},
        "steps": 1,
        "rewards": {"by": "hidden"},
    }
    config = Rl.model_validate(options)
    with pytest.raises(PipelineError, match="rewards.by: hidden needs the projection"):
        Sampler(tiny, config)
    with pytest.raises(PipelineError, match="TRL does not hand over"):
        trl_reward_for(tiny.tokenizer, options=config.rewards)
