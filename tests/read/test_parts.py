"""Pictures in every shape that a part, a column or a text may have them in."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.read.places import Told, from_file, packed, picture, told, url
from zero_engine.records import Rejection

TEXT = {"type": "text", "text": "One."}
GEMINI = {"inlineData": {"mimeType": "image/png", "data": packed("b")["bytes"]}}


def one(folder: Path, record: dict[str, Any], format: str) -> Told:
    (found,) = told(folder, record, format)
    assert isinstance(found, Told), found
    return found


@pytest.mark.parametrize(
    "turn",
    [
        {"parts": [{"text": "One.", "thought": True}, GEMINI, {"text": "Two.", "thought": True}, {"text": "4"}]},
        {"content": "4", "reasoning_content": [TEXT, {"type": "image", "image": packed("b")}, "Two."]},
        {"content": [{"type": "reasoning", "content": [TEXT, {"image": url("b")}, "Two."]}, {"text": "4"}]},
        {"content": [{"type": "thinking", "thinking": [TEXT, {"type": "image", "bytes": packed("b")["bytes"]}, "Two."]},
                     {"type": "text", "text": "4"}]},
        {"content": f"<think>One. ![x]({url('b')})\n\nTwo.</think>4"},
        {"content": f"<think>One. <img width=3 src='{url('b')}'/>\n\nTwo.</think>4"},
    ],
    ids=["gemini", "parts in a field", "parts in a part", "bytes in a part", "markdown", "html"],
)  # fmt: skip
def test_a_picture_of_a_thought_is_its_steps_however_it_is_packed(
    turn: dict[str, Any], tmp_path: Path
) -> None:
    found = one(
        tmp_path, {"messages": [{"role": "user", "content": "q"}, {"role": "model", **turn}]}, "messages"
    )
    assert found.steps == [("One.", "b"), ("Two.", None)]
    assert (found.parsed.answer, found.notes) == ("4", ())


@pytest.mark.parametrize(
    ("content", "more"),
    [
        ([{"image": url("a")}, {"text": "q"}], {}),
        ([[{"type": "image", "image": packed("a")}, {"type": "text", "text": "q"}]], {}),
        ("<image_1>\nq", {"image_1": "a.png", "image_2": None}),
        ("<image>\nq", {"images": [["a.png"]]}),
        ("<image>\nq", {"images": "['a.png']"}),
        (
            "<img src='images/a.png'>\nq",
            {"images": [{"path": "images/a.png", "bytes": packed("a")["bytes"]}]},
        ),
    ],
)
def test_a_question_of_a_chat_shows_its_picture_however_it_is_packed(
    content: object, more: dict, tmp_path: Path
) -> None:
    turns = [{"role": "user", "content": content}, {"role": "assistant", "content": "<think>One.</think>4"}]
    found = one(tmp_path, {"messages": turns, **more}, "messages")
    assert (found.question.split(), found.notes) == (["@a", "q"], ()) or found.question == "@aq"


def test_a_part_that_is_neither_text_nor_picture_is_noted(tmp_path: Path) -> None:
    asked = {"role": "user", "content": [{"type": "video", "video": "x.mp4"}, {"type": "text", "text": "q"}]}
    found = one(
        tmp_path, {"messages": [asked, {"role": "assistant", "content": "<think>One.</think>4"}]}, "messages"
    )
    assert found.notes == ("parts_unread:1",)


@pytest.mark.parametrize(
    ("more", "pictures", "notes"),
    [
        ({"step_images": [["b.png"], []]}, ["b", None], ()),
        ({"step_images": "['b.png', None]"}, ["b", None], ()),
        ({"step_images": [["b.png", "c.png"], None]}, ["b", None], ("given_dropped:1",)),
        ({"step_images": ["b.png"]}, ["b", None], ("step_images:1_of_2",)),
        ({"steps": [{"text": "One.", "images": ["b.png"]}, {"text": "Two."}]}, ["b", None], ()),
        ({"steps": None, "rationale": [TEXT, {"type": "image", "image": "b.png"}, {"type": "text", "text": "Two."}]},
         ["b", None], ()),
        ({"steps": None, "rationale": f"One. ![]({url('b')})\n\nTwo."}, ["b", None], ()),
    ],
    ids=["nested", "text", "two for a step", "too few", "a step's images", "typed parts", "data url"],
)  # fmt: skip
def test_generic_gives_steps_their_pictures_however_they_are_packed(
    more: dict[str, Any], pictures: list[str | None], notes: tuple[str, ...], tmp_path: Path
) -> None:
    found = one(tmp_path, {"question": "q", "steps": ["One.", "Two."], **more}, "generic")
    assert found.steps == list(zip(("One.", "Two."), pictures, strict=True))
    assert found.notes == notes


def test_several_pictures_where_one_belongs_are_a_rejection_by_name(tmp_path: Path) -> None:
    record = {"question": "q", "answer": "4", "resoning_thought_0": "One.", "reasoning_image_0": ["b.png"]}
    assert one(tmp_path, record, "thinkmorph").steps == [("One.", "b")]
    record["reasoning_image_0"] = ["b.png", "c.png"]
    assert one(tmp_path, record, "thinkmorph").steps == [("One.", "wrong_type reasoning_image_0")]
    (rejection,) = told(tmp_path, record | {"problem_image_0": ["a.png", "b.png"]}, "thinkmorph")
    assert isinstance(rejection, Rejection) and "problem_image_0: a list of 2 pictures" in rejection.detail


def test_bagels_lists_may_be_texts_and_have_to_be_lists(tmp_path: Path) -> None:
    found = one(
        tmp_path, {"image_list": "['a.png', 'b.png']", "instruction_list": "['Red.', 'Blue.']"}, "bagel"
    )
    assert (found.unplaced, found.steps) == (["a"], [("Red.", "b"), ("Blue.", None)])
    assert found.notes == ("step_images:1_of_2",)
    (rejection,) = told(tmp_path, {"image_list": ["a.png"], "instruction_list": []}, "bagel")
    assert isinstance(rejection, Rejection) and "instruction_list must be a list" in rejection.detail


def test_each_picture_of_a_webdatasets_sample_has_the_column_of_its_name(tmp_path: Path) -> None:
    key = "<image_start>[{}]<image_end>"
    record = {
        "Question": "q",
        "Text Reasoning Trace": "One. " + key.format("reasoning_image_1"),
        "Final Answer": "4",
    }
    numbered = {"question": "<image_1> <image_2>", "rationale": "One.", "answer": "4"}
    files = {
        "a.json": json.dumps(record).encode(), "a.reasoning_image_1.png": picture("b"),
        "b.json": json.dumps(record).encode(), "b.reasoning_image_1.png": picture("c"),
    }  # fmt: skip
    (found, other) = from_file(as_tar(tmp_path / "zebra.tar", files), "zebra_cot")
    assert isinstance(found, Told) and isinstance(other, Told)
    assert (found.steps, other.steps, found.notes) == ([("One.", "b")], [("One.", "c")], ())
    files = {"a.json": json.dumps(numbered).encode(), "a.0.png": picture("a"), "a.1.png": picture("b")}
    (found,) = from_file(as_tar(tmp_path / "numbered.tar", files), "generic")
    assert isinstance(found, Told) and found.question == "@a @b"


def as_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as packed_files:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed_files.addfile(info, io.BytesIO(data))
    return path


def test_an_image_folders_file_name_is_the_questions_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture("a"))
    path = tmp_path / "metadata.jsonl"
    path.write_text(
        json.dumps({"file_name": "a.png", "question": "q", "rationale": "One.", "answer": "4"}) + "\n"
    )
    (found,) = from_file(path, "generic")
    assert isinstance(found, Told) and found.unplaced == ["a"]
    (found,) = from_file(path.rename(tmp_path / "other.jsonl"), "generic")
    assert isinstance(found, Told) and found.unplaced == []


def test_an_empty_column_of_step_images_is_none(tmp_path: Path) -> None:
    assert one(tmp_path, {"question": "q", "rationale": "One.", "step_images": ""}, "generic").notes == ()
