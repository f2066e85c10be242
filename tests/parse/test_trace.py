"""A trace into a parsed trace: what is taken out of the steps, caps, and rejections."""

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from zero_engine.parse import parse_trace
from zero_engine.parse.graphemes import truncate
from zero_engine.pipeline import Parse
from zero_engine.records import ParsedTrace, Rejection, Source, Trace

SOURCE = Source("test", "test.jsonl", 0)
JOINERS = "a \r\n\u0301\u200d\ufe0f\u20e3🇫🇷👩👍🏽ᄒ\u1161\u11abนำनि्ष\u0600"
"""Characters that join with their neighbours, or do not, by every rule of UAX 29."""


def parse(
    rationale: str,
    answer: str | None = None,
    steps: tuple[str, ...] | None = None,
    question: str = "q",
    images: tuple[bytes, ...] = (),
    notes: tuple[str, ...] = (),
    **options: object,
) -> ParsedTrace | Rejection:
    trace = Trace(
        "t", question, rationale, answer, SOURCE, steps, question_images=images, notes=notes, record={"a": 1}
    )
    return parse_trace(trace, Parse.model_validate(options))


def parsed(rationale: str, **options: object) -> ParsedTrace:
    result = parse(rationale, **options)  # type-checked by the assertion below
    assert isinstance(result, ParsedTrace)
    return result


def texts(result: ParsedTrace) -> list[str]:
    assert [step.index for step in result.steps] == list(range(len(result.steps)))
    return [step.text for step in result.steps]


def test_steps_of_the_corpus_are_kept_unless_a_rule_is_asked_for() -> None:
    given = parsed("a. B\nc", steps=("a. B", " ", "c "))
    assert texts(given) == ["a. B", "c"] and given.rule == "given"
    asked = parsed("One is. Two is.\nc", steps=("x",), rule="lines")
    assert texts(asked) == ["One is. Two is.", "c"] and asked.rule == "lines"


def test_calculator_notes_are_dropped_or_kept() -> None:
    text = "She sells 48/2 = $<<48/2=24>>24.\nx << y and z >> w"
    assert texts(parsed(text)) == ["She sells 48/2 = $24.", "x << y and z >> w"]
    assert texts(parsed(text, calculator_notes="keep"))[0] == "She sells 48/2 = $<<48/2=24>>24."
    assert texts(parsed("<<3+4=7>>\nShe has <<7-2=5>>5.\n<<5*2=10>>.")) == ["3+4=7", "She has 5.", "5*2=10."]


def test_the_hash_line_is_the_answer_and_no_step() -> None:
    result = parsed("One.\nTwo.\n#### 7")
    assert texts(result) == ["One.", "Two."] and result.answer == "7"
    assert parsed("One.\n#### 7", answer="8").answer == "8"


def test_drawing_code_stays_whole_in_the_step_it_belongs_to() -> None:
    drawing = "[asy]\ndraw(a);\n\ndraw(b);\n[/asy]"
    result = parsed(f"Look here.\n\n{drawing}\n\nIt is 4.\n\nDone.", notes=("n",))
    assert texts(result) == [f"Look here.\n\n{drawing}", "It is 4.", "Done."]
    assert result.notes == ("n",)


def test_caps_are_applied_and_counted() -> None:
    result = parsed("\n".join(["x" * 40] * 5), max_steps=3, max_step_chars=16)
    assert texts(result) == ["x" * 16] * 3
    assert result.notes == ("steps_capped:2", "step_truncated:3")
    assert parsed("a\nb").notes == ()


@pytest.mark.parametrize(
    "cluster", ["e\u0301", "👩\u200d👩\u200d👧", "👍🏽", "🇫🇷", "1\ufe0f\u20e3", "한", "\r\n", "ก็"]
)
def test_a_cap_never_splits_a_grapheme(cluster: str) -> None:
    text = cluster * 20
    for limit in range(len(cluster), len(text)):
        cut = truncate(text, limit)
        assert cut == cluster * (limit // len(cluster)) and len(cut) <= limit


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from(JOINERS), max_size=60), st.integers(1, 40))
def test_a_cut_falls_on_a_boundary_of_unicode_clusters(text: str, limit: int) -> None:
    ends = {match.end() for match in regex.finditer(r"\X", text)}
    cut = len(truncate(text, limit))
    fitting = [end for end in ends if end <= limit]
    assert cut == (max(fitting) if fitting else min(limit, len(text)))


def test_a_cluster_that_nobody_reads_is_cut_at_the_limit() -> None:
    zalgo = "a" + "\u0301" * 500
    assert truncate(zalgo, 100) == zalgo[:100]
    assert truncate("b" * 50 + zalgo, 100) == "b" * 50
    assert truncate("b" + zalgo, 100) == ("b" + zalgo)[:100]


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80), st.integers(1, 40))
def test_truncation_keeps_a_prefix_within_the_limit(text: str, limit: int) -> None:
    cut = truncate(text, limit)
    assert text.startswith(cut) and len(cut) <= limit and (cut or not text)


def test_an_answer_without_steps_stays_and_nothing_at_all_is_rejected() -> None:
    result = parsed("", answer="7")
    assert result.steps == () and result.notes == ("no_steps",) and result.answer == "7"
    empty = parse(" \u200b\n")
    assert isinstance(empty, Rejection)
    assert (empty.trace_id, empty.stage, empty.reason, empty.record) == ("t", "parse", "no_steps", {"a": 1})


def test_a_blank_question_is_rejected_unless_there_is_a_picture() -> None:
    for question in (" \u200b ", "-", "...", "N/A"):
        blank = parse("One.\nTwo.", question=question)
        assert isinstance(blank, Rejection) and blank.reason == "empty_question"
    assert isinstance(parse("One.\nTwo.", question="?!"), ParsedTrace)
    assert isinstance(parse("One.\nTwo.", question="", images=(b"\x89PNG",)), ParsedTrace)


def test_the_answer_of_a_boxed_solution_is_found() -> None:
    assert parsed("We see\n\\[x = \\boxed{-5}.\\]").answer == "-5"


LONG = " ".join(f"He counts the apples in basket number {n} and finds {n + 3} of them." for n in range(20))


def test_long_steps_of_the_corpus_are_cut_at_sentences() -> None:
    result = parsed("x", steps=("Short one.", LONG))
    assert result.rule == "given" and result.notes == ("given_cut:1",)
    assert texts(result)[0] == "Short one." and " ".join(texts(result)[1:]) == LONG
    assert all(text.endswith(".") and len(text) <= 400 for text in texts(result))
    assert len(result.steps) == 1 + -(-len(LONG) // 400)


def test_long_steps_stay_whole_where_that_is_asked_or_no_sentence_ends() -> None:
    assert texts(parsed("x", steps=(LONG,), max_given_chars=None)) == [LONG]
    for whole in ("word " * 200, "$$" + "a. B " * 200 + "$$", "(" + "A is b. " * 100 + ") is all"):
        result = parsed("x", steps=(whole,))
        assert texts(result) == [whole.strip()] and result.notes == ()


@pytest.mark.parametrize(
    ("rationale", "answer", "differs"),
    [
        ("So the answer is 5.", "4", True),
        ("So the answer is $460.", "460", False),
        ("So \\boxed{\\frac{1}{2}}.", "0.5", False),
        ("One.\n#### 7", "8", True),
        ("One.\n#### 7 apples", "7", False),
        ("Answer: B", "B", False),
        ("Answer: B", "5 km", False),  # without choices a letter is not known to be another answer
        ("Only reasoning.", "4", False),
    ],
)
def test_a_rationale_that_contradicts_the_gold_answer_is_noted(
    rationale: str, answer: str, differs: bool
) -> None:
    result = parsed(rationale, answer=answer)
    assert result.answer == answer
    assert ("answer_differs_from_gold" in result.notes) == differs


def test_a_step_number_of_thousands_of_digits_is_text() -> None:
    text = f"Step 1: a\nStep {'1' * 4400}: b"
    assert "".join(texts(parsed(text, max_step_chars=9000))).replace("\n", "") == text.replace("\n", "")
