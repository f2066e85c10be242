"""Column maps of corpora that come with pictures: M3CoT, Zebra-CoT, ThinkMorph.

Layouts are those of the dataset cards: LightChen2333/M3CoT, multimodal-reasoning-lab/Zebra-CoT and
ThinkMorph/Visual_Search (whose columns are spelled `resoning_thought_0`). Pictures of the question stay with it, at
their place; those of the trace are what this engine draws anew, so their places are removed and noted
`trace_images_dropped`.
"""

import re

from zero_engine.pipeline import Input
from zero_engine.read.fields import Draft, Record, gold_text, missing, optional_text, text, texts

PLACEHOLDER = re.compile(r"<image_start>\[([^\]\n]{1,200})\]<image_end>")
PLACE = "<image>"
THOUGHT = re.compile(r"rea?soning_thought_(\d{1,3})")


def m3cot(record: Record, spec: Input) -> list[Draft]:
    """`rationale`, `choices`, a letter as `answer`, `context` put before the question, `image`."""
    context = optional_text(record, "context")
    question = text(record, "question")
    image = record.get("image")
    return [
        Draft(
            f"{context}\n{question}" if context else question,
            text(record, "rationale"),
            gold_text(record, "answer"),
            choices=texts(record, "choices"),
            images=tuple(image) if isinstance(image, list) else (image,) if image else (),
        )
    ]


def zebra_cot(record: Record, spec: Input) -> list[Draft]:
    """`Question`, `Text Reasoning Trace`, `Final Answer`; pictures by key in `<image_start>[key]<image_end>`.

    A picture of the question keeps its place, as `<image>`; a key without a picture is noted by name.
    """
    question, rationale = text(record, "Question"), text(record, "Text Reasoning Trace")
    keys = [key for key in PLACEHOLDER.findall(question) if record.get(key)]
    asked = PLACEHOLDER.findall(question) + PLACEHOLDER.findall(rationale)
    notes = [f"image_missing:{key}" for key in asked if not record.get(key)]
    question = PLACEHOLDER.sub(lambda found: PLACE if record.get(found.group(1)) else "", question)
    if "<image_start>" in rationale:
        rationale = _closed_up(PLACEHOLDER.sub("", rationale))
        notes.append("trace_images_dropped")
    return [
        Draft(
            question.strip(),
            rationale,
            gold_text(record, "Final Answer"),
            images=tuple(record[key] for key in keys),
            notes=tuple(notes),
        )
    ]


def thinkmorph(record: Record, spec: Input) -> list[Draft]:
    """`question`, `answer`, `problem_image_0`, and the thoughts between the pictures of the trace, in order."""
    thoughts = sorted(
        (int(found.group(1)), name) for name in record if (found := THOUGHT.fullmatch(str(name)))
    )
    if not thoughts:
        raise missing(record, "resoning_thought_0")
    rationale = "\n\n".join(said for _, name in thoughts if (said := optional_text(record, name)))
    images = [
        record[name] for name in sorted(record) if str(name).startswith("problem_image_") and record[name]
    ]
    drawn = any(str(name).startswith("reasoning_image_") and record[name] for name in record)
    question = text(record, "question")
    return [
        Draft(
            question,
            rationale,
            gold_text(record, "answer"),
            images=tuple(images),
            notes=("trace_images_dropped",) if drawn else (),
        )
    ]


def _closed_up(text_: str) -> str:
    """The text without the blanks that stood before a picture."""
    return "\n".join(line.rstrip() for line in text_.split("\n"))
