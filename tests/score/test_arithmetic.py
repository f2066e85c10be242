"""Whether a step's own equations hold."""

import pytest

from zero_engine.score.arithmetic import arithmetic


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("She sells 16 - 3 - 4 = 9 eggs.", 1.0),
        ("She sells 16 - 3 - 4 = 8 eggs.", 0.0),
        ("48 / 2 = 24 and 24 + 48 = 72", 1.0),
        ("48 / 2 = 24 and 24 + 48 = 71", 0.0),
        ("10 / 3 = 3.33", 1.0),
        ("10 / 3 = 3.34", 0.0),
        ("20% of 50 is 10", 1.0),
        ("half of 60 is 31", 0.0),
        ("5 * (3 + 2) = 25 = 20 + 5", 1.0),
        ("5 - 8 = -3", 1.0),
        ("It cost $1,200 x 3 = $3,600", 1.0),
        ("31 times 13 is 404", 0.0),
        ("3! * 2 = 12", 1.0),
        ("2 1/2 * 4 = 10", 1.0),
        ("60g * 4/5 = 240g/5 = 48 grams", 1.0),
        ("3U + 9 = 411", None),
        ("x = 7", None),
        ("She has 16 eggs.", None),
        ("4 / 0 = 1", None),
        ("", None),
    ],
)
def test_arithmetic_judges_what_the_step_writes_out(text, value):
    assert arithmetic(None, text) == value
