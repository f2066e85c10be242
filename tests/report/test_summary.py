"""report.html of a finished dataset."""

from pathlib import Path

import numpy as np
import pytest

from tests.report.outline import Outline
from zero_engine.errors import OutputError
from zero_engine.report import write_report
from zero_engine.report.charts import BINS, HEIGHT, Histogram
from zero_engine.report.inspection import inspect_rows


def test_report_shows_counts_reasons_scores_and_drawings(dataset: Path):
    page = write_report(dataset).read_text(encoding="utf-8")
    outline = Outline(page)
    text = "".join(outline.text)
    assert outline.open == [] and outline.unbalanced == []
    assert "50.0 %" in text  # 8 of 16 drawn steps kept a drawing
    assert "gate: likelihood_low" in text and "bad-0" in text and "nothing to cut" in text
    assert {"likelihood", "blank", "my_plugin"} <= set(text.split())
    assert "gate.min -0.3" in text
    assert "Drawings kept" in text and "Drawings left out" in text
    assert outline.tags.count("img") == 8 + 24 + 6 * 6  # kept, left out, and six traces of six drawings


def test_a_plugins_score_has_its_histogram(dataset: Path):
    page = write_report(dataset).read_text(encoding="utf-8")
    assert page.count("<svg") == 3  # likelihood, blank, my_plugin
    assert "a plugin&#39;s score" in page


def test_inspection_shows_every_score_of_a_step(dataset: Path):
    (row,) = inspect_rows(dataset, None, 1)
    assert list(row["steps"][0]["scores"]) == ["likelihood", "blank", "my_plugin"]
    assert row["steps"][1]["scores"] == {}


def test_report_is_the_same_each_time(dataset: Path):
    first = write_report(dataset).read_bytes()
    assert write_report(dataset).read_bytes() == first


def test_report_of_a_folder_that_is_no_dataset_says_so(tmp_path: Path):
    with pytest.raises(OutputError, match="manifest"):
        write_report(tmp_path)


def test_histogram_counts_every_value_once_and_keeps_the_ends():
    histogram = Histogram("likelihood", -1.0, 0.0, minimum=-0.5)
    values = np.linspace(-1, 0, 101)
    histogram.add(values, values >= -0.5)
    assert histogram.total == 101 and int(histogram.kept.sum()) == 51
    assert max(bar.kept_height + bar.left_height for bar in histogram.bars) == pytest.approx(HEIGHT, abs=0.01)
    assert histogram.thresholds == [(120.0, "gate.min -0.5")]


def test_histogram_of_one_value_has_one_bar():
    histogram = Histogram("duplicate", 0.0, 0.0)
    histogram.add(np.zeros(5), np.ones(5, bool))
    assert len(histogram.bars) == 1 and len(histogram.kept) == BINS
