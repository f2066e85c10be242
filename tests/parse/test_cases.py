"""Inputs that failed once, read from their files, and what is right for each."""

import json
from pathlib import Path

import pytest

from zero_engine.parse import parse_trace
from zero_engine.pipeline import Input, Parse
from zero_engine.read import read_traces
from zero_engine.records import ParsedTrace, Trace

CASES = Path(__file__).parent.parent / "data" / "cases"


def parsed(name: str, format: str = "generic", **columns: str) -> list[ParsedTrace]:
    spec = Input(path=str(CASES / name), format=format, columns=columns)
    found = [parse_trace(item, Parse()) if isinstance(item, Trace) else item for item in read_traces(spec)]
    assert all(isinstance(item, ParsedTrace) for item in found), found
    return [item for item in found if isinstance(item, ParsedTrace)]


def steps(name: str) -> list[list[str]]:
    return [[step.text for step in trace.steps] for trace in parsed(name)]


def test_no_cut_inside_an_equation_with_units() -> None:
    first, second = steps("parse/unit_before_equals.jsonl")
    assert first[1:] == ["So it is 120."] and first[0].endswith("= 100 feet + 20 feet = 120 feet.")
    assert second == ["Perimeter = 2 * (9 ft + 40 ft) = 98 feet.", "It is 98 feet."]


def test_lists_inside_paragraphs_do_not_rule_the_text() -> None:
    (found,) = steps("parse/nested_markers.jsonl")
    (record,) = map(json.loads, (CASES / "parse/nested_markers.jsonl").read_text().splitlines())
    assert found == record["rationale"].split("\n\n") and len(found) == 5


def test_inner_numbers_are_no_steps() -> None:
    (found,) = steps("read/nested_list.jsonl")
    assert [step.split("\n")[0] for step in found] == ["1. Area:", "2. Perimeter:", "3. Compare."]


def test_the_answer_stands_in_its_tag() -> None:
    (found,) = parsed("read/answer_tag.jsonl", "think")
    assert found.answer == "7"


def test_a_colon_is_no_answer() -> None:
    (found,) = parsed("read/answer_is_colon.jsonl")
    assert found.answer == "7"


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("hashes_spaces", "gsm8k"),
        ("hashes_spaces", "generic"),
        ("so_spaces", "generic"),
        ("step_digits", "gsm8k"),
        ("surrogate_in_string_list", "magpie"),
    ],
)
def test_hostile_texts_are_parsed(name: str, format: str) -> None:
    path = CASES / "hostile" / f"{name}.jsonl"
    if format == "gsm8k" and "rationale" in path.read_text():
        records = [json.loads(line) for line in path.read_text().splitlines()]
        traces = [{**record, "answer": record["rationale"]} for record in records]
        found = [parse_trace(trace, Parse()) for trace in map(_as_trace, traces)]
    else:
        items = list(read_traces(Input(path=str(path), format=format)))
        found = [parse_trace(item, Parse()) for item in items if isinstance(item, Trace)]
    assert found and all(isinstance(item, ParsedTrace) for item in found)
    for item in found:
        assert isinstance(item, ParsedTrace)
        "".join([item.trace.question, item.answer or "", *(step.text for step in item.steps)]).encode()


def _as_trace(record: dict[str, str]) -> Trace:
    from zero_engine.records import Source

    return Trace("a", record["question"], record["answer"], None, Source("s", "p", 0))
