"""Where a corpus's pictures stand: in the question, in the steps, and what becomes of those without a place."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.read.places import Told, from_file, packed, picture, told, url
from zero_engine.pipeline import Input
from zero_engine.read import read_traces
from zero_engine.records import Rejection, Trace


def one(folder: Path, record: dict[str, Any], format: str, **options: Any) -> Told:
    (found,) = told(folder, record, format, **options)
    assert isinstance(found, Told), found
    return found


def key(name: str) -> str:
    return f"<image_start>[{name}]<image_end>"


Q, R1, R2 = key("problem_image_1"), key("reasoning_image_1"), key("reasoning_image_2")
ZEBRA = {
    "Question": f"See {Q} here?",
    "Text Reasoning Trace": f"THOUGHT 0: One.\n{R1}\nTHOUGHT 1: Two. {R2}\nTHOUGHT 2: Three.",
    "Final Answer": "5",
    "problem_image_1": "a.png",
    "reasoning_image_1": "b.png",
    "reasoning_image_2": "c.png",
    "reasoning_image_3": None,
}
THOUGHTS = [("THOUGHT 0: One.", "b"), ("THOUGHT 1: Two.", "c"), ("THOUGHT 2: Three.", None)]


@pytest.mark.parametrize(
    ("question", "rationale"),
    [
        (ZEBRA["Question"], ZEBRA["Text Reasoning Trace"]),
        (
            "See <image_start> [problem_image_1] <image_end> here?",
            "THOUGHT 0: One. <image_start>\n[reasoning_image_1] <image_end>\nTHOUGHT 1: Two. "
            "<IMAGE_START>[Reasoning_Image_2]<IMAGE_END>\nTHOUGHT 2: Three.",
        ),
        (
            "See [problem_image_1] here?",
            "THOUGHT 0: One. [reasoning_image_1]\n\nTHOUGHT 1: Two. <image_start>[reasoning_image_2]\n\n"
            "THOUGHT 2: Three.",
        ),
        (
            "See <image_start>problem_image_1<image_end> here?",
            f"THOUGHT 0:{R1} One.\nTHOUGHT 1: Two.\n\n{R2}\n\nTHOUGHT 2: Three.",
        ),
    ],
    ids=["card", "blanks and case", "bare keys", "no brackets"],
)
def test_zebra_cots_pictures_stand_where_their_keys_stand(
    question: str, rationale: str, tmp_path: Path
) -> None:
    found = one(tmp_path, {**ZEBRA, "Question": question, "Text Reasoning Trace": rationale}, "zebra_cot")
    assert found.question == "See @a here?" and found.notes == () and found.parsed.answer == "5"
    assert found.steps == THOUGHTS


def test_zebra_cots_pictures_without_a_place_are_noted_by_their_keys(tmp_path: Path) -> None:
    bare = {**ZEBRA, "Question": "See here?", "Text Reasoning Trace": f"THOUGHT 0: One. {R2}"}
    found = one(tmp_path, bare, "zebra_cot")
    assert (found.question, found.unplaced) == ("See here?", ["a"])
    assert found.steps == [("THOUGHT 0: One.", "c")]
    assert found.notes == ("image_unplaced:reasoning_image_1",)
    found = one(tmp_path, {**ZEBRA, "problem_image_2": packed("d")}, "zebra_cot")
    assert found.question == "See @a here?@d" and found.notes == ("image_unplaced:problem_image_2",)


def test_zebra_cots_plain_marks_and_a_picture_in_the_answer(tmp_path: Path) -> None:
    record = {**ZEBRA, "Question": "See <image> here?", "Final Answer": f"The one in {R1}"}
    found = one(tmp_path, record, "zebra_cot")
    assert found.question == "See @a here?" and found.steps == THOUGHTS
    assert found.parsed.answer == "The one in" and found.notes == ("image_marks_dropped:1",)


def test_a_picture_shown_twice_is_there_twice(tmp_path: Path) -> None:
    record = {
        **ZEBRA,
        "Question": f"{Q} or {Q}?",
        "Text Reasoning Trace": f"THOUGHT 0: One {Q} {R1}\nTHOUGHT 1: End. {R1}",
    }
    found = one(tmp_path, record, "zebra_cot")
    assert found.question == "@a or @a?"
    assert [name for _, name in found.steps if name] == ["a", "b"]
    assert (
        "given_dropped:1" in found.notes
    )  # a step has one picture; the second one of the thought is counted


def test_missing_and_broken_pictures_are_told_by_their_keys(tmp_path: Path) -> None:
    broken = {"bytes": packed("d")["bytes"][:-40], "path": None}
    found = one(tmp_path, {**ZEBRA, "reasoning_image_1": None, "reasoning_image_2": broken}, "zebra_cot")
    assert [name for _, name in found.steps] == [
        "image_missing reasoning_image_1",
        "picture_broken reasoning_image_2",
        None,
    ]
    assert found.notes == ("image_missing:reasoning_image_1",)
    for value, reason in (("none.png", "image_missing"), (broken, "picture_broken")):
        (rejection,) = told(tmp_path, {**ZEBRA, "problem_image_1": value}, "zebra_cot")
        assert isinstance(rejection, Rejection) and rejection.reason == reason
        assert "corpus.jsonl:1: problem_image_1: " in rejection.detail


MORPH = {
    "pid": "x",
    "question": "Where?",
    "answer": "A",
    "problem_image_0": "a.png",
    "resoning_thought_0": "Look at it.",
    "reasoning_image_0": "b.png",
    "resoning_thought_1": "Now I see.",
}


def test_thinkmorphs_pictures_stand_between_its_thoughts(tmp_path: Path) -> None:
    found = one(tmp_path, MORPH, "thinkmorph")
    assert (found.question, found.unplaced, found.notes) == ("Where?", ["a"], ())
    assert found.steps == [("Look at it.", "b"), ("Now I see.", None)]
    tagged = {
        "question": "<image>\nWhere?",
        "answer": None,
        "resoning_thought_0": "<think>Look at it.</think><image_start>",
        "resoning_thought_1": "<image_end><think>Now I see.</think><answer>B</answer>",
        "reasoning_image_1": packed("c"),
    }
    found = one(tmp_path, {**MORPH, **tagged}, "thinkmorph")
    assert (found.question, found.parsed.answer) == ("@a\nWhere?", "B")
    assert found.steps == [("Look at it.", "b"), ("Now I see.", "c")]
    many = {f"problem_image_{n}": f"{'abcdefgh'[n % 8]}.png" for n in range(12)}
    found = one(tmp_path, {**MORPH, **many, "resoning_thought_0": "Look <image> at it."}, "thinkmorph")
    assert "".join(found.unplaced) == "abcdefghabcd"  # by number, not by letter
    assert found.steps[0] == ("Look at it.", "b") and found.notes == ("image_marks_dropped:1",)


def test_bagels_pictures_follow_the_texts_that_announce_them(tmp_path: Path) -> None:
    record: dict[str, Any] = {
        "image_list": ["a.png", packed("b")],
        "instruction_list": ["<image>Where?"],
        "output_text_list": [
            "<think>Look.</think><image_start>",
            "<image_end><think>See.</think><answer>A</answer>",
        ],
    }
    found = one(tmp_path, record, "bagel")
    assert (found.question, found.parsed.answer) == ("@aWhere?", "A")
    assert found.steps == [("Look.", "b"), ("See.", None)]
    found = one(tmp_path, {**record, "image_list": ["a.png"]}, "bagel")
    assert found.steps == [("Look.", "image_missing image_list[1]"), ("See.", None)]
    found = one(tmp_path, {**record, "image_list": ["a.png", "b.png", "c.png", "d.png"]}, "bagel")
    assert found.steps == [("Look.", "b"), ("See.", "c")] and found.notes == ("given_dropped:1",)
    edits = {
        "image_list": ["a.png", "b.png", "c.png"],
        "instruction_list": [["Make it red.", "Redden it."], ["Add a dot."]],
    }
    found = one(tmp_path, edits, "bagel")
    assert (found.question, found.unplaced) == ("", ["a"])
    assert found.steps == [("Make it red.", "b"), ("Add a dot.", "c")]
    (rejection,) = told(tmp_path, {**record, "image_list": [None, "b.png"]}, "bagel")
    assert isinstance(rejection, Rejection) and "image_list[0]" in rejection.detail


STEPS = ["one", "two", "three"]


@pytest.mark.parametrize(
    ("record", "names"),
    [
        ({"steps": STEPS, "step_images": ["b.png", None, "c.png"]}, ["b", None, "c"]),
        ({"steps": STEPS, "step_images": ["b.png"]}, ["b", None, None]),
        ({"steps": STEPS, "step_images": "b.png"}, ["b", None, None]),
        ({"steps": ["one <image>", "two", "three <image>"], "step_images": ["b.png", "c.png"]}, ["b", None, "c"]),
        ({"steps": ["one <image>", "two", "three"], "step_images": ["b.png", None, None]}, ["b", None, None]),
        ({"steps": [{"text": "one", "image": "b.png"}, {"text": "two"}, {"text": "three"}]}, ["b", None, None]),
        ({"rationale": "one <image>\ntwo\n<image>\nthree", "step_images": ["b.png", "c.png"]}, ["b", "c", None]),
        ({"rationale": "one <image_2>\ntwo <image_1>\nthree", "step_images": ["c.png", "b.png"]}, ["b", "c", None]),
        ({"rationale": "one ![](b.png)\ntwo\nthree", "step_images": ["b.png"]}, ["b", None, None]),
        ({"rationale": "one\ntwo <image>\nthree", "step_images": [None]}, [None, "image_missing step_images[0]", None]),
        ({"steps": STEPS, "step_images": ["none.png", None, None]}, ["image_missing step_images[0]", None, None]),
    ],
)  # fmt: skip
def test_generic_gives_each_step_its_picture(
    record: dict[str, Any], names: list[str | None], tmp_path: Path
) -> None:
    found = one(tmp_path, {"question": "q", **record}, "generic")
    assert found.steps == list(zip(STEPS, names, strict=True))
    given = record.get("step_images")
    told_of = "steps" in record and (given == "b.png" or given == ["b.png"])
    assert found.notes == (("step_images:1_of_3",) if told_of else ())


def test_generic_says_which_pictures_have_no_step(tmp_path: Path) -> None:
    found = one(
        tmp_path, {"question": "q", "steps": STEPS, "step_images": ["b.png", None, None, "c.png"]}, "generic"
    )
    assert found.notes == ("given_dropped:1",)
    (rejection,) = told(
        tmp_path, {"question": "q", "rationale": "a <image> b <image>", "step_images": ["b.png"]}, "generic"
    )
    assert isinstance(rejection, Rejection) and "step_images has 1 pictures" in rejection.detail
    columns = {"question": "ask", "steps": "say", "step_images": "show"}
    record = {"ask": "q", "say": STEPS, "show": [packed("b"), None, url("c")]}
    found = one(tmp_path, record, "generic", columns=columns)
    assert [name for _, name in found.steps] == ["b", None, "c"]


@pytest.mark.parametrize(
    ("record", "question", "unplaced"),
    [
        ({"question": "q <image> r", "image": "a.png"}, "q @a r", ""),
        ({"question": "<image_2> or <image 1>?", "image": ["a.png", "b.png"]}, "@b or @a?", ""),
        ({"question": "<image_0>, <image_1>, <image_0>", "image": ["a.png", "b.png"]}, "@a, @b, @a", ""),
        ({"question": "<|image_1|> q", "images": ["a.png"]}, "@a q", ""),
        ({"question": "<|vision_start|><|image_pad|><|vision_end|>q", "image": packed("a")}, "@aq", ""),
        ({"question": "see ![the fig](img/a.png)", "image": {**packed("a"), "path": "img/a.png"}}, "see @a", ""),
        ({"question": f"see ![]({url('a')}) q"}, "see @a q", ""),
        ({"question": "q <image 1>", "image_1": "a.png", "image_2": None}, "q @a", ""),
        ({"question": [{"role": "user", "content": [{"type": "image"}, "what"]}], "image": "a.png"}, "@a\nwhat", ""),
        ({"question": "q", "image": ["a.png", "b.png"]}, "q", "ab"),
        ({"question": "q <image> r", "image": ["a.png", "b.png"]}, "q r", "ab"),
        ({"question": "q <image> r <image>", "image": "a.png"}, "q r", "a"),
    ],
)  # fmt: skip
def test_generic_keeps_each_picture_at_its_place_in_the_question(
    record: dict[str, Any], question: str, unplaced: str, tmp_path: Path
) -> None:
    found = one(tmp_path, {"rationale": "r", **record}, "generic")
    assert (found.question, "".join(found.unplaced)) == (question, unplaced)
    assert bool(found.notes) == (
        " r" in question and "@" not in question
    )  # more or fewer marks than pictures


def test_generic_deals_pictures_to_question_options_and_steps(tmp_path: Path) -> None:
    record = {
        "question": "Which is <image>?",
        "choices": ["<image>", "none of <image>"],
        "rationale": "First <image>.\nThen.",
        "images": ["a.png", "b.png", "c.png", "d.png"],
    }
    found = one(tmp_path, record, "generic")
    assert found.question == "Which is @a?\n@b\n@c" and found.notes == ()
    assert found.parsed.trace.choices == ("picture 2", "none of (picture 3)")
    assert found.steps == [("First.", "d"), ("Then.", None)]
    record = {"question": "q", "choices": [packed("a"), {"text": "B", "image": "b.png"}], "rationale": "r"}
    found = one(tmp_path, record, "generic")
    assert found.question == "q\n@a\n@b" and found.parsed.trace.choices == ("picture 1", "B (picture 2)")


def test_marks_without_pictures_are_counted_and_a_null_picture_is_named(tmp_path: Path) -> None:
    record = {"question": "q <image>", "rationale": "One <image> and <image>.", "image": "a.png"}
    found = one(tmp_path, record, "generic")
    assert found.question == "q @a" and found.steps == [("One and.", None)]
    assert found.notes == ("image_marks_dropped:2",)
    (rejection,) = told(
        tmp_path, {**record, "question": "<image> <image>", "image": ["a.png", None]}, "generic"
    )
    assert isinstance(rejection, Rejection) and "image[1] is null" in rejection.detail


def chat(*turns: tuple[str, object], **more: object) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns], **more}


@pytest.mark.parametrize(
    ("content", "more"),
    [
        ("<image>\nq", {"images": ["a.png"]}),
        ("<image>\nq", {"image": "a.png"}),
        ("<image_1>\nq", {"images": ["a.png"]}),
        ("<|vision_start|><|image_pad|><|vision_end|>\nq", {"images": [packed("a")]}),
        ("![x](a.png)\nq", {"images": ["a.png"]}),
        ([{"type": "image"}, {"type": "text", "text": "q"}], {"images": ["a.png"]}),
        ([{"type": "image", "image": packed("a")}, {"type": "text", "text": "q", "image": None}], {}),
        ([{"type": "image_url", "image_url": {"url": url("a")}}, {"type": "text", "text": "q"}], {}),
        ([{"type": "input_image", "image_url": url("a")}, {"type": "input_text", "text": "q"}], {}),
        ([{"type": "image", "source": {"type": "base64", "data": packed("a")["bytes"]}}, "q"], {}),
        ([{"type": "image", "url": "a.png"}, "q"], {}),
    ],
)  # fmt: skip
def test_a_messages_picture_stands_where_it_stood(content: object, more: dict, tmp_path: Path) -> None:
    record = chat(("user", content), ("assistant", "<think>One.</think>4"), **more)
    found = one(tmp_path, record, "messages")
    assert (found.question, found.notes) == ("@a\nq", ())
    assert found.steps == [("One.", None)] and found.parsed.answer == "4"


@pytest.mark.parametrize(
    "turn",
    [
        {"content": "<think>One.\n<image>\nTwo. <image> Three.</think>4"},
        {"content": "4", "reasoning_content": "One. <image_1>\nTwo.\n<image_2>\n\nThree."},
        {"content": [{"type": "text", "text": "<think>One."}, {"type": "image"}, {"type": "text", "text": "Two."},
                     {"type": "image"}, {"type": "text", "text": "Three.</think>4"}]},
        {"content": [{"type": "thinking", "thinking": "One."}, {"type": "image"},
                     {"type": "thinking", "thinking": "Two."}, {"type": "image"},
                     {"type": "thinking", "thinking": "Three."}, {"type": "text", "text": "4"}]},
    ],
    ids=["tags", "a field", "parts", "typed parts"],
)  # fmt: skip
def test_pictures_inside_the_reasoning_belong_to_their_steps(turn: dict[str, Any], tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", **turn}]
    found = one(tmp_path, {"messages": turns, "images": ["b.png", "c.png"]}, "messages")
    assert found.steps == [("One.", "b"), ("Two.", "c"), ("Three.", None)]
    assert (found.question, found.parsed.answer, found.notes) == ("q", "4", ())


def test_pictures_of_messages_that_have_no_place_are_counted(tmp_path: Path) -> None:
    def notes(*turns: tuple[str, object], images: list[str]) -> list[tuple[str, ...]]:
        found = told(tmp_path, chat(*turns, images=images), "messages")
        return [one.notes for one in found if isinstance(one, Told)]

    thought = ("assistant", "<think>One.</think>4")
    assert notes(("user", "<image>q"), thought, images=["a.png", "b.png"]) == [("image_placeholders:1_of_2",)]
    assert notes(("user", "<image>q<image>"), thought, images=["a.png"]) == [("image_placeholders:2_of_1",)]
    assert notes(("user", "q"), thought, images=["a.png"]) == [
        ("image_placeholders:0_of_1",)
    ]  # still the question's
    shown = ("assistant", "<think>One.</think>It is <image>")
    assert notes(("user", "q"), shown, images=["a.png"]) == [("answer_images_dropped:1",)]
    turns = (("user", "q"), ("assistant", "<think>I zoom.</think>"), ("tool", "<image>"), thought)
    assert notes(*turns, images=["a.png"]) == [("turn_images_dropped:1",)] * 2


def test_pictures_that_a_format_does_not_read_are_noted(tmp_path: Path) -> None:
    record = {"question": "q <image>", "response": "<think>One <image> two.</think>4", "image": "a.png"}
    found = one(tmp_path, record, "think")
    assert (found.question, found.steps) == ("q", [("One two.", None)])
    assert found.notes == ("image_marks_dropped:1", "images_unread:1")
    m3cot = {"question": "q <image>", "rationale": "See <image>. So.", "answer": "A", "image": packed("a")}
    found = one(tmp_path, m3cot, "m3cot")
    assert (found.question, found.notes) == ("q @a", ("image_marks_dropped:1",))


def test_a_text_without_pictures_may_speak_of_marks(tmp_path: Path) -> None:
    record = {"question": "What is ![](x.png) or <img>?", "rationale": "An <|image|> tag, ![](y.png)."}
    (tmp_path / "corpus.jsonl").write_text(json.dumps(record) + "\n")
    (found,) = read_traces(Input(path=str(tmp_path / "corpus.jsonl")))
    assert isinstance(found, Trace) and found.notes == ()
    assert (found.question, found.rationale) == (record["question"], record["rationale"])


def test_columns_of_pictures_in_parquet_are_read_as_datasets_stores_them(tmp_path: Path) -> None:
    import datasets

    raw = {"bytes": picture("b"), "path": None}
    rows = [
        {"question": "q <image>", "steps": STEPS, "image": {"bytes": picture("a"), "path": "x.png"},
         "step_images": [raw, None, {"bytes": picture("c"), "path": None}]},
    ]  # fmt: skip
    kind = datasets.Image()
    features = datasets.Features(
        question=datasets.Value("string"),
        steps=datasets.Sequence(datasets.Value("string")),
        image=kind,
        step_images=datasets.Sequence(kind),
    )
    datasets.Dataset.from_list(rows, features=features).to_parquet(str(tmp_path / "a.parquet"))
    plain = pa.Table.from_pylist(
        [{**rows[0], "image": picture("a"), "step_images": [picture("b"), None, picture("c")]}]
    )
    parquet.write_table(plain, tmp_path / "b.parquet")
    for name in ("a", "b"):
        (found,) = from_file(tmp_path / f"{name}.parquet", "generic")
        assert isinstance(found, Told), found
        assert found.question == "q @a" and found.steps == list(zip(STEPS, ["b", None, "c"], strict=True))


def test_a_mark_in_a_question_without_a_picture_is_noted_where_the_steps_have_pictures(
    tmp_path: Path,
) -> None:
    row = {"question": "What <image> is it?", "steps": ["one", "two"], "step_images": ["b.png", None]}
    found = one(tmp_path, {**row, "answer": "4"}, "generic")
    assert (found.question, found.notes) == ("What is it?", ("image_placeholders:1_of_0",))
