"""Column maps of corpora that come with pictures: M3CoT, Zebra-CoT, ThinkMorph, BAGEL.

Layouts are those of the dataset cards, LightChen2333/M3CoT, multimodal-reasoning-lab/Zebra-CoT and
ThinkMorph/Visual_Search (whose columns are spelled `resoning_thought_0`), and of the loaders of ThinkMorph (c1a48adf,
data/interleave_datasets/edit_dataset.py) and BAGEL (056b5fd5, the same file). Pictures stay with the question, or with
the step they stand in, at their places (`places`).
"""

import re

from zero_engine.parse.given import HELD
from zero_engine.pipeline import Input
from zero_engine.read.fields import (
    Draft,
    Record,
    Unusable,
    gold_text,
    missing,
    optional_text,
    text,
    texts,
    unpacked_list,
)
from zero_engine.read.places import PLACE, dropped, in_question, mark, names_of, tidied, unmarked

KEY = r"(?:problem|reasoning)_image_\d{1,3}"
PLACEHOLDER = re.compile(
    rf"<image_start>\s{{0,9}}\[?([^\[\]\n<>]{{1,200}})\]?\s{{0,9}}<image_end>"
    rf"|(?:<image_start>\s{{0,9}})?\[({KEY})\](?:\s{{0,9}}<image_end>)?",
    re.IGNORECASE,
)
IN_COLUMN = re.compile(KEY)
THOUGHT = re.compile(r"rea?soning_thought_(\d{1,3})")
DRAWN = re.compile(r"reasoning_image_(\d{1,3})")
ASKED = re.compile(r"problem_image_(\d{1,3})")
ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
NUMBERED = re.compile(r"image_?(\d{1,3})")
TAGS = re.compile(r"<image_start>|<image_end>|</?think>", re.IGNORECASE)


def m3cot(record: Record, spec: Input) -> list[Draft]:
    """`rationale`, `choices`, a letter as `answer`, `context` put before the question, `image`."""
    context = optional_text(record, "context")
    question = text(record, "question")
    images = as_pictures(record.get("image"))
    question, images, notes = in_question(f"{context}\n{question}" if context else question, images, True)
    rationale, more = unmarked(text(record, "rationale"))
    return [
        Draft(
            question,
            rationale,
            gold_text(record, "answer"),
            choices=texts(record, "choices"),
            images=images,
            notes=notes + dropped(more),
        )
    ]


def zebra_cot(record: Record, spec: Input) -> list[Draft]:
    """`Question`, `Text Reasoning Trace`, `Final Answer`; pictures by key in `<image_start>[key]<image_end>`.

    A key without a picture is noted by name, `image_missing:key`: it leaves its place in the question, and its step in
    the trace. Columns that no text names are noted, too, `image_unplaced:key`; those of the problem then belong to the
    question, without a place.
    """
    question, rationale = text(record, "Question"), text(record, "Text Reasoning Trace")
    columns = {str(name).lower(): str(name) for name in record}
    asked, told = _keys_in(question, columns), _keys_in(rationale, columns)
    notes = tuple(f"image_missing:{key}" for key in asked + told if not is_there(record.get(key)))
    keys = list(dict.fromkeys(asked + told))
    spare = [key for key in columns.values() if IN_COLUMN.fullmatch(key) and key not in keys]
    spare = [key for key in spare if is_there(record[key])]
    problem = [key for key in spare if ASKED.fullmatch(key)]
    of_problem = tuple(record[key] for key in problem)
    if asked:
        there = iter([mark(keys.index(key)) if is_there(record.get(key)) else "" for key in asked])
        question, images = PLACEHOLDER.sub(lambda found: next(there), question), of_problem
        notes += tuple(f"image_unplaced:{key}" for key in problem)
    else:
        question, images, more = in_question(question, of_problem, True)
        notes += more
    if told:
        numbers = iter(told)
        rationale = tidied(
            PLACEHOLDER.sub(lambda found: mark(keys.index(next(numbers))), rationale), _closed_up
        )
    notes += tuple(f"image_unplaced:{key}" for key in spare if not ASKED.fullmatch(key))
    notes += (HELD,) if told else (f"{HELD}_dropped",) if "<image_start>" in rationale else ()
    question, in_question_left = unmarked(TAGS.sub("", question))
    rationale, left = unmarked(TAGS.sub("", rationale))
    answer, in_answer = unmarked(PLACEHOLDER.sub(PLACE, gold_text(record, "Final Answer") or ""))
    return [
        Draft(
            question.strip(),
            rationale,
            answer or None,
            images=images,
            image_names=names_of(images, of_problem, problem),
            pictures=tuple((key, record[key] if is_there(record.get(key)) else None) for key in keys),
            notes=notes + dropped(in_question_left + left + in_answer),
        )
    ]


def thinkmorph(record: Record, spec: Input) -> list[Draft]:
    """`question`, `answer`, `problem_image_0`, and thoughts and pictures of the trace by turns, in order.

    Thoughts may have the tags that ThinkMorph's loader puts around them, `<think>`, `<image_start>` and `<answer>`.
    """
    thoughts = _numbered(record, THOUGHT)
    if not thoughts:
        raise missing(record, "resoning_thought_0")
    shown = {number: name for number, name in _numbered(record, DRAWN).items() if is_there(record[name])}
    pictures = tuple((name, record[name]) for _, name in sorted(shown.items()))
    places = {number: place for place, number in enumerate(sorted(shown))}
    rationale, answer, lost = "", None, 0
    for number in sorted({*thoughts, *shown}):
        thought = optional_text(record, thoughts[number]) if number in thoughts else None
        if thought:
            said, found, marks = _loaders_text(thought)
            answer, lost = found or answer, lost + marks
            rationale += ("\n\n" if rationale and said else "") + said
        rationale += mark(places[number]) if number in shown else ""
    names = [name for _, name in sorted(_numbered(record, ASKED).items()) if is_there(record[name])]
    given = tuple(record[name] for name in names)
    question, images, notes = in_question(text(record, "question"), given, True)
    return [
        Draft(
            question,
            rationale,
            gold_text(record, "answer") or answer,
            images=images,
            image_names=names_of(images, given, names),
            pictures=pictures,
            notes=notes + dropped(lost) + ((HELD,) if shown else ()),
        )
    ]


def bagel(record: Record, spec: Input) -> list[Draft]:
    """`image_list`, `instruction_list`, and, of ThinkMorph's loader, `output_text_list`.

    With `output_text_list` the first picture is the question's, the instruction the question, and text i stands before
    picture i + 1; the answer is in `<answer>`. Without, picture i becomes picture i + 1 by instruction i (the first of
    its wordings): the instructions are the steps, and there is no question but the first picture.
    """
    pictures = as_pictures(record.get("image_list"))
    if not pictures:
        raise (
            missing(record, "image_list")
            if "image_list" not in record
            else Unusable("missing_value", "image_list is empty")
        )
    instructions = record.get("instruction_list")
    if isinstance(instructions, str):
        instructions = unpacked_list(instructions) or [instructions]
    if instructions is None and "instruction_list" not in record:
        raise missing(record, "instruction_list")
    if not isinstance(instructions, (list, tuple)) or not instructions:
        raise Unusable("wrong_type", "instruction_list must be a list of instructions, and not empty")
    if not record.get("output_text_list"):
        steps = tuple(
            str(one[0] if one else "") if isinstance(one, (list, tuple)) else str(one) for one in instructions
        )
        given = tuple((at, f"image_list[{at + 1}]", one) for at, one in enumerate(pictures[1:]))
        return [
            Draft(
                "",
                "\n".join(steps),
                gold_text(record, "answer"),
                steps,
                images=pictures[:1],
                image_names=("image_list[0]",),
                given=given,
                notes=too_few(len(given), len(steps)),
            )
        ]
    outputs = texts(record, "output_text_list")
    told = [_loaders_text(one) for one in outputs]
    answer = next((found for _, found, _ in reversed(told) if found), None)
    announced = sum(one.rstrip().endswith("<image_start>") for one in outputs) + 1
    pictures += (None,) * (announced - len(pictures))
    named = tuple((f"image_list[{at}]", one) for at, one in enumerate(pictures))
    parts = [said + (mark(at) if at < len(pictures) else "") for at, (said, _, _) in enumerate(told, 1)]
    parts += [mark(at) for at in range(len(told) + 1, len(pictures))]
    asked = instructions[0][0] if isinstance(instructions[0], (list, tuple)) else instructions[0]
    question, images, notes = in_question(str(asked), pictures[:1], True)
    notes += dropped(sum(lost for _, _, lost in told))
    return [
        Draft(
            question,
            "\n\n".join(part for part in parts if part),
            gold_text(record, "answer") or answer,
            images=images,
            image_names=names_of(images, pictures[:1], ("image_list[0]",)),
            pictures=named,
            notes=(*notes, HELD) if len(pictures) > 1 else notes,
        )
    ]


def as_pictures(value: object) -> tuple[object, ...]:
    """The references in a column of one picture or a list of them, also where a string holds the list (CSV)."""
    if isinstance(value, str):
        value = unpacked_list(value) or value
    if isinstance(value, (list, tuple)):
        return tuple(value)
    return (value,) if value else ()


def question_pictures(record: Record) -> tuple[str, tuple[object, ...]]:
    """The column of the question's pictures, or "" without one; and its pictures, of which some may be null."""
    for name in ("image", "images"):
        if record.get(name) is not None:
            return name, as_pictures(record[name])
    if "image" in record or "images" in record:
        return "image", ()
    numbered = sorted(
        (int(found[1]), str(name))
        for name in record
        if (found := NUMBERED.fullmatch(str(name))) and is_there(record[name])
    )
    last = numbered[-1][0] if numbered else 0
    by_number = {number: record[name] for number, name in numbered}
    first = 0 if 0 in by_number else 1
    return ("image", tuple(map(by_number.get, range(first, last + 1)))) if numbered else ("", ())


def with_its_picture(record: Record, path: str) -> Record:
    """The record of an image folder's `metadata.jsonl` (or csv, parquet) with the picture that `file_name` names, as
    `datasets` reads one."""
    base = path.replace("\\", "/").rpartition("/")[2]
    if not base.startswith("metadata.") or not record.get("file_name"):
        return record
    if any(name in record for name in ("image", "images")):
        return record
    return {**record, "image": record["file_name"]}


def too_few(pictures: int, steps: int) -> tuple[str, ...]:
    """The note of a list of pictures that is shorter than the list of steps it goes with; `given_dropped` counts those
    of a longer one."""
    return () if pictures >= steps else (f"step_images:{pictures}_of_{steps}",)


def _closed_up(text_: str) -> str:
    """The text without the blanks that stood before a picture."""
    return "\n".join(line.rstrip() for line in text_.split("\n"))


def is_there(value: object) -> bool:
    """Whether a column holds a picture, or what leads to one: an object has to have bytes, a path or an address."""
    if isinstance(value, dict):
        return any(value.get(key) for key in ("bytes", "path", "url"))
    if isinstance(value, (list, tuple)):
        return any(map(is_there, value))
    return isinstance(value, (str, bytes)) and bool(value)


def _keys_in(said: str, columns: dict[str, str]) -> list[str]:
    """The keys in a text, as the record's columns spell them."""
    keys = [(found[1] or found[2]).strip() for found in PLACEHOLDER.finditer(said)]
    return [columns.get(key.lower(), key) for key in keys]


def _numbered(record: Record, column: re.Pattern[str]) -> dict[int, str]:
    """Columns of a numbered name, by their number."""
    return {int(found[1]): str(name) for name in record if (found := column.fullmatch(str(name)))}


def _loaders_text(said: str) -> tuple[str, str | None, int]:
    """A text without the tags of ThinkMorph's loader, the answer in it, and how many marks of pictures it lost."""
    found = ANSWER.search(said)
    bare, lost = unmarked(TAGS.sub("", ANSWER.sub("", said)))
    return bare.strip(), found[1].strip() or None if found else None, lost
