"""Outputs of zero-engine inside a folder of input are no input."""

from pathlib import Path

import pytest

from tests.read.test_folders import folder, ids, line
from zero_engine.errors import InputError
from zero_engine.pipeline import Input
from zero_engine.read import passed_over

RUNNING = {
    "out/x/.work/ledger.jsonl": b"{}\n",
    "out/x/events.jsonl": b'{"at": "2026-01-01T00:00:00", "event": "began", "name": "x"}\n',
    "out/x/candidates/part-00000.arrow": b"ARROW",
    "out/x/rejected/part-00000.jsonl": line("rejected"),
}
FINISHED = {
    "x/manifest.json": b'{\n "schema_version": 2,\n "versions": {\n  "zero-engine": "0.1.0"',
    "x/rejected/part-00000.jsonl": line("rejected"),
}
EVALUATION = {
    "e/evaluation.json": b'{"model": "m", "judged": true}',
    "e/predictions.jsonl": line("answered"),
}
TRAINING = {"t/log.jsonl": b'{"step": 1, "loss": 2.5}\n', "t/samples/a.jsonl": line("sample")}
EXPORT = {"d/e/export.json": b'{"identity": {}}', "d/e/train.jsonl": line("exported")}


@pytest.mark.parametrize("files", [RUNNING, FINISHED, EVALUATION, TRAINING, EXPORT])
@pytest.mark.parametrize("slash", ["", "/"])
def test_an_output_inside_a_folder_is_passed_over_in_one_line(files, slash, tmp_path):
    root = folder(tmp_path / "in", {"a.jsonl": line("a"), **files})
    assert ids(f"{root}{slash}") == ["a"]
    (said,) = passed_over(Input(path=f"{root}{slash}"))
    assert "an output of zero-engine" in said


@pytest.mark.parametrize("files", [RUNNING, FINISHED, EVALUATION, TRAINING, EXPORT])
@pytest.mark.parametrize("head", ["", "file://"])
def test_an_output_among_what_a_pattern_matches_is_passed_over_in_one_line(files, head, tmp_path):
    root = folder(tmp_path / "in", {"a.jsonl": line("a"), "b/c.jsonl": line("c"), **files})
    pattern = f"{head}{root}/**/*.jsonl"
    assert ids(pattern) == ["a", "c"]
    (said,) = passed_over(Input(path=pattern))
    assert "an output of zero-engine" in said


def test_a_pattern_inside_an_output_is_the_users_word(tmp_path):
    root = folder(tmp_path, FINISHED)
    assert ids(root / "x" / "**" / "*.jsonl") == ["rejected"]
    assert ids(root / "x" / "rejected" / "*") == ["rejected"]
    with pytest.raises(InputError, match=r"nothing but outputs.*name it: input.path=.*/x\."):
        ids(root / "*" / "rejected" / "*.jsonl")


def test_an_output_that_the_user_names_is_read(tmp_path):
    root = folder(tmp_path, FINISHED)
    assert ids(root / "x") == ["rejected"]
    with pytest.raises(InputError, match=r"nothing but outputs.*name it: input.path=.*/x\."):
        ids(root)


def test_names_like_those_of_an_output_are_no_output(tmp_path):
    root = folder(tmp_path, {"b/manifest.json": b"{}", "b/events.jsonl": line("e"), "b/log.jsonl": line("l")})
    assert ids(root) == ["e", "l"]


def test_the_working_folder_as_input_is_the_same_before_and_after_a_run(tmp_path: Path, monkeypatch):
    folder(tmp_path, {"a.jsonl": line("a"), **FINISHED})
    monkeypatch.chdir(tmp_path)
    assert ids(".") == ["a"]
