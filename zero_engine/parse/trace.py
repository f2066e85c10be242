"""Parse one trace: steps by the rule it calls for, caps, and the answer.

What is taken out of the step texts, and nothing else is:
- a last line `#### answer`, which is the answer and no step;
- lone surrogates, replaced by U+FFFD (`surrogate_replaced`);
- calculator notes `<<48/2=24>>`, unless `calculator_notes: keep` or a step is nothing else;
- what passes the caps, counted in `steps_capped:n` (steps left out) and `step_truncated:n` (steps cut).

Steps that the corpus itself marks stay as they are (rule `given`), but those of more than `max_given_chars` are cut at
line breaks and sentence ends into pieces of at most as many characters, outside of math, code, tables and brackets; the
note `given_cut:n` counts them.

A picture that the corpus gives ends a step (given.py). What has no place, a second picture of a step or one of a step
that was left out, is counted in `given_dropped:n`.

The answer is the corpus's own where it has one. Where the rationale states another, by the judgement that pays rewards
(equality.py), the note is `answer_differs_from_gold`.

Drawing code (`[asy]..[/asy]`) stays, whole, in the step it belongs to; the prompts of render/ leave it out.

A trace without steps but with an answer stays, with the note `no_steps`; without both, or without a
question, it is rejected: there is nothing to draw and nothing to train on.
"""

import re
from dataclasses import replace

from zero_engine.parse.answers import extract_answer, stated_answer, without_final_answer
from zero_engine.parse.equality import answers_differ
from zero_engine.parse.given import HELD, after_steps, between_words, by_characters, paired
from zero_engine.parse.graphemes import truncate
from zero_engine.parse.steps import cut_long, is_visible, segment
from zero_engine.pipeline import Parse
from zero_engine.records import ParsedTrace, Rejection, Step, Trace

CALCULATOR_NOTE = re.compile(r"<<[^<>\n=]*=[^<>\n]*>>")
SURROGATE = re.compile("[\ud800-\udfff]")
SAYS_NOTHING = re.compile(r"[-–—_.…/*#]{1,3}|(?i:n/a|nan|null|none)")
"""What tables and corpora write for a question that is kept elsewhere (OpenCodeReasoning: `-`)."""
DIFFERS = "answer_differs_from_gold"
MENDED = "surrogate_replaced"


def parse_trace(trace: Trace, spec: Parse) -> ParsedTrace | Rejection:
    """Steps and answer of a trace. Pure; time is linear in its length.

    Steps that the corpus itself marks are kept as they are under `rule: auto` (rule `given`).
    """
    trace = _encodable(trace)
    asked = trace.question.strip()
    if (not is_visible(asked) or SAYS_NOTHING.fullmatch(asked)) and not trace.question_images:
        told = f"the question is {asked!r}" if is_visible(asked) else "the question is blank"
        return _reject(trace, "empty_question", told)
    notes = trace.notes
    rationale, hashed = without_final_answer(trace.rationale)
    if trace.steps is not None and spec.rule == "auto":
        cut, rule = [[text.strip()] for text in trace.steps], "given"
        if limit := spec.max_given_chars:
            long = sum(len(text) > limit for (text,) in cut)
            cut = [cut_long(text, limit) for (text,) in cut] if long else cut
            notes += (f"given_cut:{long}",) if any(len(pieces) > 1 for pieces in cut) else ()
        stream = after_steps(cut, trace.given)
    else:
        texts, rule = segment(rationale, spec.rule)
        given = by_characters(rationale, trace.steps, trace.given) if trace.steps else trace.given
        stream = between_words(rationale, texts, given) if given else iter(texts)
    if spec.calculator_notes == "drop" and "<<" in rationale:
        stream = (_without_notes(item) if isinstance(item, str) and "<<" in item else item for item in stream)
    pieces, lost = paired(stream)
    if trace.steps is not None:
        lost += sum(one.at >= len(trace.steps) for one in trace.given)
    if trace.given:
        notes = tuple(note for note in notes if note.partition(":")[0] != HELD)
    answer = extract_answer(trace.answer or hashed, rationale)
    if trace.answer and DIFFERS not in notes and (said := hashed or stated_answer(rationale)):
        notes += (DIFFERS,) if answers_differ(extract_answer(said), answer, trace.choices) else ()
    if not pieces:
        if answer is None:
            return _reject(trace, "no_steps", "the rationale holds no step, and there is no answer")
        notes += ("no_steps",)
    if len(pieces) > spec.max_steps:
        notes += (f"steps_capped:{len(pieces) - spec.max_steps}",)
        lost += sum(picture is not None for _, picture in pieces[spec.max_steps :])
        pieces = pieces[: spec.max_steps]
    if long := len([text for text, _ in pieces if len(text) > spec.max_step_chars]):
        notes += (f"step_truncated:{long}",)
        pieces = [(truncate(text, spec.max_step_chars), picture) for text, picture in pieces]
    if lost:
        notes += (f"given_dropped:{lost}",)
    steps = tuple([Step(index, text, picture) for index, (text, picture) in enumerate(pieces)])
    return ParsedTrace(trace, steps, answer, rule, notes)


def _without_notes(step: str) -> str:
    """A step without calculator notes; of one that is nothing else (GSM8K-Aug), what stands in them."""
    told = CALCULATOR_NOTE.sub("", step)
    return told if told.strip(" \t\n.,;") else CALCULATOR_NOTE.sub(lambda note: note.group()[2:-2], step)


def _encodable(trace: Trace) -> Trace:
    """The trace with lone surrogates, which no file can hold, replaced and noted."""
    joined = f"{trace.question}{trace.rationale}{trace.answer}"
    if trace.steps or trace.choices:
        joined = "".join([joined, *(trace.steps or ()), *trace.choices])
    if joined.isascii() or not SURROGATE.search(joined):
        return trace

    def mended(text: str) -> str:
        return SURROGATE.sub("\ufffd", text)

    return replace(
        trace,
        question=mended(trace.question),
        rationale=mended(trace.rationale),
        answer=trace.answer and mended(trace.answer),
        steps=trace.steps and tuple(map(mended, trace.steps)),
        choices=tuple(map(mended, trace.choices)),
        notes=trace.notes + (() if MENDED in trace.notes else (MENDED,)),
    )


def _reject(trace: Trace, reason: str, detail: str) -> Rejection:
    return Rejection(trace.id, "parse", reason, detail, record=trace.record)
