"""The drawing is the unit: what is drawn once is found again whatever else changes, and never thrown away."""

import gzip
import json
import os
import shutil
import signal
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.run.test_kill import start, wait_for_commits
from zero_engine.run import plan_run, run_pipeline
from zero_engine.write.store import DrawingFile, identities
from zero_engine.write.unused import clean, unused
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow

TRACES = 6


@pytest.fixture(scope="module")
def lines(repository: Path) -> list[str]:
    return (repository / "examples/data/gsm8k.jsonl").read_text(encoding="utf-8").splitlines()[:TRACES]


@pytest.fixture
def corpus(tmp_path: Path, lines: list[str], monkeypatch) -> str:
    """A small corpus, by its path relative to the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("corpus.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "corpus.jsonl"


@pytest.fixture(scope="module")
def drawn_once(repository: Path, tmp_path_factory, lines: list[str]) -> Path:
    """A folder with the corpus drawn, made once and copied by each test."""
    from zero_engine.pipeline import Pipeline

    folder = tmp_path_factory.mktemp("drawn")
    path = folder / "corpus.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    before = os.getcwd()
    os.chdir(folder)
    try:
        run_pipeline(Pipeline.model_validate(document("out")))
    finally:
        os.chdir(before)
    return folder / "out"


def document(out: str, **sections: object) -> dict:
    plain = {
        "name": "test",
        "input": {"path": "corpus.jsonl", "format": "gsm8k", "license": "MIT"},
        "render": {"candidates": 2, "batch_size": 8},
        "output": {"path": out, "rows_per_shard": 2},
        "dask": {"workers": 0},
    }
    for name, section in sections.items():
        plain[name] = {**plain.get(name, {}), **section} if isinstance(section, dict) else section
    return plain


def pipeline(out: str, **sections: object):
    from zero_engine.pipeline import Pipeline

    return Pipeline.model_validate(document(out, **sections))


def names_in(out: str | Path) -> set[str]:
    """Identities of all drawings of a folder, in use or not."""
    files = [*Path(out, "candidates").glob("*.arrow"), *Path(out, "unused").glob("*.arrow")]
    return {name for f in files for _, name in identities(DrawingFile(str(f.parent), f.name, ""))}


@pytest.fixture
def begun(corpus: str, drawn_once: Path) -> str:
    """The drawn folder under the name `out`."""
    shutil.copytree(drawn_once, "out")
    return "out"


def absolute() -> dict:
    return {"input": {"path": str(Path("corpus.jsonl").resolve())}}


def gzipped() -> dict:
    Path("corpus.jsonl.gz").write_bytes(gzip.compress(Path("corpus.jsonl").read_bytes()))
    return {"input": {"path": "corpus.jsonl.gz"}}


def backwards() -> dict:
    rows = Path("corpus.jsonl").read_text(encoding="utf-8").splitlines()
    Path("backwards.jsonl").write_text("\n".join(rows[::-1]) + "\n", encoding="utf-8")
    return {"input": {"path": "backwards.jsonl"}}


@pytest.mark.parametrize(
    "change",
    [
        {"input": {"license": "CC0"}},
        {"input": {"name": "another"}},
        {"parse": {"max_steps": 64}},
        {"output": {"rows_per_shard": 4}},
        {"output": {"image_format": "webp"}},
        {"dask": {"workers": 1}},
        {"render": {"device": "cpu"}},
        {"score": {"tau": 1.0}},
        absolute,
        gzipped,
        backwards,
    ],
    ids=lambda change: getattr(change, "__name__", None) or json.dumps(change),
)
def test_a_change_that_is_none_of_the_drawings_draws_nothing(begun, hashes, change):
    sections = change() if callable(change) else change
    again = run_pipeline(pipeline("out", **sections))
    assert again.drawn == 0
    assert hashes("out") == hashes(run_pipeline(pipeline("fresh", **sections)).out)
    assert not Path("out/unused").exists()
    assert all(check.ok for check in validate_dataset("out"))


def test_a_moved_folder_draws_nothing(begun, hashes):
    before = hashes("out")
    shutil.move("out", "elsewhere")
    assert run_pipeline(pipeline("elsewhere")).drawn == 0
    assert hashes("elsewhere") == before


def test_an_inserted_record_draws_its_own_steps_only(begun, hashes, repository):
    new = (repository / "examples/data/gsm8k.jsonl").read_text(encoding="utf-8").splitlines()[TRACES]
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


def test_settings_tried_and_taken_back_draw_once(begun, hashes):
    before = hashes("out")
    assert run_pipeline(pipeline("out", render={"guidance": 2.0})).drawn > 0
    assert unused(Path("out")).drawings > 0
    assert run_pipeline(pipeline("out")).drawn == 0
    assert hashes("out") == before
    assert run_pipeline(pipeline("out", render={"guidance": 2.0})).drawn == 0


def test_a_run_killed_in_a_change_loses_no_drawing(begun, hashes, tmp_path):
    names, changed = names_in("out"), pipeline("out", render={"guidance": 2.0}, output={"rows_per_shard": 1})
    for kill in range(5):
        process = start(changed, tmp_path)
        wait_for_commits(Path("out"), 4 + kill, process)
        assert process.poll() is None, process.stderr.read()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert names <= names_in("out")
    run_pipeline(changed)
    fresh = run_pipeline(pipeline("fresh", render={"guidance": 2.0}, output={"rows_per_shard": 1}))
    assert hashes("out") == hashes(fresh.out)
    assert names_in("out") == names | names_in("fresh")


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
