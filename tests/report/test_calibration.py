"""Thresholds from stored drawings: nothing is drawn, both sides are shown, and the gate can be pasted."""

from pathlib import Path

import pytest
import yaml

from tests.report.outline import Outline
from zero_engine.pipeline import Gate, Pipeline
from zero_engine.report import calibration
from zero_engine.report.calibration import calibrate, gate_section, stored_drawings, write_calibration
from zero_engine.report.folder import open_folder
from zero_engine.score.calibrate import propose_thresholds


@pytest.fixture
def pipeline(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """The pipeline that the dataset's folder says it is of."""
    document = {
        "input": {"path": "gsm8k.jsonl"},
        "gate": {"min": {"likelihood": -0.3}, "max": {"blank": 0.98}},
        "output": {"path": str(dataset)},
    }
    pipeline = Pipeline.model_validate(document)
    folder = open_folder(dataset)
    folder.pipeline.update(pipeline.model_dump(mode="json"))
    monkeypatch.setattr(calibration, "open_folder", lambda out: folder)
    return pipeline


def test_stored_drawings_serve_and_nothing_is_drawn(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(calibration, "draw_sample", None)
    found = calibrate(pipeline, 5)
    assert (found.stored, found.traces, len(found.candidates)) == (True, 5, 30)
    assert {p["score"] for p in found.proposals} == {"likelihood", "blank"}


def test_drawings_of_other_settings_do_not_serve(pipeline: Pipeline):
    other = pipeline.render.model_copy(update={"guidance": 3.0})
    assert stored_drawings(pipeline.model_copy(update={"render": other}), 5) is None
    elsewhere = pipeline.input.model_copy(update={"path": "other.jsonl"})
    assert stored_drawings(pipeline.model_copy(update={"input": elsewhere}), 5) is None
    gate = Gate(min={"likelihood": -9}, max={})
    assert stored_drawings(pipeline.model_copy(update={"gate": gate}), 5) is not None


def test_the_gate_to_paste_is_a_section_of_a_pipeline(pipeline: Pipeline):
    section = yaml.safe_load(gate_section(calibrate(pipeline, 8)))["gate"]
    gate = Gate.model_validate(section)
    assert set(gate.min) == {"likelihood"} and set(gate.max) == {"blank"} and gate.min["likelihood"] > -0.81
    assert gate.rank == pipeline.gate.rank


def test_a_threshold_that_would_leave_out_nothing_is_not_proposed_for_one_that_does(pipeline: Pipeline):
    found = calibrate(pipeline, 8)
    found.gate = Gate(min={"likelihood": -0.3, "readback": 0.5}, max={})
    for number, candidate in enumerate(found.candidates):
        candidate.scores["readback"] = float(number % 3 == 0)
    found.proposals = propose_thresholds(found.candidates)
    text = gate_section(found)
    assert yaml.safe_load(text)["gate"]["min"]["readback"] == 0.5
    assert "readback" in text.splitlines()[1]


def test_the_page_shows_drawings_on_both_sides_of_each_threshold(pipeline: Pipeline, tmp_path: Path):
    found = calibrate(pipeline, 8)
    page = write_calibration(tmp_path / "page.html", "tiny", found).read_text()
    outline = Outline(page)
    text = "".join(outline.text)
    assert outline.open == [] and "script" not in outline.tags
    assert text.count("rejected") >= len(found.proposals) and text.count("passes") == len(found.proposals)
    assert "stored drawings, nothing drawn" in text and 4 < outline.tags.count("img") <= 8 * len(
        found.proposals
    )
