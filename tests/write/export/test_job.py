"""What all exports share: counts, resume, equal bytes, and mistakes told in one line."""

import json
import time
from collections import Counter
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from tests.faults.damage import flip_bit
from tests.write.export.conftest import TINY, build
from zero_engine.cli import screen
from zero_engine.cli.app import app
from zero_engine.errors import InputError, OutputError
from zero_engine.write import manifest
from zero_engine.write.export import NAMES, export_dataset, format_named, job
from zero_engine.write.export import messages as messages_format
from zero_engine.write.export.coder import Coder
from zero_engine.write.export.stopped import shards_or_nothing
from zero_engine.write.export.texts import respelled

pytestmark = pytest.mark.slow

OF_IDS = {name for name in NAMES if format_named(name).needs_model}


def export(source: Path, name: str, target: Path, **options) -> dict:
    return export_dataset(
        source, name, target, model=TINY if name in OF_IDS else None, rows_per_shard=10, **options
    )


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_written_or_left_out_with_a_reason_and_equal_exports_are_equal_bytes(
    source, tmp_path, name
):
    facts = export(source, name, tmp_path / "a")
    assert facts["rows"] == 24 == facts["held"] + sum(facts["left_out"].values())
    assert sum(file["samples"] for file in facts["files"]) == facts["samples"]
    left = tmp_path / "a" / "left_out.jsonl"
    named = [json.loads(line) for line in left.read_text().splitlines()] if left.exists() else []
    assert len(named) == sum(facts["left_out"].values()) and all(one["id"] and one["detail"] for one in named)
    export(source, name, tmp_path / "b")
    assert content(tmp_path / "a") == content(tmp_path / "b")
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "a").rglob("*") if path.is_file()}
    assert modes == {0o644}


@pytest.mark.parametrize("name", NAMES)
def test_two_exports_into_folders_of_one_name_are_two_datasets_in_the_cache(
    source, texts_only, tmp_path, name
):
    """datasets keys its cache of a local folder by the folder's name and the text of its configs."""
    from datasets import load_dataset_builder

    folders = [tmp_path / place / name for place in ("one", "other")]
    for dataset, folder in zip((source, texts_only), folders, strict=True):
        export(dataset, name, folder)
    assert len({load_dataset_builder(str(folder)).cache_dir for folder in folders}) == 2


@pytest.mark.parametrize("name", ["messages", "omni_r1", "parquet"])
def test_a_stopped_export_goes_on_to_the_same_bytes(source, tmp_path, name, monkeypatch):
    whole = export(source, name, tmp_path / "whole")
    fmt = format_named(name)

    def stop(shard):
        if shard.index:
            shard.path("half").write_bytes(b"x")
            raise KeyboardInterrupt
        return original(shard)

    original = fmt.write
    object.__setattr__(fmt, "write", stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            export(source, name, tmp_path / "cut")
    finally:
        object.__setattr__(fmt, "write", original)
    assert not (tmp_path / "cut" / "export.json").exists()
    said: list[str] = []
    assert export(source, name, tmp_path / "cut", say=said.append) == whole
    assert said[0].startswith("shard 2 of 2") and content(tmp_path / "cut") == content(tmp_path / "whole")
    assert export(source, name, tmp_path / "cut", say=said.append) == whole and said[-1].endswith(
        "done already"
    )


def test_a_folder_that_holds_something_else_is_not_written_into(source, texts_only, tmp_path):
    export(source, "trl", tmp_path / "out")
    with pytest.raises(OutputError, match="holds another export"):
        export(texts_only, "trl", tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(OutputError, match="not empty"):
        export(source, "trl", tmp_path / "mine")
    (tmp_path / "out" / "sft" / "data-00001.parquet").unlink()
    with pytest.raises(OutputError, match="missing or changed"):
        export(source, "trl", tmp_path / "out")


def test_a_file_in_the_way_and_a_damaged_record_are_one_line(source, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="is a file. Choose a folder"):
        export_dataset(source, "parquet", tmp_path / "file")
    with pytest.raises(OutputError, match="x: this folder cannot be made .Not a directory"):
        export_dataset(source, "parquet", tmp_path / "file" / "x")
    export_dataset(source, "parquet", tmp_path / "x")
    for damage in ("{", "[]"):
        (tmp_path / "x/export.json").write_text(damage)
        with pytest.raises(OutputError, match="export.json: damaged. Remove"):
            export_dataset(source, "parquet", tmp_path / "x")


def test_an_export_that_was_killed_at_its_very_end_is_tidied_up(source, tmp_path, monkeypatch):
    export(source, "trl", tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(job, "tidy", lambda target: None)
        export(source, "trl", tmp_path / "cut")
    assert (tmp_path / "cut" / ".export").is_dir()
    export(source, "trl", tmp_path / "cut")
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    assert (tmp_path / "cut" / "README.md").stat().st_mode & 0o777 == 0o644


def test_one_export_at_a_time_writes_into_a_folder(source, tmp_path):
    with shards_or_nothing(tmp_path / "out"):
        with pytest.raises(OutputError, match="another export is writing to this folder"):
            export(source, "trl", tmp_path / "out")
        assert (tmp_path / "out" / ".export").is_dir(), "what the other one has is left alone"
    export(source, "trl", tmp_path / "out")
    assert not (tmp_path / "out" / ".export").exists()


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ("data/data-00003.arrow", "trl"),
        ("data/data-00003.arrow", "parquet"),
        ("candidates/part-00000.arrow", "parquet"),
    ],
)
@pytest.mark.parametrize("by", ["removed", "replaced"])
def test_a_dataset_that_a_run_writes_to_meanwhile_is_not_mixed(tmp_path, monkeypatch, changed, name, by):
    source = build(tmp_path / "source")
    kind = format_named(name)

    def change(shard):
        if changed in {file.name for file in (*shard.files, *shard.candidates)}:
            (source / changed).unlink()
            if by == "replaced":
                build(tmp_path / "other", per_shard=6)
                (tmp_path / "other" / changed).rename(source / changed)
        original(shard)

    original = kind.write
    object.__setattr__(kind, "write", change)
    try:
        with pytest.raises(OutputError, match=f"{changed}.*(was changed while|bytes are not those)"):
            export(source, name, tmp_path / "out")
    finally:
        object.__setattr__(kind, "write", original)
    assert not (tmp_path / "out" / "export.json").exists()


def test_an_export_that_is_stopped_before_its_first_shard_leaves_nothing(source, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "any_given", stop)
    with pytest.raises(KeyboardInterrupt):
        export(source, "trl", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_ctrl_c_waits_for_no_checksum(source, tmp_path, monkeypatch):
    """Of files of gigabytes one takes seconds, and a thread that reads it cannot be stopped."""
    done = Event()

    def slow(out, file):
        if file.name.endswith("data-00000.arrow"):
            raise KeyboardInterrupt
        done.wait(20)

    monkeypatch.setattr(job, "check_bytes", slow)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        export(source, "parquet", tmp_path / "out")
    assert time.monotonic() - began < 5
    done.set()


def test_samples_that_are_not_in_the_files_are_noticed(source, tmp_path, monkeypatch):
    monkeypatch.setattr(messages_format.ParquetFile, "add", lambda self, batches: 0)
    with pytest.raises(OutputError, match="0 samples in its files"):
        export(source, "messages", tmp_path / "out")


@pytest.mark.parametrize("name", NAMES)
def test_a_dataset_without_rows_is_an_export_without_rows(tmp_path, name):
    empty = build(tmp_path / "empty", rows=0)
    facts = export(empty, name, tmp_path / "out")
    assert facts["rows"] == facts["samples"] == 0 and facts["files"]


def test_the_manifest_is_read_once_however_many_shards_an_export_has(source, tmp_path, monkeypatch):
    read, known = [], manifest.read_plain
    monkeypatch.setattr(manifest, "read_plain", lambda path: read.append(path) or known(path))
    facts = export_dataset(source, "parquet", tmp_path / "out", rows_per_shard=1)
    assert len(facts["files"]) == 8 and len(read) == 1


def test_a_row_that_is_left_out_leaves_no_picture_behind(source, tmp_path, monkeypatch):
    calls = iter(range(1000))

    def picture(self, codes):
        if next(calls) % 3 == 2:
            raise ValueError("another codebook")
        return [1]

    monkeypatch.setattr(Coder, "picture", picture)
    facts = export(source, "anole", tmp_path / "out")
    assert facts["left_out"]["codes_misfit"] > 0 and facts["pictures"] == facts["samples"] > 0


def test_marks_of_pictures_videos_and_sounds_in_the_data_are_broken_up():
    shard = SimpleNamespace(lost=Counter())
    assert respelled(shard, "<video> <audio> <image>") == "< video> < audio> < image>"
    assert shard.lost["marks respelled"] == 3


def test_options_that_a_format_does_not_take_are_refused(source, tmp_path):
    for options, message in (
        ({"to": "tokens"}, "--model nano"),
        ({"to": "parquet", "model": "nano"}, "takes no --model"),
        ({"to": "verl", "max_length": 5}, "takes no --max-length"),
        ({"to": "csv"}, "Give one of parquet, messages"),
        ({"to": "tokens", "model": TINY, "template": "x"}, "--template x"),
    ):
        with pytest.raises(InputError, match=message):
            export_dataset(source, directory=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_the_command_prints_counts(source, tmp_path):
    done = CliRunner().invoke(
        app, ["export", str(source), "--to", "verl", "--output", str(tmp_path / "a"), "--json"]
    )
    facts = json.loads(done.stdout)
    assert (
        done.exit_code == 0
        and facts["left_out"] == {"no_answer": 3}
        and facts["cannot_hold"]["drawings"] == 35
    )
    done = CliRunner().invoke(app, ["export", str(source), "--to", "verl", "--output", str(tmp_path / "b")])
    assert "rows left out: no_answer" in done.stdout and "steps, drawings, codes, scores" in done.stdout
    assert screen.interrupted().endswith(f"The export in {tmp_path / 'b'} is whole."), (
        "Ctrl-C at its very end"
    )


@pytest.mark.parametrize(
    ("damaged", "name"), [("data/data-00001.arrow", "messages"), ("candidates/part-00001.arrow", "parquet")]
)
def test_what_is_damaged_is_not_handed_on(tmp_path, damaged, name):
    source = build(tmp_path / "source")
    path = source / damaged
    flip_bit(path, path.stat().st_size * 4)
    with pytest.raises(OutputError, match=f"{damaged}: missing, or its bytes are not"):
        export(source, name, tmp_path / "out")
