"""Ctrl-C in a command that is no run: one line on what was interrupted, what is kept and how to go on; no half file."""

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.write.sample_dataset import build_dataset
from zero_engine.bundled import bundled_text
from zero_engine.cli import main
from zero_engine.hashing import digest_file

TINY = Path(__file__).parents[1] / "data/goldens/tiny-anole"


@pytest.fixture
def stopped(monkeypatch, capsys, tmp_path):
    """Runs a command in an empty folder, in which something is interrupted; returns the line on stderr."""
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGINT)

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)

    def run(*words: object) -> str:
        monkeypatch.setattr(sys, "argv", ["zero-engine", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        told = capsys.readouterr()
        assert end.value.code == 130, told
        assert told.out == "" and "Traceback" not in told.err
        lines = [line for line in told.err.splitlines() if line.startswith("zero-engine: ")]
        assert len(lines) == 1, told.err
        return lines[0].removeprefix("zero-engine: ")

    yield run
    signal.signal(signal.SIGINT, before)


def interrupting(monkeypatch, target: str, nth: int = 1) -> None:
    """The nth call of a function is interrupted."""
    module, _, name = target.rpartition(".")
    real = getattr(__import__(module, fromlist=[name]), name)
    calls = 0

    def call(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == nth:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(target, call)


def hashes(folder: Path) -> dict[str, str]:
    return {str(path): digest_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def test_validate_says_how_far_it_was_and_changes_nothing(stopped, monkeypatch, tmp_path):
    build_dataset(tmp_path / "out")
    before = hashes(tmp_path)
    interrupting(monkeypatch, "zero_engine.write.validate.digest_file", nth=3)
    told = stopped("validate", "out")
    assert re.fullmatch(
        r"interrupted while validating out, \d of \d files\. Nothing was written\. Run the same command again\.",
        told,
    )
    assert hashes(tmp_path) == before


def test_an_export_keeps_its_whole_shards_and_goes_on(stopped, monkeypatch, tmp_path, call):
    build_dataset(tmp_path / "out")
    words = ["export", "out", "--to", "messages", "--rows-per-shard", 1, "--output"]
    assert call(*words, "whole")[0] == 0
    with monkeypatch.context() as patched:
        interrupting(patched, "zero_engine.write.export.job.read_rows")
        told = stopped(*words, "first")
    assert told.startswith("interrupted while writing messages") and "Nothing was written. Run" in told
    assert not Path("first").exists()
    with monkeypatch.context() as patched:
        interrupting(patched, "zero_engine.write.export.job.read_rows", nth=2)
        told = stopped(*words, "second")
    assert told.endswith("Kept: 1 shard in second. Run the same command to go on.")
    assert not Path("second/.export/shard-00001").exists()
    assert call(*words, "second")[0] == 0
    names = [name.replace("second/", "whole/") for name in map(str, hashes(Path("second")))]
    assert dict(zip(names, hashes(Path("second")).values(), strict=True)) == hashes(Path("whole"))


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("plan my.yaml --calibrate 4", "zero_engine.run.sample.parse_all"),
        ("preview my.yaml", "zero_engine.run.sample.parse_all"),
        ("models calibrate", "zero_engine.nano.evaluate.judge_kinds"),
        ("models eval-nano --sheet sheet.png", "zero_engine.nano.evaluate.judge_kinds"),
        ("models check nano", "zero_engine.report.checking.check_model"),
        ("models make-tasks --output tasks.jsonl --family zoom -n 3", "zero_engine.images.encode_image"),
        ("init questions.jsonl", "zero_engine.read.proposal.propose"),
        ("run my.yaml", "zero_engine.run.driver.check_pipeline"),
    ],
)
def test_what_writes_at_its_end_leaves_nothing(stopped, monkeypatch, tmp_path, words, where):
    (tmp_path / "my.yaml").write_text(bundled_text("gsm8k_nano"))
    (tmp_path / "questions.jsonl").write_text('{"question": "q", "answer": "a"}\n')
    interrupting(monkeypatch, where)
    told = stopped(*words.split())
    assert re.match(
        r"interrupted( while \S.*)?\. Nothing was written\. Run the same command again\.$", told
    ), told
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["my.yaml", "questions.jsonl"]


def test_a_report_that_is_interrupted_leaves_the_one_before_and_no_page_of_its_own(
    stopped, monkeypatch, tmp_path, call
):
    build_dataset(tmp_path / "out")
    without = hashes(tmp_path)
    with monkeypatch.context() as patched:
        interrupting(patched, "zero_engine.report.summary.commit_page")
        assert "Nothing was written." in stopped("report", "out")
    assert hashes(tmp_path) == without and not (tmp_path / "out/report").exists()
    assert call("report", "out")[0] == 0
    whole = hashes(tmp_path)
    for more in ([], ["--traces", 1]):
        with monkeypatch.context() as patched:
            interrupting(patched, "zero_engine.report.summary.commit_page")
            stopped("report", "out", *more)
        assert hashes(tmp_path) == whole


@pytest.mark.slow
@pytest.mark.parametrize("command", ["eval", "answer"])
def test_an_evaluation_keeps_its_answers_and_goes_on(stopped, monkeypatch, tmp_path, call, command):
    rows = [{"id": f"q{i}", "question": f"what is\u2028{i}?", "answer": i} for i in range(5)]
    Path("q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = [command, TINY, "q.jsonl", "--set", "template=bare", "--set", "max_new_tokens=20"]
    words += ["--set", "batch_size=2", "--set", "device=cpu", "--json", "--output"]
    assert call(*words, "whole")[0] == 0
    with monkeypatch.context() as patched:
        interrupting(patched, "zero_engine.train.evaluate.generate")
        assert stopped(*words, "out").endswith("No answer was written. Run the same command again.")
    with monkeypatch.context() as patched:
        interrupting(patched, "zero_engine.train.evaluate.generate", nth=2)
        told = stopped(*words, "out")
    assert told == (
        "interrupted while answering, 2 of 5 questions. Kept: 2 answers in out/predictions.jsonl. "
        "Run the same command to go on."
    )
    assert call(*words, "out")[0] == 0
    assert Path("out/predictions.jsonl").read_bytes() == Path("whole/predictions.jsonl").read_bytes()
