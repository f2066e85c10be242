"""`diff`: what two folders share, and which steps have another picture."""

import shutil
from pathlib import Path

from tests.report.outline import Outline
from tests.report.test_summary import as_running
from tests.write.sample_dataset import build_dataset, candidate, parsed_trace
from zero_engine.records import Trajectory, Verdict
from zero_engine.report.diff import compare
from zero_engine.report.diff_page import write_diff
from zero_engine.write.shards import write_trajectories


def test_a_folder_is_the_same_as_its_copy(dataset: Path, tmp_path: Path):
    shutil.copytree(dataset, tmp_path / "copy")
    found = compare(dataset, tmp_path / "copy")
    assert dict(found.steps) == {"same": 8, "none in both": 8, "lost": 0}
    assert dict(found.traces) == {"row -> row": 8, "rejected -> rejected": 2}
    assert found.settings == []


def test_changed_gained_and_lost_pictures_are_told_apart(tmp_path: Path):
    build_dataset(tmp_path / "a", shards=1, rows=3)
    build_dataset(tmp_path / "b", shards=1, rows=3)
    drawn = [candidate("t-0-0", 0, 0), None, candidate("t-0-2", 0, 1)]
    also = [None, None, candidate("t-0-2", 1, 0)]
    rows = [
        Trajectory(
            parsed_trace(f"t-0-{i}"),
            tuple(
                Verdict(step, "kept", None, one) if one else Verdict(step, "text_only", "blank_high")
                for step, one in enumerate(pair)
            ),
        )
        for i, pair in enumerate(zip(drawn, also, strict=True))
    ]
    write_trajectories(tmp_path / "b/data/data-00000.arrow", rows, "p" * 16, "m" * 16)
    found = compare(tmp_path / "a", tmp_path / "b", verify=False)
    assert {kind: found.steps[kind] for kind in ("same", "changed", "gained", "lost")} == {
        "same": 1,
        "changed": 1,
        "gained": 1,
        "lost": 1,
    }
    (changed,), (gained,), (lost,) = (found.shown[kind] for kind in ("changed", "gained", "lost"))
    assert changed.before and changed.after and changed.before != changed.after
    assert (gained.before, gained.step) == (None, 1) and gained.after
    assert lost.before and lost.after is None and lost.reason == "blank_high"
    outline = Outline(write_diff(tmp_path / "diff.html", found).read_text())
    assert outline.open == [] and outline.tags.count("img") == 4 and "script" not in outline.tags


def test_traces_of_one_folder_alone_are_counted_and_a_run_under_way_can_be_compared(tmp_path: Path):
    build_dataset(tmp_path / "a", shards=2, rows=2)
    build_dataset(tmp_path / "b", shards=1, rows=2)
    as_running(tmp_path / "a")
    found = compare(tmp_path / "a", tmp_path / "b")
    assert found.traces["row -> absent"] == 2 and found.traces["rejected -> absent"] == 1
    assert found.steps["lost"] == 2 and all(change.before for change in found.shown["lost"])
