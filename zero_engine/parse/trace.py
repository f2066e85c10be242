"""Parse one trace: steps by the rule it calls for, caps, and the answer.

What is taken out of the step texts, and nothing else is:
- a last line `#### answer`, which is the answer and no step;
- calculator notes `<<48/2=24>>`, unless `calculator_notes: keep`;
- what passes the caps, counted in `steps_capped:n` (steps left out) and `step_truncated:n` (steps cut).

Drawing code (`[asy]..[/asy]`) stays, whole, in the step it belongs to; the prompts of render/ leave it out.

A trace without steps but with an answer stays, with the note `no_steps`; without both, or without a
question, it is rejected: there is nothing to draw and nothing to train on.
"""

import re

from zero_engine.parse.answers import extract_answer, without_final_answer
from zero_engine.parse.graphemes import truncate
from zero_engine.parse.steps import is_visible, segment
from zero_engine.pipeline import Parse
from zero_engine.records import ParsedTrace, Rejection, Step, Trace

CALCULATOR_NOTE = re.compile(r"<<[^<>\n]*=[^<>\n]*>>")


def parse_trace(trace: Trace, spec: Parse) -> ParsedTrace | Rejection:
    """Steps and answer of a trace. Pure; time is linear in its length.

    Steps that the corpus itself marks are kept as they are under `rule: auto` (rule `given`).
    """
    if not is_visible(trace.question.strip()) and not trace.question_images:
        return _reject(trace, "empty_question", "the question is blank")
    rationale, hashed = without_final_answer(trace.rationale)
    if trace.steps is not None and spec.rule == "auto":
        texts, rule = _visible([text.strip() for text in trace.steps]), "given"
    else:
        texts, rule = segment(rationale, spec.rule)
    notes = trace.notes
    if spec.calculator_notes == "drop" and "<<" in rationale:
        texts = _visible([CALCULATOR_NOTE.sub("", text) for text in texts])
    answer = extract_answer(trace.answer or hashed, rationale)
    if not texts:
        if answer is None:
            return _reject(trace, "no_steps", "the rationale holds no step, and there is no answer")
        notes += ("no_steps",)
    if len(texts) > spec.max_steps:
        notes += (f"steps_capped:{len(texts) - spec.max_steps}",)
        texts = texts[: spec.max_steps]
    long = sum(len(text) > spec.max_step_chars for text in texts)
    if long:
        notes += (f"step_truncated:{long}",)
        texts = [truncate(text, spec.max_step_chars) for text in texts]
    steps = tuple([Step(index, text) for index, text in enumerate(texts)])
    return ParsedTrace(trace, steps, answer, rule, notes)


def _visible(texts: list[str]) -> list[str]:
    return [text for text in texts if is_visible(text)]


def _reject(trace: Trace, reason: str, detail: str) -> Rejection:
    return Rejection(trace.id, "parse", reason, detail, record=trace.record)
