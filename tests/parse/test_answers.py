"""Answers: what is extracted, and what counts as the same."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zero_engine.parse import answers_equal, extract_answer


@pytest.mark.parametrize(
    ("answer", "rationale", "expected"),
    [
        ("18", "", "18"),
        (" B ", "", "B"),
        ("The answer is 51.", "", "51"),
        ("Thus, the final answer is: **3.5 cm**.", "", "3.5 cm"),
        ("So it is $\\boxed{\\frac{1}{2}}$.", "", "\\frac{1}{2}"),
        ("#### 1,000", "", "1,000"),
        ("It marks reasoning.", "", "It marks reasoning."),
        (None, "Add.\nAnswer : A", "A"),
        (None, "so \\boxed{1} or rather \\boxed{2}.", "2"),
        (None, "One.\n#### 7", "7"),
        (None, "The answer is 4. Let me check.\nYes, the answer is 5.", "5"),
        (None, "Only reasoning.\nNo hash line", None),
        (None, "The answer depends on x.", None),
        (None, "Open \\boxed{1", None),
        ("", "Answer: 3", "3"),
        (None, "", None),
    ],
)
def test_the_stated_answer_is_found(answer: str | None, rationale: str, expected: str | None) -> None:
    assert extract_answer(answer, rationale) == expected


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("18", "18.0"),
        ("70,000", "70000"),
        ("$18", "18 dollars"),
        ("1/2", "0.5"),
        ("\\frac{1}{2}", "0.5"),
        ("\\dfrac12", "1/2"),
        ("1 1/2", "1.5"),
        ("50%", "50"),
        ("50%", "0.5"),
        ("50 percent", "50%"),
        ("−3", "-3"),
        ("-$3", "$-3"),
        ("No", "NO"),
        ("yes", "True"),
        ("5 cars", "5 car"),
        ("5 red cars", "5"),
        ("(B)", "B"),
        ("b", "B."),
        ("option B", "B) five"),
        ("\\text{east}", "East"),
        ("$\\boxed{7}$", "7"),
        ("2e3", "2000"),
        ("１２", "12"),
    ],
)
def test_equal_answers(first: str, second: str) -> None:
    assert answers_equal(first, second) and answers_equal(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", ""),
        (None, None),
        (" ", " "),
        ("$$", "$$"),
        ("5 red cars", "9 red cars"),
        ("5 feet", "5 inches"),
        ("0.5", "50"),
        ("A", "B"),
        ("18", "81"),
        ("yes", "no"),
        ("1/0", "1/0.0"),
        ("3", "three"),
        ("5", "5 or 6"),
        ("5", "5 or six"),
        ("5", "5 = x"),
        ("-3", "3"),
    ],
)
def test_different_answers(first: str | None, second: str | None) -> None:
    assert not answers_equal(first, second) and not answers_equal(second, first)


def test_a_letter_equals_the_text_of_its_choice() -> None:
    choices = ("glass", "wood", "5")
    assert answers_equal("B", "Wood", choices) and answers_equal("wood", "(b)", choices)
    assert answers_equal("C", "5.0", ("1", "2", "5.0")) and not answers_equal("A", "wood", choices)
    assert not answers_equal("B", "stone", choices)


def test_expressions_are_compared_by_their_mathematics() -> None:
    assert answers_equal("2\\sqrt{2} + 3", "3 + 2\\sqrt{2}")
    assert answers_equal("(1, 2)", "\\left(1, 2\\right)")
    assert not answers_equal("2\\sqrt{2}", "2\\sqrt{3}")


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_equality_is_symmetric_and_never_raises(first: str, second: str) -> None:
    assert answers_equal(first, second) == answers_equal(second, first)
    assert answers_equal(first, first) in (True, not first.strip(), False)


@given(st.integers(-(10**9), 10**9))
def test_a_number_equals_its_spellings(number: int) -> None:
    assert answers_equal(str(number), f"{number:,}") and answers_equal(f"{number}.00", str(number))
    assert not answers_equal(str(number), str(number + 1))


def test_very_long_answers_are_compared_as_text() -> None:
    assert answers_equal("9" * 5000, "9" * 5000) and not answers_equal("9" * 5000, "9" * 5001)


def test_expressions_are_compared_outside_the_main_thread_too() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(answers_equal, "2\\sqrt{2} + 3", "3 + 2\\sqrt{2}").result()
