"""Mutated input files: none may end in a traceback, a hang or a dead process.

    python tests/fuzz/mutate.py --files 20000 [--seed 0] [--only SEED]     (make fuzz)

Every file is a function of its seed: a sound file in some container and format, then a few mutations of its bytes, or
of the values in its records. It is read in a child process, because a fault in a library may end it: each record must
become a trace or a rejection with its place, or the file an InputError of one line that names it. `init` looks at
every fourth. A file may take `CPU_LIMIT_S` of processor time.
"""

import argparse
import bz2
import contextlib
import csv
import gzip
import io
import json
import lzma
import multiprocessing
import random
import resource
import signal
import sys
import tarfile
import tempfile
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

CPU_LIMIT_S = 1.0
MEMORY_LIMIT_BYTES = 6 << 30
RECORDS = Path(__file__).resolve().parent.parent / "data" / "formats"
ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, float("nan"), float("inf"), 10**40, "", " ", "\x00", "\ud800", "a\u202eb\x1b[31m",
    "<think>", "</think>" * 50,
    "<|im_start|>" * 20, "[" * 200, "{" * 200, "\\boxed{" * 40, "$" * 300, "####", " " * 3000, "\n" * 3000,
    "\\" * 500, "x" * 5000, "答案：7",
    [], {}, [[]], [None], [{}], [[[[[[]]]]]], {"a": {"b": {"c": []}}}, ["a", 1, None],
    [{"role": "user"}], [{"role": 5, "content": [{}]}],
    [{"role": "assistant", "content": [{"type": ["x"]}]}],
    {"bytes": "x", "path": None}, "../x.png", "http://127.0.0.1:1/x.png",
    "data:image/png;base64,AAAA", '["a \\ud800"]', "['a' 'b']", "[" * 90 + "]" * 90,
)  # fmt: skip
ODD_BYTES = (b"\x00", b"\xff", b"\n", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b"\xed\xa0\x80", b"\xef\xbb\xbf",
             b"1" * 5000,
             b"[" * 2000, b"\\u", b"\r", b"\xff\xfe", b"PAR1", b"\x1f\x8b",
             b"\x7f\xff\xff\xff", b"\x00\x00\x00\x80")  # fmt: skip


def base_records(rng: random.Random) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """How a known corpus is read, and some of its records."""
    from zero_engine.read.known import KNOWN

    known = rng.choice(KNOWN)
    text = (RECORDS / f"{known.name}.jsonl").read_text(encoding="utf-8")
    record = json.loads(text.splitlines()[0])
    options = {"format": known.format, "columns": known.columns}
    return options, [json.loads(json.dumps(record)) for _ in range(rng.randint(1, 5))]


def with_odd_values(records: list[dict[str, Any]], rng: random.Random) -> list[Any]:
    """The records with some values replaced, dropped, doubled or renamed, at any depth."""
    made: list[Any] = records
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(made))
        node, parent, key = made[at], made, at
        while isinstance(node, (dict, list)) and node and rng.random() < 0.75:
            parent = node
            key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
            node = node[key]
        how = rng.random()
        if how < 0.6:
            parent[key] = json.loads(json.dumps(rng.choice(ODD_VALUES)))
        elif how < 0.75 and isinstance(parent, dict):
            del parent[key]
        elif how < 0.9 and isinstance(parent, dict):
            parent[rng.choice(["id", "question", "answer", "rationale", "", "a.b", "messages"])] = node
        else:
            parent[key] = [node] * rng.randint(1, 3)
    return made


def as_bytes(records: list[Any], rng: random.Random) -> bytes:
    """The records in some container."""
    rows = [record for record in records if isinstance(record, dict)] or [{"question": "q"}]
    return rng.choice(CONTAINERS)(records, rows, rng)


def _lines(records: list[Any], rows: list[dict], rng: random.Random) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def _array(records: list[Any], rows: list[dict], rng: random.Random) -> bytes:
    return json.dumps(records, indent=rng.choice([None, 1])).encode() * rng.choice([1, 1, 2])


def _wrapped(records: list[Any], rows: list[dict], rng: random.Random) -> bytes:
    return json.dumps({"version": 1, "data": records}, indent=rng.choice([None, 2])).encode()


def _pretty(records: list[Any], rows: list[dict], rng: random.Random) -> bytes:
    return b"\n".join(json.dumps(record, indent=2).encode() for record in records)


def _table(records: list[Any], rows: list[dict], rng: random.Random) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=rng.choice(",\t;|"), extrasaction="ignore")
    writer.writeheader()
    with contextlib.suppress(UnicodeEncodeError, csv.Error):
        writer.writerows(rows)
    return out.getvalue().encode(rng.choice(["utf-8", "utf-16", "utf-8-sig"]), "replace")


def _columnar(records: list[Any], rows: list[dict], rng: random.Random) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    try:
        table = pa.Table.from_pylist(rows)
        how = rng.randrange(3)
        if how == 0:
            parquet.write_table(
                table, sink, row_group_size=2, compression=rng.choice(["none", "snappy", "zstd"])
            )
        else:
            options = pa.ipc.IpcWriteOptions(compression=rng.choice([None, "lz4", "zstd"]))
            with (pa.ipc.new_stream if how == 1 else pa.ipc.new_file)(
                sink, table.schema, options=options
            ) as writer:
                writer.write_table(table, max_chunksize=2)
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError, ValueError):
        return _lines(records, rows, rng)
    return sink.getvalue().to_pybytes()


def _packed(records: list[Any], rows: list[dict], rng: random.Random) -> bytes:
    import pyarrow as pa

    data = rng.choice([_lines, _array, _table])(records, rows, rng)
    how = rng.randrange(4)
    if how == 3:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(data)
        return sink.getvalue().to_pybytes()
    return (gzip.compress, bz2.compress, lzma.compress)[how](data)


def _archive(records: list[Any], rows: list[dict], rng: random.Random) -> bytes:
    out = io.BytesIO()
    files = {"a.jsonl": _lines(records, rows, rng), "b.parquet": _columnar(records, rows, rng), "c.md": b"x"}
    if rng.random() < 0.5:
        with zipfile.ZipFile(out, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return out.getvalue()
    if rng.random() < 0.5:
        files = {f"{at:04d}.json": json.dumps(record).encode() for at, record in enumerate(records)} | {
            "0000.txt": b"x"
        }
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue()) if rng.random() < 0.3 else out.getvalue()


CONTAINERS: tuple[Callable[[list[Any], list[dict], random.Random], bytes], ...] = (
    _lines, _array, _wrapped, _pretty, _table, _columnar, _columnar, _packed, _archive,
)  # fmt: skip


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes with a few flips, cuts, doublings and insertions."""
    out = bytearray(data)
    for _ in range(rng.choice([0, 1, 1, 2, 4, 8])):
        if not out:
            break
        at, how = rng.randrange(len(out)), rng.randrange(7)
        if how == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            out[at] = rng.randrange(256)
        elif how == 2:
            del out[at : at + rng.choice([1, 2, 8, 64, 10**6])]
        elif how == 3:
            out[at:at] = out[at : at + rng.choice([1, 16, 256])]
        elif how == 4:
            out[at:at] = rng.choice(ODD_BYTES)
        elif how == 5:
            size = rng.choice([1, 2, 4, 8])
            out[at : at + size] = rng.randrange(256**size).to_bytes(size, "little")
        else:
            other = rng.randrange(len(out))
            out[at : at + 8], out[other : other + 8] = out[other : other + 8], out[at : at + 8]
    return bytes(out)


def make_file(seed: int) -> tuple[bytes, dict[str, Any]]:
    """A file and the settings it is read with: a function of the seed."""
    rng = random.Random(seed)
    options, records = base_records(rng)
    sound = json.loads(json.dumps(records[:1])) if rng.random() < 0.7 else []
    made: list[Any] = sound + (with_odd_values(records, rng) if rng.random() < 0.7 else records)
    data = as_bytes(made, rng)
    if rng.random() < 0.5:
        data = mutated(data, rng)
    if rng.random() < 0.1:
        options = {"format": rng.choice(list(_formats()))}
    elif b'"version": 1, "data": [' in data.replace(b"\n", b" ").replace(b"  ", b" ") and rng.random() < 0.8:
        options["field"] = "data"
    if rng.random() < 0.05:
        options["encoding"] = rng.choice(["cp1252", "utf-16", "shift_jis"])
    if rng.random() < 0.05:
        options["field"] = rng.choice(["data", "a.b"])
    if rng.random() < 0.1:
        options["where"] = rng.choice(["answer not in ['x'] and question", "len(rationale) > 2 or answer"])
    if rng.random() < 0.1:
        options["max_record_bytes"] = 1024
    if rng.random() < 0.2:
        options["question_images"] = "drop"
    return data, options


def _formats() -> dict[str, Any]:
    from zero_engine.read.formats import FORMATS

    return FORMATS


def try_file(seed: int, folder: Path) -> str:
    """Reads one file; what came of it. Raises what must not be raised."""
    from zero_engine.errors import InputError
    from zero_engine.parse import parse_trace
    from zero_engine.pipeline import Input, Parse
    from zero_engine.read import read_traces
    from zero_engine.read.proposal import propose
    from zero_engine.records import Rejection

    data, options = make_file(seed)
    path = folder / "fuzzed"
    path.write_bytes(data)
    traces = rejections = 0
    try:
        if seed % 4 == 0:
            propose(Input(path=str(path)))
        for item in read_traces(Input(path=str(path), **options), rows_per_chunk=3):
            if isinstance(item, Rejection):
                assert item.reason and "fuzzed" in item.detail, item
                json.dumps(item.record, allow_nan=False).encode()
                rejections += 1
            else:
                json.dumps(
                    [item.question, item.rationale, item.answer, item.steps, item.record], ensure_ascii=False
                ).encode()
                parse_trace(item, Parse())
                traces += 1
    except InputError as error:
        said = str(error)
        assert "\n" not in said and ("fuzzed" in said or "input." in said), said
        return "error"
    return "traces" if traces else "rejections"


class TooLong(BaseException):
    """Raised where a file has had its processor time."""


def _child(seeds: range, out: Any) -> None:
    from zero_engine.parse.equality import answers_equal

    def stop(*_: object) -> None:
        raise TooLong

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    signal.signal(signal.SIGPROF, stop)
    with tempfile.TemporaryDirectory() as name:
        try_file(1, Path(name))  # imports, which are no file's own time
        answers_equal(r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt{2}}{2}")
        for seed in seeds:
            out.send((seed, "begun"))
            try:
                signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT_S)
                came = try_file(seed, Path(name))
            except TooLong:
                came = "HANG: over 1 s of processor time"
            except BaseException:
                came = "TRACEBACK: " + traceback.format_exc(limit=-6)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            out.send((seed, came))
    out.send((-1, "done"))


def fuzz(
    first: int, count: int, say: Callable[[str], None] = lambda line: None
) -> tuple[Counter, dict[int, str]]:
    """What came of so many files, and the failures by seed."""
    context = multiprocessing.get_context("spawn")
    outcomes: Counter = Counter()
    failed: dict[int, str] = {}
    at, end = first, first + count
    while at < end:
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(range(at, end), sender))
        child.start()
        sender.close()
        begun = at
        try:
            while True:
                seed, came = receiver.recv()
                if seed < 0:
                    at = end
                    break
                begun = seed
                if came == "begun":
                    continue
                at = seed + 1
                kind = came.partition(":")[0]
                outcomes[kind] += 1
                if kind in ("HANG", "TRACEBACK"):
                    failed[seed] = came
                if outcomes.total() % 1000 == 0:
                    say(f"{outcomes.total()} files: {dict(outcomes)}")
        except EOFError:
            failed[begun] = "DEAD: the process ended"
            outcomes["DEAD"] += 1
            at = begun + 1
        child.join()
    return outcomes, failed


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first file")
    parser.add_argument("--only", type=int, help="read one file in this process, with its traceback")
    options = parser.parse_args()
    if options.only is not None:
        with tempfile.TemporaryDirectory() as name:
            print(try_file(options.only, Path(name)))
        return 0
    outcomes, failed = fuzz(options.seed, options.files, lambda line: print(line, flush=True))
    for seed, came in failed.items():
        print(f"seed {seed}: {came}")
    print(f"{outcomes.total()} files: {dict(outcomes)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
    sys.exit(main())
