"""The page about drawings: complete, self-contained, and safe against what the data holds."""

import re
from pathlib import Path

import pytest

from tests.report.conftest import STEPS, candidate, drawings, letters_of, parsed_trace, png, trajectory
from tests.report.outline import Outline
from zero_engine.errors import OutputError
from zero_engine.records import Rejection
from zero_engine.report.page import Table, _cell, page_trace, write_page
from zero_engine.report.pictures import shown_picture


def write(path: Path, traces: list, **changes) -> str:
    fields = {"title": "gsm8k", "subtitle": "preview", "facts": [("pictures", "6")], "tables": []} | changes
    write_page(path, traces=traces, **fields)
    return path.read_text(encoding="utf-8")


def preview_of(trace_id: str = "gsm8k-0") -> list:
    return [
        page_trace(parsed_trace(trace_id), drawings(trace_id), trajectory(trace_id), letters_of(trace_id))
    ]


def test_every_candidate_is_shown_with_its_scores_and_verdict(tmp_path: Path):
    page = write(tmp_path / "preview.html", preview_of())
    assert page.count("<img ") == 6
    assert page.count('<span class="badge kept">kept</span>') == 2  # the step's verdict, and its drawing
    assert page.count("likelihood_low: -0.7 &lt; -0.3") == 3
    assert "my plugin" in page and ">1.5</td>" in page
    assert all(text in page for text in STEPS)
    assert "Drawn from: prompt of 1" in page


def test_page_is_well_formed_and_requests_nothing(tmp_path: Path):
    outline = Outline(write(tmp_path / "preview.html", preview_of()))
    assert outline.open == [] and outline.unbalanced == []
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in outline.sources)
    assert not {"script", "link", "iframe", "object"} & set(outline.tags)


def test_markup_in_the_data_is_shown_as_text(tmp_path: Path):
    attack = '</p><script>alert(1)</script><img src=x onerror="alert(2)">{{ 7 * 7 }}'
    parsed = parsed_trace(attack, steps=(attack,), question=attack)
    outcome = Rejection(attack, attack, attack, attack)
    page = write(
        tmp_path / "page.html",
        [page_trace(parsed, [candidate(attack, 0, 0)], outcome, [])],
        title=attack,
        subtitle=attack,
        facts=[(attack, attack)],
        tables=[Table(attack, [attack], [(attack,)], attack)],
    )
    outline = Outline(page)
    assert "script" not in outline.tags and outline.open == []
    assert outline.tags.count("img") == 1
    assert "".join(outline.text).count(attack) >= 10


def test_text_that_utf8_cannot_hold_does_not_stop_the_page(tmp_path: Path):
    parsed = parsed_trace("odd \udc80", steps=("\u202ertl \ud800 \0 4 < 5",))
    assert "4 &lt; 5" in write(
        tmp_path / "page.html", [page_trace(parsed, [], Rejection("odd", "parse", "x"), [])]
    )


def test_rejected_trace_says_why_and_its_steps_are_dropped(tmp_path: Path):
    outcome = Rejection("gsm8k-0", "gate", "too_few_pictures", "0 pictures kept, gate.min_pictures is 1")
    shown = page_trace(parsed_trace("gsm8k-0"), drawings("gsm8k-0"), outcome, letters_of("gsm8k-0"))
    assert shown.rejection == "gate: too_few_pictures: 0 pictures kept, gate.min_pictures is 1"
    assert [step.verdict for step in shown.steps] == ["dropped", "dropped"]
    assert not any(c.kept for step in shown.steps for c in step.candidates)
    assert shown.steps[1].reason == "likelihood_low: no drawing passed"


def test_small_pictures_are_doubled_with_hard_edges_and_large_ones_become_thumbnails():
    small, large = shown_picture(png(3, 64)), shown_picture(png(3, 512))
    assert (small.width, small.height, small.hard_edges) == (128, 128, True)
    assert (large.width, large.height, large.hard_edges) == (192, 192, False)
    assert large.source.startswith("data:image/webp;base64,")


def test_unreadable_picture_still_has_a_place():
    assert shown_picture(b"not a picture").width > 0


def test_page_works_in_light_and_dark_and_from_the_keyboard(tmp_path: Path):
    page = write(tmp_path / "preview.html", preview_of())
    assert "prefers-color-scheme: dark" in page
    assert len(re.findall(r'class="scroll" tabindex="0" role="region" aria-label="[^"]+"', page)) == 2
    assert all('alt="' in image for image in re.findall(r"<img [^>]*>", page))


def test_page_for_a_missing_folder_is_an_error_of_one_line(tmp_path: Path):
    with pytest.raises(OutputError, match="no such folder"):
        write(tmp_path / "absent" / "page.html", [])


def test_a_small_score_keeps_its_digits():
    assert [_cell(value) for value in (-0.0003261, 1.5, 12345.6)] == ["-0.0003261", "1.5", "12,346"]
