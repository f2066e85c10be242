"""Marks of pictures in odd places and numbers: none is left in a text, no picture is lost without a note."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.read.places import told, url
from tests.read.test_places import MORPH, ZEBRA, one, packed
from zero_engine.read import read_traces
from zero_engine.train.asking import questions_input

GIVEN = {"question": "q", "rationale": "One. Two.", "image": "a.png"}
BAGEL = {"image_list": ["a.png", "b.png"], "instruction_list": ["q"]}
CHAT = {
    "messages": [{"role": "user", "content": "<image>q"}, {"role": "assistant", "content": "<think>One.</think>4"}],
    "images": ["a.png"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("format", "record", "answer"),
    [
        ("generic", {**GIVEN, "response": "It is 4 <image>"}, "It is 4"),
        ("generic", {**GIVEN, "image": None, "rationale": "One <image>. Two.", "answer": "<image_1> 4"}, "4"),
        ("generic", {**GIVEN, "image": [], "rationale": "One <|image_pad|>. Two.", "answer": "4"}, "4"),
        ("generic", {"question": "q", "steps": ["One <image>.", "Two."], "step_images": [], "answer": "4"}, "4"),
        ("generic", {"question": "q", "rationale": "One. Two.", "answer": f"4 ![]({url('a')})"}, "4"),
        ("generic", {**GIVEN, "rationale": "![](a.png). Two.", "question": "![](a.png) <image>", "answer": "4"}, "4"),
        ("thinkmorph", {**MORPH, "answer": "<image>4"}, "4"),
        ("zebra_cot", {**ZEBRA, "Final Answer": f"4 ![]({url('d')})"}, "4"),
        ("bagel", {**BAGEL, "instruction_list": ["Make it <image> red"]}, None),
        ("bagel", {**BAGEL, "output_text_list": ["One.", "<answer>4 <image></answer>"]}, "4"),
        ("messages", {**CHAT, "answer": "4 <image>"}, "4"),
        ("messages", {**CHAT, "answer": "A", "choices": ["<image> 4", "5"]}, "A"),
        ("prompt_completion",
         {"prompt": "<image>q", "completion": "<think>One.</think>4", "answer": "<image>4"}, "4"),
    ],
)  # fmt: skip
def test_no_mark_is_left_in_a_step_an_option_or_an_answer(
    format: str, record: dict[str, Any], answer: str | None, tmp_path: Path
) -> None:
    found = one(tmp_path, record, format)
    trace = found.parsed.trace
    texts = " ".join([trace.question, *(step.text for step in found.parsed.steps), *trace.choices])
    assert not any(sign in texts for sign in ("<image", "<|image", "![](", "data:"))
    assert found.parsed.answer == answer
    (note,) = [one for one in found.notes if one.startswith("image_marks_dropped:")]
    assert int(note.partition(":")[2]) >= 1 and "answer_differs_from_gold" not in found.notes


@pytest.mark.parametrize("mark", ["<image></image>", "<image/>", "<image />", "<img></img>"])
def test_a_mark_that_is_closed_goes_as_a_whole(mark: str, tmp_path: Path) -> None:
    assert one(tmp_path, {**GIVEN, "question": f"See {mark} q"}, "generic").question == "See @a q"


@pytest.mark.parametrize(
    ("format", "record"),
    [
        ("generic", {**GIVEN, "question": f"<image> ![]({url('b')}) q", "image": packed("a")}),
        ("zebra_cot", {**ZEBRA, "Question": f"<image> ![]({url('b')}) q", "problem_image_1": packed("a")}),
        ("thinkmorph", {**MORPH, "question": f"<image> ![]({url('b')}) q", "problem_image_0": packed("a")}),
        ("bagel", {"image_list": [packed("a"), packed("c")], "instruction_list": [f"<image> ![]({url('b')}) q"],
                   "output_text_list": ["One."]}),
    ],
)  # fmt: skip
def test_a_question_may_hold_a_picture_beside_the_one_of_its_column(
    format: str, record: dict[str, Any], tmp_path: Path
) -> None:
    assert one(tmp_path, record, format).question == "@a @b q"


def test_a_held_picture_beside_one_without_a_mark_is_the_questions_too(tmp_path: Path) -> None:
    found = one(tmp_path, {**GIVEN, "question": f"See ![]({url('b')}) q"}, "generic")
    assert (found.question, found.unplaced) == ("See q", ["a", "b"])
    assert found.notes == ("image_placeholders:1_of_2",)


def test_our_own_marks_that_are_fewer_than_the_pictures_are_counted(tmp_path: Path) -> None:
    found = one(tmp_path, {**GIVEN, "question": "See \ufffc q", "image": ["a.png", "b.png"]}, "generic")
    assert found.unplaced == ["a", "b"] and found.notes == ("image_placeholders:1_of_2",)


def test_an_evaluation_asks_with_every_picture_of_a_question(tmp_path: Path) -> None:
    """The question stands in for a rationale; its marks must not take the other half of the pictures."""
    record = {"question": "<image>q", "answer": "4", "image": ["a.png", "b.png"]}
    assert told(tmp_path, {**record, "rationale": "One."}, "generic")  # writes the pictures
    path = tmp_path / "corpus.jsonl"
    path.write_text(json.dumps(record) + "\n")
    (trace,) = read_traces(questions_input(str(path), "generic", {}, None, True))
    assert (trace.question, len(trace.question_images), trace.given) == ("q", 2, ())
    assert trace.notes == ("image_placeholders:1_of_2",)
