"""A damaged folder is named, repaired, and never built upon."""

import json
import os
import random
import shutil
from pathlib import Path

import pytest

from tests.commits import Commits
from tests.faults.conftest import hashes
from tests.faults.damage import flip_bit
from zero_engine import open_dataset
from zero_engine.errors import OutputError
from zero_engine.run import run_pipeline
from zero_engine.run.ledger import open_ledger
from zero_engine.run.recover import recover
from zero_engine.run.status import folder_status
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow

GATE = {"gate": {"min_pictures": 0, "min": {"likelihood": -0.5}, "rank": {"likelihood": 1.0}}}


@pytest.fixture
def finished(poisonable, make_run):
    """A finished run of four shards, some of whose records cannot be read."""
    return run_pipeline(make_run(records=16, poison={5: "POISON raises reading"})).out


def failed(out: str) -> list[str]:
    return [check.name for check in validate_dataset(out) if not check.ok]


@pytest.mark.parametrize(
    "name", ["data/data-00001.arrow", "candidates/part-00001.arrow", "rejected/part-00001.jsonl"]
)
def test_a_flipped_bit_is_repaired_and_not_passed_on(finished, make_run, name):
    pipeline = make_run(records=16, poison={5: "POISON raises reading"})
    before, path = hashes(finished), Path(finished, name)
    fresh = hashes(run_pipeline(pipeline.model_copy(update=_elsewhere(pipeline, GATE))).out)
    for seed in range(2):
        flip_bit(path, random.Random(seed).randrange(path.stat().st_size * 8))
        assert "sha256" in failed(finished)
        again = run_pipeline(pipeline)
        assert hashes(finished) == before and failed(finished) == []
        assert again.drawn == (again.drawn if name.startswith("candidates") else 0)
    flip_bit(path, path.stat().st_size * 4)
    run_pipeline(pipeline.model_copy(update=_elsewhere(pipeline, GATE, Path(finished))))
    assert hashes(finished) == fresh and failed(finished) == []


def _elsewhere(pipeline, sections: dict, out: Path | None = None) -> dict:
    place = out or Path(pipeline.output.path).with_name("fresh")
    gate = pipeline.gate.model_validate(sections["gate"])
    return {"gate": gate, "output": pipeline.output.model_copy(update={"path": str(place)})}


def lose(out: Path, what: str) -> None:
    if what == "manifest":
        (out / "manifest.json").unlink()
    elif what == "manifest damaged":
        flip_bit(out / "manifest.json", 9000)
    elif what == "everything but shards":
        for path in out.iterdir():
            if path.name not in ("data", "candidates", "rejected"):
                path.unlink()
        for name in ("state.json", "dataset_info.json"):
            (out / "data" / name).unlink()


@pytest.mark.parametrize("how", ["run", "recover"])
def test_a_finished_folder_that_lost_its_record_is_recovered(finished, make_run, tmp_path, how):
    before, kept = hashes(finished), tmp_path / "kept"
    shutil.copytree(finished, kept)
    for what in ("manifest", "manifest damaged", "everything but shards"):
        again_as(kept, finished)
        lose(Path(finished), what)
        if how == "run":
            again = run_pipeline(make_run(records=16, poison={5: "POISON raises reading"}))
        elif what == "everything but shards":
            with pytest.raises(OutputError, match="zero-engine run"):
                recover(finished)
            continue
        else:
            again = recover(finished)
        assert again.drawn == 0 and hashes(finished) == before and failed(finished) == []


def again_as(kept: Path, out: str) -> None:
    """The folder as it was."""
    shutil.rmtree(out)
    shutil.copytree(kept, out)


def test_a_stopped_run_that_lost_its_ledger_is_recovered(finished, make_run, tmp_path):
    pipeline = make_run(records=16, poison={5: "POISON raises reading"})
    before, out, kept = hashes(finished), Path(finished), tmp_path / "kept"
    shutil.copytree(finished, kept)
    for what in ("work", "first line", "a middle line", "cut"):
        again_as(kept, finished)
        ledger = open_ledger(out, pipeline)
        ledger.begin(pipeline)  # and killed here
        path = out / ".work" / "ledger.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        if what == "work":
            shutil.rmtree(out / ".work")
        elif what == "cut":
            path.write_bytes(b"".join(lines)[:-20])
        else:
            number = 0 if what == "first line" else 2
            lines[number] = lines[number].replace(b"0", b"\xff", 1)
            path.write_bytes(b"".join(lines))
        ledger._lock.close()
        again = run_pipeline(pipeline)
        assert again.drawn == 0 and hashes(finished) == before and failed(finished) == [], what


def test_a_stray_shard_is_named_and_moved_aside(finished, make_run):
    stray = Path(finished, "data/data-00099.arrow")
    shutil.copy(Path(finished, "data/data-00000.arrow"), stray)
    assert failed(finished) == ["files"]
    with pytest.raises(OutputError, match="data-00099"):
        open_dataset(finished)
    again = run_pipeline(make_run(records=16, poison={5: "POISON raises reading"}))
    assert again.drawn == 0 and not stray.exists()
    assert [p.name for p in Path(finished, "strays").iterdir()] == ["data-data-00099.arrow"]
    assert failed(finished) == []


def test_a_run_names_the_damage_that_it_repairs(finished, make_run):
    pipeline, notes = make_run(records=16, poison={5: "POISON raises reading"}), Commits()
    for shard in (1, 2):
        flip_bit(Path(finished, f"candidates/part-0000{shard}.arrow"), 999)
    run_pipeline(pipeline, progress=notes)
    (said,) = notes.messages
    assert finished in said and "candidates/part-00001.arrow is missing or damaged (and 1 more)" in said
    Path(finished, "manifest.json").unlink()
    notes = Commits()
    run_pipeline(pipeline, progress=notes)
    assert len(notes.messages) == 1 and "manifest and ledger are lost" in notes.messages[0]


def test_drawings_under_the_manifest_of_another_run_are_not_drawn_again(finished, make_run, tmp_path):
    """`events.jsonl` tells that they were committed."""
    pipeline, before = make_run(records=16, poison={5: "POISON raises reading"}), hashes(finished)
    elsewhere = pipeline.output.model_copy(update={"path": str(tmp_path / "other")})
    other = run_pipeline(pipeline.model_copy(update={"seed": 3, "output": elsewhere})).out
    shutil.copy(Path(other, "manifest.json"), Path(finished, "manifest.json"))
    assert run_pipeline(pipeline).drawn == 0
    assert hashes(finished) == before and failed(finished) == []


@pytest.mark.parametrize("name", ["faults", "another"])
def test_drawings_beside_the_events_of_another_run_are_found_by_what_they_are(
    finished, make_run, tmp_path, name
):
    """The manifest is lost, and `events.jsonl` tells of other files: it does not tell that these are damaged."""
    pipeline, before = make_run(records=16, poison={5: "POISON raises reading"}), hashes(finished)
    elsewhere = pipeline.output.model_copy(update={"path": str(tmp_path / "other")})
    other = run_pipeline(pipeline.model_copy(update={"name": name, "seed": 3, "output": elsewhere})).out
    shutil.copy(Path(other, "events.jsonl"), Path(finished, "events.jsonl"))
    Path(finished, "manifest.json").unlink()
    assert folder_status(finished)["pipeline"]["name"] == "faults"
    assert run_pipeline(pipeline).drawn == 0
    assert hashes(finished) == before and failed(finished) == []


def test_names_in_a_manifest_stay_inside_the_folder(finished):
    path = Path(finished, "manifest.json")
    document = json.loads(path.read_text())
    document["shards"][0]["data"]["name"] = "data/../../secret.arrow"
    path.write_text(json.dumps(document))
    with pytest.raises(OutputError, match="no name of a shard"):
        validate_dataset(finished)


def test_what_is_no_plain_file_is_not_opened_and_moved_away(finished, make_run, tmp_path):
    before, kept = hashes(finished), tmp_path / "kept"
    shutil.copytree(finished, kept)
    for make in (os.mkfifo, lambda path: os.symlink("/etc/hostname", path), os.mkdir):
        for name in ("data/data-00000.arrow", "manifest.json", "README.md", "data"):
            again_as(kept, finished)
            path = Path(finished, name)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            make(path)
            try:
                assert failed(finished), name
            except OutputError as error:
                assert "\n" not in str(error)
            again = run_pipeline(make_run(records=16, poison={5: "POISON raises reading"}))
            assert again.drawn == 0 and hashes(finished) == before and failed(finished) == [], name
