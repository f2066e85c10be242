"""The drawing is the unit: the bundled model, where other batches or processes might draw another picture.

`test_changes.py` has the changes that cannot reach the model, drawn by a model of noise.
"""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.run.identity import TRACES, assert_draws_nothing, names_in, pipeline, short_traces
from zero_engine.run import run_pipeline
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lines(repository: Path) -> list[str]:
    return short_traces(repository)[:TRACES]


@pytest.fixture
def corpus(tmp_path: Path, lines: list[str], monkeypatch) -> str:
    """A small corpus, by its path relative to the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("corpus.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "corpus.jsonl"


@pytest.fixture(scope="module")
def drawn_once(repository: Path, tmp_path_factory, lines: list[str]) -> Path:
    """A folder with the corpus drawn, made once and copied by each test."""
    folder = tmp_path_factory.mktemp("drawn")
    path = folder / "corpus.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    before = os.getcwd()
    os.chdir(folder)
    try:
        run_pipeline(pipeline("out"))
    finally:
        os.chdir(before)
    return folder / "out"


@pytest.fixture
def begun(corpus: str, drawn_once: Path) -> str:
    """The drawn folder under the name `out`."""
    shutil.copytree(drawn_once, "out")
    return "out"


def backwards() -> dict:
    rows = Path("corpus.jsonl").read_text(encoding="utf-8").splitlines()
    Path("backwards.jsonl").write_text("\n".join(rows[::-1]) + "\n", encoding="utf-8")
    return {"input": {"path": "backwards.jsonl"}}


@pytest.mark.parametrize(
    "change",
    [
        {"output": {"rows_per_shard": 4}},
        {"dask": {"workers": 1}},
        backwards,
    ],
    ids=lambda change: getattr(change, "__name__", None) or json.dumps(change),
)
def test_a_change_that_is_none_of_the_drawings_draws_nothing(begun, hashes, change):
    assert_draws_nothing(hashes, change)


def test_a_moved_folder_draws_nothing(begun, hashes):
    before = hashes("out")
    shutil.move("out", "elsewhere")
    assert run_pipeline(pipeline("elsewhere")).drawn == 0
    assert hashes("elsewhere") == before


def test_an_inserted_record_draws_its_own_steps_only(begun, hashes, repository):
    new = short_traces(repository)[TRACES]
    rows = Path("corpus.jsonl").read_text(encoding="utf-8")
    Path("corpus.jsonl").write_text(new + "\n" + rows, encoding="utf-8")
    again = run_pipeline(pipeline("out"))
    alone = run_pipeline(pipeline("alone", input={"limit": 1}))
    assert again.drawn == alone.drawn > 0
    assert hashes("out") == hashes(run_pipeline(pipeline("fresh")).out)


def test_one_candidate_more_draws_one_a_step(begun, hashes):
    again = run_pipeline(pipeline("out", render={"candidates": 3}))
    assert again.drawn == again.counts["steps_drawn"]
    assert hashes("out") == hashes(run_pipeline(pipeline("fresh", render={"candidates": 3})).out)
    assert run_pipeline(pipeline("out", render={"candidates": 1})).drawn == 0
    assert hashes("out") == hashes(run_pipeline(pipeline("one", render={"candidates": 1})).out)


def test_another_template_draws_only_steps_whose_prompt_changed(begun, hashes):
    template = "{% if index %}{{ history }}\n{% endif %}{{ step }}"
    again = run_pipeline(pipeline("out", render={"template": template}))
    first_steps = 2 * (TRACES - again.counts["rejected_traces"])
    assert again.as_dict()["reused"] == first_steps and again.drawn > 0
    assert hashes("out") == hashes(run_pipeline(pipeline("fresh", render={"template": template})).out)


def test_a_trial_throws_nothing_away(begun, hashes):
    before, names = hashes("out"), names_in("out")
    trial = run_pipeline(pipeline("out", input={"limit": 2}))
    assert trial.drawn == 0 and trial.unused.drawings > 0
    assert names_in("out") == names
    assert all(check.ok for check in validate_dataset("out"))
    assert run_pipeline(pipeline("out")).drawn == 0
    assert hashes("out") == before and not Path("out/unused").exists()


def test_other_folders_are_reused_and_left_as_they_are(begun, hashes, lines):
    for name, part in (("a", lines[:3]), ("b", lines[3:])):
        Path(f"{name}.jsonl").write_text("\n".join(part) + "\n", encoding="utf-8")
        run_pipeline(pipeline(name, input={"path": f"{name}.jsonl"}), reuse=["out"])
    before = hashes("a"), hashes("b")
    both = run_pipeline(pipeline("both", input={"path": ["a.jsonl", "b.jsonl"]}), reuse=["a", "b"])
    fresh = run_pipeline(pipeline("fresh", input={"path": ["a.jsonl", "b.jsonl"]}))
    assert both.drawn == 0 and hashes("both") == hashes("fresh")
    assert asdict(both.unused)["drawings"] == 0 and fresh.drawn > 0
    assert (hashes("a"), hashes("b")) == before
    assert all(check.ok for check in validate_dataset("both"))
