"""report.html of a folder, finished or not: pictures first, pages of data beside it, nothing lost, nothing run."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.report.conftest import STEPS
from tests.report.data_pages import about, data_pages, items, wall
from tests.report.outline import Outline
from zero_engine.contracts.manifest import Manifest
from zero_engine.errors import InputError, OutputError
from zero_engine.report import write_report
from zero_engine.report.pages import Pages, as_json, data_page, put_page, source_hash
from zero_engine.run.recorded import ledger_line
from zero_engine.write.folder import LEDGER, MANIFEST
from zero_engine.write.manifest import read_manifest


def as_running(out: Path) -> Manifest:
    """The folder as it was before its run finished: a ledger, no manifest."""
    manifest = read_manifest(out)
    lines: list[dict] = [{"name": manifest.name, "pipeline": manifest.pipeline}]
    lines += [entry.model_dump(mode="json") for entry in manifest.shards]
    (out / LEDGER).parent.mkdir()
    (out / LEDGER).write_text("".join(map(ledger_line, lines)))
    (out / MANIFEST).unlink()
    return manifest


def test_pictures_stand_first_on_the_page_itself(dataset: Path):
    page = write_report(dataset).read_text(encoding="utf-8")
    outline = Outline(page)
    text = " ".join("".join(outline.text).split())
    assert outline.open == [] and outline.unbalanced == []
    assert (
        "of 10 traces are rows" in text and "of 16 drawn steps have a picture" in text and "(50.0 %)" in text
    )
    assert 0 < outline.tags.count("img") <= 24
    assert outline.tags.index("img") < outline.tags.index("script")
    assert STEPS[0] in text and "gate: likelihood_low" in text


def test_every_drawing_is_on_one_wall_and_every_trace_on_one_page(dataset: Path):
    page = write_report(dataset)
    told = about(page)
    drawings = [len(item["n"]) for one in told["walls"] for item in wall(page, one["key"])]
    assert sum(drawings) == 48 and sum(one["drawings"] for one in told["walls"]) == 48
    assert len(wall(page, "kept")) == 8
    assert len(items(page, "rows")) == sum(told["rows"]) == 8
    assert [trace["id"] for trace in items(page, "rejected")] == ["bad-0", "bad-1"]
    assert told["whole"] == {"parse: empty_rationale": 2}


def test_a_rejected_trace_has_its_reason_and_its_record(dataset: Path):
    trace = items(write_report(dataset), "rejected")[0]
    assert trace["whole"] == ["parse", "empty_rationale", "nothing to cut"]
    assert trace["q"] == "?" and json.loads(trace["record"]) == {"question": "?"}


def test_the_drawings_of_a_trace_are_found_where_it_says(dataset: Path):
    page = write_report(dataset)
    trace = items(page, "rows")[0]
    walls = [[d["items"] for d in data_pages(page, f"wall{i}")] for i in range(len(about(page)["walls"]))]
    for step in trace["steps"]:
        for number, where, item in step["d"]:
            assert walls[number][where][item]["id"] == trace["id"]
            assert walls[number][where][item]["s"] == step["i"]


def test_equal_drawings_of_a_page_are_stored_once(dataset: Path):
    page = write_report(dataset)
    for number in range(len(about(page)["walls"])):
        for data in data_pages(page, f"wall{number}"):
            sources = [picture[0] for picture in data["pictures"]]
            assert len(set(sources)) == len(sources)


def test_the_policy_names_our_script_and_style_and_nothing_else(dataset: Path):
    page = write_report(dataset)
    text = page.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    assert policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))
    assert rules["default-src"] == "'none'"
    assert (
        rules["script-src"] == f"'{source_hash(script)}'" and rules["style-src"] == f"'{source_hash(style)}'"
    )
    assert "unsafe" not in policy[1] and "http" not in policy[1]
    assert (
        "innerHTML" not in script
        and "eval(" not in script
        and "http" not in script.replace("http://www.w3.org", "")
    )


def test_markup_in_the_data_stays_data():
    attack = '</script><script>alert(1)</script><!--<img src=x onerror="alert(2)">\u2028\ud800&amp;'
    text = data_page(as_json({"x": attack}))
    assert text.count("</script>") == 2 and "<img" not in text and "<!--" not in text
    told = re.search(r'id="data">(.*?)</script>', text, re.S)
    assert told and json.loads(told[1])["x"] == attack


def test_marks_that_turn_a_text_are_written_out(tmp_path: Path):
    text = "\u202e3 + 4 = 7\u2069 \\u202e \\\u202d \u200f"
    shown = "\\u202e3 + 4 = 7\\u2069 \\u202e \\\\u202d \u200f"
    assert json.loads(as_json(text)) == shown
    put_page(tmp_path / "page.html", text)
    assert (tmp_path / "page.html").read_text("utf-8") == shown


def test_a_page_is_closed_before_it_grows_long(tmp_path: Path):
    pages = Pages(tmp_path, "00000000", "rows", items=1000)
    places = [pages.add({"x": "y" * 250_000}) for _ in range(7)]
    assert places == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0)]
    assert pages.close() == [3, 3, 1]
    assert max(file.stat().st_size for file in tmp_path.iterdir()) < 1_000_000


def test_report_is_the_same_each_time_and_its_old_pages_go(dataset: Path):
    first = write_report(dataset).read_bytes()
    names = sorted(path.name for path in (dataset / "report").iterdir())
    (dataset / "report" / "0badf00d-rows-00000.html").write_text("of an earlier edition")
    (dataset / "report" / "mine.txt").write_text("somebody's")
    assert write_report(dataset).read_bytes() == first
    assert sorted(path.name for path in (dataset / "report").iterdir()) == [*names, "mine.txt"]


def test_a_folder_whose_run_is_under_way_is_reported_as_far_as_it_is(dataset: Path):
    as_running(dataset)
    page = write_report(dataset)
    assert "The run has not finished" in page.read_text()
    assert sum(about(page)["rows"]) == 8


def test_report_of_one_reason_holds_its_traces_alone(dataset: Path):
    page = write_report(dataset, reason="empty_rationale")
    assert page.name == "report-empty_rationale.html"
    assert (sum(about(page)["rows"]), sum(about(page)["rejected"])) == (0, 2)
    with pytest.raises(
        InputError, match=r"nothing was left out as 'nope'. Reasons: empty_rationale, likelihood_low"
    ):
        write_report(dataset, reason="nope")


def test_a_sample_says_that_it_is_one(dataset: Path):
    page = write_report(dataset, most=5)
    told = about(page)
    assert 0 < sum(told["rows"]) + sum(told["rejected"]) < 10
    assert "A uniform sample" in page.read_text()


def test_a_folder_without_drawings_has_a_report(dataset: Path):
    manifest = as_running(dataset)
    shards = [shard.model_copy(update={"candidates": None}) for shard in manifest.shards]
    shutil.rmtree(dataset / "candidates")
    lines = [{"name": "tiny", "pipeline": manifest.pipeline}, *(s.model_dump(mode="json") for s in shards)]
    (dataset / LEDGER).write_text("".join(map(ledger_line, lines)))
    assert "Nothing was drawn." in write_report(dataset).read_text()


def test_report_of_a_folder_that_is_no_dataset_says_so(tmp_path: Path):
    with pytest.raises(OutputError, match="no run has written here"):
        write_report(tmp_path)
    with pytest.raises(OutputError, match="No such file"):
        write_report(tmp_path / "absent")


def test_report_of_a_folder_that_lost_its_record_says_how_to_recover(dataset: Path):
    (dataset / MANIFEST).unlink()
    with pytest.raises(OutputError, match="its record is lost. Run again, or `zero-engine recover"):
        write_report(dataset)


def test_a_damaged_file_is_one_line(dataset: Path):
    (dataset / "candidates/part-00000.arrow").write_bytes(b"damaged")
    with pytest.raises(OutputError, match="not those that were committed"):
        write_report(dataset)
