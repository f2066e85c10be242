"""Questions without their solutions are read under every format; a picture's name is its question's alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from zero_engine.errors import InputError
from zero_engine.images import encode_image
from zero_engine.read import read_traces
from zero_engine.records import Trace
from zero_engine.train.asking import questions_input, read_questions
from zero_engine.train.evaluate import _save

ASKED = "Ann has 3 and buys 2. How many?"
TURN = [{"role": "user", "content": ASKED}]


def asked(path: Path, record: dict[str, Any], format: str, judged: bool = False) -> list[str]:
    path.write_text(json.dumps(record))
    items = list(read_traces(questions_input(str(path), format, {}, None, judged)))
    return [item.question for item in items if isinstance(item, Trace)]


@pytest.mark.parametrize(
    ("format", "record"),
    [
        ("gsm8k", {"question": ASKED}),
        ("math", {"problem": ASKED}),
        ("aqua", {"question": ASKED, "options": ["A)4", "B)5"]}),
        ("strategyqa", {"question": ASKED}),
        ("m3cot", {"question": ASKED, "choices": ["4", "5"]}),
        ("prm800k", {"instruction": ASKED}),
        ("processbench", {"problem": ASKED}),
        ("messages", {"messages": TURN}),
        ("messages", {"conversations": [{"from": "human", "value": ASKED}]}),
        ("messages", {"messages": [{"role": "user", "content": [{"type": "text", "text": ASKED}]}]}),
        ("prompt_completion", {"prompt": TURN}),
        ("prompt_completion", {"prompt": ASKED}),
        ("think", {"prompt": ASKED}),
        ("generations", {"problem": ASKED}),
        ("zeroeval", {"question": ASKED}),
    ],
)
def test_questions_alone_are_read(tmp_path: Path, format: str, record: dict[str, Any]) -> None:
    assert asked(tmp_path / "x.jsonl", record, format) == [ASKED]


def test_what_belongs_to_a_question_stays_with_it(tmp_path: Path) -> None:
    alpaca = {"instruction": "Add the numbers.", "input": "12 and 30"}
    assert asked(tmp_path / "a.jsonl", alpaca, "alpaca") == ["Add the numbers.\n12 and 30"]
    told = {"question": ASKED, "context": "A shop.", "choices": ["4", "5"]}
    assert asked(tmp_path / "b.jsonl", told, "m3cot") == [f"A shop.\n{ASKED}"]


def test_what_is_judged_needs_its_answers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column 'answer'"):
        asked(tmp_path / "x.jsonl", {"question": ASKED}, "gsm8k", judged=True)


def test_pictures_of_two_questions_never_share_a_name(tmp_path: Path) -> None:
    import numpy as np

    picture = encode_image(np.zeros((4, 4, 3), np.uint8))
    names = {_save(tmp_path, one, "", [picture])[0] for one in ("a/b", "a_b", "a b", "x" * 120, "x" * 121)}
    assert len(names) == 5 and "pictures/a_b-0.png" in names


def test_a_wrong_column_is_told_by_the_key_that_an_evaluation_has(tmp_path: Path) -> None:
    path = tmp_path / "input.columns.jsonl"
    path.write_text(json.dumps({"prompt": ASKED}))
    with pytest.raises(InputError, match=r"^columns.question: no column 'question' in the first record\."):
        list(read_questions(str(path), "generic", {}, None, True))
