"""Time is linear whatever a text repeats: twice the length takes about twice the time.

A quadratic rule takes four times as long; the bound of three and a constant is loose enough for a machine under
load, and each time is the best of several.
"""

import string
import time
from collections.abc import Callable

import pytest

from zero_engine.parse import answers_equal, extract_answer, parse_trace
from zero_engine.pipeline import Parse
from zero_engine.records import Source, Trace
from zero_engine.train.rewards import reward

pytestmark = pytest.mark.slow

REPEATED = [
    *("#### ", "####", " ", "\t", "\n", "\n\n", "\n \n", "\r\n", "The answer. so ", "so "),
    *("Answer: B\n", "answer ", "ans ", "\\boxed{", "\\boxed{1}", "}", "<answer>"),
    *("<answer>a</answer>", "答案", "उत्तर ", "$", "$$", "\\(", "\\[", "\\$", "$a\\$", "**", "*", "_"),
    *("|", "| a |\n", "`", "```", "```\n", "~~~\n", "\\begin{a}", "\\end{a}", "\\begin{a}\\begin{b}"),
    *("(", "((a) ", "[", "{", '"', '"a" ', "“", "a. B ", "Dr. ", "...", "?! ", "5! = ", "a = 1 "),
    *("= ", "1 = x = ", "3 1/2 = ", "。", "；", "。」", "5．", "Step 1: ", "Step 1: a\n"),
    *("- Step 1: a\n\nb\n", "1. ", "1. a\n", "   1. a\n", "1. a\n1. b\n2. c\n", "## a\n", "**a**\n\n"),
    *("B\n", "Q: a\nA: b\n", "- a\n  - b\n", "---\n", "<<", "<<=", "=", "Then ", "\u200b\n", "(a\n"),
    *("a", "1", "1" * 50, "A) ", "\\text{", "\\frac{", "1,", "111 ", "²", "½", "the final correct "),
    *("is (B) ", ". Step 1: ", "\n =", "x =\n", "`a ", "(`", "`a` ", "<table>", "<code>a</code> ", "A. 3 "),
]
AROUND = [("", ""), ("Step 1: a\nStep 2: b\n", "z"), ("The answer is ", ""), ("####", "\nx")]
LENGTH = 5_000


def names(length: int) -> str:
    """Environments that never close, each with a name of its own."""
    letters = string.ascii_lowercase
    all_names = (a + b + c for a in letters for b in letters for c in letters)
    return "".join(f"\\begin{{{name}}}" for name, _ in zip(all_names, range(length // 11), strict=False))


def parse(text: str) -> None:
    source = Source("s", "p", 0)
    for rule in ("auto", "sentences", "lines"):
        parse_trace(Trace("a", "q", text, None, source), Parse(rule=rule, max_steps=10**6))
    parse_trace(Trace("a", "q", "x", "7", source, steps=(text,)), Parse(max_steps=10**6))


def judge(text: str) -> None:
    extract_answer(text)
    answers_equal(text, text + "x")
    reward(f"thought\nFinal Answer: {text}", "7")
    reward(f"<reserved12856>{text}<reserved12857><reserved12866>{text}<reserved12867>", text + "7")


def seconds(run: Callable[[str], None], text: str) -> float:
    times = []
    for _ in range(3):
        started = time.process_time()
        run(text)
        times.append(time.process_time() - started)
    return min(times)


@pytest.mark.parametrize("run", [parse, judge])
@pytest.mark.parametrize("unit", REPEATED)
def test_twice_the_text_takes_twice_the_time(run: Callable[[str], None], unit: str) -> None:
    before, after = AROUND[len(unit) % len(AROUND)]
    once = seconds(run, before + unit * (LENGTH // len(unit)) + after)
    twice = seconds(run, before + unit * (2 * LENGTH // len(unit)) + after)
    assert twice < 3 * once + 0.05


@pytest.mark.parametrize("run", [parse, judge])
def test_names_that_never_repeat_take_linear_time_too(run: Callable[[str], None]) -> None:
    assert seconds(run, names(4 * LENGTH)) < 3 * seconds(run, names(2 * LENGTH)) + 0.05
