"""Reasoning tasks from the nano world: question, text-only trace of two to six steps, answer.

For training with answers that a program knows: grid walks, counting with changes, sums of several terms, relations.
Every step is phrased as the world phrases what it draws. A task is a function of (seed, split, index), and a question
belongs to one split by its hash, so the splits never share one. Rows have the keys of the `generic` reader, and `spec`:
what judges the drawing of each step, a kind of the world and its specification, aligned with the steps.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from typing import Any

from zero_engine.world import canvas, words
from zero_engine.world.grid import MOVES, SIZE
from zero_engine.world.kind import Spec

SPLITS = ("train", "validation", "test")
NAMES, NOUNS = words.NAMES[:8], words.NOUNS[:8]
"""Few, so that what a small model has to learn is to reason, not to spell."""
Judged = tuple[str, Spec]
"""A kind of the world, and the specification by which it judges a drawing."""
Made = tuple[str, list[str], list[Judged], str]
"""Question, steps, what judges the drawing of each, answer."""


def make_tasks(count: int, split: str = "train", seed: int = 0) -> Iterator[dict[str, Any]]:
    """`count` rows {id, question, rationale, answer, spec}; the kinds take turns, walks twice as often."""
    for index in range(count):
        name = _TURNS[index % len(_TURNS)]
        make = _MAKERS[name]
        rng = random.Random(f"task-{seed}-{split}-{index}")
        question, steps, spec, answer = make(rng)
        while split_of(question) != split:
            question, steps, spec, answer = make(rng)
        yield {
            "id": f"{name}-{split}-{index:06d}",
            "question": question,
            "rationale": "\n".join(steps),
            "answer": answer,
            "spec": spec,
        }


def split_of(question: str) -> str:
    """The split that a question belongs to: one in ten is for validation, one in ten for test."""
    share = hashlib.sha256(question.encode()).digest()[0] / 256
    return "test" if share < 0.1 else "validation" if share < 0.2 else "train"


def _walk(rng: random.Random) -> Made:
    row, col = rng.randint(1, SIZE), rng.randint(1, SIZE)
    start, steps, told = (row, col), [], []
    spec: list[Judged] = []
    for _ in range(rng.randint(2, 5)):
        options = [
            (name, count)
            for name, (down, right) in MOVES.items()
            for count in (1, 2, 3)
            if 1 <= row + down * count <= SIZE and 1 <= col + right * count <= SIZE
        ]
        name, count = rng.choice(options)
        steps.append(f"The robot is at row {row}, column {col}. It moves {count} {name}.")
        told.append(f"{count} {name}")
        spec.append(("move", ((row, col), name, count)))
        row, col = row + MOVES[name][0] * count, col + MOVES[name][1] * count
    place = f"row {start[0]}, column {start[1]}"
    question = f"A robot stands at {place} of a 6x6 grid. It moves {', then '.join(told)}. Where is it?"
    return question, steps, spec, f"row {row}, column {col}"


def _changes(rng: random.Random) -> Made:
    name, noun = rng.choice(NAMES), rng.choice(NOUNS)
    total = rng.randint(2, 18)
    told, steps = [f"{name} has {total} {noun}"], []
    spec: list[Judged] = []
    for _ in range(rng.randint(2, 4)):
        change = rng.randint(1, 9)
        if total + change > 20 or (change <= total and rng.random() < 0.5):
            told.append(f"gives away {change}")
            steps.append(f"{name} has {total} - {change} = {total - change} {noun} left.")
            spec.append(_equation(total, "-", change, total - change))
            total -= change
        else:
            told.append(f"gets {change} more")
            steps.append(f"Now {name} has {total} + {change} = {total + change} {noun}.")
            spec.append(_equation(total, "+", change, total + change))
            total += change
    return f"{', '.join(told)}. How many {noun} does {name} have now?", steps, spec, str(total)


def _sums(rng: random.Random) -> Made:
    name, other = rng.sample(NAMES, 2)
    noun = rng.choice(NOUNS)
    packs, each, more = rng.randint(2, 5), rng.randint(2, 5), rng.randint(2, 5)
    count = packs * each
    bought = f"{name} buys {packs} boxes of {each} {noun}, and {other} {more} {noun} more."
    steps = [
        f"{name} buys {packs} * {each} = {count} {noun}.",
        f"{other} buys {count} + {more} = {count + more} {noun}.",
        f"Together they buy {count} + {count + more} = {2 * count + more} {noun}.",
    ]
    spec = [
        _equation(packs, "*", each, count),
        _equation(count, "+", more, count + more),
        _equation(count, "+", count + more, 2 * count + more),
    ]
    return f"{bought} How many do they buy together?", steps, spec, str(2 * count + more)


def _relations(rng: random.Random) -> Made:
    shapes = rng.sample(canvas.SHAPES, 3)
    shown = [(rng.choice(list(canvas.COLORS)), shape) for shape in shapes]
    things = [" ".join(thing) for thing in shown]
    relation, opposite = rng.choice((("left of", "right of"), ("above", "below")))
    first, second, third = things
    steps = [
        f"The {first} is {relation} the {second}.",
        f"The {second} is {relation} the {third}.",
        f"So the {first} must be {relation} the {third}.",
    ]
    given = f"The {first} is {relation} the {second}. The {third} is {opposite} the {second}."
    question = f"{given} Is the {first} {relation} or {opposite} the {third}?"
    pairs = (shown[0], shown[1]), (shown[1], shown[2]), (shown[0], shown[2])
    return question, steps, [("relation", (one, relation, other)) for one, other in pairs], relation


def _equation(left: int, operator: str, right: int, result: int) -> Judged:
    return "bars", (("", operator), (str(left), str(right)), str(result))


_MAKERS = {"walk": _walk, "changes": _changes, "sums": _sums, "relations": _relations}
_TURNS = ("walk", "changes", "sums", "relations", "walk")
