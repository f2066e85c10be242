"""Column maps of corpora that come with pictures: M3CoT, Zebra-CoT, ThinkMorph, BAGEL.

Layouts are those of the dataset cards, LightChen2333/M3CoT, multimodal-reasoning-lab/Zebra-CoT and
ThinkMorph/Visual_Search (whose columns are spelled `resoning_thought_0`), and of the loaders of ThinkMorph (c1a48adf,
data/interleave_datasets/edit_dataset.py) and BAGEL (056b5fd5, the same file). Pictures stay with the question, or with
the step they stand in, at their places (`places`).
"""

import re

from zero_engine.parse.given import HELD
from zero_engine.pipeline import Input
from zero_engine.read.fields import Draft, Record, Unusable, gold_text, missing, optional_text, text, texts
from zero_engine.read.places import in_question, mark, tidied

PLACEHOLDER = re.compile(r"<image_start>\[([^\]\n]{1,200})\]<image_end>")
THOUGHT = re.compile(r"rea?soning_thought_(\d{1,3})")
DRAWN = re.compile(r"reasoning_image_(\d{1,3})")
ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
TAGS = re.compile(r"<image_start>|<image_end>|</?think>")


def m3cot(record: Record, spec: Input) -> list[Draft]:
    """`rationale`, `choices`, a letter as `answer`, `context` put before the question, `image`."""
    context = optional_text(record, "context")
    question = text(record, "question")
    images = as_pictures(record.get("image"))
    question, notes = in_question(f"{context}\n{question}" if context else question, images, True)
    return [
        Draft(
            question,
            text(record, "rationale"),
            gold_text(record, "answer"),
            choices=texts(record, "choices"),
            images=images,
            notes=notes,
        )
    ]


def zebra_cot(record: Record, spec: Input) -> list[Draft]:
    """`Question`, `Text Reasoning Trace`, `Final Answer`; pictures by key in `<image_start>[key]<image_end>`.

    A key without a picture is noted by name: it leaves its place in the question, and its step in the trace.
    """
    question, rationale = text(record, "Question"), text(record, "Text Reasoning Trace")
    asked, told = PLACEHOLDER.findall(question), PLACEHOLDER.findall(rationale)
    notes = tuple(f"image_missing:{key}" for key in asked + told if not record.get(key))
    keys = list(dict.fromkeys(asked + told))

    def placed(found: re.Match[str]) -> str:
        return mark(keys.index(found.group(1)))

    question = PLACEHOLDER.sub(lambda found: placed(found) if record.get(found.group(1)) else "", question)
    if "<image_start>" in rationale:
        rationale = tidied(PLACEHOLDER.sub(placed, rationale), _closed_up)
        notes += (HELD,) if told else (f"{HELD}_dropped",)
    return [
        Draft(
            question.strip(),
            rationale,
            gold_text(record, "Final Answer"),
            pictures=tuple((key, record.get(key) or None) for key in keys),
            notes=notes,
        )
    ]


def thinkmorph(record: Record, spec: Input) -> list[Draft]:
    """`question`, `answer`, `problem_image_0`, and thoughts and pictures of the trace by turns, in order."""
    thoughts = {int(found.group(1)): name for name in record if (found := THOUGHT.fullmatch(str(name)))}
    if not thoughts:
        raise missing(record, "resoning_thought_0")
    shown = {
        int(found.group(1)): str(name)
        for name in record
        if (found := DRAWN.fullmatch(str(name))) and record[name]
    }
    pictures = tuple((name, record[name]) for _, name in sorted(shown.items()))
    places = {number: place for place, number in enumerate(sorted(shown))}
    rationale, begun = "", False
    for number in sorted({*thoughts, *shown}):
        if number in thoughts and (thought := optional_text(record, thoughts[number])):
            rationale += ("\n\n" if begun else "") + thought
            begun = True
        rationale += mark(places[number]) if number in shown else ""
    images = tuple(
        record[name] for name in sorted(record) if str(name).startswith("problem_image_") and record[name]
    )
    question, notes = in_question(text(record, "question"), images, True)
    return [
        Draft(
            question,
            rationale,
            gold_text(record, "answer"),
            images=images,
            pictures=pictures,
            notes=(*notes, HELD) if shown else notes,
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
    if not isinstance(instructions, (list, tuple)) or not instructions:
        raise missing(record, "instruction_list")
    if not record.get("output_text_list"):
        steps = tuple(str(one[0] if isinstance(one, (list, tuple)) and one else one) for one in instructions)
        given = tuple((at, f"image_list[{at + 1}]", one) for at, one in enumerate(pictures[1:]))
        return [
            Draft("", "\n".join(steps), gold_text(record, "answer"), steps, images=pictures[:1], given=given)
        ]
    told = texts(record, "output_text_list")
    answer = next((found[1].strip() for one in reversed(told) if (found := ANSWER.search(one))), None)
    named = tuple((f"image_list[{at}]", one) for at, one in enumerate(pictures))
    parts = [
        TAGS.sub("", ANSWER.sub("", one)).strip() + (mark(at) if at < len(pictures) else "")
        for at, one in enumerate(told, 1)
    ]
    parts += [mark(at) for at in range(len(told) + 1, len(pictures))]
    asked = instructions[0][0] if isinstance(instructions[0], (list, tuple)) else instructions[0]
    question, notes = in_question(str(asked), pictures[:1], True)
    return [
        Draft(
            question,
            "\n\n".join(part for part in parts if part),
            gold_text(record, "answer") or answer,
            images=pictures[:1],
            pictures=named,
            notes=(*notes, HELD) if len(pictures) > 1 else notes,
        )
    ]


def as_pictures(value: object) -> tuple[object, ...]:
    """The references in a column of one picture or a list of them."""
    if isinstance(value, (list, tuple)):
        return tuple(value)
    return (value,) if value else ()


def _closed_up(text_: str) -> str:
    """The text without the blanks that stood before a picture."""
    return "\n".join(line.rstrip() for line in text_.split("\n"))
