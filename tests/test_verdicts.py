"""What is said of a contrast, on made-up answers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks" / "claims"))

from page import figure, page, sentences
from verdicts import verdicts

DOCUMENT = {
    "seeds": 8,
    "level": 0.05,
    "margin": 5,
    "contrasts": {
        "it helps": {"family": "f", "of": ["e", "a", 1], "against": ["e", "b", 1], "predicted": "at least 20",
                     "headline": True},
        "it helps a lot": {"family": "g", "of": ["e", "a", 1], "against": ["e", "b", 1], "predicted": "at least 90"},
        "nothing helps": {"family": "pictures", "of": ["e", "a", 1], "against": ["e", "b", 1],
                          "predicted": "at most 0"},
        "it does not harm": {"family": "i", "of": ["e", "b", 1], "against": ["e", "a", 1], "predicted": "at most 0"},
        "equal": {"family": "h", "of": ["e", "a", 1], "against": ["e", "a", 1], "predicted": "equal"},
        "not run": {"family": "f", "of": ["e", "c", 1], "against": ["e", "b", 1], "predicted": "at least 1"},
    },
}  # fmt: skip


def answers(arm: str, wrong_below: int) -> list[dict]:
    return [
        {"experiment": "e", "arm": arm, "steps": 1, "seed": seed, "question": f"q{question}",
         "right": question >= wrong_below, "pictures_right": 1, "pictures": 2}
        for seed in range(8) for question in range(10)
    ]  # fmt: skip


def test_each_verdict_is_what_the_numbers_say():
    facts = verdicts(DOCUMENT, answers("a", 2) + answers("b", 6))
    said = {name: facts["contrasts"][name]["verdict"] for name in DOCUMENT["contrasts"]}
    assert said == {
        "it helps": "held",
        "it helps a lot": "an effect, smaller than predicted",
        "nothing helps": "did not hold",
        "it does not harm": "held",
        "equal": "held",
        "not run": "open",
    }
    assert facts["contrasts"]["it helps"]["points"] == 40.0
    assert facts["cells"][0]["accuracy"] == 80.0
    assert facts["cells"][0]["pictures_right"] == 50.0


def test_a_contrast_of_fewer_seeds_stays_open():
    rows = [row for row in answers("a", 2) + answers("b", 6) if row["seed"] < 7]
    assert verdicts(DOCUMENT, rows)["contrasts"]["it helps"]["verdict"] == "open"


def test_the_page_and_the_figure_name_every_contrast():
    swaps = {"walk": [{"next_picture": {"picture": 0.9, "text": 0.1, "neither": 0.0},
                       "answer": {"picture": 0.8, "text": 0.2, "neither": 0.0}}]}  # fmt: skip
    facts = verdicts(DOCUMENT, answers("a", 2) + answers("b", 6)) | {"swaps": swaps}
    assert "| walk | answer | 80.0 | 20.0 | 0.0 |" in page(facts)
    for name in DOCUMENT["contrasts"]:
        assert name in page(facts)
        assert name in figure(facts)
    assert "It helps: +40.0 points" in sentences(facts) and "Nothing helps" not in sentences(facts)
