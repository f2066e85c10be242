"""The drawing is the unit: what is drawn once is found again whatever else changes, and never thrown away.

The model is one of noise: these changes reach no model. `test_identity.py` has those that might.
"""

import gzip
import json
import os
import signal
from pathlib import Path

import pytest

from tests.faults.conftest import poisoned_children
from tests.run.identity import TRACES, assert_draws_nothing, names_in, pipeline, short_traces
from tests.run.test_kill import start, wait_for_commits
from zero_engine.run import driver, forecast, plan_run, run_pipeline
from zero_engine.run.recover import pipeline_of
from zero_engine.write.unused import clean, unused
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def noise(repository: Path):
    with poisoned_children(repository):
        yield


@pytest.fixture
def begun(tmp_path: Path, repository: Path, monkeypatch) -> str:
    """A small corpus in the working folder, drawn into the folder `out`."""
    monkeypatch.chdir(tmp_path)
    lines = short_traces(repository)[:TRACES]
    Path("corpus.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return run_pipeline(pipeline("out")).out


def absolute() -> dict:
    return {"input": {"path": str(Path("corpus.jsonl").resolve())}}


def gzipped() -> dict:
    Path("corpus.jsonl.gz").write_bytes(gzip.compress(Path("corpus.jsonl").read_bytes()))
    return {"input": {"path": "corpus.jsonl.gz"}}


@pytest.mark.parametrize(
    "change",
    [
        {"input": {"license": "CC0"}},
        {"input": {"name": "another"}},
        {"parse": {"max_steps": 64}},
        {"output": {"image_format": "webp"}},
        {"render": {"device": "cpu"}},
        {"score": {"tau": 1.0}},
        absolute,
        gzipped,
    ],
    ids=lambda change: getattr(change, "__name__", None) or json.dumps(change),
)
def test_a_change_that_is_none_of_the_drawings_draws_nothing(begun, hashes, change):
    assert_draws_nothing(hashes, change)


@pytest.mark.parametrize(
    ("rows", "store", "drawn"), [(5, False, 8), (1, False, 8), (2, False, 8), (2, True, 20)]
)
def test_equal_records_are_drawn_once_and_plan_says_so(begun, hashes, monkeypatch, rows, store, drawn):
    """They have the bytes that drawing each of them would give. In a store, each shard draws its own."""
    lines = [json.loads(line) for line in Path("corpus.jsonl").read_text().splitlines()[:2]]
    Path("twice.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*lines, *lines, lines[0]]))
    sections = {
        "input": {"path": "twice.jsonl"},
        "render": {"candidates": 2},
        "output": {"rows_per_shard": rows},
    }
    for module in (driver, forecast):
        monkeypatch.setattr(module, "grows", lambda pipeline: not store)
    asked = pipeline("twice", **sections)
    planned = plan_run(asked).drawings
    made = run_pipeline(asked)
    assert (planned.made, planned.reused) == (made.drawn, made.as_dict()["reused"])
    assert made.drawn == drawn and made.counts["pictures"] == 20
    monkeypatch.setattr(driver, "grows", lambda pipeline: False)
    assert hashes("twice") == hashes(run_pipeline(pipeline("each", **sections)).out)


def test_settings_tried_and_taken_back_draw_once(begun, hashes):
    before = hashes("out")
    assert run_pipeline(pipeline("out", render={"guidance": 2.0})).drawn > 0
    assert unused(Path("out")).drawings > 0
    assert run_pipeline(pipeline("out")).drawn == 0
    assert hashes("out") == before
    assert run_pipeline(pipeline("out", render={"guidance": 2.0})).drawn == 0


def test_a_run_killed_in_a_change_loses_no_drawing(begun, hashes, tmp_path, monkeypatch):
    monkeypatch.setenv("ZERO_ENGINE_SLOW", "0.3")  # of each call of the model, so that kills find it at work
    names, changed = names_in("out"), pipeline("out", render={"guidance": 2.0}, output={"rows_per_shard": 1})
    for kill in range(5):
        process = start(changed, tmp_path)
        wait_for_commits(Path("out"), 4 + kill, process)
        assert process.poll() is None, process.stderr.read()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert names <= names_in("out")
    monkeypatch.delenv("ZERO_ENGINE_SLOW")
    run_pipeline(changed)
    fresh = run_pipeline(pipeline("fresh", render={"guidance": 2.0}, output={"rows_per_shard": 1}))
    assert hashes("out") == hashes(fresh.out)
    assert names_in("out") == names | names_in("fresh")


def test_an_output_inside_the_folder_of_its_input_is_no_input(begun, hashes):
    inside = pipeline("in/out", input={"path": "in"})
    Path("in").mkdir()
    Path("corpus.jsonl").rename("in/corpus.jsonl")
    first = run_pipeline(inside)
    before = hashes("in/out")
    assert run_pipeline(inside).counts == first.counts and hashes("in/out") == before
    assert plan_run(inside).as_dict()["done"] == TRACES // 2


def test_another_name_may_replace_the_rows_and_keeps_the_drawings(begun):
    names = names_in("out")
    other = run_pipeline(pipeline("out", name="other", input={"limit": 2}), overwrite=True)
    assert other.drawn == 0 and names_in("out") == names


def test_only_clean_deletes_drawings(begun):
    run_pipeline(pipeline("out", input={"limit": 2}))
    found = unused(Path("out"))
    assert found.drawings > 0 and clean(Path("out")) == found
    assert unused(Path("out")).files == 0 and not Path("out/unused").exists()
    assert run_pipeline(pipeline("out")).drawn == found.drawings


def test_the_plan_says_what_each_changed_key_costs(begun):
    changed = pipeline("out", input={"license": "CC0"}, render={"candidates": 3, "guidance": 2.0})
    facts = plan_run(changed).as_dict()
    alone = {change["key"]: change["drawings"] for change in facts["changes"]}
    held = alone["input.license"]["reused"]
    assert alone["input.license"] == {"reused": held, "made": 0, "set_aside": 0}
    assert alone["render.candidates"] == {"reused": held, "made": held // 2, "set_aside": 0}
    assert alone["render.guidance"] == {"reused": 0, "made": held, "set_aside": held}
    assert facts["drawings"] == {"reused": 0, "made": held * 3 // 2, "set_aside": held}
    summary = run_pipeline(changed)
    assert summary.drawn == held * 3 // 2 and summary.unused.drawings == held


def test_the_plan_says_of_each_score_in_the_gate_what_it_alone_costs(begun):
    gate = {"min": {"likelihood": -0.5}, "rank": {"likelihood": 2.0, "caption": 0.1}}
    facts = plan_run(pipeline("out", input={"limit": 2}, gate=gate)).as_dict()
    alone = {change["key"]: change["drawings"] for change in facts["changes"]}
    held = facts["drawings"]["reused"] + facts["drawings"]["set_aside"]
    for score in ("min.likelihood", "rank.likelihood", "rank.caption"):
        assert alone[f"gate.{score}"] == {"reused": held, "made": 0, "set_aside": 0}
    assert alone["input.limit"] == facts["drawings"] and facts["drawings"]["set_aside"] > 0


def test_the_plan_of_another_input_needs_nothing_of_the_old_one(begun):
    lines = Path("corpus.jsonl").read_text().splitlines()
    Path("wrapped.json").write_text('{"data": [' + ",".join(lines) + "]}")
    Path("corpus.jsonl").unlink()
    changed = pipeline("out", input={"path": "wrapped.json", "field": "data"}, parse={"max_steps": 1})
    facts = plan_run(changed).as_dict()
    assert {change["key"] for change in facts["changes"]} == {"input.path", "input.field", "parse.max_steps"}
    assert facts["drawings"]["made"] == run_pipeline(changed).drawn == 0


def test_a_folder_tells_of_the_pipeline_that_found_it_done(begun, hashes):
    """`retry` and `recover` go by it."""
    before, changed = (
        hashes("out"),
        pipeline("out", input={"path": "c*.jsonl", "limit": TRACES, "strict": True}),
    )
    assert run_pipeline(changed).plan.is_done and hashes("out") == before
    assert pipeline_of("out") == changed and plan_run(changed).changes == []
    assert all(check.ok for check in validate_dataset("out"))


def test_a_card_shows_no_drawing_that_the_rows_have_no_more(begun):
    run_pipeline(pipeline("out", render={"candidates": 0}))
    assert not Path("out/strip.png").exists()
    assert "strip.png" not in Path("out/README.md").read_text(encoding="utf-8")
