"""Options and the places that answers name, texts by turns, keys that come twice: nothing is guessed in silence."""

import json
from pathlib import Path
from typing import Any

import pytest

from zero_engine.errors import InputError
from zero_engine.parse import parse_trace
from zero_engine.pipeline import Input, Parse
from zero_engine.read import read_traces
from zero_engine.read.fields import lettered
from zero_engine.read.proposal import propose
from zero_engine.records import ParsedTrace, Rejection

WAY = "Ann starts with three apples. She buys two more of them."
ASKED = {"question": "Ann has 3 apples and buys 2 more. How many apples has she?", "exp": WAY}


def answers(path: Path, *records: Any, **options: Any) -> list[str | None]:
    """The answers of the records as `init` reads them; a rejection's reason where there is one."""
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    spec = Input(path=str(path), **options) if options else propose(Input(path=str(path))).spec
    found: list[str | None] = []
    for item in read_traces(spec):
        one = item if isinstance(item, Rejection) else parse_trace(item, Parse())
        found.append(one.answer if isinstance(one, ParsedTrace) else one.reason)
    return found


@pytest.mark.parametrize(
    "names",
    [("opa", "opb", "opc"), ("option_a", "option_b", "option_c"), ("A", "B", "C"), ("choice1", "choice2", "choice3"),
     ("ending0", "ending1", "ending2"), ("optionA", "optionB", "optionC")],
)  # fmt: skip
def test_options_in_columns_of_their_own_are_the_choices(names, tmp_path):
    options = dict(zip(names, ("4. four", "five", "6"), strict=True))
    rows = [{**ASKED, **options, "label": place} for place in (1, 2, -1)]
    assert answers(tmp_path / "x.jsonl", *rows) == ["B", "C", None]


def test_places_that_count_from_one_are_seen_or_named(tmp_path):
    options = {"opa": "four", "opb": "five", "opc": "six"}
    assert answers(tmp_path / "x.jsonl", *({**ASKED, **options, "cop": at} for at in (2, 3))) == ["B", "C"]
    listed = {**ASKED, "options": ["four", "five", "six"]}
    assert answers(tmp_path / "y.jsonl", *({**listed, "correct_option": at} for at in (1, 2, 3))) == [
        "B",
        "C",
        "answer_no_choice",
    ]
    columns = {"rationale": "exp", "answer": "cop", "choices": "1. {{options.0}}\n2. {{options.1}}"}
    found = answers(tmp_path / "z.jsonl", {**listed, "cop": 2}, format="generic", columns=columns)
    assert found == ["B"]
    counted = {**ASKED, "choices": ["2 apples", "3 apples", "5 apples"], "answer": 3}
    assert answers(tmp_path / "w.jsonl", counted) == ["3"]


def test_options_a_line_each_are_parted_at_no_letter_inside_of_a_line():
    assert lettered("A. Vitamin B. complex\nB. Vitamin C\nC. D. melanogaster\nD. ") == [
        "Vitamin B. complex",
        "Vitamin C",
        "D. melanogaster",
    ]
    assert lettered("1. four\n2. five") == ["four", "five"]
    assert lettered("1. four\n3. five") is None


def test_the_number_of_a_class_is_no_answer(tmp_path):
    pair = {
        "premise": "A man jumps.",
        "hypothesis": "A man sits.",
        "explanation_1": "Who jumps does not sit.",
    }
    assert answers(tmp_path / "x.jsonl", *({**pair, "label": at} for at in (0, 2, 1))) == [None] * 3
    assert answers(tmp_path / "y.jsonl", {**ASKED, "exp": f"{WAY} That is 5.", "label": 5}) == ["5"]


def test_texts_by_turns_are_a_chat_and_options_are_none(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"id": 1, "data": ["What is 2 + 3?", "We count on.\n\nIt is five."]}) + "\n")
    (trace,) = read_traces(propose(Input(path=str(path))).spec)
    assert trace.question == "What is 2 + 3?" and trace.rationale.startswith("We count on.")
    path.write_text(json.dumps({"question": "What is 2 + 3?", "choices": ["4", "5"], "answer": 1}) + "\n")
    with pytest.raises(InputError, match="no question and rationale"):
        propose(Input(path=str(path)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [('"answer": "2", "answer": "3"', "duplicate_key"), ('"answer": "2", "answer": "2"', "2"),
     ('"answer": "2", "meta": {"a": 1, "a": 2}', "duplicate_key"),
     ('"answer": "2", "meta": [{"a": 1}, {"a": 2}]', "2")],
)  # fmt: skip
@pytest.mark.parametrize("wrap", ["{}\n", "[{}]"])
def test_a_key_with_two_values_rejects_its_record_and_no_other(text, reason, wrap, tmp_path):
    path = tmp_path / "x.json"
    whole = '{"question": "What?", "rationale": "So it is.", "answer": "7"}'
    record = '{"question": "What?", "rationale": "So.", ' + text + "}"
    both = f"{record}, {whole}" if wrap == "[{}]" else f"{record}\n{whole}"
    path.write_text(wrap.replace("{}", both))
    found = [
        item.reason if isinstance(item, Rejection) else item.answer
        for item in read_traces(Input(path=str(path), format="generic"))
    ]
    assert found == [reason, "7"]
    if reason == "duplicate_key":
        with pytest.raises(InputError, match="two values"):
            list(read_traces(Input(path=str(path), format="generic", strict=True)))
