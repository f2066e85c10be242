"""Reasoning tasks: answers agree with their traces, splits never share a task."""

import re

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


def test_splits_are_disjoint_and_reproducible():
    train = {row["question"] for row in make_tasks(200, "train")}
    test = {row["question"] for row in make_tasks(200, "test")}
    assert not train & test
    assert list(make_tasks(5, "test")) == list(make_tasks(5, "test"))
