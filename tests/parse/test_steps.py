"""Segmentation: the rule a trace calls for, guards, and no loss."""

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zero_engine.parse import segment
from zero_engine.parse.guards import FILLER, mask

RULES = ("auto", "markers", "blank_lines", "lines", "sentences", "whole")
PIECES = [
    *(
        "Step 1: ",
        "**Step 2:** ",
        "THOUGHT 3: ",
        "1. ",
        "2) ",
        "- ",
        "\n",
        "\n\n",
        "\n \n",
        " ",
        "\r\n",
        "\t",
    ),
    *("\u2028", "\u200b", "\u00a0", "é", "👩\u200d👧", "(", ")", '"', "a", "=", ".", "!", "?", "。"),
    *(
        "$x = 1$",
        "$",
        "$$",
        "\\[",
        "\\]",
        "\\begin{align*}\n",
        "\\end{align*}",
        "\\\\",
        "```\n",
        "```",
        "[asy]",
    ),
    *(
        "[/asy]",
        "| a | b |\n",
        "<<1+1=2>>",
        "So ",
        "The ",
        "Right. ",
        "Dr. ",
        "i.e. ",
        "3.5",
        "x = 2",
        "y=3 ",
    ),
    *("word ", "Tom ", "is ", "80 GB "),
]
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=60)


def bare(text: str) -> str:
    """What a reader sees: no blanks and no zero-width characters."""
    return "".join(
        char for char in text if not char.isspace() and char not in "\u200b\u200c\u200d\u2060\ufeff\u00ad"
    )


@pytest.mark.parametrize(
    ("text", "rule", "steps"),
    [
        ("Step 1: a\nmore\n\nStep 2: b", "markers", ["Step 1: a\nmore", "Step 2: b"]),
        (
            "Intro.\n## Step 1 - Find\nx\n## Step 2\ny",
            "markers",
            ["Intro.", "## Step 1 - Find\nx", "## Step 2\ny"],
        ),
        ("Step 1: Take 3. Step 2: Add 4.", "markers", ["Step 1: Take 3.", "Step 2: Add 4."]),
        ("1. Take 3\nof them.\n2. Add 4.", "markers", ["1. Take 3\nof them.", "2. Add 4."]),
        ("step 1 is easy\nstep 2, we add", "lines", ["step 1 is easy", "step 2, we add"]),
        ("A one.\nStill.\n\nB two.\n\nC three.", "blank_lines", ["A one.\nStill.", "B two.", "C three."]),
        ("One.\n\nTwo.", "blank_lines", ["One.", "Two."]),
        ("One.\nTwo.\nThree.\n\nFour.", "lines", ["One.", "Two.", "Three.", "Four."]),
        ("One.\r\nTwo.\r\n", "lines", ["One.", "Two."]),
        ("We get\n\\[x\n\n= 2.\\]\nSo 2.", "lines", ["We get\n\\[x\n\n= 2.\\]", "So 2."]),
        ("He has 3 eggs. She has 4. So 7.", "sentences", ["He has 3 eggs.", "She has 4.", "So 7."]),
        ("He has 3+1=4 eggs So she has 5", "sentences", ["He has 3+1=4 eggs", "So she has 5"]),
        ("It is 3+1=4 eggs Tom has 5", "sentences", ["It is 3+1=4 eggs", "Tom has 5"]),
        ("2x = 80 x = 40", "sentences", ["2x = 80", "x = 40"]),
        ("Right. So it is 4. Good. Then 5.", "sentences", ["Right. So it is 4.", "Good. Then 5."]),
        ("先算两个。再算三个。", "sentences", ["先算两个。", "再算三个。"]),
        (
            "J. Smith vs. Mr. Jones at 5 p.m. on Fig. 3.",
            "whole",
            ["J. Smith vs. Mr. Jones at 5 p.m. on Fig. 3."],
        ),
        ("It ends at 5 p.m. Then we go.", "sentences", ["It ends at 5 p.m.", "Then we go."]),
        ("Pay $5. Then pay $6. It is 11.", "sentences", ["Pay $5.", "Then pay $6.", "It is 11."]),
        ("Let $a. B$ be so. Then $c$.", "sentences", ["Let $a. B$ be so.", "Then $c$."]),
        ("only this", "whole", ["only this"]),
        (" \n\u200b \n", "whole", []),
        ("", "whole", []),
    ],
)
def test_the_rule_fits_the_trace(text: str, rule: str, steps: list[str]) -> None:
    assert segment(text) == (steps, rule)


@pytest.mark.parametrize(
    "unit",
    [
        "$$a\n\nb. C$$",
        "\\[a\n\nb. C\\]",
        "\\(a. B\\)",
        "\\begin{cases}a\n\n\\begin{cases}b\\end{cases}\n\nc\\end{cases}",
        "```python\n# Step 1: no\n\n1. no\nx = 1. Y\n```",
        "~~~\nStep 1: a\n\nStep 2: b\n~~~",
        "[asy]\ndraw(a);\n\ndraw(b. C);\n[/asy]",
        "| a. B | c |\n|---|---|\n| d | e |",
    ],
)
@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "markers"])
def test_a_guarded_unit_is_never_cut(unit: str, rule: str) -> None:
    text = f"First we look.\n\n{unit}\n\nThen we see. So it ends.\n\nStill more."
    assert sum(unit in step for step in segment(text, rule)[0]) == 1


def test_an_unclosed_fence_guards_to_the_end() -> None:
    text = "See:\n\n```python\n# one\n\n# two\n\nx = 1"
    assert segment(text)[0] == ["See:", "```python\n# one\n\n# two\n\nx = 1"]


def test_unclosed_math_guards_nothing() -> None:
    assert segment("Take \\[ x.\nThen y.\nSo $$ z.\nDone.")[0] == [
        "Take \\[ x.",
        "Then y.",
        "So $$ z.",
        "Done.",
    ]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(texts, st.sampled_from(RULES))
@example("\u200b a\n\u200b\nb", "lines")
def test_nothing_is_lost_and_no_step_is_empty(text: str, rule: str) -> None:
    steps, used = segment(text, rule)
    assert bare("".join(steps)) == bare(text)
    assert all(bare(step) and step == step.strip() for step in steps)
    assert used in RULES and used != "auto"


@settings(max_examples=200, deadline=None)
@given(texts)
def test_a_mask_keeps_every_position(text: str) -> None:
    masked = mask(text)
    assert len(masked) == len(text)
    assert all(m in (t, FILLER) for m, t in zip(masked, text, strict=True))


@settings(max_examples=200, deadline=None)
@given(texts)
def test_a_quick_look_changes_no_step(text: str) -> None:
    quick = segment(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zero_engine.parse.steps.PECULIAR_LINE", re.compile(""))
        patch.setattr("zero_engine.parse.steps.may_say_nothing", lambda piece: True)
        assert segment(text) == quick


@settings(max_examples=150, deadline=None)
@given(texts)
def test_segmenting_again_gives_the_same(text: str) -> None:
    assert segment(text) == segment(text)
    assert segment(f"\n {text} \n") == segment(text)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join), st.sampled_from(RULES))
@example("[asy]", "auto")
@example("| |", "auto")
@example(".", "sentences")
@example("* ", "markers")
@example("Step 1: a\n", "auto")
def test_time_is_linear_whatever_repeats(unit: str, rule: str) -> None:
    """20,000 characters take some 5 ms; a quadratic rule took over a second on these."""
    text = (unit * (20_000 // len(unit) + 1))[:20_000]
    started = time.process_time()
    segment(text, rule)
    assert time.process_time() - started < 0.5


def boundaries(steps: list[str]) -> set[int]:
    """Characters before each cut, blanks and notes left out."""
    import re

    position, found = 0, set()
    for step in steps[:-1]:
        position += len(re.sub(r"\s|<<[^<>]*>>", "", step))
        found.add(position)
    return found


@pytest.mark.parametrize(
    ("corpus", "joiner", "least"),
    [
        ("gsm8k", "\n", 0.99),
        ("gsm8k", " ", 0.94),
        ("prm800k", "\n", 0.97),
        ("prm800k", "\n\n", 0.99),
        ("prm800k", " ", 0.88),
        ("strategyqa", " ", 0.91),
        ("strategyqa", "\n", 0.99),
    ],
)
def test_boundaries_agree_with_the_sources(corpus: str, joiner: str, least: float, data: Path) -> None:
    gold = [json.loads(line) for line in (data / "corpora" / f"gold_{corpus}.jsonl").open(encoding="utf-8")]
    hit = either = 0
    for trace in gold:
        want, have = boundaries(trace["steps"]), boundaries(segment(joiner.join(trace["steps"]))[0])
        hit, either = hit + 2 * len(want & have), either + len(want) + len(have)
    assert hit / either >= least
