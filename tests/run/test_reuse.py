"""Folders as people hand them over: damaged, incomplete, linked, of any name; and records that share a drawing.

The model is one of noise.
"""

import hashlib
import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.commits import Commits
from tests.faults.conftest import poisoned_children
from tests.run.given_corpus import packed, picture
from tests.run.identity import names_in, pipeline
from zero_engine.cli.app import app
from zero_engine.errors import InputError, Interrupted, OutputError
from zero_engine.run import plan_run, run_pipeline
from zero_engine.run.ledger import Ledger, hold, holding
from zero_engine.write.folder import unused_name
from zero_engine.write.unused import unused
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow

STEPS = 2
DRAWN = 2 * STEPS * 4


@pytest.fixture(scope="module", autouse=True)
def noise(repository: Path):
    with poisoned_children(repository):
        yield


def record(number: int) -> dict:
    steps = [f"Here are {number} + {step} apples." for step in range(STEPS)]
    return {"id": f"t{number}", "question": "How many?", "rationale": "\n".join(steps), "answer": "1"}


def write(name: str, records: list[dict]) -> None:
    Path(name).write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def asked(out: str, **sections: object):
    return pipeline(out, **{**sections, "input": {"format": "generic", **sections.get("input", {})}})


@pytest.fixture(scope="module")
def drawn_once(tmp_path_factory, noise) -> Path:
    folder, before = tmp_path_factory.mktemp("drawn"), os.getcwd()
    os.chdir(folder)
    try:
        write("corpus.jsonl", [record(number) for number in range(4)])
        run_pipeline(asked("out"))
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(drawn_once: Path, tmp_path: Path, monkeypatch) -> Path:
    """The working folder, with a corpus of four records and its drawings in `out`."""
    shutil.copytree(drawn_once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def damage(path: Path) -> None:
    """Change the last bytes of the last picture: the file's names and columns can still be read."""
    data = bytearray(path.read_bytes())
    at = data.rindex(b"IEND")
    data[at - 12 : at - 8] = b"\x00\x01\x02\x03"
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("name", ["out#1", "out?immutable=0", "out%20b", "o[u]t*"])
def test_a_folder_may_have_any_name(here, hashes, name):
    shutil.move("out", name)
    again = run_pipeline(asked(name, input={"license": "CC0"}))
    assert again.drawn == 0 and again.as_dict()["reused"] == DRAWN
    shutil.copytree(name, "copy")
    assert run_pipeline(asked("other"), reuse=[name]).drawn == 0
    assert hashes("other") == hashes(run_pipeline(asked("fresh")).out)


def test_a_damaged_file_hides_no_whole_copy(here):
    for folder in ("damaged", "whole"):
        shutil.copytree("out", folder)
    damage(Path("damaged/candidates/part-00001.arrow"))
    for reuse in (["damaged"], ["damaged", "whole"]):
        planned = plan_run(asked("other"), reuse)
        summary = run_pipeline(asked("other"), reuse=reuse)
        assert planned.drawings.made == summary.drawn == (DRAWN // 2 if reuse == ["damaged"] else 0)
        assert planned.passed_over == [str(here / "damaged/candidates/part-00001.arrow")]
        assert "part-00001.arrow: damaged" in Path("other/events.jsonl").read_text(encoding="utf-8")
        shutil.rmtree("other")


@pytest.mark.parametrize("name", ["nowhere", "empty", "corpus.jsonl", "link"])
def test_what_is_no_folder_of_ours_cannot_be_reused(here, name):
    Path("empty").mkdir()
    Path("link").symlink_to("nowhere")
    with pytest.raises(InputError, match=f"--reuse .*{name}: not a folder that a run wrote"):
        run_pipeline(asked("other"), reuse=[name])
    assert not Path("other").exists()


def test_what_was_damaged_while_set_aside_hides_no_whole_copy(here, hashes):
    before = hashes("out")
    shutil.copytree("out", "whole")
    run_pipeline(asked("out", input={"limit": 2}))
    (aside,) = Path("out/unused").glob("*.arrow")
    damage(aside)
    assert plan_run(asked("out"), ["whole"]).drawings.made == 0
    assert run_pipeline(asked("out"), reuse=["whole"]).drawn == 0
    assert hashes("out") == before


def test_what_was_set_aside_is_found_where_all_else_is_gone(here):
    run_pipeline(asked("out", render={"guidance": 2.0}))
    for path in Path("out").iterdir():
        if path.name != "unused":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert run_pipeline(asked("other"), reuse=["out"]).drawn == 0
    assert run_pipeline(asked("out")).drawn == 0


def test_a_run_that_is_stopped_in_a_change_counts_the_shards_that_are_as_asked(here, monkeypatch):
    def commit(ledger: Ledger, *what: object, honest: Callable = Ledger.commit) -> None:
        honest(ledger, *what)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Ledger, "commit", commit)
    with pytest.raises(Interrupted, match=r"stopped with 1 shard \(1 records\) committed"):
        run_pipeline(asked("out", output={"rows_per_shard": 1}))


def test_overwriting_believes_no_damaged_file(here, hashes):
    damage(Path("out/candidates/part-00001.arrow"))
    other = run_pipeline(asked("out", name="other"), overwrite=True)
    assert other.drawn == DRAWN // 2 and unused(Path("out")).drawings == 0
    assert hashes("out") == hashes(run_pipeline(asked("fresh", name="other")).out)
    assert all(check.ok for check in validate_dataset("out"))


def test_what_cannot_be_read_in_unused_stops_no_run(here):
    Path("out/unused").mkdir()
    whole = Path("out/candidates/part-00000.arrow").read_bytes()
    for number, found in enumerate(re.finditer(rb"trace_id|identity|\x00{40}", whole)):
        damaged = bytearray(whole)
        damaged[found.start()] = 0x91
        Path("out/unused", f"{number:016x}.arrow").write_bytes(damaged)
    assert run_pipeline(asked("out", input={"license": "CC0"})).drawn == 0


def test_drawings_that_lie_twice_in_unused_are_kept_once(here):
    """A run that is stopped while drawings are wanted again leaves them in two files; a later one sets both aside."""
    sections = {"output": {"rows_per_shard": 1}}
    run_pipeline(asked("out", **sections))
    names, whole = names_in("out"), [p.read_bytes() for p in Path("out/candidates").glob("*.arrow")]
    run_pipeline(asked("out", render={"candidates": 1}, **sections))
    for content in whole:
        Path("out", unused_name(hashlib.sha256(content).hexdigest())).write_bytes(content)
    after = run_pipeline(asked("out", render={"candidates": 1}, input={"license": "CC0"}, **sections))
    assert names_in("out") == names and after.unused.drawings == DRAWN // 2


def test_what_a_folder_to_reuse_lacks_is_named(here):
    first, second = Path("out/candidates/part-00000.arrow"), Path("out/candidates/part-00001.arrow")
    lost = [f"{path.absolute()}" for path in (first, second)]
    first.write_bytes(b"")
    second.unlink()
    assert sorted(plan_run(asked("other"), ["out"]).passed_over) == lost
    notes = Commits()
    run_pipeline(asked("other"), reuse=["out"], progress=notes)
    assert notes.messages == [f"{lost[1]} and 1 more: damaged, missing, or not to be read; not reused."]
    first.unlink()  # nothing is left to look in
    notes = Commits()
    run_pipeline(asked("another"), reuse=["out"], progress=notes)
    assert len(notes.messages) == 1 and lost[0] in notes.messages[0]


@pytest.mark.parametrize("place", ["file:///out", "http://127.0.0.1:9/out", "hf://datasets/a/b"])
def test_an_address_that_is_no_object_store_is_no_place_to_reuse(here, place):
    with pytest.raises(
        InputError, match=f"--reuse {place}: no such place. Name a folder, or .*object store .s3,"
    ):
        run_pipeline(asked("other"), reuse=[place])


def test_a_folder_to_reuse_may_have_lost_its_manifest(here, hashes):
    Path("out/manifest.json").unlink()
    assert run_pipeline(asked("other"), reuse=["out"]).drawn == 0
    Path("out/events.jsonl").unlink()
    damage(
        Path("out/candidates/part-00001.arrow")
    )  # nothing tells that it is damaged, so its rows are looked at
    again = run_pipeline(asked("again"), reuse=["out"])
    assert again.drawn in (0, DRAWN // 2)


def test_traces_of_one_id_that_share_a_step_are_compared_with_their_own_steps(here, hashes):
    shared = [{**record(0), "rationale": f"{first} is 1 apple.\nBoth are 2 pears."} for first in ("A", "B")]
    write("corpus.jsonl", shared)
    run_pipeline(asked("shared", output={"rows_per_shard": 1}))
    planned = plan_run(asked("shared")).drawings
    again = run_pipeline(asked("shared"))
    assert (planned.reused, planned.made, planned.set_aside) == (again.as_dict()["reused"], 0, 0)
    assert hashes("shared") == hashes(run_pipeline(asked("fresh")).out)


def test_a_picture_that_is_taken_away_is_compared_with_no_more(here, hashes):
    def pictured(*pictures: bytes | None) -> dict:
        marks = [f"THOUGHT {n}: It is {n}. <image_start>[reasoning_image_{n + 1}]<image_end>" for n in (0, 1)]
        steps = {f"reasoning_image_{n + 1}": p and packed(p) for n, p in enumerate(pictures)}
        asks = {"id": "z", "Question": "Where?", "Final Answer": "1"}
        return {**asks, "Text Reasoning Trace": "\n\n".join(marks), **steps}

    sections = {"input": {"format": "zebra_cot"}, "render": {"candidates": 0}}
    write("corpus.jsonl", [pictured(picture(5), picture(5, "BMP"))])
    run_pipeline(asked("given", **sections))
    write("corpus.jsonl", [pictured(None, picture(5, "BMP"))])
    again = run_pipeline(asked("given", **sections))
    assert again.encoded == 0 and again.as_dict()["reused"] == 1
    assert hashes("given") == hashes(run_pipeline(asked("fresh", **sections)).out)


def test_the_plan_counts_repeated_records_as_the_run_does(here):
    rows = [record(number) for number in range(3)]
    write("corpus.jsonl", [*rows, rows[0], rows[1]])
    before = run_pipeline(asked("repeated"))
    names = names_in("repeated")
    planned = plan_run(asked("repeated", input={"limit": 1}, render={"candidates": 3})).drawings
    trial = run_pipeline(asked("repeated", input={"limit": 1}, render={"candidates": 3}))
    assert before.drawn == 3 * DRAWN // 4  # equal ones of another shard are found
    assert (planned.reused, planned.made) == (trial.as_dict()["reused"], trial.drawn) == (2 * STEPS, STEPS)
    assert planned.set_aside == trial.unused.drawings == len(names) - 2 * STEPS


def test_clean_follows_no_link(here):
    run_pipeline(asked("out", input={"limit": 2}))
    Path("out/unused").rename("elsewhere")
    Path("out/unused").symlink_to("../elsewhere")
    done = CliRunner().invoke(app, ["clean", "out", "--yes", "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout)["deleted"]["files"] == 0
    assert list(Path("elsewhere").glob("*.arrow"))


def test_clean_waits_for_nothing_and_deletes_nothing_where_the_lock_is_none(here):
    Path("out/unused").mkdir(exist_ok=True)
    kept = Path("out/unused/0123456789abcdef.arrow")
    shutil.copy("out/candidates/part-00000.arrow", kept)
    Path("out/.work").mkdir()
    os.mkfifo("out/.work/lock")
    done = CliRunner().invoke(app, ["clean", "out", "--yes"])
    assert (
        isinstance(done.exception, OutputError) and "no plain file" in str(done.exception) and kept.exists()
    )
    os.unlink("out/.work/lock")
    with hold(Path("out")), pytest.raises(OutputError, match="another run is writing"), holding(Path("out")):
        raise AssertionError  # a run began after it was asked for
    assert CliRunner().invoke(app, ["clean", "out", "--yes"]).exit_code == 0
    assert not kept.exists() and not Path("out/.work").exists()


def test_clean_asks_whether_a_run_began_once_it_has_its_answer(here, monkeypatch):
    run_pipeline(asked("out", input={"limit": 2}))
    answers: list[bool] = [False, True]
    locked: Callable[[Path], bool] = lambda out: answers.pop(0)  # noqa: E731
    monkeypatch.setattr("zero_engine.run.recorded.is_locked", locked)
    done = CliRunner().invoke(app, ["clean", "out"], input="y\n")
    assert done.exit_code != 0 and unused(Path("out")).drawings > 0
