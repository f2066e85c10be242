"""Every container a corpus comes in gives the same records."""

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from zero_engine.errors import InputError
from zero_engine.images import encode_image
from zero_engine.pipeline import Input
from zero_engine.read import check_input, count_records, iter_chunks, read_traces
from zero_engine.records import Rejection, Trace

ROWS = [
    {
        "id": f"r{i}",
        "question": f"What is {i}+{i}, “so”?",
        "rationale": f"Add.\nIt is {2 * i}.",
        "answer": str(2 * i),
    }
    for i in range(7)
]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def summary(items: list[Trace | Rejection]) -> list[tuple[str, str, str, str | None]]:
    assert all(isinstance(item, Trace) for item in items), items
    return [(t.id, t.question, t.rationale, t.answer) for t in items if isinstance(t, Trace)]


EXPECTED = [tuple(row.values()) for row in ROWS]


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def as_csv(delimiter: str) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(ROWS[0]), delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(ROWS)
    return out.getvalue().encode()


def as_arrow(stream: bool) -> bytes:
    table, sink = pa.Table.from_pylist(ROWS), pa.BufferOutputStream()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    return sink.getvalue().to_pybytes()


def as_parquet() -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(ROWS), sink, row_group_size=3)
    return sink.getvalue().to_pybytes()


def as_zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def as_tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


CONTAINERS = {
    "json lines": LINES,
    "utf-16": LINES.decode().encode("utf-16"),
    "utf-32": LINES.decode().encode("utf-32"),
    "csv, utf-16": as_csv(",").decode().encode("utf-16"),
    "arrays, one after the other": b"\n".join(json.dumps([row]).encode() for row in ROWS),
    "array lines": json.dumps(ROWS[:3]).encode() + b"\n" + json.dumps(ROWS[3:]).encode() + b"\n",
    "documents over lines": b"\n".join(json.dumps(row, indent=2).encode() for row in ROWS),
    "objects with commas between": b",\n".join(json.dumps(row).encode() for row in ROWS),
    "csv with bars": as_csv("|"),
    "zstd behind a skippable frame": b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + zstd(LINES),
    "zip": as_zip({"part.jsonl": LINES}),
    "zip of two": as_zip(
        {
            "a/1.jsonl": LINES[: LINES.index(b"\n") + 1],
            "b/2.jsonl.gz": gzip.compress(LINES[LINES.index(b"\n") + 1 :]),
        }
    ),
    "zip of parquet": as_zip({"part.parquet": as_parquet(), "README.md": b"# read me"}),
    "tar": as_tar({"part.jsonl": LINES}),
    "tar.gz": gzip.compress(as_tar({"part.jsonl": LINES, "notes.md": b"x"})),
    "tar of csv": as_tar({"part.csv": as_csv(",")}),
    "webdataset": as_tar({f"{i:06d}.json": json.dumps(row).encode() for i, row in enumerate(ROWS)}),
    "json lines, crlf": LINES.replace(b"\n", b"\r\n"),
    "json lines, bom": b"\xef\xbb\xbf" + LINES,
    "gzip": gzip.compress(LINES),
    "gzip in gzip": gzip.compress(gzip.compress(LINES)),
    "zstd in gzip": gzip.compress(zstd(LINES)),
    "gzip of two members": gzip.compress(LINES[:400]) + gzip.compress(LINES[400:]),
    "zstd": zstd(LINES),
    "bz2": bz2.compress(LINES),
    "xz": lzma.compress(LINES),
    "array": json.dumps(ROWS, indent=2).encode(),
    "array, packed": gzip.compress(json.dumps(ROWS).encode()),
    "csv": as_csv(","),
    "tsv": as_csv("\t"),
    "csv with semicolons": as_csv(";"),
    "parquet": as_parquet(),
    "arrow file": as_arrow(stream=False),
    "arrow stream": as_arrow(stream=True),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_content_decides_not_the_name(container: str, tmp_path: Path) -> None:
    path = tmp_path / "corpus.bin"
    path.write_bytes(CONTAINERS[container])
    assert summary(list(read_traces(Input(path=str(path)), rows_per_chunk=2))) == EXPECTED
    assert summary(list(read_traces(Input(path=str(path), limit=5), rows_per_chunk=3))) == EXPECTED[:5]


@pytest.mark.parametrize(
    "container", ["json lines", "gzip", "zstd", "array", "parquet", "arrow file", "arrow stream"]
)
def test_remote_files_read_like_local_ones(container: str) -> None:
    with fsspec.open(f"memory://{container.replace(' ', '_')}/corpus", "wb") as file:
        file.write(CONTAINERS[container])
    path = f"memory://{container.replace(' ', '_')}/corpus"
    assert summary(list(read_traces(Input(path=path), rows_per_chunk=2))) == EXPECTED


def test_remote_globs_and_folders() -> None:
    for part in range(2):
        with fsspec.open(f"memory://pieces/part-{part}.jsonl", "wb") as file:
            file.write(b"".join(LINES.splitlines(keepends=True)[part * 4 : part * 4 + 4]))
    for path in ("memory://pieces", "memory://pieces/part-*.jsonl"):
        assert summary(list(read_traces(Input(path=path)))) == EXPECTED


def test_globs_folders_and_lists_come_in_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"".join(LINES.splitlines(keepends=True)[:3]))
    (tmp_path / "b.parquet").write_bytes(as_parquet())
    (tmp_path / "notes.txt").write_text("not data")
    (tmp_path / ".hidden.jsonl").write_bytes(LINES)
    again = [(f"{name}~{3 + at}" if at < 3 else name, *rest) for at, (name, *rest) in enumerate(EXPECTED)]
    expected = EXPECTED[:3] + again
    for path in (
        str(tmp_path),
        str(tmp_path / "[ab].*"),
        [str(tmp_path / "a.jsonl"), str(tmp_path / "b.parquet")],
    ):
        found = summary(list(read_traces(Input(path=path), rows_per_chunk=1)))
        assert found == expected


def test_a_saved_dataset_is_read_in_its_own_order(tmp_path: Path) -> None:
    import datasets

    saved = datasets.Dataset.from_list(ROWS)
    saved.save_to_disk(str(tmp_path / "plain"), num_shards=3)
    assert summary(list(read_traces(Input(path=str(tmp_path / "plain"))))) == EXPECTED
    datasets.DatasetDict({"test": saved}).save_to_disk(str(tmp_path / "splits"))
    assert summary(list(read_traces(Input(path=str(tmp_path / "splits"), split="test")))) == EXPECTED
    with pytest.raises(InputError, match="no split 'train', only test"):
        list(iter_chunks(Input(path=str(tmp_path / "splits")), 4))


def test_an_array_is_read_across_its_buffer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zero_engine.read.jsontext.BUFFER_CHARS", 5)
    path = tmp_path / "array.json"
    path.write_text(" [ " + " ,\n".join(json.dumps(row) for row in ROWS) + " ] ", encoding="utf-8")
    assert summary(list(read_traces(Input(path=str(path))))) == EXPECTED


@pytest.mark.parametrize("end", ["", ",", "{", '{"question": "q'])
def test_a_cut_array_is_an_error_that_names_the_element(end: str, tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    path.write_text(json.dumps(ROWS[:2])[:-1] + end)
    with pytest.raises(InputError, match="cut.json: the JSON array breaks at element 3"):
        list(read_traces(Input(path=str(path))))


def test_a_csv_row_with_other_cells_than_the_header_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("question,rationale\nq,r\nonly one\nq2,r2\n")
    first, rejection, last = read_traces(Input(path=str(path)))
    assert isinstance(first, Trace) and isinstance(last, Trace)
    assert (
        isinstance(rejection, Rejection) and "1 cells" in rejection.detail and "record 2" in rejection.detail
    )


def test_csv_cells_may_hold_lists_and_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('question,rationale,choices\nq,"one\ntwo","[""a"", ""b""]"\n')
    (trace,) = read_traces(Input(path=str(path)))
    assert isinstance(trace, Trace)
    assert trace.rationale == "one\ntwo" and trace.choices == ("a", "b")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.jsonl", None, "none.jsonl: no such file or folder. Check input.path."),
        ("*.jsonl", None, "no file matches this pattern"),
        ("empty.jsonl", b"", "no records in .*empty.jsonl"),
        ("blank.jsonl", b"\n \n\r\n", "no records in .*blank.jsonl"),
        ("array.json", b" [ ] ", "no records in .*array.json"),
        ("cut.parquet", as_parquet()[:-40], "cut.parquet: damaged or not readable"),
        ("cut.arrow", as_arrow(stream=False)[:-40], "cut.arrow: damaged or not readable"),
        ("cut.jsonl.gz", gzip.compress(LINES)[:-30], "cut.jsonl.gz: the gzip data is cut or damaged"),
        ("cut.jsonl.zst", zstd(LINES)[:-30], "cut.jsonl.zst: the zstd data is cut or damaged"),
        (
            "nameless.csv",
            b"How many eggs does Janet sell each day at the market?,She sells 16 - 3 - 4 = 9 of the eggs a day.,9\n",
            "the first line looks like a record, not like names of columns .*Write a line of names above it",
        ),
        (
            "prose.jsonl",
            b"this is no data\nat all\n",
            "invalid JSON.*does not fit any of the first 2 records",
        ),
        (
            "doc.json",
            b'{\n "question": "q"\n}\n',
            "no column 'rationale'; there is question. .* the first record",
        ),
    ],
)
def test_mistakes_are_one_line_that_names_the_file(
    name: str, content: bytes | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        list(read_traces(Input(path=str(tmp_path / name))))
    assert "\n" not in str(caught.value)


def test_missing_and_empty_inputs_raise_before_the_first_chunk(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        iter_chunks(Input(path=str(tmp_path / "none.jsonl")), 4)
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(InputError, match="no records"):
        next(iter_chunks(Input(path=str(tmp_path / "empty.jsonl")), 4))


def test_a_wrong_column_map_names_what_is_missing_and_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(LINES)
    with pytest.raises(
        InputError,
        match=r"input.columns.question: no column 'ask' .* There is id, question, rationale, answer",
    ):
        check_input(Input(path=str(path), columns={"question": "ask"}))
    with pytest.raises(InputError, match="no format 'gsm'. Did you mean gsm8k"):
        check_input(Input(path=str(path), format="gsm"))
    check_input(Input(path=str(path)))


def test_an_unreachable_hub_name_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def unreachable(*args: object, **options: object) -> None:
        raise ConnectionError("offline")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(InputError, match="owner/corpus: neither a local file nor a dataset"):
        list(read_traces(Input(path="owner/corpus")))


def test_hub_rows_are_streamed_with_their_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    picture = encode_image(np.zeros((4, 4, 3), np.uint8))
    features = datasets.Features(
        question=datasets.Value("string"), rationale=datasets.Value("string"), image=datasets.Image()
    )
    rows = [{"question": "q", "rationale": "r", "image": {"bytes": picture, "path": None}}]
    asked = []

    def load_dataset(path: str, config: str | None, split: str, streaming: bool) -> object:
        asked.append((path, config, split, streaming))
        return datasets.Dataset.from_list(rows, features=features).to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    (trace,) = read_traces(Input(path="owner/corpus:main", split="test"))
    assert isinstance(trace, Trace)
    assert trace.question_images == (picture,) and asked[0] == ("owner/corpus", "main", "test", True)


@pytest.mark.parametrize(
    ("container", "expected"),
    [("json lines", 7), ("gzip", None), ("array", None), ("parquet", 7), ("arrow file", 7)],
)
def test_records_are_counted_where_that_is_cheap(
    container: str, expected: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "corpus"
    path.write_bytes(CONTAINERS[container])
    assert count_records(Input(path=str(path))) == expected
    if expected:
        assert count_records(Input(path=str(path), limit=3)) == 3
