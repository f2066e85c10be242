"""Every hard input of tests/data/nasty.jsonl, read from a file as a user would, against its own `expect`."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from zero_engine.errors import InputError
from zero_engine.parse import parse_trace, segment
from zero_engine.parse.graphemes import truncate
from zero_engine.pipeline import Input, Parse
from zero_engine.read import read_traces
from zero_engine.records import PICTURE, ParsedTrace, Rejection, Trace, Trajectory, Verdict
from zero_engine.render.prompts import compile_template
from zero_engine.write.shards import write_trajectories

NASTY = Path(__file__).resolve().parent / "data" / "nasty.jsonl"
CASES = {case["id"]: case for case in map(json.loads, NASTY.read_text(encoding="utf-8").splitlines())}
DUCKS = {"question": "How many ducks?", "rationale": "Two here.\nTwo there.", "answer": "2\n#### 4"}
Item = Trace | Rejection
Check = Callable[["Case"], None]


class Case:
    """One hard input, written to a file and read back."""

    def __init__(self, case: dict[str, Any], folder: Path) -> None:
        self.folder = folder
        self.record = case["record"]
        if "raw_b64" in case:
            import base64

            self.path = folder / case["file_name"]
            self.path.write_bytes(base64.b64decode(case["raw_b64"]))
        else:
            self.path = folder / "records.jsonl"
            self.write(*(self.record if isinstance(self.record, list) else [self.record]))

    def write(self, *records: dict[str, Any]) -> None:
        self.path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")

    def read(self, format: str = "gsm8k", **options: Any) -> list[Item]:
        return list(read_traces(Input(path=str(self.path), format=format, **options)))

    def traces(self, format: str = "gsm8k", **options: Any) -> list[Trace]:
        items = self.read(format, **options)
        assert all(isinstance(item, Trace) for item in items), items
        return [item for item in items if isinstance(item, Trace)]

    def trace(self, format: str = "gsm8k", **options: Any) -> Trace:
        (trace,) = self.traces(format, **options)
        return trace

    def parsed(self, format: str = "gsm8k", parse: Parse | None = None, **options: Any) -> ParsedTrace:
        parsed = parse_trace(self.trace(format, **options), parse or Parse())
        assert isinstance(parsed, ParsedTrace), parsed
        return parsed

    def steps(self, format: str = "gsm8k", parse: Parse | None = None, **options: Any) -> list[str]:
        return [step.text for step in self.parsed(format, parse, **options).steps]


def squeezed(text: str) -> str:
    return "".join(text.split())


def through_arrow(parsed: ParsedTrace, folder: Path) -> dict[str, Any]:
    """The row of the dataset that a parsed trace becomes, written to a shard and read back."""
    rows = [Trajectory(parsed, tuple(Verdict(step.index, "text_only", "not_drawn") for step in parsed.steps))]
    shard = folder / "data-00000.arrow"
    write_trajectories(shard, rows, pipeline="p", model=None)
    with pa.memory_map(str(shard)) as source:
        (row,) = pa.ipc.open_stream(source).read_all().to_pylist()
    return {**row, "steps": [step["text"] for step in row["steps"]]}


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(out, "PNG")
    return out.getvalue()


RESPONSE = {"rationale": "response"}
CHECKS: dict[str, Check] = {}


def check(case_id: str) -> Callable[[Check], Check]:
    def add(function: Check) -> Check:
        CHECKS[case_id] = function
        return function

    return add


@check("nasty-007")
def other_tags_by_name(case: Case) -> None:
    trace = case.trace("think", think_tags=("<Thought>", "</Thought>"))
    assert trace.rationale.startswith("ok, i need to determine") and "Thought>" not in trace.rationale
    assert trace.answer == "<Output>\nyes\n</Output>"
    assert case.trace("marco_o1").answer == "yes"
    assert "Kingdom.\\nIs the above" in trace.question  # a literal backslash-n is text: `\nu` is LaTeX


@check("nasty-008")
def both_blocks_in_order(case: Case) -> None:
    parsed = case.parsed("think")
    assert [step.text for step in parsed.steps] == ["17*3 = 51.", "Let me check.", "51/3 = 17, fine."]
    assert parsed.answer == "51" and "think_blocks:2" in parsed.notes


@check("nasty-009")
def tag_in_prose_restarts_nothing(case: Case) -> None:
    trace = case.trace("think")
    assert trace.rationale == "The user asks about the <think> tag. It marks hidden reasoning."
    assert trace.answer == "It marks reasoning."


@check("nasty-010")
def long_trace_is_capped_and_counted(case: Case) -> None:
    parsed, cap = case.parsed("generic"), Parse().max_steps
    assert len(parsed.trace.rationale) > 54_000 and len(parsed.steps) == cap
    total = len(segment(parsed.trace.rationale)[0])
    assert f"steps_capped:{total - cap}" in parsed.notes


@check("nasty-014")
def nbsp_stays(case: Case) -> None:
    trace = case.trace("generic", columns={"rationale": "ground_truth"})
    assert "cookies,\u00a0how many" in trace.question
    joined, _ = segment("Amir eats 5\u00a0cookies. Cody eats 15\u00a0cookies.")
    assert joined == ["Amir eats 5\u00a0cookies.", "Cody eats 15\u00a0cookies."]


@check("nasty-015")
def zero_width_space_stays_but_is_no_step(case: Case) -> None:
    steps = case.steps("generic", columns={"rationale": "ground_truth"})
    assert any("450 \u200bminutes" in step for step in steps)
    assert segment("one\n\u200b\ntwo")[0] == ["one", "two"]


@check("nasty-016")
def replacement_characters_stay(case: Case) -> None:
    trace = case.trace("marco_o1")
    assert trace.rationale.count("\ufffd") == case.record["response"].partition("</Thought>")[0].count(
        "\ufffd"
    )
    assert "\ufffd" in trace.rationale and not trace.notes


@check("nasty-017")
def nothing_is_normalised_and_no_grapheme_cut(case: Case) -> None:
    steps = case.steps("generic", columns=RESPONSE)
    assert squeezed("".join(steps)) == squeezed(case.record["response"])
    assert steps[-1] == "e\u0301 ≠ é"
    family = "👩\u200d👩\u200d👧"
    line = steps[1]
    assert family in line
    for limit in range(1, len(line)):
        cut = truncate(line, limit)
        assert cut.count("👩") in (0, 2) and not cut.endswith("\u200d") and len(cut) <= limit
    assert truncate("e\u0301 x", 1) == "e"  # a cluster longer than the cap can only be cut hard


@check("nasty-018")
def display_math_stays_whole(case: Case) -> None:
    for rule in ("auto", "lines", "sentences", "blank_lines"):
        steps = case.steps("math", Parse(rule=rule))
        assert sum("\\begin{align*}" in s and "\\end{align*}" in s for s in steps) == 1
        assert all(
            s.count("\\begin{") == s.count("\\end{") and s.count("\\[") == s.count("\\]") for s in steps
        )
        assert squeezed("".join(steps)) == squeezed(case.record["solution"])
    assert case.parsed("math").answer == "-5"
    with_blank = "We get\n\\begin{align*}\na &= b\n\nc &= d\n\\end{align*}\n\nSo done.\n\nFine."
    assert len(segment(with_blank)[0]) == 3


@check("nasty-019")
def drawing_code_is_one_unit_and_no_prose(case: Case) -> None:
    whole, _ = segment(case.record["solution"])
    assert sum("[asy]" in s and "[/asy]" in s for s in whole) == 1
    assert squeezed("".join(whole)) == squeezed(case.record["solution"])
    parsed = case.parsed("math")
    prompt = compile_template("step")
    prompts = [prompt(parsed, step).text for step in parsed.steps]
    assert not any("[asy]" in text or "draw(" in text for text in prompts) and all(prompts)
    assert parsed.answer == "8"


@check("nasty-021")
def decimals_and_abbreviations(case: Case) -> None:
    assert case.steps("generic", columns=RESPONSE) == [
        "Each costs $3.50, i.e. 7 for 2.",
        "Dr. Smith pays approx. 3.5 x 4 = 14.0 dollars.",
        "So 14.",
    ]


@check("nasty-022")
def open_code_fence_is_one_unit(case: Case) -> None:
    options = {"columns": {"question": "title", **RESPONSE}}
    steps, _ = segment(case.trace("generic", **options).rationale)
    assert steps[0].startswith("# Distributed Task Processor")
    fenced = [step for step in steps if "```" in step]
    assert len(fenced) == 1 and fenced[0].startswith("```python") and "class TaskStatus" in fenced[0]
    assert steps[-1] == fenced[0]


@check("nasty-027")
def list_of_responses_is_said(case: Case) -> None:
    responses = case.record["responses"]
    parsed = responses if isinstance(responses, list) else json.loads(responses)
    traces = case.traces("magpie")
    assert [trace.rationale for trace in traces] == parsed
    assert len({trace.id for trace in traces}) == len(parsed) and traces[0].id.endswith("-t0")
    case.write({**case.record, "responses": json.dumps(parsed)})
    traces = case.traces("magpie")
    assert len(traces) == len(parsed) and all("list_from_string" in trace.notes for trace in traces)


@check("nasty-028")
def step_in_prose_is_a_reference(case: Case) -> None:
    parsed = case.parsed("aqua")
    assert parsed.rule == "lines" and parsed.answer == "E"
    assert [step.text[:12] for step in parsed.steps] == [
        "Imagine star",
        "In step 1, 1",
        "Finally, 10%",
        "This equals ",
    ]


@check("nasty-033")
def numbering_that_restarts(case: Case) -> None:
    steps = case.steps("generic", columns=RESPONSE)
    assert len(steps) in (5, 6)
    assert squeezed("".join(steps)) == squeezed(case.record["response"])
    assert [s for s in steps if s.startswith("Step 1")][1] == "Step 1: a = 4"


@check("nasty-034")
def marker_variants(case: Case) -> None:
    parsed = case.parsed("generic", columns=RESPONSE)
    assert parsed.rule == "markers" and len(parsed.steps) == 6
    assert parsed.steps[4].text == "THOUGHT 5: v=5" and parsed.steps[5].text == "6) u=6"


@check("nasty-035")
def calculator_notes(case: Case) -> None:
    parsed = case.parsed()
    assert [step.text for step in parsed.steps] == [
        "Janet sells 16 - 3 - 4 = 9 duck eggs a day.",
        "She makes 9 * 2 = $18 every day at the farmer’s market.",
    ]
    assert parsed.answer == "18"
    assert "<<16-3-4=9>>" in case.steps(parse=Parse(calculator_notes="keep"))[0]


@check("nasty-036")
def socratic_lines(case: Case) -> None:
    parsed = case.parsed()
    assert [step.text[:11] for step in parsed.steps] == ["Janet sells", "She makes 9"]
    assert parsed.answer == "18" and "How many eggs does Janet sell?" in parsed.trace.rationale


@check("nasty-037")
def blank_line_is_no_step(case: Case) -> None:
    steps = case.steps()
    assert len(steps) == 5 and all(steps)


@check("nasty-039")
def typed_content(case: Case) -> None:
    trace = case.trace("messages")
    assert trace.question == "What are the schools near latitude 40 and longitude -75?"
    assert trace.rationale.startswith("Okay, the user is asking")
    assert trace.answer and trace.answer.startswith("I'm sorry, but the available tools")
    case.write({"messages": case.record["messages"] + case.record["messages"][1:]})
    first, second = case.traces("messages")
    assert first.rationale == second.rationale and first.id != second.id


@check("nasty-040")
def think_tags_in_chat(case: Case) -> None:
    parsed = case.parsed("messages")
    assert (parsed.trace.question, parsed.trace.rationale, parsed.answer) == ("What is 2+3?", "2+3 = 5.", "5")


@check("nasty-041")
def reasoning_content(case: Case) -> None:
    parsed = case.parsed("messages")
    assert (parsed.trace.question, parsed.trace.rationale, parsed.answer) == ("What is 2+3?", "2+3 = 5.", "5")


@check("nasty-042")
def image_placeholders(case: Case) -> None:
    (rejection,) = case.read("messages")  # without its pictures the chat means nothing
    assert isinstance(rejection, Rejection) and rejection.reason == "image_missing"
    for turn in case.record["messages"]:
        if turn["role"] == "assistant":
            turn["reasoning_content"] = "Look at the shirts."
    case.write(case.record)
    (case.folder / "mllm_demo_data").mkdir()
    (case.folder / "mllm_demo_data" / "1.jpg").write_bytes(png())
    kept = case.traces("messages")
    assert [len(trace.question_images) for trace in kept] == [1, 1]
    assert kept[0].question == f"{PICTURE}Who are they?" and kept[0].question_images[0] == png()
    dropped = case.traces("messages", question_images="drop")
    assert [trace.question for trace in dropped] == ["Who are they?", "What are they doing?"]
    assert not any(trace.question_images for trace in dropped)


@check("nasty-043")
def zebra_record(case: Case) -> None:
    (case.folder / "a.png").write_bytes(png())
    parsed = case.parsed("zebra_cot")
    assert (
        parsed.trace.question == f"How many red balls remain? {PICTURE}"
        and parsed.trace.question_images == (png(),)
    )
    assert [step.text for step in parsed.steps] == ["THOUGHT 0: Count the balls.", "THOUGHT 1: Two are red."]
    assert parsed.answer == "2" and parsed.rule == "markers"
    assert "image_missing:reasoning_image_1" in parsed.notes


@check("nasty-046")
def equal_lines_have_ids_of_their_own(case: Case) -> None:
    traces = case.traces()
    assert len(traces) == len(case.record) and len({trace.id for trace in traces}) == len(traces)


@check("nasty-048")
def no_answer_line(case: Case) -> None:
    parsed = case.parsed()
    assert parsed.answer is None
    assert [step.text for step in parsed.steps] == ["Only reasoning here.", "No hash line"]


@check("nasty-049")
def missing_question(case: Case) -> None:
    case.write(DUCKS, case.record)
    _, rejection = case.read("generic")
    assert isinstance(rejection, Rejection) and rejection.reason == "missing_column"
    assert "'question'" in rejection.detail and rejection.record == case.record


@check("nasty-050")
def wrong_types(case: Case) -> None:
    case.write(DUCKS, case.record, DUCKS)
    first, rejection, last = case.read("gsm8k")
    assert isinstance(first, Trace) and isinstance(last, Trace)
    assert isinstance(rejection, Rejection) and rejection.reason == "wrong_type"
    assert f"{case.path}:2" in rejection.detail


@check("nasty-051")
def null_fields(case: Case) -> None:
    (rejection,) = case.read("gsm8k")
    assert isinstance(rejection, Rejection) and rejection.reason == "missing_value"


def two_records(case: Case) -> None:
    first, second = case.traces()
    assert first.question.startswith("Janet’s ducks lay") and first.answer == "18"
    assert second.question.startswith("A robe takes") and second.answer == "3"
    assert second.rationale.endswith("=3>>3 bolts of fabric")


for number in (
    "054",
    "055",
    "056",
    "057",
    "060",
    "061",
    "065",
):  # BOM, CRLF, no last newline, gzip, zstd, array
    CHECKS[f"nasty-{number}"] = two_records


@check("nasty-058")
def broken_line(case: Case) -> None:
    first, rejection, last = case.read()
    assert isinstance(first, Trace) and isinstance(last, Trace) and isinstance(rejection, Rejection)
    assert rejection.reason == "invalid_json" and f"{case.path}:2" in rejection.detail
    with pytest.raises(InputError, match="bad.jsonl:2"):
        case.read(strict=True)


@check("nasty-059")
def invalid_utf8(case: Case) -> None:
    first, rejection, last = case.read()
    assert isinstance(first, Trace) and isinstance(last, Trace) and isinstance(rejection, Rejection)
    assert rejection.reason == "invalid_utf8" and "0xe9" in rejection.detail and ":2:" in rejection.detail


@check("nasty-062")
def cut_gzip(case: Case) -> None:
    with pytest.raises(InputError, match="cut.jsonl.gz: the gzip data is cut or damaged"):
        case.read()


@check("nasty-063")
def gzip_under_another_name(case: Case) -> None:
    traces = case.traces()
    assert traces and traces[0].question.startswith(("Janet", "A robe"))


@check("nasty-064")
def empty_file(case: Case) -> None:
    with pytest.raises(InputError, match="no records in .*empty.jsonl"):
        case.read()


@check("nasty-066")
def nul_character(case: Case) -> None:
    parsed = case.parsed()
    assert parsed.trace.question == "q\0x" and parsed.steps[0].text == "a\0b"
    assert through_arrow(parsed, case.folder)["steps"] == ["a\0b"]


@check("nasty-067")
def lone_surrogate(case: Case) -> None:
    parsed = case.parsed()
    assert parsed.steps[0].text == "bad \ufffd end" and "surrogate_replaced" in parsed.notes
    assert through_arrow(parsed, case.folder)["steps"] == ["bad \ufffd end"]
    json.dumps(parsed.trace.record, ensure_ascii=False).encode()


@check("nasty-068")
def nan_and_infinity(case: Case) -> None:
    parsed = case.parsed()
    assert parsed.answer == "1" and "nonfinite_replaced" in parsed.notes
    json.dumps(parsed.trace.record, allow_nan=False)
    assert through_arrow(parsed, case.folder)["answer"] == "1"


@check("nasty-069")
def last_of_equal_keys(case: Case) -> None:
    assert case.trace().question == "b"


@check("nasty-070")
def unicode_line_ends_are_text(case: Case) -> None:
    assert case.parsed().answer == "4"
    assert case.steps(parse=Parse(rule="lines")) == ["line one\u2028line two\u0085line three\u000bline four"]


@check("nasty-071")
def path_like_id(case: Case) -> None:
    parsed = case.parsed()
    assert parsed.trace.id == "../../etc/x" and through_arrow(parsed, case.folder)["id"] == "../../etc/x"


@check("nasty-072")
def one_long_line(case: Case) -> None:
    parsed = case.parsed()
    assert len(parsed.steps) == 1 and len(parsed.steps[0].text) == 2000
    assert "step_truncated:1" in parsed.notes


@check("nasty-073")
def only_an_answer(case: Case) -> None:
    parsed = case.parsed()
    assert parsed.steps == () and parsed.answer == "7" and "no_steps" in parsed.notes


@check("nasty-074")
def markup_of_our_own(case: Case) -> None:
    parsed = case.parsed()
    text = "".join(step.text for step in parsed.steps)
    assert squeezed(text) == squeezed(case.record["answer"].rpartition("####")[0])
    row = through_arrow(parsed, case.folder)
    assert row["steps"] == [step.text for step in parsed.steps]
    drawn = compile_template("step")(parsed, parsed.steps[0]).text
    assert "</think>" not in drawn and "<image_start>" not in drawn  # no token's name reaches the tokenizer


def test_every_case_has_a_check_of_its_own() -> None:
    assert set(CHECKS) == set(CASES)


@pytest.mark.parametrize("case_id", sorted(CHECKS))
def test_nasty_input_meets_what_is_expected(case_id: str, tmp_path: Path) -> None:
    CHECKS[case_id](Case(CASES[case_id], tmp_path))
