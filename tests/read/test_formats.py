"""Column maps: what each corpus's record becomes, on its own shape of record."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zero_engine.images import encode_image
from zero_engine.pipeline import Input
from zero_engine.read import FORMATS, read_traces
from zero_engine.records import Rejection, Trace

PICTURE = encode_image(np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8))


def read(folder: Path, record: dict[str, Any], format: str, **options: Any) -> list[Trace | Rejection]:
    path = folder / "corpus.jsonl"
    path.write_text(json.dumps(record) + "\n")
    return list(read_traces(Input(path=str(path), format=format, **options)))


def trace(folder: Path, record: dict[str, Any], format: str, **options: Any) -> Trace:
    (item,) = read(folder, record, format, **options)
    assert isinstance(item, Trace), item
    return item


def test_generic_follows_the_users_map_into_nested_fields(tmp_path: Path) -> None:
    record = {
        "meta": {"key": 12},
        "turns": [{"text": "Why?"}, {"text": "Because.\nSo."}],
        "final.answer": 3.5,
        "options": '["a", "b"]',
    }
    columns = {
        "id": "meta.key",
        "question": "turns.0.text",
        "rationale": "turns.1.text",
        "answer": "final.answer",
        "choices": "options",
    }
    found = trace(tmp_path, record, "generic", columns=columns, name="mine", license="CC0")
    assert (found.id, found.question, found.rationale) == ("12", "Why?", "Because.\nSo.")
    assert (found.answer, found.choices) == ("3.5", ("a", "b"))
    assert (found.source.name, found.source.row, found.source.license) == ("mine", 0, "CC0")


def test_generic_takes_steps_that_the_corpus_marks(tmp_path: Path) -> None:
    found = trace(tmp_path, {"question": "q", "steps": ["one", "two\nthree"]}, "generic")
    assert found.steps == ("one", "two\nthree") and found.rationale == "one\ntwo\nthree"
    (bad,) = read(tmp_path, {"question": "q", "steps": "not a list"}, "generic")
    assert isinstance(bad, Rejection) and bad.reason == "wrong_type"


def test_a_named_format_can_be_renamed(tmp_path: Path) -> None:
    record = {"prompt": "q", "meta": {"text": "Add.\n#### 4"}}
    found = trace(tmp_path, record, "gsm8k", columns={"question": "prompt", "answer": "meta.text"})
    assert (found.question, found.rationale, found.answer) == ("q", "Add.", "4")


def test_gsm8k_bold_text_is_not_socratic(tmp_path: Path) -> None:
    found = trace(tmp_path, {"question": "q", "answer": "2 ** 3 = 8\nSo 8.\n#### 8"}, "gsm8k")
    assert found.steps is None and found.rationale == "2 ** 3 = 8\nSo 8."


def test_m3cot_keeps_choices_letter_context_and_picture(tmp_path: Path) -> None:
    record = {
        "id": "physical-1",
        "question": "Which is opaque?",
        "choices": ["glass", "wood"],
        "context": "Look at the objects.",
        "answer": "B",
        "rationale": "Glass lets light through. Wood does not.",
        "image": {"bytes": base64.b64encode(PICTURE).decode(), "path": None},
        "split": "train",
    }
    found = trace(tmp_path, record, "m3cot")
    assert found.question == "Look at the objects.\nWhich is opaque?"
    assert (found.id, found.answer, found.choices) == ("physical-1", "B", ("glass", "wood"))
    assert found.question_images == (PICTURE,)
    assert trace(tmp_path, {**record, "image": None, "context": ""}, "m3cot").question == "Which is opaque?"


@pytest.mark.parametrize(
    "image",
    [
        base64.b64encode(PICTURE).decode(),
        "data:image/png;base64," + base64.b64encode(PICTURE).decode(),
        "pictures/one.png",
        {"bytes": None, "path": "pictures/one.png"},
        ["pictures/one.png"],
    ],
)
def test_a_picture_may_be_text_of_many_kinds(image: object, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "one.png").write_bytes(PICTURE)
    record = {"question": "q", "rationale": "r", "image": image}
    assert trace(tmp_path, record, "generic").question_images == (PICTURE,)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("none.png", "image_missing"),
        ({"path": None}, "image_missing"),
        ("not base64!", "image_missing"),
        (base64.b64encode(b"plain text").decode(), "not_a_picture"),
        (7, "wrong_type"),
    ],
)
def test_a_question_without_its_picture_is_rejected_unless_pictures_are_dropped(
    image: object, reason: str, tmp_path: Path
) -> None:
    record = {"question": "What is <image> this?", "rationale": "r", "image": image}
    (rejection,) = read(tmp_path, record, "generic")
    assert isinstance(rejection, Rejection) and rejection.reason == reason
    assert trace(tmp_path, record, "generic", question_images="drop").question == "What is this?"


def test_aqua_drops_the_answer_line_and_the_option_letters(tmp_path: Path) -> None:
    record = {"question": "q", "options": ["A)5", "B)$6"], "rationale": "x = 5\nAnswer : A", "correct": "A"}
    found = trace(tmp_path, record, "aqua")
    assert (found.rationale, found.answer, found.choices) == ("x = 5", "A", ("5", "$6"))
    assert trace(tmp_path, {**record, "options": ["5", "A 6"]}, "aqua").choices == ("5", "A 6")


def test_strategyqa_facts_are_steps_and_truth_is_yes_or_no(tmp_path: Path) -> None:
    found = trace(
        tmp_path, {"qid": "a1", "question": "q?", "answer": False, "facts": ["one", "two"]}, "strategyqa"
    )
    assert (found.id, found.steps, found.answer) == ("a1", ("one", "two"), "no")


def test_prm800k_makes_a_trace_of_each_solution_and_books_the_rest(tmp_path: Path) -> None:
    solution = {
        "instruction": "q",
        "responses": ["a", "b"],
        "next_response": "c",
        "answer": "3",
        "is_solution": True,
    }
    found = trace(tmp_path, solution, "prm800k")
    assert found.steps == ("a", "b", "c") and found.answer == "3"
    (rejection,) = read(tmp_path, {**solution, "is_solution": False}, "prm800k", strict=True)
    assert isinstance(rejection, Rejection) and rejection.reason == "candidate_step"


def test_math_leaves_the_boxed_answer_to_the_parser(tmp_path: Path) -> None:
    found = trace(tmp_path, {"problem": "p", "solution": "So $\\boxed{4}$.", "level": "1"}, "math")
    assert (found.question, found.rationale, found.answer) == ("p", "So $\\boxed{4}$.", None)


def test_zeroeval_unpacks_fenced_json_and_notes_wrong_answers(tmp_path: Path) -> None:
    fenced = '```json\n{\n "reasoning": "One.\nTwo.", "answer": 5\n}\n```'
    record = {"id": "z#1", "question": "q", "output": [fenced, "no json"], "answer": "# 6"}
    first, second = read(tmp_path, record, "zeroeval")
    assert isinstance(first, Trace) and isinstance(second, Trace)
    assert (first.id, first.rationale, first.answer) == ("z#1-t0", "One.\nTwo.", "6")  # gold wins
    assert first.notes == ("answer_differs_from_gold",)
    assert second.rationale == "no json" and second.notes == ("output_not_json",)


def chat(*turns: tuple[str, object], **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns], **more}


def test_messages_make_a_trace_of_each_turn_that_reasons(tmp_path: Path) -> None:
    record = chat(
        ("system", "Be brief."),
        ("user", "first?"),
        ("assistant", "<think>a</think>b"),
        ("user", "hello"),
        ("assistant", "hi"),
        ("user", "second?"),
        ("assistant", [{"type": "thinking", "thinking": "c"}, {"type": "text", "text": "d"}]),
        ("tool", "result"),
        ("assistant", [{"type": "reasoning", "value": "e"}, {"type": "text", "value": "f"}]),
        id="chat-1",
    )
    found = [item for item in read(tmp_path, record, "messages") if isinstance(item, Trace)]
    assert [(t.id, t.question, t.rationale, t.answer) for t in found] == [
        ("chat-1-t0", "first?", "a", "b"),
        ("chat-1-t1", "second?", "c", "d"),
        ("chat-1-t2", "second?", "e", "f"),
    ]
    assert all("turns_without_reasoning:1" in t.notes for t in found)


def test_messages_in_sharegpt_form_and_as_a_string(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "<think>a</think>b"}]
    assert trace(tmp_path, {"conversations": turns}, "messages").rationale == "a"
    assert trace(tmp_path, {"messages": json.dumps(turns)}, "messages").answer == "b"


def test_messages_take_pictures_from_content_and_from_the_images_column(tmp_path: Path) -> None:
    url = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
    content = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": url}}]
    record = chat(("user", content), ("assistant", "<think>a</think>b"))
    assert trace(tmp_path, record, "messages").question_images == (PICTURE,)
    (tmp_path / "one.png").write_bytes(PICTURE)
    (tmp_path / "one.png").write_bytes(PICTURE)
    record = chat(("user", "no mark"), ("assistant", "<think>a</think>b"), images=["one.png"])
    found = trace(tmp_path, record, "messages")
    assert found.question == "no mark" and found.question_images == (PICTURE,)
    assert found.notes == ("image_placeholders:0_of_1",)


@pytest.mark.parametrize("messages", ["text", 5, [1], [{"role": "user", "content": 5}]])
def test_messages_of_wrong_type_are_rejected(messages: object, tmp_path: Path) -> None:
    (rejection,) = read(tmp_path, {"messages": messages}, "messages")
    assert isinstance(rejection, Rejection) and rejection.reason == "wrong_type"


@pytest.mark.parametrize(
    ("file", "format", "traces", "rejections"),
    [
        ("gsm8k_test.jsonl", "gsm8k", 20, 0),
        ("gsm8k_test_socratic_first660.jsonl", "gsm8k", 20, 0),
        ("aqua_test.jsonl", "aqua", 20, 0),
        ("strategyqa_dev.jsonl", "strategyqa", 20, 0),
        ("math_solutions_test_first800.jsonl", "math", 20, 0),
        ("prm800k_stepwise_critic_first1200.jsonl", "prm800k", 1, 19),
        ("marco_o1_CoT_demo.jsonl", "marco_o1", 20, 0),
        ("llamafactory_messages_reason_tool_use.jsonl", "messages", 55, 0),
        ("llamafactory_messages_v1_sft.jsonl", "messages", 20, 0),
        ("zeroeval_gsm_Qwen2-7B-Instruct.jsonl", "zeroeval", 20, 0),
        ("magpie_example_instructions_5res.jsonl", "magpie", 15, 0),
    ],
)
def test_real_corpora_read_whole(file: str, format: str, traces: int, rejections: int, data: Path) -> None:
    items = list(read_traces(Input(path=str(data / "corpora" / file), format=format)))
    found = [item for item in items if isinstance(item, Trace)]
    assert (len(found), len(items) - len(found)) == (traces, rejections)
    assert len({t.id for t in found}) == traces
    assert all(t.question.strip() and t.rationale.strip() for t in found)


def test_every_format_says_what_it_is() -> None:
    assert all(entry.summary and entry.fields and entry.read.__doc__ for entry in FORMATS.values())
