"""Files as people hand them over: what editors, downloads and other programs leave, read or named in one line."""

import json
import zipfile
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zero_engine.errors import InputError
from zero_engine.pipeline import Input
from zero_engine.read import read_traces
from zero_engine.read.looking import passed_over
from zero_engine.read.proposal import propose
from zero_engine.records import Rejection, Trace

RECORDS = [
    {"id": f"r{i}", "question": f"{i} + 1?", "rationale": f"We have {i}.\nOne more.", "answer": str(i + 1)}
    for i in range(3)
]
LINES = "".join(json.dumps(record) + "\n" for record in RECORDS)


def count(path: Path, **options: str) -> int:
    items = list(read_traces(Input(path=str(path), format="generic", **options)))
    assert all(isinstance(item, Trace) for item in items), items
    return len(items)


def test_json_text_sequences_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.json-seq").write_text("".join(f"\x1e{json.dumps(record)}\n" for record in RECORDS))
    assert count(tmp_path / "x.json-seq") == 3


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"\x80\x04\x95abc", "a pickle"),
        (b"Obj\x01\x04", "Avro"),
        (b"ORC\x08\x03", "ORC"),
        (b"FEA1\0\0", "Feather file of version 1"),
        (b"\x04\x22\x4d\x18\x60", "LZ4"),
        (b"\x5d\0\0\x80\0", "LZMA"),
        (b"<?xml version='1.0'?>", "XML"),
    ],
)
def test_what_holds_no_records_is_called_by_its_name(tmp_path: Path, head: bytes, said: str) -> None:
    (tmp_path / "x.jsonl").write_bytes(head + bytes(range(40)))
    with pytest.raises(InputError, match=said):
        count(tmp_path / "x.jsonl")


def test_json_packed_into_strings_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("\n".join(json.dumps(json.dumps(record)) for record in RECORDS))
    with pytest.raises(InputError, match="expected an object with named fields, got str"):
        count(tmp_path / "x.jsonl")


def test_backups_and_unfinished_downloads_are_not_read_twice(tmp_path: Path) -> None:
    for name in ("train.jsonl", "train.jsonl~", "train.jsonl.part", "train.jsonl.bak", "_old.jsonl"):
        (tmp_path / name).write_text(LINES)
    assert count(tmp_path) == 3
    told = passed_over(Input(path=str(tmp_path), format="generic"))
    assert len(told) == 4 and sum("a backup or an unfinished file" in line for line in told) == 3
    assert any("_old.jsonl: not read: hidden by its name" in line for line in told)


def test_the_hubs_own_copies_have_configurations(tmp_path: Path) -> None:
    for name in ("main/train", "main/test", "socratic/train"):
        (tmp_path / name).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(RECORDS), tmp_path / name / "0000.parquet")
    with pytest.raises(InputError, match="holds the configurations main, socratic"):
        count(tmp_path)
    assert count(tmp_path, config="main", split="test") == 3
    one = tmp_path / "main"
    assert count(one) == 3  # a folder of one configuration needs none


def test_decimals_are_numbers(tmp_path: Path) -> None:
    table = pa.table({"question": ["1?", "2?"], "rationale": ["One.", "Two."],
                      "answer": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2))})  # fmt: skip
    pq.write_table(table, tmp_path / "x.parquet")
    traces = list(read_traces(Input(path=str(tmp_path / "x.parquet"), format="generic")))
    assert [trace.answer for trace in traces if isinstance(trace, Trace)] == ["1.50", None]


def test_records_wrapped_twice_are_found(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"meta": {"n": 3}, "result": {"items": RECORDS}}))
    assert propose(Input(path=str(tmp_path / "x.json"))).spec.field == "result.items"


def test_a_number_too_long_is_said_without_python(tmp_path: Path) -> None:
    lines = LINES + '{"question": "1?", "rationale": "One.", "answer": ' + "9" * 5000 + "}\n"
    (tmp_path / "x.jsonl").write_text(lines)
    *_, last = read_traces(Input(path=str(tmp_path / "x.jsonl"), format="generic"))
    assert (
        isinstance(last, Rejection) and "x.jsonl:4: invalid JSON: a number of over 4300 digits" in last.detail
    )


@pytest.mark.parametrize(
    "table",
    [
        "sep=;\nquestion;rationale;answer\n1 + 1?;One, and one.;2\n",
        "sep=\t\r\nquestion\trationale\tanswer\r\n1 + 1?\tOne.\t2\r\n",
        "question, rationale, answer\n1 + 1?,One.,2\n",
    ],
)
def test_a_table_with_a_line_of_excel_or_blanks_in_its_header(tmp_path: Path, table: str) -> None:
    (tmp_path / "x.csv").write_bytes(table.encode())
    assert count(tmp_path / "x.csv") == 1


def test_zeros_behind_the_last_record_cost_no_other(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(LINES.encode() + bytes(400))
    items = list(read_traces(Input(path=str(tmp_path / "x.jsonl"), format="generic")))
    assert [isinstance(item, Trace) for item in items] == [True, True, True, False]


def test_an_archive_inside_an_archive_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as inner:
        inner.writestr("x.jsonl", LINES)
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as outer:
        outer.write(tmp_path / "inner.zip", "inner.zip")
    with pytest.raises(InputError, match=r"inner\.zip: this is an archive inside an archive"):
        propose(Input(path=str(tmp_path / "outer.zip")))
    with zipfile.ZipFile(tmp_path / "outer.zip", "a") as outer:
        outer.writestr("y.jsonl", LINES)
    assert count(tmp_path / "outer.zip") == 3
    assert any(
        "an archive inside an archive" in line
        for line in passed_over(Input(path=str(tmp_path / "outer.zip")))
    )


BY_ROW = {key: {str(at): record[key] for at, record in enumerate(RECORDS)} for key in RECORDS[0]}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "x.csv",
            "What is 1 + 1?,We add one and one. So 2.,2\nWhat is 1 + 2?,We add one and two. So 3.,3\n",
            "first line of names",
        ),
        ("x.json", json.dumps(BY_ROW), "columns of 3 values each"),
        ("x.jsonl", '{"question": "a?",}\n' * 2, r"\(line 1: invalid JSON: .*double quotes"),
        ("x.json", '[["a?", "b"]]', "expected an object with named fields"),
    ],
)
def test_init_says_why_there_are_no_records(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=said):
        propose(Input(path=str(tmp_path / name)))
