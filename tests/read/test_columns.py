"""The user's own words: column maps with paths and templates, `where`, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from zero_engine.errors import InputError
from zero_engine.pipeline import Input
from zero_engine.read import check_input, read_traces
from zero_engine.records import Rejection, Trace

RECORD = {
    "instruction": "Add.",
    "input": "1 and 2",
    "meta": {"id": 7, "final answer": "3"},
    "turns": [{"text": "no"}, {"text": "One and two.\nThree."}],
    "tags": ["a", "b"],
}


def read(folder: Path, record: Any, **options: Any) -> list[Trace | Rejection]:
    path = folder / "x.jsonl"
    records = record if isinstance(record, list) else [record]
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return list(read_traces(Input(path=str(path), **options)))


def test_paths_and_templates_reach_everything(tmp_path: Path) -> None:
    columns = {
        "id": "meta.id",
        "question": "{{instruction}}\n{{ input }} ({{tags}}, {{turns[0].text}})",
        "rationale": "turns.-1.text",
        "answer": "meta.final answer",
    }
    (trace,) = read(tmp_path, RECORD, columns=columns)
    assert isinstance(trace, Trace)
    assert (trace.id, trace.question) == ("7", "Add.\n1 and 2 (a\nb, no)")
    assert (trace.rationale, trace.answer) == ("One and two.\nThree.", "3")


def test_an_empty_column_leaves_nothing_in_a_template(tmp_path: Path) -> None:
    columns = {"question": "{{instruction}}\n{{input}}", "rationale": "turns.1.text"}
    for empty in ("", None, "absent"):
        record = (
            {**RECORD, "input": empty}
            if empty != "absent"
            else {k: v for k, v in RECORD.items() if k != "input"}
        )
        found = read(tmp_path, [RECORD, record], columns=columns)[1]
        assert isinstance(found, Trace) and found.question == "Add."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"anwser": "x"}}, "the format generic reads no field 'anwser'. Did you mean answer?"),
        ({"columns": {"banana": "x"}}, "the format generic reads no field 'banana'. It reads id, question"),
        ({"columns": {"question": "instuction", "rationale": "turns.1.text"}},
         "input.columns.question: no column 'instuction' in the first record. Did you mean 'instruction'?"),
        ({"columns": {"question": "instruction", "rationale": "turns.1.txt"}}, "Did you mean 'turns"),
        ({"columns": {"question": "{{instruction}} {{inputt}}", "rationale": "turns.1.text"}}, "no column 'inputt'"),
        ({"columns": {"question": "instruction", "rationale": "turns.1.text", "answer": "expected"}},
         "input.columns.answer: no column 'expected'"),
        ({"columns": {"question": "instruction", "rationale": "{{}}"}}, "no {{column}} in the template"),
        ({"format": "gsm8k", "columns": {"rationale": "input"}}, "the format gsm8k reads no field 'rationale'"),
        ({}, "no column 'question'"),
    ],
)  # fmt: skip
def test_a_map_that_cannot_be_meant_is_one_line(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, RECORD, **options)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_column_that_few_records_have_is_a_column(tmp_path: Path) -> None:
    rows: list[dict[str, str]] = [{"question": "q", "rationale": "a b"} for _ in range(60)]
    rows[50]["gold"] = "5"
    found = read(tmp_path, rows, columns={"answer": "gold"})
    assert [item.answer for item in found if isinstance(item, Trace)] == [None] * 50 + ["5"] + [None] * 9


def test_a_run_that_would_take_the_wrong_column_is_refused(tmp_path: Path) -> None:
    record = {"question": "q?", "reasoning": "One.\nTwo.", "answer": "2"}
    with pytest.raises(InputError, match=r"would leave the column 'reasoning' aside"):
        read(tmp_path, record, format="gsm8k")
    with pytest.raises(
        InputError, match=r"try input.format=generic with input.columns=\{rationale: reasoning\}"
    ):
        read(tmp_path, record)


def test_a_run_that_could_write_no_row_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"question": 5, "rationale": "r"}) + "\n")
    check_input(Input(path=str(path)))  # looking at it is allowed
    with pytest.raises(InputError, match=r"question must be text"):
        check_input(Input(path=str(path)), must_give_rows=True)


@pytest.mark.parametrize("value", [float("nan"), None, "", " ", "NaN", "None", "nan"])
def test_no_answer_is_none(value: object, tmp_path: Path) -> None:
    (trace,) = read(tmp_path, {"question": "q", "rationale": "a b", "answer": value})
    assert isinstance(trace, Trace) and trace.answer is None


@pytest.mark.parametrize(
    "choices", ["['red' 'blue']", '["red", "blue"]', "['red', 'blue']", ["red", "blue"], {"A": "red", "B": "blue"},
                {"label": ["A", "B"], "text": ["red", "blue"]}]
)  # fmt: skip
def test_choices_in_every_spelling(choices: object, tmp_path: Path) -> None:
    (trace,) = read(tmp_path, {"question": "q", "rationale": "a b", "choices": choices})
    assert isinstance(trace, Trace) and trace.choices == ("red", "blue")


ROWS = [
    {"question": "q", "rationale": "a b", "answer": answer, "level": level, "meta": {"src": source}}
    for answer, level, source in (("proof", 1, "x"), ("notfound", 2, "y"), ("5", 3, "x"), (None, None, "x"))
]


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("answer not in ['proof', 'notfound']", [2, 3]),
        ("answer == '5'", [2]),
        ("level >= 2", [1, 2]),
        ("1 < level <= 3 and meta.src == 'x'", [2]),
        ("not level or meta['src'] == 'y'", [1, 3]),
        ("answer is not None and len(rationale) < 10", [0, 1, 2]),
        ("lower(meta.src) in ('x',) and level != null", [0, 2]),
        ("answer", [0, 1, 2]),
        ("level < 'a'", []),
    ],
)
def test_where_keeps_what_it_says(where: str, kept: list[int], tmp_path: Path) -> None:
    items = read(tmp_path, ROWS, where=where)
    assert [at for at, item in enumerate(items) if isinstance(item, Trace)] == kept
    assert all(item.reason == "where_false" for item in items if isinstance(item, Rejection))


@pytest.mark.parametrize(
    "where",
    ["__import__('os').system('x')", "answer.__class__()", "[x for x in answer]", "(lambda: 1)()", "answer * 9**9**9",
     "open('x')", "len(answer, level)", "f'{answer}'", "answer if level else 5", "level =", "(" * 300 + "1" + ")" * 300,
     "anwser == '5'", "nothing", "a" * 3000, "not " * 900 + "level"],
)  # fmt: skip
def test_where_is_no_python(where: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="input.where"):
        read(tmp_path, ROWS, where=where)


def test_where_asks_each_generation(tmp_path: Path) -> None:
    record = {"problem": "q", "answer": "5", "generations": ["<think>a</think>5", "<think>b</think>6"],
              "correctness_math_verify": [True, False], "uuid": "u"}  # fmt: skip
    kept, left = read(tmp_path, record, format="generations", where="correctness")
    assert isinstance(kept, Trace) and (kept.id, kept.rationale, kept.answer) == ("u-t0", "a", "5")
    assert isinstance(left, Rejection) and left.trace_id == "u-t1"
    both = read(tmp_path, record, format="generations")
    assert (
        isinstance(both[1], Trace) and both[1].answer == "5" and "answer_differs_from_gold" in both[1].notes
    )


@pytest.mark.parametrize(
    ("said", "gold", "differs"),
    [("$460", "460", False), ("\\boxed{0.5}", "1/2", False), ("The answer is 5.", "5", False), ("6", "5", True),
     ("So we conclude that it holds for all of them, as was to be shown in the beginning.", "5", False)],
)  # fmt: skip
def test_equality_is_that_of_the_rewards(said: str, gold: str, differs: bool, tmp_path: Path) -> None:
    record = {"question": "q", "response": f"<think>a b</think>{said}", "answer": gold}
    (trace,) = read(tmp_path, record, format="think")
    assert isinstance(trace, Trace) and trace.answer == gold
    assert ("answer_differs_from_gold" in trace.notes) == differs
