"""Runs on real traces with the bundled model: same bytes, resume, re-gating, damage contained."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch

from tests.commits import Commits
from zero_engine import open_dataset
from zero_engine.errors import InputError, Interrupted, ModelError, OutputError
from zero_engine.run import plan_run, run_pipeline
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow


def test_a_run_writes_every_trace_as_a_row_or_a_rejection(make_pipeline):
    summary = run_pipeline(make_pipeline())
    counts = summary.counts
    assert counts["records"] == counts["traces"] == 4
    assert counts["rows"] + counts["rejected_traces"] == 4
    assert counts["pictures"] == summary.drawn > 0
    assert all(check.ok for check in validate_dataset(summary.out))
    assert not Path(summary.out, ".work").exists()
    assert len(open_dataset(summary.out)) == counts["rows"]


def test_one_process_and_two_workers_write_the_same_bytes(make_pipeline, drawn, hashes):
    assert hashes(run_pipeline(make_pipeline(dask={"workers": 2})).out) == hashes(drawn)


def test_the_number_of_threads_does_not_change_the_bytes(make_pipeline, hashes):
    before = torch.get_num_threads()
    written = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        written.append(hashes(run_pipeline(make_pipeline(f"t{threads}", input={"limit": 2})).out))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert written[0] == written[1]


class InterruptAfter(Commits):
    """Sends this process Ctrl-C when so many shards are committed."""

    def __init__(self, shards: int) -> None:
        super().__init__(self.count)
        self.left = shards

    def count(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_between_shards_stops_and_after_the_last_one_finishes(make_pipeline):
    text_only = make_pipeline(render={"generator": "none"}, output={"rows_per_shard": 1})
    with pytest.raises(Interrupted, match=r"1 shard \(1 records\).*Run the same command again"):
        run_pipeline(
            text_only, progress=InterruptAfter(1)
        )  # the second shard was handed out, and is not begun
    assert not Path(text_only.output.path, "manifest.json").exists()
    run_pipeline(text_only, progress=InterruptAfter(3))  # the other three of the four shards
    assert Path(text_only.output.path, "manifest.json").exists()


def test_running_again_does_nothing(make_pipeline, begun, hashes):
    before, manifest = hashes(begun), begun / "manifest.json"
    written = manifest.stat().st_mtime_ns
    again = run_pipeline(make_pipeline())
    assert again.plan.as_dict()["done"] == 2 and again.drawn == 0
    assert again.counts == json.loads(manifest.read_text())["counts"]
    assert hashes(begun) == before
    assert manifest.stat().st_mtime_ns == written


def test_a_changed_gate_draws_nothing_and_equals_a_fresh_run(make_pipeline, begun, hashes):
    gate = {"min": {"likelihood": -0.05}, "min_pictures": 1}
    changes = plan_run(make_pipeline(gate=gate)).changes
    assert [(c.key, c.before, c.now, c.drawings.made) for c in changes] == [
        ("gate.min.likelihood", None, -0.05, 0),
        ("gate.min_pictures", 0, 1, 0),
    ]
    again = run_pipeline(make_pipeline(gate=gate))
    fresh = run_pipeline(make_pipeline("new", gate=gate))
    assert again.drawn == 0 and again.as_dict()["reused"] == fresh.drawn
    assert again.plan.as_dict()["to_gate"] == 2
    assert hashes(again.out) == hashes(fresh.out)


def test_a_changed_score_draws_nothing_and_equals_a_fresh_run(make_pipeline, begun, hashes):
    score = {"tau": 1.0}
    again = run_pipeline(make_pipeline(score=score))
    fresh = run_pipeline(make_pipeline("new", score=score))
    assert again.drawn == 0 and again.plan.as_dict()["to_score"] == 2
    assert hashes(again.out) == hashes(fresh.out)


def test_more_input_only_runs_the_new_shards(make_pipeline, drawn, hashes):
    run_pipeline(make_pipeline("grown", input={"limit": 2}))
    grown = run_pipeline(make_pipeline("grown"))
    assert grown.plan.as_dict()["done"] == 1 and grown.plan.as_dict()["to_draw"] == 1
    assert hashes(grown.out) == hashes(drawn)


def test_less_input_leaves_no_old_shards_behind(make_pipeline, begun, hashes):
    shrunk = run_pipeline(make_pipeline(input={"limit": 2}))
    assert shrunk.counts["records"] == 2
    assert hashes(shrunk.out) == hashes(run_pipeline(make_pipeline("fresh", input={"limit": 2})).out)
    assert all(check.ok for check in validate_dataset(shrunk.out))


def test_a_missing_file_is_made_again(make_pipeline, begun, hashes):
    before = hashes(begun)
    (begun / "data/data-00001.arrow").unlink()
    plan = plan_run(make_pipeline()).as_dict()
    assert plan["to_gate"] == 1 and plan["reasons"]["data/data-00001.arrow is missing or damaged"] == 1
    run_pipeline(make_pipeline())
    assert hashes(begun) == before


def test_drawing_switched_off_writes_text_only_rows(make_pipeline):
    summary = run_pipeline(make_pipeline(render={"generator": "none"}))
    rows = open_dataset(summary.out)
    assert summary.drawn == 0 and len(rows) == 4
    assert all(step["image"] is None and step["reason"] == "not_drawn" for step in rows[0]["steps"])


def test_a_bad_line_becomes_a_rejection_and_costs_no_other(make_pipeline, tmp_path, repository):
    lines = (repository / "examples/data/gsm8k.jsonl").read_text().splitlines()[:3]
    path = tmp_path / "bad.jsonl"
    path.write_text("\n".join([lines[0], lines[1][:40], lines[2]]) + "\n")
    summary = run_pipeline(make_pipeline(input={"path": str(path)}))
    assert (summary.counts["traces"], summary.counts["rows"], summary.counts["rejected_traces"]) == (3, 2, 1)
    (letters,) = Path(summary.out, "rejected").glob("*.jsonl")
    whole = [r for r in map(json.loads, letters.read_text().splitlines()) if r["step"] is None]
    assert len(whole) == 1 and whole[0]["stage"] == "read" and "2" in whole[0]["detail"]


def test_the_folder_of_another_pipeline_is_refused_and_replaced_only_on_demand(make_pipeline, begun, hashes):
    before = hashes(begun)
    other = make_pipeline(name="other")
    with pytest.raises(OutputError, match="another pipeline .*--overwrite"):
        run_pipeline(other)
    assert hashes(begun) == before
    assert run_pipeline(other, overwrite=True).counts["rows"] == 4


def test_a_folder_with_somebody_elses_files_is_refused(make_pipeline, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="thesis.tex"):
        run_pipeline(make_pipeline())


@pytest.mark.parametrize(
    ("sections", "error"),
    [
        ({"input": {"path": "nowhere.jsonl"}}, InputError),
        ({"render": {"model": "no/such-model-folder"}}, ModelError),
        ({"input": {"format": "aqua"}}, InputError),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(make_pipeline, tmp_path, sections, error):
    with pytest.raises(error) as caught:
        run_pipeline(make_pipeline(**sections))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
