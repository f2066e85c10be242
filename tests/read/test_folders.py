"""Which files of a folder, an archive or a pipe are read, and what is said of the others."""

import bz2
import gzip
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.read.test_files import as_parquet, as_tar, as_zip
from zero_engine.errors import InputError
from zero_engine.pipeline import Input
from zero_engine.read import iter_chunks, passed_over, read_chunk, read_traces
from zero_engine.records import Rejection, Trace

ROOT = Path(__file__).resolve().parent.parent.parent


def line(name: str) -> bytes:
    return (
        json.dumps({"id": name, "question": f"q {name}", "rationale": "a b", "answer": "1"}).encode() + b"\n"
    )


def ids(path: Path | str, **options: Any) -> list[str]:
    return [item.id for item in read_traces(Input(path=str(path), **options)) if isinstance(item, Trace)]


def folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


@pytest.mark.parametrize(
    ("names", "split", "expected"),
    [
        (["train.jsonl", "test.jsonl"], "train", ["train.jsonl"]),
        (["train.jsonl", "test.jsonl"], "test", ["test.jsonl"]),
        (["data/train-00000-of-00002.jsonl", "data/train-00001-of-00002.jsonl", "data/test-00000-of-00001.jsonl"],
         "train", ["data/train-00000-of-00002.jsonl", "data/train-00001-of-00002.jsonl"]),
        (["data/cot-00000-of-00001.jsonl", "data/tir-00000-of-00001.jsonl"], "cot", ["data/cot-00000-of-00001.jsonl"]),
        (["train/a.jsonl", "train/b.jsonl", "dev/a.jsonl"], "train", ["train/a.jsonl", "train/b.jsonl"]),
        (["train/a.jsonl", "dev/a.jsonl"], "validation", ["dev/a.jsonl"]),
        (["my_valid_file.jsonl", "my-training.jsonl"], "validation", ["my_valid_file.jsonl"]),
        (["eval_1.jsonl", "x.train.jsonl"], "test", ["eval_1.jsonl"]),
        (["constraint.jsonl", "attestation.jsonl"], "train", ["attestation.jsonl", "constraint.jsonl"]),
        (["a.jsonl", "b.jsonl"], "train", ["a.jsonl", "b.jsonl"]),
    ],
)  # fmt: skip
def test_splits_are_those_of_the_names(
    names: list[str], split: str, expected: list[str], tmp_path: Path
) -> None:
    folder(tmp_path, {name: line(name) for name in names})
    assert ids(tmp_path, split=split) == expected
    with pytest.raises(InputError, match=r"has no split 'nonesuch', only "):
        ids(tmp_path, split="nonesuch")
    told = passed_over(Input(path=str(tmp_path), split=split))
    assert len(told) == len(names) - len(expected)


CONFIGS = """---
license: mit
configs:
- config_name: main
  default: true
  data_files:
  - split: train
    path: main/*.jsonl
  - split: test
    path:
    - held/one.jsonl
    - "held/t**"
- config_name: other
  data_files: other.jsonl
---
# A card
"""


def test_the_front_matter_of_a_readme_says_configurations_and_splits(tmp_path: Path) -> None:
    names = [
        "main/a.jsonl",
        "main/b.jsonl",
        "held/one.jsonl",
        "held/two.jsonl",
        "held/no.jsonl",
        "other.jsonl",
    ]
    folder(tmp_path, {name: line(name) for name in names} | {"README.md": CONFIGS.encode()})
    assert ids(tmp_path) == names[:2]
    assert ids(tmp_path, split="test") == ["held/one.jsonl", "held/two.jsonl"]
    assert ids(tmp_path, config="other") == ["other.jsonl"]
    with pytest.raises(InputError, match=r"has no configuration 'mian', only main, other. Set input.config"):
        ids(tmp_path, config="mian")
    with pytest.raises(InputError, match=r"has no split 'test', only train"):
        ids(tmp_path, config="other", split="test")
    (tmp_path / "README.md").write_text(CONFIGS.replace("  default: true\n", ""))
    with pytest.raises(InputError, match=r"holds the configurations main, other. Set input.config"):
        ids(tmp_path)


def test_folders_of_shards_are_configurations(tmp_path: Path) -> None:
    folder(tmp_path, {f"{c}/train-00000-of-00001.jsonl": line(c) for c in ("data", "metadata")})
    assert ids(tmp_path) == ["data"] and ids(tmp_path, config="metadata") == ["metadata"]
    (tmp_path / "data").rename(tmp_path / "main")
    with pytest.raises(InputError, match=r"holds the configurations main, metadata"):
        ids(tmp_path)


def test_every_file_is_read_or_named(tmp_path: Path) -> None:
    read = {
        "a.JSONL": line("a"), "b.jsonlines.gz": gzip.compress(line("b")), "c.txt": line("c"), "part-00000": line("d"),
        "e.jsonl.bz2": bz2.compress(line("e")), "f.zip": as_zip({"x.jsonl": line("f")}),
        "g.tar": as_tar({"x/y.jsonl": line("g"), "x/z.md": b"z"}),
    }  # fmt: skip
    left = {"README.md": b"# x", "LICENSE": b"MIT", "notes.txt": b"not data\n", "p.png": b"\x89PNG", "run.py": b"x",
            "dataset_infos.json": b"{}", "z.bin": b"\0"}  # fmt: skip
    hidden = {".hidden.jsonl": line("no"), "_tmp/x.jsonl": line("no")}
    folder(tmp_path, read | left | hidden | {".cache/x.lock": b""})
    assert sorted(ids(tmp_path)) == ["a", "b", "c", "d", "e", "f", "g"]
    told = passed_over(Input(path=str(tmp_path)))
    assert {Path(entry.split(": not read: ")[0]).name for entry in told} == {
        *left, "z.md", ".hidden.jsonl", "x.jsonl"
    }  # fmt: skip


def test_an_earlier_runs_rows_are_input(tmp_path: Path) -> None:
    from zero_engine import load_pipeline, run_pipeline

    out = tmp_path / "out"
    run_pipeline(
        load_pipeline(
            ROOT / "pipelines/text_only.yaml", ["input.limit=5", f"output.path={out}", "dask.workers=0"]
        )
    )
    again = list(read_traces(Input(path=str(out), format="dataset")))
    first = list(read_traces(Input(path=str(ROOT / "examples/data/gsm8k.jsonl"), format="gsm8k", limit=5)))
    assert [(t.id, t.question, t.answer) for t in again] == [(t.id, t.question, t.answer) for t in first]
    assert all(t.steps for t in again)


@pytest.mark.slow
@pytest.mark.parametrize("stdin", ["-", "/dev/stdin"])
@pytest.mark.parametrize(
    "data", [line("a") + line("b"), gzip.compress(line("a") + line("b"))], ids=["plain", "gzip"]
)
def test_stdin_is_an_input(data: bytes, stdin: str, tmp_path: Path) -> None:
    code = "from zero_engine.cli import main; main()"
    command = [
        sys.executable,
        "-c",
        code,
        "parse",
        "pipelines/text_only.yaml",
        "--input",
        stdin,
        "--set",
        "input.format=generic",
    ]
    done = subprocess.run(command, input=data, capture_output=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [json.loads(row)["id"] for row in done.stdout.splitlines()] == ["a", "b"]


@pytest.mark.parametrize("data", [line("a") + line("b"), as_parquet()], ids=["lines", "parquet"])
def test_a_pipe_is_read_once_for_all(data: bytes, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(data))
    writer.start()
    spec = Input(path=str(fifo))
    found = list(read_traces(spec))
    writer.join()
    assert all(isinstance(item, Trace) for item in found) and len(found) in (2, 7)


def test_a_webdataset_is_samples_with_their_pictures(tmp_path: Path) -> None:
    from tests.test_nasty import png

    files = {}
    for at in range(3):
        files[f"{at:04d}.json"] = json.dumps({"question": f"q{at}", "rationale": "a b"}).encode()
        files[f"{at:04d}.png"] = png()
    (tmp_path / "x.tar").write_bytes(as_tar(files))
    found = [item for item in read_traces(Input(path=str(tmp_path / "x.tar"))) if isinstance(item, Trace)]
    assert [t.question for t in found] == ["q0", "q1", "q2"] and found[0].question_images == (png(),)
    texts = {"a.txt": b"What?", "a.cls": b"5", "b.txt": b"Why?", "b.cls": b"6"}
    (tmp_path / "y.tar").write_bytes(as_tar(texts))
    spec = Input(path=str(tmp_path / "y.tar"), columns={"question": "txt", "rationale": "cls"})
    assert [item.question for item in read_traces(spec) if isinstance(item, Trace)] == ["What?", "Why?"]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"data": "ROWS"}, "data"),
        ({"version": {"a": [1, "}"]}, "data": "ROWS", "more": 1}, "data"),
        ({"a": {"b": "ROWS"}}, "a.b"),
    ],
)
def test_a_document_that_wraps_its_records(document: dict[str, Any], field: str, tmp_path: Path) -> None:
    rows = [json.loads(line(name)) for name in "abc"]
    for indent in (None, 2):
        text = json.dumps(document, indent=indent).replace('"ROWS"', json.dumps(rows, indent=indent))
        (tmp_path / "x.json").write_text(text)
        assert ids(tmp_path / "x.json", field=field) == ["a", "b", "c"]
        with pytest.raises(InputError, match=r"no field 'nope' for input.field; there is"):
            ids(tmp_path / "x.json", field="nope")
        if field == "data":
            with pytest.raises(InputError, match=r"set input.field=data"):
                ids(tmp_path / "x.json")


def test_another_encoding_is_a_setting_and_the_error_says_so(tmp_path: Path) -> None:
    row = json.dumps({"question": "Où?", "rationale": "Là — là."}, ensure_ascii=False) + "\n"
    (tmp_path / "x.jsonl").write_bytes(row.encode("cp1252") * 3)
    with pytest.raises(InputError, match=r"set input.encoding, e.g. cp1252"):
        ids(tmp_path / "x.jsonl")
    found = list(read_traces(Input(path=str(tmp_path / "x.jsonl"), encoding="cp1252")))
    assert [item.question for item in found if isinstance(item, Trace)] == ["Où?"] * 3
    with pytest.raises(InputError, match=r"there is no encoding 'klingon'"):
        ids(tmp_path / "x.jsonl", encoding="klingon")
    (tmp_path / "x.csv").write_bytes("question,rationale\nOù?,Là.\n".encode("cp1252"))
    (row,) = read_traces(Input(path=str(tmp_path / "x.csv"), encoding="cp1252"))
    assert isinstance(row, Trace) and row.question == "Où?"


def test_damage_stops_after_the_records_before_it(tmp_path: Path) -> None:
    whole = b"".join(line(f"r{i}") for i in range(2000))
    packed = gzip.compress(whole)
    (tmp_path / "cut.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    found: list[str] = []
    with pytest.raises(InputError, match=r"cut.jsonl.gz: the gzip data is cut or damaged"):
        for item in read_traces(Input(path=str(tmp_path / "cut.jsonl.gz")), rows_per_chunk=64):
            found.append(item.id)
    assert found == [f"r{i}" for i in range(len(found))] and len(found) > 500
    rows = ",\n".join(line(f"r{i}").decode() for i in range(30))
    (tmp_path / "cut.json").write_text(f"[{rows},\n" + '{"id": "x", "question')
    found = []
    with pytest.raises(InputError, match=r"cut.json: the JSON array breaks at element 31"):
        for item in read_traces(Input(path=str(tmp_path / "cut.json")), rows_per_chunk=64):
            found.append(item.id)
    assert len(found) == 30


def test_a_record_over_the_limit_costs_itself_only(tmp_path: Path) -> None:
    big = json.dumps({"question": "q", "rationale": "x" * 9000}).encode() + b"\n"
    (tmp_path / "x.jsonl").write_bytes(line("a") + big + line("b"))
    (tmp_path / "y.json").write_bytes(b"[" + b",".join([line("a"), big, line("b")]) + b"]")
    (tmp_path / "z.csv").write_bytes(b"question,rationale\nq,a b\nq," + b"x" * 9000 + b"\nq,a b\n")
    for name in ("x.jsonl", "y.json", "z.csv"):
        first, rejection, last = read_traces(Input(path=str(tmp_path / name), max_record_bytes=4096))
        assert isinstance(first, Trace) and isinstance(last, Trace)
        assert isinstance(rejection, Rejection) and rejection.reason == "record_too_large"


def test_sums_of_a_record_are_not_needed_to_pass_it_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zero_engine.read.jsontext.BUFFER_CHARS", 7)
    big = {"question": 'a "quoted\\" } ] text', "rationale": ["[", {"x": "}\\\\"}] * 100}
    (tmp_path / "y.json").write_text(json.dumps([json.loads(line("a")), big, json.loads(line("b"))]))
    first, rejection, last = read_traces(Input(path=str(tmp_path / "y.json"), max_record_bytes=1024))
    assert isinstance(first, Trace) and isinstance(last, Trace) and isinstance(rejection, Rejection)


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ('question,rationale\nq1,"a\nb"\nq2,c\n', ["q1", "q2"], 0),
        ('question,rationale\nq1,"a ""b"" c"\nq2,c\n', ["q1", "q2"], 0),
        ('question,rationale\nq1,"open\nq2,c\nq3,d\n', ["q2", "q3"], 1),
        ('question,rationale\nq1,"a"b\nq2,c\n', ["q2"], 1),
        ('question,rationale\nq1,"a\nq2,"c"\nq3,d\n', ["q2", "q3"], 1),
        ('question,rationale\nq1,a,b\nq2,c\n\nq3\nq4,d', ["q2", "q4"], 2),
        ('question;rationale\r\nq1;"a\r\nb"\r\nq2;c\r\n', ["q1", "q2"], 0),
    ],
)  # fmt: skip
def test_a_row_of_a_table_never_swallows_its_neighbour(
    text: str, good: list[str], bad: int, tmp_path: Path
) -> None:
    (tmp_path / "x.csv").write_bytes(text.encode())
    items = list(read_traces(Input(path=str(tmp_path / "x.csv"))))
    assert [item.question for item in items if isinstance(item, Trace)] == good
    assert sum(isinstance(item, Rejection) for item in items) == bad


def test_duplicates_are_left_out_on_demand(tmp_path: Path) -> None:
    rows = [{"id": f"r{i}", "question": f"q{i % 5}", "rationale": "a b"} for i in range(12)]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kept = list(read_traces(Input(path=str(tmp_path / "x.jsonl")), rows_per_chunk=4))
    assert all(isinstance(item, Trace) for item in kept)
    spec = Input(path=str(tmp_path / "x.jsonl"), duplicates="reject")
    items = list(read_traces(spec, rows_per_chunk=4))
    assert [item.id for item in items if isinstance(item, Trace)] == [f"r{i}" for i in range(5)]
    assert [item.reason for item in items if isinstance(item, Rejection)] == [
        f"duplicate_of:r{i % 5}" for i in range(5, 12)
    ]
    chunks = list(iter_chunks(spec, 4))
    assert [read_chunk(chunk, spec) for chunk in chunks] == [
        items[:4],
        items[4:8],
        items[8:],
    ]  # in any process


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays(
        [pa.array(["q"]), pa.array(["a"]), pa.array(["b"])], ["question", "rationale", "rationale"]
    )
    parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(InputError, match=r"two columns are called 'rationale'"):
        ids(tmp_path / "x.parquet")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"%PDF-1.7 x", "a PDF"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"<html>", "HTML"),
    ],
)
def test_what_is_no_records_is_named(data: bytes, what: str, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(data)
    with pytest.raises(InputError, match=what):
        ids(tmp_path / "x.jsonl")


def test_a_folder_inside_that_cannot_be_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part.jsonl").write_bytes(line(name))
    scandir = os.scandir

    def scan(path: str) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    with pytest.raises(InputError, match="closed: cannot be listed: Permission denied"):
        list(iter_chunks(Input(path=str(tmp_path)), 1))
