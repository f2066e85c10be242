"""Chunks: fixed ranges, content digests, ids, and the books balancing."""

import json
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from zero_engine.errors import InputError
from zero_engine.images import encode_image
from zero_engine.pipeline import Input
from zero_engine.read import iter_chunks, read_chunk, read_traces
from zero_engine.records import Rejection, Trace


def write(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def row(i: int, **more: object) -> dict[str, object]:
    return {"question": f"q{i}", "rationale": f"r{i}", **more}


def test_chunks_are_fixed_ranges_that_span_files(tmp_path: Path) -> None:
    for name, count in (("a", 5), ("b", 0), ("c", 1), ("d", 7)):
        write(tmp_path / f"{name}.jsonl", [row(i) for i in range(count)])
    chunks = list(iter_chunks(Input(path=str(tmp_path)), 4))
    assert [(c.index, c.first_row, c.rows) for c in chunks] == [(0, 0, 4), (1, 4, 4), (2, 8, 4), (3, 12, 1)]
    assert len(chunks[1].payload) == 3
    items = [item for chunk in chunks for item in read_chunk(chunk, Input(path="x"))]
    assert len({item.id for item in items}) == 13
    assert [item.source.row for item in items if isinstance(item, Trace)] == [
        0,
        1,
        2,
        3,
        4,
        0,
        0,
        1,
        2,
        3,
        4,
        5,
        6,
    ]


def test_a_chunk_survives_pickling_and_reads_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [row(i) for i in range(9)])
    spec = Input(path=path)
    whole = list(read_traces(spec))
    parts = [pickle.loads(pickle.dumps(chunk)) for chunk in iter_chunks(spec, 2)]
    (tmp_path / "a.jsonl").unlink()  # JSON Lines travel inside the chunk
    alone = [read_chunk(chunk, spec) for chunk in reversed(parts)]
    assert [item for part in reversed(alone) for item in part] == whole


def test_the_digest_follows_content_and_place(tmp_path: Path) -> None:
    rows = [row(i) for i in range(8)]
    path = write(tmp_path / "a.jsonl", rows)
    before = [chunk.digest for chunk in iter_chunks(Input(path=path), 3)]
    assert before == [chunk.digest for chunk in iter_chunks(Input(path=path), 3)]
    assert len(set(before)) == 3
    rows[4]["rationale"] = "other"
    write(tmp_path / "a.jsonl", rows)
    after = [chunk.digest for chunk in iter_chunks(Input(path=path), 3)]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]
    grown = write(tmp_path / "a.jsonl", [*rows, row(8)])
    assert [chunk.digest for chunk in iter_chunks(Input(path=grown), 3)][:2] == after[:2]


def test_ranges_of_a_parquet_file_read_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.Table.from_pylist([row(i) for i in range(2000)]), path, row_group_size=700)
    spec = Input(path=str(path))
    chunks = list(iter_chunks(spec, 300))
    assert all(len(pickle.dumps(chunk)) < 1000 for chunk in chunks)
    forward = [read_chunk(chunk, spec) for chunk in chunks]
    backward = [read_chunk(chunk, spec) for chunk in reversed(chunks)]
    assert forward == backward[::-1]
    assert [item.question for part in forward for item in part if isinstance(item, Trace)] == [
        f"q{i}" for i in range(2000)
    ]


def test_a_parquet_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    path, spec = tmp_path / "a.parquet", Input(path=str(tmp_path / "a.parquet"))
    for version in ("one", "two!"):
        parquet.write_table(pa.Table.from_pylist([row(i, answer=version) for i in range(10)]), path)
        chunks = list(iter_chunks(spec, 5))
        assert {t.answer for c in chunks for t in read_chunk(c, spec) if isinstance(t, Trace)} == {version}


def test_own_ids_stay_and_second_ones_get_their_position(tmp_path: Path) -> None:
    rows = [
        row(0, id="x"),
        row(1, id="x"),
        row(2, id="x~1"),
        row(3, id=""),
        row(4, id=7),
        row(5, id="../x y"),
    ]
    items = list(read_traces(Input(path=write(tmp_path / "a.jsonl", rows), name="mine")))
    names = [t.id for t in items if isinstance(t, Trace)]
    assert names[:3] + names[4:] == ["x", "x~1", "x~1~2", "7", "../x y"]
    assert names[3].startswith("mine-") and len(names[3]) == len("mine-") + 16


@pytest.mark.parametrize("rows_per_chunk", [1, 2, 64])
def test_names_are_unique_whatever_the_ids(tmp_path: Path, rows_per_chunk: int) -> None:
    ids = ["x"] * 3 + ["x~1", "x~2", "x~64", "x-t0", "x-t0", "a\ud800", "a\ud801", "", None] + ["x"] * 80
    rows = [row(i % 7, id=name) for i, name in enumerate(ids)]
    rows += [{"calls": [{"id": f"c{i}"}], **row(1, id="same")} for i in range(5)]
    rows += [row(0), row(0), {**row(0), "id": 7.5}, {**row(0), "id": 7.5}]
    rows += [{"\u0069d": "x", **row(2)}]
    items = list(read_traces(Input(path=write(tmp_path / "a.jsonl", rows)), rows_per_chunk=rows_per_chunk))
    assert len({item.id for item in items}) == len(rows)


def test_a_key_is_the_own_id_or_the_texts_wherever_the_record_stands(tmp_path: Path) -> None:
    rows = [row(i) for i in range(6)] + [row(6, id="own")]

    def keys(path: str, **more: object) -> dict[str, str]:
        return {t.question: t.key for t in read_traces(Input(path=path, **more), rows_per_chunk=2)}

    plain = keys(write(tmp_path / "a.jsonl", rows))
    assert plain["q6"] == "own" and len(set(plain.values())) == 7
    assert keys(write(tmp_path / "b.jsonl", rows[::-1]), name="other", license="MIT") == plain
    inserted = keys(write(tmp_path / "c.jsonl", [row(99), *rows]))
    assert {q: inserted[q] for q in plain} == plain
    parquet.write_table(pa.Table.from_pylist([{"id": None, **r} for r in rows]), tmp_path / "a.parquet")
    assert keys(str(tmp_path / "a.parquet")) == plain


def test_ids_by_position_are_those_of_version_1(tmp_path: Path) -> None:
    spec = Input(path=write(tmp_path / "a.jsonl", [row(0), row(1)]), ids="position")
    assert [(t.id, t.key) for t in read_traces(spec)] == [
        ("generic-00000000",) * 2,
        ("generic-00000001",) * 2,
    ]


def test_every_record_is_a_trace_or_one_rejection(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    bad = [
        b'{"question": 1, "rationale": "r"}',
        b"[1, 2]",
        b"{",
        b'"text"',
        b'{"rationale": "r"}',
        b"\xff",
        b"null",
    ]
    deep, huge = b"[" * 100_000, b'{"question": ' + b"9" * 5000 + b"}"
    good = json.dumps(row(0)).encode()
    path.write_bytes(b"\n".join([good, *bad, deep, huge, good]))
    items = list(read_traces(Input(path=str(path))))
    assert len(items) == len(bad) + 4
    reasons = [item.reason for item in items if isinstance(item, Rejection)]
    assert reasons == [
        "wrong_type",
        "not_an_object",
        "invalid_json",
        "not_an_object",
        "missing_column",
        "invalid_utf8",
        "not_an_object",
        "invalid_json",
        "invalid_json",
    ]
    for number, item in enumerate(items, start=1):
        if isinstance(item, Rejection):
            assert item.stage == "read" and f"a.jsonl:{number}" in item.detail and item.is_whole_trace
            json.dumps(item.record, allow_nan=False, ensure_ascii=False).encode()
    assert len({item.trace_id if isinstance(item, Rejection) else item.id for item in items}) == len(items)


def test_strict_stops_at_the_bad_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [row(0), {"question": None, "rationale": "r"}])
    with pytest.raises(InputError, match=r"a.jsonl:2: question is null"):
        list(read_traces(Input(path=path, strict=True)))


def test_repairs_are_noted_and_the_record_is_strict_json(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"question": "a \\ud83d b", "rationale": "\\ud83d\\ude00", "x\\udc00": NaN, "y": [1e999]}\n'
    )
    (trace,) = read_traces(Input(path=str(path)))
    assert isinstance(trace, Trace)
    assert trace.question == "a \ufffd b" and trace.rationale == "😀"
    assert set(trace.notes) == {"nonfinite_replaced", "surrogate_replaced"}
    assert trace.record == {"question": "a \ufffd b", "rationale": "😀", "x\ufffd": None, "y": [None]}


def test_columnar_records_are_kept_without_their_pictures(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    picture = encode_image(np.zeros((4, 4, 3), np.uint8))
    rows = [row(0, image={"bytes": picture, "path": None}, score=float("nan"))]
    parquet.write_table(pa.Table.from_pylist(rows), path)
    (trace,) = read_traces(Input(path=str(path)))
    assert isinstance(trace, Trace)
    assert trace.question_images == (picture,)
    assert trace.record == {
        **row(0),
        "image": {"bytes": f"<{len(picture)} bytes>", "path": None},
        "score": None,
    }
    (plain,) = read_traces(Input(path=str(path), question_images="drop"))
    assert isinstance(plain, Trace) and plain.question_images == ()


@pytest.mark.parametrize("kind", ["json", "parquet", "arrow"])
def test_ids_are_unique_over_files_that_count_from_the_same_number(kind: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        rows = [row(i, id=i) for i in range(5)]
        if kind == "json":
            write(tmp_path / f"{name}.jsonl", rows)
        elif kind == "parquet":
            parquet.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
        else:
            table = pa.Table.from_pylist(rows)
            with pa.ipc.new_stream(tmp_path / f"{name}.arrow", table.schema) as writer:
                writer.write_table(table)
    items = list(read_traces(Input(path=str(tmp_path)), rows_per_chunk=4))
    names = [item.id for item in items if isinstance(item, Trace)]
    assert names == ["0", "1", "2", "3", "4", "0~5", "1~6", "2~7", "3~8", "4~9"]
    again = list(read_traces(Input(path=str(tmp_path)), rows_per_chunk=4))
    assert again == items


def test_repeats_are_found_under_the_users_own_map(tmp_path: Path) -> None:
    rows = [{"meta": {"key": "x"}, "q": "a", "r": "b"} for _ in range(3)]
    columns = {"id": "meta.key", "question": "q", "rationale": "r"}
    spec = Input(path=write(tmp_path / "a.jsonl", rows), columns=columns)
    assert [t.id for t in read_traces(spec, rows_per_chunk=1) if isinstance(t, Trace)] == ["x", "x~1", "x~2"]


def test_equal_records_without_ids_are_told_apart(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [row(0)] * 5)
    names = [t.id for t in read_traces(Input(path=path), rows_per_chunk=2)]
    assert len(set(names)) == 5 and names[4] == f"{names[0]}~4"


def test_copies_of_a_columnar_file_are_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        parquet.write_table(pa.Table.from_pylist([row(0), row(1)]), tmp_path / f"{name}.parquet")
    names = [t.id for t in read_traces(Input(path=str(tmp_path)), rows_per_chunk=4)]
    assert len(set(names)) == 6


def test_an_id_deeper_in_the_record_is_not_taken_for_its_own(tmp_path: Path) -> None:
    rows = [{"calls": [{"id": "call_0"}], **row(i, id=f"r{i}")} for i in range(6)]
    spec = Input(path=write(tmp_path / "a.jsonl", rows))
    names = [t.id for t in read_traces(spec, rows_per_chunk=2) if isinstance(t, Trace)]
    assert names == [f"r{i}" for i in range(6)]


@pytest.mark.parametrize("kind", ["parquet", "arrow", "stream", "parquet in a tar"])
def test_a_row_of_more_bytes_than_the_limit_is_refused(tmp_path: Path, kind: str) -> None:
    rows = [row(0, rationale="a"), row(1, rationale="b" * 5000), row(2, rationale="c")]
    table = pa.Table.from_pylist(rows)
    path = tmp_path / "x"
    if kind.startswith("parquet"):
        parquet.write_table(table, path)
    else:
        opened = (pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream)(str(path), table.schema)
        with opened as file:
            file.write_table(table)
    if "tar" in kind:
        with tarfile.open(tmp_path / "x.tar", "w") as tar:
            tar.add(path, "x.parquet")
        path = tmp_path / "x.tar"
    items = list(read_traces(Input(path=str(path), format="generic", max_record_bytes=2000)))
    assert [getattr(item, "reason", "trace") for item in items] == ["trace", "record_too_large", "trace"]
    assert "max_record_bytes (2000)" in items[1].detail and "record 2" in items[1].detail


def test_categories_that_rows_share_make_no_row_too_large(tmp_path: Path) -> None:
    kinds = pa.array(["k" * 3000, "l" * 3000]).dictionary_encode()
    table = pa.Table.from_pylist([row(0), row(1)]).append_column("kind", kinds)
    with pa.ipc.new_file(str(tmp_path / "x.arrow"), table.schema) as file:
        file.write_table(table)
    spec = Input(path=str(tmp_path / "x.arrow"), format="generic", max_record_bytes=2000)
    assert all(isinstance(item, Trace) for item in read_traces(spec))
