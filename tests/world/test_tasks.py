"""Reasoning tasks: answers agree with their traces, splits never share a task."""

import json
import random
import re

from zero_engine import world
from zero_engine.world.tasks import make_tasks


def test_tasks_have_two_to_six_steps_and_an_answer():
    for row in make_tasks(80):
        assert 2 <= len(row["rationale"].split("\n")) <= 6
        assert row["answer"] and row["question"]


def test_every_equation_of_a_trace_is_true():
    for row in make_tasks(200):
        for left, result in re.findall(r"(\d+ [-+*] \$?\d+) = \$?(\d+)", row["rationale"]):
            a, op, b = left.replace("$", "").split()
            assert {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}[op] == int(result)


def test_every_step_says_by_what_its_drawing_is_judged():
    """Read back from JSON: the oracle accepts a drawing of the kind's own, and refuses the next step's."""
    rng = random.Random(0)
    for row in json.loads(json.dumps(list(make_tasks(20)))):
        assert len(row["spec"]) == len(row["rationale"].split("\n"))
        judges = [(kind, world.spec_of(spec)) for kind, spec in row["spec"]]
        pictures = [world.kind_named(kind).draw(spec, rng) for kind, spec in judges]
        for place, (kind, spec) in enumerate(judges):
            assert world.judge(kind, spec, pictures[place])
            others = [p for p, other in zip(pictures, judges, strict=True) if other != (kind, spec)]
            assert not any(world.judge(kind, spec, other) for other in others)


def test_splits_are_disjoint_and_reproducible():
    train = {row["question"] for row in make_tasks(200, "train")}
    test = {row["question"] for row in make_tasks(200, "test")}
    assert not train & test
    assert list(make_tasks(5, "test")) == list(make_tasks(5, "test"))
