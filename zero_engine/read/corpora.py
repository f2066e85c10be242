"""Column maps of text corpora whose layout is their own: GSM8K, AQuA, StrategyQA, PRM800K, Math-Shepherd, MATH, ..

Layouts: openai/grade-school-math (README), google-deepmind/AQuA (README), eladsegal/strategyqa (README), openai/prm800k
(README: `question.problem`, `label.steps[].completions[]`) and its phase-1 rows as xhghhh/Enhancing-PRM800K has them,
hendrycks/math (README), QwenLM/ProcessBench (README), peiyi9979/Math-Shepherd (card). `generic.generic` is for
everything else.
"""

import re
from typing import Any

from zero_engine.pipeline import Input
from zero_engine.read.fields import (
    Draft,
    Record,
    Unusable,
    first_text,
    gold_text,
    missing,
    optional_text,
    text,
    texts,
)
from zero_engine.read.generic import generic, own_picture

ANSWER_LINE = re.compile(
    r"[ \t]*(?:the\s+)?(?:correct\s+)?(?:answer|ans|option|choice)(?:\s+is)?"
    r"[ \t]*[:=\-]?[ \t]*\(?([A-Ha-h])\)?[ \t]*\.?[ \t]*",
    re.IGNORECASE,
)
SHEPHERD_MARK = "ки"
"""Stands behind every step of Math-Shepherd's `input`; in its `label`, `+` or `-` is in the same places."""
FIRST_STEP = re.compile(r"\bStep 1: ")
OPTION_LABEL = re.compile(r"\s*\(?([A-Z])\s*[).:]\s*")


def dataset(record: Record, spec: Input) -> list[Draft]:
    """Rows that an earlier run wrote: question, its pictures, answer, choices and the steps as they stand.

    Of the steps' pictures, those that the corpus gave are given again.
    """
    images = tuple(record.get("question_images") or ())
    steps = record["steps"] if isinstance(record.get("steps"), (list, tuple)) else ()
    told = [{"text": step.get("text")} if isinstance(step, dict) else step for step in steps]
    asked = {**record, "steps": told} if told else record
    (draft,) = generic({**asked, "image": list(images)} if images else asked, spec)
    draft.given = tuple(
        (at, f"steps[{at}].image", own_picture(step))
        for at, step in enumerate(steps)
        if isinstance(step, dict) and step.get("origin") == "given" and step.get("image")
    )
    return [draft]


def gsm8k(record: Record, spec: Input) -> list[Draft]:
    """`answer` holds the steps and, after `####`, the answer; socratic lines are `question ** step`."""
    question, solution = text(record, "question"), text(record, "answer")
    rationale, found, answer = solution.rpartition("####")
    if not found:
        rationale, answer = solution, ""
    steps = None
    if " ** " in rationale:
        lines = [line.partition(" ** ") for line in rationale.split("\n") if line.strip()]
        if all(sign for _, sign, _ in lines):
            steps = tuple(step.strip() for _, _, step in lines)
    return [Draft(question, rationale.strip(), answer.strip() or None, steps)]


def aqua(record: Record, spec: Input) -> list[Draft]:
    """`rationale` without its last line `Answer : A`; `options` without their letters; `correct`."""
    rationale = text(record, "rationale")
    body, _, last_line = rationale.rstrip().rpartition("\n")
    last = ANSWER_LINE.fullmatch(last_line)
    answer = gold_text(record, "correct") or (last.group(1).upper() if last else None)
    return [
        Draft(
            text(record, "question"),
            body if last and body else rationale,
            answer,
            choices=without_labels(texts(record, "options")),
        )
    ]


def strategyqa(record: Record, spec: Input) -> list[Draft]:
    """`facts` are the steps; a true or false `answer` becomes yes or no."""
    facts = texts(record, "facts")
    if "facts" not in record:
        raise missing(record, "facts")
    return [Draft(text(record, "question"), "\n".join(facts), gold_text(record, "answer"), facts or None)]


def prm800k(record: Record, spec: Input) -> list[Draft]:
    """One trace for each finished solution: openai/prm800k's labels, or phase-1 rows with `is_solution`.

    In a label, each step is the completion that was chosen, or the one a person wrote; only `finish_reason: solution`
    is a whole solution. In phase-1 rows it is `responses`, then `next_response`; rows that rate a candidate step hold
    no trace. Both are rejected as `candidate_step`, so that their number stays in the books.
    """
    if isinstance(record.get("label"), dict):
        return [_labelled(record)]
    if record.get("is_solution") is False:
        raise Unusable("candidate_step", "rates a candidate step; only rows with is_solution are traces")
    if "responses" not in record:
        raise missing(record, "responses", "label")
    steps = texts(record, "responses")
    if record.get("next_response") is not None:
        steps = (*steps, text(record, "next_response"))
    question = first_text(record, ("instruction", "question", "problem"))
    return [Draft(question, "\n\n".join(steps), gold_text(record, "answer"), steps or None)]


def _labelled(record: Record) -> Draft:
    label, question = record["label"], record.get("question")
    if label.get("finish_reason") not in (None, "solution"):
        raise Unusable(
            "candidate_step", f"the labelling ended in {label['finish_reason']}, not in a solution"
        )
    if not isinstance(question, dict) or not isinstance(label.get("steps"), list):
        raise Unusable("wrong_type", "question must be an object with a problem, and label.steps a list")
    steps = tuple(said for said in map(_chosen, label["steps"]) if said)
    gold = gold_text(question, "ground_truth_answer")
    return Draft(text(question, "problem"), "\n\n".join(steps), gold, steps or None)


def _chosen(step: Any) -> str | None:
    """Text of the completion of one labelled step that the solution goes on with."""
    if not isinstance(step, dict):
        return None
    chosen, completions = step.get("chosen_completion"), step.get("completions") or []
    if isinstance(chosen, int) and 0 <= chosen < len(completions):
        return completions[chosen].get("text")
    human = step.get("human_completion")
    if isinstance(human, dict):
        return human.get("text")
    if isinstance(human, str):
        return human
    # the last step of a solution has no choice to make
    return completions[0].get("text") if len(completions) == 1 and isinstance(completions[0], dict) else None


def processbench(record: Record, spec: Input) -> list[Draft]:
    """`problem` and `steps`; `final_answer_correct` is its `correctness`, `label` the first wrong step or -1."""
    if "steps" not in record:
        raise missing(record, "steps")
    steps = texts(record, "steps")
    question = first_text(record, ("problem", "question"))
    facts = {"correctness": record.get("final_answer_correct")}
    return [Draft(question, "\n\n".join(steps), gold_text(record, "answer"), steps or None, facts=facts)]


def math_shepherd(record: Record, spec: Input) -> list[Draft]:
    """`input`: the question and its steps, a mark behind each, where `label` has a verdict. All good: `correctness`."""
    told, label = text(record, "input"), text(record, "label")
    *marked, _ = told.split(SHEPHERD_MARK)
    if not marked or not (first := FIRST_STEP.search(marked[0])):
        raise Unusable(
            "wrong_type", f"input must be a question, then `Step 1: ..` and {SHEPHERD_MARK} behind each step"
        )
    verdicts, at = [], 0
    for part in marked:
        at += len(part) + 1
        verdicts.append(label[at - 1 : at])
    steps = tuple(part.strip() for part in (marked[0][first.start() :], *marked[1:]))
    facts = {"correctness": set(verdicts) == {"+"}}
    return [Draft(marked[0][: first.start()].strip(), "\n".join(steps), steps=steps, facts=facts)]


def math(record: Record, spec: Input) -> list[Draft]:
    """`problem`, `solution`; the answer is `answer`, or the last `\\boxed{}`, found when parsing."""
    question = first_text(record, ("problem", "question"))
    return [Draft(question, text(record, "solution"), gold_text(record, "answer"))]


def alpaca(record: Record, spec: Input) -> list[Draft]:
    """`instruction`, its `input` put after it, and `output` (tatsu-lab/stanford_alpaca, README; CodeAlpaca alike)."""
    more = optional_text(record, "input")
    question = text(record, "instruction")
    rationale = first_text(record, ("output", "response"))
    return [Draft(f"{question}\n{more}" if more else question, rationale, gold_text(record, "answer"))]


def without_labels(options: tuple[str, ...]) -> tuple[str, ...]:
    """Options without `A)`, `(B)`, `C.` where every one has its own letter in order."""
    labels = [OPTION_LABEL.match(option) for option in options]
    if options and all(label and label.group(1) == chr(65 + i) for i, label in enumerate(labels)):
        return tuple(option[label.end() :] for option, label in zip(options, labels, strict=True) if label)
    return options
