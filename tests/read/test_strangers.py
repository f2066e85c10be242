"""Files as strangers hand them over: where their gold answers lie, what shape they have, what their models wrote."""

import json
from pathlib import Path
from typing import Any

import pytest

from zero_engine.errors import InputError
from zero_engine.parse import parse_trace
from zero_engine.pipeline import Input, Parse
from zero_engine.read import passed_over, read_traces
from zero_engine.read.proposal import propose
from zero_engine.records import ParsedTrace, Trace

ASKED = "Ann has 3 apples and buys 2 more. How many apples has she?"
WAY = "Ann starts with 3 apples.\nShe buys 2, so 3 + 2 = 5."
PLAIN = {"question": ASKED, "rationale": WAY}
CHAT = [{"role": "user", "content": ASKED}, {"role": "assistant", "content": f"<think>{WAY}</think>It is 6."}]


def parsed(spec: Input) -> list[ParsedTrace]:
    found = [parse_trace(item, Parse()) for item in read_traces(spec) if isinstance(item, Trace)]
    return [item for item in found if isinstance(item, ParsedTrace)]


def write(path: Path, *records: Any) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("record", "answer"),
    [
        ({**PLAIN, "answer": ["5", "five"]}, "5"),
        ({**PLAIN, "answer": {"value": "5", "unit": "apples"}}, "5"),
        ({**PLAIN, "answers": {"text": ["5", "five"], "answer_start": [3, 9]}}, "5"),
        ({**PLAIN, "extra_info": {"answer": "5"}}, "5"),
        ({**PLAIN, "choices": {"label": ["A", "B"], "text": ["4", "5"]}, "answerKey": "B"}, "B"),
        ({**PLAIN, "choices": ["4", "five", "6"], "answer": 1}, "B"),
        ({**PLAIN, "choices": ["1", "5", "6"], "answer": 1}, "1"),
        ({"messages": CHAT, "ground_truth": "5"}, "5"),
        ({"messages": CHAT, "reward_model": {"ground_truth": "5", "style": "rule"}}, "5"),
        (
            {"prompt": CHAT[:1], "response": CHAT[1]["content"], "reward_model": {"ground_truth": "5"}},
            "5",
        ),
    ],
)
def test_init_finds_the_gold_answer_wherever_it_lies(tmp_path: Path, record: dict, answer: str) -> None:
    (found,) = parsed(propose(Input(path=write(tmp_path / "x.jsonl", record))).spec)
    assert found.answer == answer and found.trace.question == ASKED
    assert [step.text for step in found.steps] == WAY.split("\n")
    if "messages" in record or "prompt" in record:  # the model said 6
        assert found.notes.count("answer_differs_from_gold") == 1


def test_thoughts_inside_of_thoughts_are_one(tmp_path: Path) -> None:
    text = "<think>One is one. <think>Two is two.</think> Three is three.</think>5"
    path = write(tmp_path / "x.jsonl", {"question": ASKED, "response": text})
    (found,) = parsed(Input(path=path, format="think"))
    assert [step.text for step in found.steps] == ["One is one.", "Two is two.", "Three is three."]
    assert found.answer == "5"
    text = "<think>One is one.\nIt has a <think> tag.</think>5"  # closed once: the inner one is text
    path = write(tmp_path / "x.jsonl", {"question": ASKED, "response": text})
    (found,) = parsed(Input(path=path, format="think"))
    assert len(found.steps) == 2 and found.answer == "5"


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ('{"reasoning": "One is one. Two is two.", "answer": "5",}', "5"),
        ('{"reasoning": "One is one. Two is two.", "answer": None}', None),
        ("{'reasoning': 'One is one. Two is two.', 'answer': '5'}", "5"),
        ('{"result": {"reasoning": "One is one. Two is two.", "answer": "5"}}', "5"),
        (
            '{"reasoning": "Bad.", "answer": "4"}\nNo: {"reasoning": "One is one. Two is two.", "answer": "5"}',
            "5",
        ),
        (
            '{"steps": [{"explanation": "One is one."}, {"explanation": "Two is two."}], "final_answer": "5"}',
            "5",
        ),
    ],
)
def test_json_that_models_write_is_read(tmp_path: Path, output: str, answer: str | None) -> None:
    path = write(tmp_path / "x.jsonl", {"question": ASKED, "output": output})
    (found,) = parsed(Input(path=path, format="zeroeval"))
    assert [step.text for step in found.steps] == ["One is one.", "Two is two."] and found.answer == answer


@pytest.mark.parametrize("between", ["", " ", "\r", ", "])
def test_records_in_one_line_are_all_read(tmp_path: Path, between: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(between.join(json.dumps({**PLAIN, "answer": str(i)}) for i in range(3)).encode())
    assert [found.answer for found in parsed(Input(path=str(path)))] == ["0", "1", "2"]


def test_one_object_of_records_or_columns_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for document, says in (
        ({"a": PLAIN, "b": PLAIN}, "2 records by a key"),
        ({"question": [ASKED, ASKED], "rationale": [WAY, WAY]}, "columns of 2 values each"),
    ):
        path.write_text(json.dumps(document))
        for look in (propose, lambda spec: list(read_traces(spec))):
            with pytest.raises(InputError, match=says):
                look(Input(path=str(path)))
    path.write_text(json.dumps({"train": [PLAIN], "test": [PLAIN, PLAIN]}))
    proposal = propose(Input(path=str(path)))
    assert proposal.spec.field == "train" and len(parsed(proposal.spec)) == 1


def test_a_shard_that_is_not_there_is_told(tmp_path: Path) -> None:
    for place in (0, 2):
        write(tmp_path / f"train-{place:05d}-of-00003.jsonl", PLAIN)
    (line,) = passed_over(Input(path=str(tmp_path)))
    assert line.endswith("train-*-of-00003: 1 of 3 files are not there, first 00001")
