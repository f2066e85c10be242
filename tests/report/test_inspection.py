"""`inspect` and `sample`: anything that a folder knows, rejected or not, finished or not."""

from pathlib import Path

import pytest

from tests.report.test_summary import as_running
from zero_engine.errors import InputError, OutputError
from zero_engine.report.inspection import file_name, inspect_rows, sample_rows, save_pictures


def test_inspection_shows_every_score_of_a_step_and_of_its_drawings(dataset: Path):
    (row,) = inspect_rows(dataset, None, 1)
    assert list(row["steps"][0]["scores"]) == ["likelihood", "blank", "my_plugin"]
    assert row["steps"][1]["scores"] == {}
    assert sum(len(d["attempts"]) for d in row["steps"][1]["drawings"]) == 3


def test_a_rejected_trace_is_shown_with_its_question_and_record(dataset: Path):
    (row,) = inspect_rows(dataset, "bad-1", 1)
    assert (row["question"], row["record"]) == ("?", {"question": "?"})
    assert row["rejected"]["reason"] == "empty_rationale"
    with pytest.raises(InputError, match="no trace 'nobody'"):
        inspect_rows(dataset, "nobody", 1)


def test_a_folder_under_way_can_be_inspected_and_sampled(dataset: Path):
    as_running(dataset)
    assert inspect_rows(dataset, "gsm8k-1-3", 1)[0]["id"] == "gsm8k-1-3"
    assert len(sample_rows(dataset, 4)) == 4


def test_a_sample_is_the_same_for_its_seed_and_holds_no_trace_twice(dataset: Path):
    first = [row["id"] for row in sample_rows(dataset, 6, seed=1)]
    assert [row["id"] for row in sample_rows(dataset, 6, seed=1)] == first and len(set(first)) == 6
    assert [row["id"] for row in sample_rows(dataset, 6, seed=2)] != first


def test_a_sample_of_a_reason(dataset: Path):
    assert {row["id"] for row in sample_rows(dataset, 9, reason="empty_rationale")} == {"bad-0", "bad-1"}
    assert len(sample_rows(dataset, 9, reason="likelihood_low")) == 8
    with pytest.raises(InputError, match="nothing was left out as 'nope'"):
        sample_rows(dataset, 1, reason="nope")


def test_two_ids_never_share_a_file():
    names = ["a/b", "a b", "a_b", "A_b", "..", "", "x" * 300, "x" * 301, "写", "字", "a/../b"]
    files = [file_name(name) for name in names]
    assert len({file.lower() for file in files}) == len(names)
    assert max(map(len, files)) < 200 and not any("/" in file or file.startswith(".") for file in files)


def test_saved_pictures_overwrite_nothing(tmp_path: Path):
    rows = [
        {"id": "a/b", "pictures": [(0, None, b"\x89PNG 1")]},
        {"id": "a b", "pictures": [(0, 2, b"\x89PNG 2")]},
    ]
    saved = save_pictures(rows, tmp_path / "new" / "folder")
    assert [path.read_bytes() for path in saved] == [b"\x89PNG 1", b"\x89PNG 2"]
    assert save_pictures(rows, tmp_path / "new" / "folder") == saved
    saved[0].write_bytes(b"somebody's")
    with pytest.raises(OutputError, match="is there already"):
        save_pictures(rows, tmp_path / "new" / "folder")


def test_a_folder_with_nothing_committed_is_told_in_a_word(capsys: pytest.CaptureFixture[str]):
    from zero_engine.cli.see import _show

    _show([], None, json=False, full=False)
    assert capsys.readouterr().err == "no trace is committed yet\n"
