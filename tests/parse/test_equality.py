"""Equality of answers: one judgement for notes and rewards, with math-verify and without."""

import builtins
import time

import pytest

from zero_engine.parse import answers_differ, answers_equal
from zero_engine.train.rewards import same_answer

EQUAL = [
    *(('["5"]', "5"), ("['red']", "red")),
    *(
        ("May 5, 2021", "5th of May 2021"),
        ("2021-05-05", "Wednesday, May 5, 2021"),
        ("Sept. 5 2021", "2021-09-05"),
    ),
    *(("a red ball", "red ball"), ("The Eiffel Tower", "Eiffel tower")),
    *(("$5$ apples", "5"), ("\\(5\\) apples", "5 apples"), ("$x$ and $y$", "x, y")),
    *(
        ("2 or 3", "3, 2"),
        ("x = 3 or x = -2", "-2, 3"),
        ("2 and -2", "-2, 2"),
        ("black or white", "white or black"),
    ),
    *(("\\pm 2", "2, -2"), ("x = \\pm 2", "x = 2 or x = -2"), ("\\pm 2", "2 or -2")),
    *(("1.000.000", "1000000"), ("1'000'000", "1,000,000"), ("1_000", "1000"), ("6.02 x 10^23", "6.02e23")),
    ("\\\\frac{1}{2}", "0.5"),
    *(("x≥2", "x \\geq 2"), ("x \\le 3", "x <= 3"), ("x \\leqslant 3", "x≤3")),
    ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{bmatrix} 1 \\\\ 2 \\end{bmatrix}"),
    ("$460", "460"),
    ("460 dollars", "$460"),
    ("460.00", "460"),
    ("5 cm^2", "5"),
    ("5 cm²", "5 cm^2"),
    ("45^\\circ", "45"),
    ("45°", "45 degrees"),
    ("\\frac{3}{4}", "0.75"),
    ("2\\frac{1}{2}", "2.5"),
    ("3\\dfrac{1}{2}", "7/2"),
    ("½", "1/2"),
    ("5½", "5.5"),
    ("1 000 000", "1,000,000"),
    ("1{,}000", "1000"),
    ("3,5", "3.5"),
    ("3,50 €", "3,5"),
    ("0,125", "1/8"),
    ("1.234,56", "1,234.56"),
    ("-2,75 km", "-2.75 kilometers"),
    ("x = 2,5", "2.5"),
    ("6.02 \\times 10^{23}", "6.02e23"),
    ("(1, 2)", "(1,2)"),
    ("\\left(1, 2\\right)", "(1, 2)"),
    ("2 and 3", "3, 2"),
    ("\\{1,2\\}", "1, 2"),
    ("x = 3", "3"),
    ("3", "x=3"),
    ("AB = 5 cm", "5"),
    ("٧", "7"),
    ("७", "7"),
    ("\\text{Tuesday}", "tuesday"),
    ("**B**", "B"),
    ("(B) five", "five"),
    ("7 units", "7"),
    ("\\$18.00", "18"),
    ("18 \\text{ hours}", "18 hours"),
    ("USD 50", "$50"),
    ("50 USD", "50 dollars"),
    ("Rs. 300", "300"),
    ("2:3", "2 : 3"),
    ("(7)", "7"),
    ("12.50", "12.5"),
    ("-\\frac{1}{2}", "-0.5"),
    ("5%", "5 percent"),
    ("H₂O", "H2O"),
    ("\\boxed{7}", "7"),
    ("\\(7\\)", "7"),
    ("3/4 cup", "0.75"),
    ("No.", "no"),
    ("5 km", "5 kilometers"),
    ("5 per cent", "0.05"),
    ("20 as a percentage", "20%"),
    ("20% of the students", "20%"),
    ("5 °C", "5 degrees Celsius"),
    ("5 °C", "5°"),
    ("45 deg", "45^\\circ"),
    ("5°N", "5 degrees north"),
    ("5 degree angle", "5°"),
    ("2,000 and 3,000", "3000 and 2000"),
    ("approximately 7", "7"),
    ("5 apples", "5 Apples."),
    ("7:30 pm", "7:30 PM"),
    ("three", "Three"),
]
EQUAL_BY_MATHEMATICS = [
    ("x^2+1", "1+x^2"),
    ("\\sqrt{8}", "2\\sqrt2"),
    ("10^{3}", "1000"),
    ("x^2+2x+1", "(x+1)^2"),
    ("\\frac{\\sqrt{3}}{3}", "\\frac{1}{\\sqrt{3}}"),
]
DIFFERENT = [
    *(
        ("May 5, 2021", "May 6, 2021"),
        ("05/06/2021", "2021-05-06"),
        ("$5-$6", "56"),
        ("$5$ apples", "5 pears"),
        ("an", "n"),
    ),
    *(
        ("2 or 3", "2"),
        ("x = 2 or x = 3", "x = 2"),
        ("black or white", "black and white"),
        ("\\pm 2", "2"),
        ("x≥2", "x>2"),
    ),
    ("5²", "52"),
    ("\\frac{x+1}{2}", "x+1/2"),
    ("2\\frac12", "21/2"),
    ("5x", "5"),
    ("5!", "5"),
    ("2π", "2"),
    ("2\\pi", "2"),
    ("(1,2)", "(2,1)"),
    ("[1,2]", "(1,2)"),
    ("€5", "$5"),
    ("5 euros", "$5"),
    ("x=3", "y=3"),
    ("5 m", "5 km"),
    ("5%", "5 km"),
    ("5%", "$5"),
    ("20%", "20 students"),
    ("5°", "5 km"),
    ("5 degrees", "5%"),
    ("5 °C", "5 °F"),
    ("30 degrees", "30 radians"),
    ("3i", "3"),
    ("1,200", "1, 200"),
    ("3:30", "3"),
    ("CO", "Co"),
    ("A", "B"),
    ("red", "read"),
    ("the rapist", "therapist"),
    ("-3", "3"),
    ("3 or 4", "3"),
    ("10^6", "106"),
    ("5,6", "56"),
    ("0.5", "5"),
    ("2√3", "2"),
    ("5 - x", "5"),
    ("5 \\times 3", "5"),
    ("1.5", "15"),
    ("7 and 8", "7"),
    ("", ""),
    ("²", "2"),
    ("x_1", "x1"),
    ("5 k", "5"),
    ("1/2", "2"),
    ("12 hours", "12 minutes"),
    ("9^9^9^9", "9^9^9^8"),
    ("100000!", "100001!"),
    ("10^{100000000}", "10^{100000001}"),
    ("0.333", "1/3"),
    ("(1, 2)", "1, 2"),
    ("5 apples", "5 pears"),
    ("B", "wood"),
]
NO_FORMULAS = [("1/3],", "\\frac{1}{3}("), ("\\frac{1}{2}}", "0.5x)"), ("(1, 2", "1, 2)")]
BUSY = [
    "9^9^9^9",
    "10^{100000000}",
    "100000!",
    "(" * 190,
    "2^{10^{10}}",
    "1" * 300,
    "\\sqrt{" * 50,
    "x^" * 60,
    "9!" * 40,
]


@pytest.fixture
def without_math_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: object, **kwargs: object) -> object:
        if name == "math_verify":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.mark.parametrize(("first", "second"), EQUAL)
def test_spelling_changes_no_answer(first: str, second: str) -> None:
    assert answers_equal(first, second) and answers_equal(second, first)
    assert same_answer(first, second) and same_answer(second, first)
    assert not answers_differ(first, second)


@pytest.mark.parametrize(("first", "second"), EQUAL)
def test_spelling_changes_no_answer_without_the_extra(
    first: str, second: str, without_math_verify: None
) -> None:
    assert answers_equal(first, second) and answers_equal(second, first)


@pytest.mark.parametrize(("first", "second"), EQUAL_BY_MATHEMATICS)
def test_expressions_are_equal_by_their_mathematics(first: str, second: str) -> None:
    assert answers_equal(first, second) and answers_equal(second, first)


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_likeness_is_no_equality(first: str, second: str) -> None:
    assert not answers_equal(first, second) and not answers_equal(second, first)
    assert not same_answer(first, second) and not same_answer(second, first)


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_likeness_is_no_equality_without_the_extra(
    first: str, second: str, without_math_verify: None
) -> None:
    assert not answers_equal(first, second) and not answers_equal(second, first)


@pytest.mark.parametrize("text", BUSY)
def test_no_answer_keeps_the_judge_busy(text: str) -> None:
    """A tower of powers took minutes; the bound is loose, for machines under load."""
    started = time.process_time()
    assert not answers_equal(text, text + "1") and answers_equal(text, text)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(("first", "second"), NO_FORMULAS)
def test_what_is_no_formula_is_not_taken_for_a_part_of_it(first: str, second: str) -> None:
    assert not answers_equal(first, second)


def test_what_cannot_be_compared_contradicts_nothing() -> None:
    assert answers_differ("7", "8") and answers_differ("A", "B") and answers_differ("yes", "no")
    assert not answers_differ("B", "5 km") and not answers_differ("7", None) and not answers_differ("", "7")
    assert not answers_differ("B", "wood", ("glass", "wood")) and answers_differ(
        "A", "wood", ("glass", "wood")
    )
    assert not answers_differ(
        "7", "the number of apples that are left when all the others have been eaten by the birds"
    )


def test_choices_are_known_by_letter_and_by_text() -> None:
    choices = ("A) glass", "B) wood", "C) 5 km")
    assert answers_equal("B", "wood", choices) and answers_equal("C", "5 km", choices)
    assert answers_equal("(C)", "5 kilometers", choices) and not answers_equal("A", "5 km", choices)


def test_several_letters_are_the_same_choices_however_they_are_parted() -> None:
    choices = ("1", "2", "3", "4")
    assert answers_equal("ACD", "A, C and D", choices) and answers_equal("(D)(A)", "A,D", choices)
    assert not answers_equal("ACD", "A, C", choices) and not answers_equal("AC", "A, C")


def test_a_letter_beyond_the_options_is_the_text_of_one() -> None:
    assert answers_equal("y", "B", ("x", "y")) and answers_equal("y.", "B", ("x", "y", "z"))
    assert not answers_equal("y", "A", ("x", "y")) and answers_equal("b", "B", ("x", "y"))
