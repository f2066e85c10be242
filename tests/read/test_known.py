"""Every public corpus of docs/formats.md: its record by the documented lines, and by what `init` guesses alone."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from zero_engine.parse import parse_trace
from zero_engine.pipeline import Input, Parse
from zero_engine.read import read_traces
from zero_engine.read.known import KNOWN, Known
from zero_engine.read.known_page import formats_page, input_lines
from zero_engine.read.proposal import propose
from zero_engine.records import ParsedTrace, Rejection

ROOT = Path(__file__).resolve().parent.parent.parent
RECORDS = ROOT / "tests" / "data" / "formats"
EXPECTED: dict[str, list[dict[str, Any]]] = json.loads((RECORDS / "expected.json").read_text())
LEFT_OUT = {"openr1_math_220k": 1, "math_shepherd": 1}
"""Traces that the documented `where` leaves out."""


def said(spec: Input) -> list[dict[str, Any]]:
    found = []
    for item in read_traces(spec):
        parsed = item if isinstance(item, Rejection) else parse_trace(item, Parse())
        if isinstance(parsed, Rejection):
            assert parsed.reason == "where_false", parsed
            continue
        assert isinstance(parsed, ParsedTrace)
        steps = [step.text for step in parsed.steps]
        found.append({"question": parsed.trace.question, "steps": steps, "answer": parsed.answer})
    return found


@pytest.mark.parametrize("known", KNOWN, ids=[known.name for known in KNOWN])
def test_the_documented_lines_read_the_corpus(known: Known) -> None:
    section = yaml.safe_load("\n".join(input_lines(known)))["input"]
    section["path"] = str(RECORDS / f"{known.name}.jsonl")
    section.pop("split", None), section.pop("config", None)  # one file has neither
    want = EXPECTED[known.name]
    assert said(Input(**section)) == want[: len(want) - LEFT_OUT.get(known.name, 0)]


@pytest.mark.parametrize("known", KNOWN, ids=[known.name for known in KNOWN])
def test_init_guesses_it_without_a_word(known: Known) -> None:
    proposal = propose(Input(path=str(RECORDS / f"{known.name}.jsonl")))
    assert said(proposal.spec) == EXPECTED[known.name], proposal.guess
    assert proposal.parsed is not None and proposal.problem is None


def test_the_page_is_the_codes() -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert page == formats_page(), "python -m zero_engine.read.known_page docs/formats.md"


def test_every_known_corpus_has_its_record() -> None:
    assert {known.name for known in KNOWN} == {path.stem for path in RECORDS.glob("*.jsonl")} == set(EXPECTED)
