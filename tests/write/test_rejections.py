"""Dead letters: strict JSON lines, whatever the record held."""

import json

import jsonschema
import numpy as np
import pytest

from zero_engine.contracts.publish import schemas
from zero_engine.records import Rejection
from zero_engine.write.rejections import read_rejections, write_rejections

SCHEMA = json.loads(schemas()["rejection.schema.json"])


def write_one(path, **changes) -> dict:
    """One dead letter through the file, read as a strict reader would."""
    row = Rejection("t-1", "read", "bad_record", **changes)
    file = write_rejections(path, [row])
    raw = path.read_bytes()
    assert (file.rows, file.bytes) == (1, len(raw))
    text = raw.decode("utf-8")
    assert text.splitlines(keepends=True) == [text] and text.endswith("\n")

    def refuse(name):
        raise AssertionError(f"{name} is not strict JSON")

    letter = json.loads(text, parse_constant=refuse)
    jsonschema.validate(letter, SCHEMA)
    return letter


def test_a_dead_letter_comes_back_as_it_was(tmp_path):
    rows = [
        Rejection(
            "t-1", "parse", "empty_rationale", "nothing left", record={"question": "½ 👍", "n": [1, None]}
        ),
        Rejection(
            "t-2", "gate", "blank_high", "0.99 > 0.98", step=3, attempt=1, exception="ValueError", record="x"
        ),
    ]
    write_rejections(tmp_path / "a.jsonl", rows)
    assert list(read_rejections(tmp_path / "a.jsonl")) == rows


def test_no_dead_letters_is_an_empty_file(tmp_path):
    assert write_rejections(tmp_path / "a.jsonl", []).rows == 0
    assert list(read_rejections(tmp_path / "a.jsonl")) == []


@pytest.mark.parametrize(
    ("record", "kept"),
    [
        (
            {"x": float("nan"), "y": [float("inf"), float("-inf")]},
            {"x": "NaN", "y": ["Infinity", "-Infinity"]},
        ),
        ({"x": "a\ud800b", "\udfff": "\ud83d\ude00"}, {"x": "a\ufffdb", "\ufffd": "😀"}),
        ("a\u2028b\u2029c\u0085d\0e\r\n", "a\u2028b\u2029c\u0085d\0e\r\n"),
        ({"image": b"\xff\0"}, {"image": {"base64": "/wA="}}),
        ({("a", 1): {1: 2}, "n": np.float32(0.5)}, {"('a', 1)": {"1": 2}, "n": "0.5"}),
        ((1, (2,)), [1, [2]]),
        (2**80, 2**80),
    ],
)
def test_what_json_cannot_hold_becomes_the_nearest_that_it_can(tmp_path, record, kept):
    assert write_one(tmp_path / "a.jsonl", record=record)["record"] == kept


def test_a_record_nested_too_deep_is_cut_and_can_be_read_back(tmp_path):
    record: list = []
    for _ in range(5000):
        record = [record]
    letter = write_one(tmp_path / "a.jsonl", record=record)
    depth, node = 0, letter["record"]
    while isinstance(node, list):
        depth, node = depth + 1, node[0]
    assert (depth, node) == (200, "...")


def test_a_record_that_holds_itself_is_cut(tmp_path):
    record: dict = {"name": "loop"}
    record["self"] = record
    assert write_one(tmp_path / "a.jsonl", record=record)["record"]["self"]["name"] == "loop"


def test_surrogates_in_every_text_field_are_replaced(tmp_path):
    letter = write_one(tmp_path / "a.jsonl", detail="\ud800", exception="\udc00")
    assert (letter["detail"], letter["exception"]) == ("\ufffd", "\ufffd")
