"""E3: swap a picture inside an answer. Does what follows go on from the picture, or from what the text alone says?

A held-out walk is written up to a step as the oracle would, but in the last picture the robot stands elsewhere. The
model writes the rest. Its next picture and its answer each go on from the swapped picture, from the true position, or
from neither.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from zero_engine import world
from zero_engine.hashing import seed_for
from zero_engine.images import encode_image
from zero_engine.models import load_chameleon
from zero_engine.models.chameleon.interleaved import generate
from zero_engine.models.prompt import Sampling
from zero_engine.render.answers import parse_completion, read_answer
from zero_engine.render.sequences import TEMPLATES, Encoder, Example, Plain
from zero_engine.world.grid import MOVES, SIZE
from zero_engine.world.kind import Spec
from zero_engine.world.sight_tasks import Task

Cell = tuple[int, int]


def swaps(folder: Path, asked: list[Task], max_new_tokens: int, device: str) -> list[dict[str, Any]]:
    """A record for each task with a swap: what the model's next picture and its answer go on from."""
    model = load_chameleon(str(folder), device=device)
    pieces = TEMPLATES["bare"]
    encoder = Encoder(model, Plain(pieces))
    code_of = model.layout.code_of(len(model.module.lm_head.weight))
    chosen = [(task, swap) for task in asked if (swap := _swap(task))]
    prompts = [_prompt(encoder, task, at, swapped) for task, (at, swapped) in chosen]
    records = []
    for start in range(0, len(chosen), 64):
        part = chosen[start : start + 64]
        seeds = [seed_for(0, task.id, 0, 0) for task, _ in part]
        continued = generate(
            model,
            prompts[start : start + 64],
            seeds,
            mode="interleaved-text-image",
            max_new_tokens=max_new_tokens,
            sampling=Sampling(temperature=0.0),
        )
        for (task, (at, swapped)), one in zip(part, continued, strict=True):
            text, codes = read_answer(
                one.ids, code_of, model.layout, model.tokenizer, model.codes_per_picture
            )
            picture = "nothing"
            if at + 1 < len(task.steps) and codes:
                picture = _picture(task, at, swapped, model.decode(np.stack(codes[:1]))[0])
            answer = parse_completion(text, pieces).answer or ""
            records.append(
                {"question": task.id, "next_picture": picture, "answer": _answer(task, at, swapped, answer)}
            )
    return records


def shares(records: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Of next pictures and of answers, the share that goes on from the picture, from the text, from neither."""
    found = {}
    for name in ("next_picture", "answer"):
        counts = Counter(record[name] for record in records if record[name] != "nothing")
        total = sum(counts.values())
        found[name] = {
            what: counts[what] / total if total else 0.0 for what in ("picture", "text", "neither")
        }
    return found


def _swap(task: Task) -> tuple[int, Spec] | None:
    """A step of the walk and the specification of its swapped drawing; None where there is no room for one."""
    random_ = random.Random(f"swap-{task.id}")
    at = random_.randrange(len(task.steps))
    start, name, count, _ = _spec(task, at)
    cells = [(row, column) for row in range(1, SIZE + 1) for column in range(1, SIZE + 1)]
    fitting = [cell for cell in cells if cell != start and _stays(_walk(task, at, cell))]
    return (at, (random_.choice(fitting), name, count, None)) if fitting else None


def _walk(task: Task, at: int, start: Cell) -> list[Cell]:
    """Where the robot is after each step from `at` on, if it stood at `start` before it."""
    cells = []
    for number in range(at, len(task.steps)):
        _, name, count, _ = _spec(task, number)
        start = start[0] + MOVES[name][0] * count, start[1] + MOVES[name][1] * count
        cells.append(start)
    return cells


def _stays(cells: list[Cell]) -> bool:
    return all(1 <= value <= SIZE for cell in cells for value in cell)


def _spec(task: Task, at: int) -> Spec:
    drawn = task.drawn[at]
    assert drawn is not None, "every step of a walk is drawn"
    return drawn[1]


def _prompt(encoder: Encoder, task: Task, at: int, swapped: Spec) -> list[int]:
    """The question and the answer up to the swapped picture, as ids."""
    pictures = [picture for picture in task.step_images[:at] if picture is not None]
    pictures.append(world.GIVEN["predict"].draw(swapped, random.Random(0)))
    codes = encoder.model.encode(pictures)
    row = {
        "id": task.id,
        "question": task.question,
        "question_images": [encode_image(task.image)],
        "choices": [],
        "answer": task.answer,
        "steps": [{"text": text, "codes": each} for text, each in zip(task.steps, codes, strict=False)],
    }
    example = encoder.example(row)
    assert isinstance(example, Example), example
    ids = example.ids.tolist()
    return ids[: len(ids) - ids[::-1].index(encoder.layout.eoi)]


def _picture(task: Task, at: int, swapped: Spec, image: np.ndarray) -> str:
    _, name, count, _ = _spec(task, at + 1)
    places = {"picture": _walk(task, at, swapped[0])[0], "text": _walk(task, at, _spec(task, at)[0])[0]}
    for what, place in places.items():
        if world.judge("predict", (place, name, count, None), image):
            return what
    return "neither"


def _answer(task: Task, at: int, swapped: Spec, answer: str) -> str:
    if not answer:
        return "neither"
    row, column = _walk(task, at, swapped[0])[-1]
    said = answer.strip().rstrip(".")
    return (
        "picture" if said == f"row {row}, column {column}" else "text" if said == task.answer else "neither"
    )
