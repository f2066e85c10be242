"""Small inputs that once failed, each standing for a kind: what is right is asserted here.

`tests/data/cases/read` and `parse` were read wrongly; `hostile` ended in a traceback, a hang or worse.
"""

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zero_engine.errors import InputError, PipelineError
from zero_engine.parse import parse_trace
from zero_engine.pipeline import Input, Parse, load_pipeline
from zero_engine.read import read_traces
from zero_engine.records import ParsedTrace, Rejection, Trace

ROOT = Path(__file__).resolve().parent.parent.parent
CASES = ROOT / "tests" / "data" / "cases"


def read(name: str, **options: Any) -> list[Trace | Rejection]:
    return list(read_traces(Input(path=str(CASES / name), **options)))


def traces(name: str, **options: Any) -> list[Trace]:
    items = read(name, **options)
    assert all(isinstance(item, Trace) for item in items), items
    return [item for item in items if isinstance(item, Trace)]


def parsed(trace: Trace) -> ParsedTrace:
    found = parse_trace(trace, Parse())
    assert isinstance(found, ParsedTrace), found
    return found


def steps(trace: Trace) -> list[str]:
    return [step.text for step in parsed(trace).steps]


def cli(*arguments: str, timeout: float = 60, **options: Any) -> subprocess.CompletedProcess[bytes]:
    code = "from zero_engine.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, timeout=timeout, **options
    )


def test_the_gold_answer_wins_and_the_models_is_noted() -> None:
    columns = {"response": "generated_solution", "answer": "expected_answer"}
    (trace,) = traces("read/gold_ignored.jsonl", format="think", columns=columns)
    assert trace.question == "What is 2+2?" and parsed(trace).answer == "4"
    assert "answer_differs_from_gold" in trace.notes
    assert not any("\\boxed" in step for step in steps(trace))


def test_a_hub_snapshot_is_read_by_split() -> None:
    assert [t.id for t in traces("read/snapshot")] == [f"train{i}" for i in range(4)]
    assert [t.id for t in traces("read/snapshot", split="test")] == [f"test{i}" for i in range(3)]
    with pytest.raises(InputError, match="has no split 'nonesuch', only test, train"):
        read("read/snapshot", split="nonesuch")


def test_arrays_one_after_the_other_are_all_read() -> None:
    assert [t.answer for t in traces("read/arrays_concatenated.json")] == ["1", "3", "5"]


def test_every_usual_suffix_of_a_folder_is_read() -> None:
    found = traces("read/suffixes")
    assert len(found) == 18 and len({t.source.path for t in found}) == 9


def test_alpaca_keeps_both_halves_of_the_question() -> None:
    (trace,) = traces("read/alpaca_input_lost.jsonl", format="think")
    assert trace.question == "Add these two numbers.\n12 and 30"
    assert steps(trace) == ["Twelve plus thirty.", "Forty-two."] and parsed(trace).answer == "42"


def test_magpie_steps_come_from_inside_the_tags() -> None:
    for trace in traces("read/magpie_r1.parquet", format="magpie"):
        assert steps(trace) == ["Okay, two and two.", "That makes four."]
        assert parsed(trace).answer == "4"


def test_an_unclosed_quote_costs_its_own_row_only() -> None:
    items = read("read/unclosed_quote.csv")
    pairs = [(i.question, i.answer) for i in items if isinstance(i, Trace)]
    assert pairs == [("q1", "1"), ("q3", "3"), ("q4", "4")]
    (rejection,) = [item for item in items if isinstance(item, Rejection)]
    assert rejection.reason == "invalid_csv" and "line 3" in rejection.detail


def test_both_spellings_of_roles_in_one_file_are_read() -> None:
    first, second = traces("read/union_roles.parquet", format="messages")
    assert (first.question, first.rationale, first.answer) == ("What is 2+2?", "Two and two.\n\nFour.", "4")
    assert (second.question, second.rationale, second.answer) == ("What is 2+3?", "Two. Three.", "5")


def test_a_skippable_frame_of_zstd_is_skipped() -> None:
    assert len(traces("read/pzstd_like.jsonl.zst")) == 3


def test_a_thought_never_closed_behind_chat_markers() -> None:
    (trace,) = traces("parse/think_unclosed_after_chat_marker.jsonl", format="think")
    assert trace.question == "What is 2+2?" and trace.notes == ("think_unclosed",)
    assert steps(trace) == ["Okay, let me think.", "2 + 2 = 4."]


def test_json_inside_text_is_read_with_blanks_and_prose_around_it() -> None:
    first, second = traces("parse/zeroeval_json.jsonl", format="zeroeval")
    assert steps(first) == ["He has 3 apples.", "He buys 2 more, so 3 + 2 = 5."] and first.answer == "5"
    assert second.rationale == "3 + 2 = 5." and parsed(second).answer == "5"
    assert "text_before_json" in second.notes


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("chat_type_is_list.jsonl", {"format": "messages"}, [None, "wrong_type"]),
        ("deep_900.jsonl", {}, [None, "too_deep"]),
        ("one_reference_url.jsonl", {}, [None, "picture_refused"]),
        ("huge_int_array.json", {}, [None, "invalid_json"]),
        ("surrogate_in_string_list.jsonl", {"format": "magpie"}, [None]),
        ("step_digits.jsonl", {"format": "gsm8k"}, [None, None]),
        ("date_year_10000.parquet", {}, [None]),
        ("latin1_in_string_column.parquet", {}, [None]),
    ],
)
def test_a_hostile_record_is_a_rejection_with_its_place(
    name: str, options: dict[str, Any], expected: list[str | None]
) -> None:
    items = read(f"hostile/{name}", **options)
    assert [
        item.reason if isinstance(item, Rejection) else None for item in items[: len(expected)]
    ] == expected
    assert all(name in item.detail for item in items if isinstance(item, Rejection))
    for item in items:  # and each can be written down
        json.dumps(item.record if isinstance(item, Rejection) else item.question).encode()


def test_pictures_are_followed_only_under_the_inputs_folder(tmp_path: Path) -> None:
    from tests.test_nasty import png

    path = tmp_path / "data" / "image_refs.jsonl"
    path.parent.mkdir()
    path.write_bytes((CASES / "hostile" / "image_refs.jsonl").read_bytes())
    (tmp_path / "private").mkdir()
    for name in ("private/passport.png", "private/secret.png", "data/ok.png"):
        (tmp_path / name).write_bytes(png())
    bomb = png()[:16] + (200_000).to_bytes(4, "big") * 2 + png()[24:]
    for name in ("bomb.png", "big.png"):
        (tmp_path / "data" / name).write_bytes(bomb)
    (tmp_path / "data" / "link.png").symlink_to(tmp_path / "private" / "passport.png")
    with path.open("a") as file:
        file.write(json.dumps({"id": "link", "question": "q", "rationale": "r", "image": "link.png"}) + "\n")
    reasons = {
        i.trace_id if isinstance(i, Rejection) else i.id: getattr(i, "reason", None)
        for i in read_traces(Input(path=str(path)))
    }
    assert reasons.pop("ok") is None
    assert reasons.pop("bomb") == reasons.pop("big") == "picture_too_large"
    assert reasons.pop("datasvg") == "not_a_picture"
    assert {reasons.pop(name) for name in ("svg", "dir", "nulb", "passwd")} == {"image_missing"}
    assert set(reasons.values()) == {"picture_refused"}, reasons


def test_flipped_bits_of_arrow_are_an_error_not_a_crash() -> None:
    code = (
        "from zero_engine.read import read_traces\nfrom zero_engine.pipeline import Input\n"
        f"list(read_traces(Input(path={str(CASES / 'hostile/flipped.arrow')!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, timeout=60)
    assert done.returncode == 1 and b"flipped.arrow: damaged or not readable" in done.stderr, done.stderr


def test_damaged_files_stop_with_their_name_after_the_records_before() -> None:
    with pytest.raises(InputError, match=r"damaged.jsonl.xz: the xz data is cut or damaged"):
        read("hostile/damaged.jsonl.xz")


@pytest.mark.slow
def test_a_record_without_an_end_is_passed_over(tmp_path: Path) -> None:
    # the bomb's 4 GiB would take a busy machine half a minute to pass over; a line of 16 MiB says the same
    small = tmp_path / "bomb.jsonl.gz"
    small.write_bytes(gzip.compress(b'{"question": "' + b"x" * (1 << 24) + b'"}\n'))
    (rejection,) = read_traces(Input(path=str(small), format="generic", max_record_bytes=1 << 20))
    assert isinstance(rejection, Rejection) and rejection.reason == "record_too_large"
    with pytest.raises(InputError, match=r"bomb.jsonl.zst:1: a line of over"):
        read("hostile/bomb.jsonl.zst", max_record_bytes=1 << 20)


def test_a_yaml_bomb_is_one_line() -> None:
    with pytest.raises(PipelineError, match=r"bomb.yaml: over 200000 values"):
        load_pipeline(CASES / "hostile" / "bomb.yaml")


def test_two_equal_columns_are_refused() -> None:
    with pytest.raises(InputError, match=r"dup_header.csv: the header names the column 'rationale' twice"):
        read("hostile/dup_header.csv")


def test_no_control_character_reaches_the_terminal(tmp_path: Path) -> None:
    done = cli(
        "parse",
        "pipelines/text_only.yaml",
        "--input",
        str(CASES / "hostile/hostile_texts.jsonl"),
        "--set",
        "input.format=gsm8k",
    )
    assert done.returncode == 0, done.stderr
    for stream in (done.stdout, done.stderr):
        text = stream.decode()
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert len([json.loads(line) for line in done.stdout.splitlines()]) > 10


@pytest.mark.parametrize("path", sorted((CASES / "hostile").iterdir()), ids=lambda path: path.name)
def test_a_run_over_hostile_input_ends_in_rows_or_in_one_line(path: Path, tmp_path: Path) -> None:
    from zero_engine import run_pipeline
    from zero_engine.errors import ZeroEngineError

    formats = {
        "chat": "messages",
        "hashes": "gsm8k",
        "constant": "gsm8k",
        "hostile_texts": "gsm8k",
        "step": "gsm8k",
    }
    format_name = next((name for start, name in formats.items() if path.name.startswith(start)), "generic")
    settings = [f"input.path={path}", f"input.format={format_name}", f"output.path={tmp_path / 'out'}"]
    limits = ["input.max_record_bytes=1048576", "dask.workers=0"]
    source = path if path.suffix == ".yaml" else ROOT / "pipelines" / "text_only.yaml"
    try:
        summary = run_pipeline(load_pipeline(source, [*settings, *limits]))
    except ZeroEngineError as error:
        assert "\n" not in str(error) and path.name in str(error)
    else:
        counts = summary.counts
        assert counts["traces"] == counts["rows"] + counts["rejected_traces"] > 0
