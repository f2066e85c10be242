"""The way that every draft goes, whatever its format: chat markers, thought tags, then the gold answer.

A format says which column is what. What stands *inside* a rationale that a model wrote is the same in every corpus,
so it is read here once: markers of chat templates go, and with them the question that stood before the answer; the
thought is what the tags say, and what follows it is what the model said. The corpus's own answer always wins over
that; where the two differ by the rewards' own judgement, the trace has the note `answer_differs_from_gold`. Without a
gold answer the model's is the trace's.
"""

from zero_engine.parse.answers import answers_equal, extract_answer
from zero_engine.pipeline import Input
from zero_engine.read.fields import Draft
from zero_engine.read.markers import answer_in_chat, may_hold_markers
from zero_engine.read.places import settle
from zero_engine.read.tags import split_thinking, without_parts

SHORT_ANSWER = 60
"""Characters of a text that may be an answer as it stands."""


def finished(draft: Draft, spec: Input, by_people: bool = False) -> Draft:
    """The draft with its thought, its answer and its notes. Changes it in place."""
    if draft.steps is None and (not by_people or spec.think_tags or _may_close(draft.rationale)):
        _read_thought(draft, spec, by_people)
    question = draft.question
    if "|" in question or "\uff5c" in question or "INST]" in question or "_of_turn>" in question:
        chat = answer_in_chat(draft.question)
        draft.question = (chat.question or chat.text if chat else None) or draft.question
    if draft.pictures:
        settle(draft)
    if draft.answer is None:
        draft.answer = draft.said or None
    elif _differs(draft):
        draft.notes += ("answer_differs_from_gold",)
    return draft


def _read_thought(draft: Draft, spec: Input, by_people: bool) -> None:
    text = draft.rationale
    if may_hold_markers(text) and (chat := answer_in_chat(text)) is not None:
        text = chat.text
        draft.question = (draft.question.strip() and draft.question) or chat.question or draft.question
    thinking = split_thinking(text, spec.think_tags)
    if thinking is None or (by_people and {"think_unopened", "think_unclosed"} & set(thinking.notes)):
        draft.rationale = text if by_people else without_parts(text)
        return
    draft.notes += thinking.notes
    if thinking.rationale or not thinking.answer:
        draft.rationale, draft.said = without_parts(thinking.rationale), thinking.answer or draft.said
    else:  # `<think></think>` and then an answer that reasons
        draft.rationale = thinking.answer
        draft.notes += ("thought_empty",)


def _may_close(text: str) -> bool:
    """A cheap no: whether a closing tag could be in a text, or a chat marker."""
    return (
        "</" in text
        or "|" in text
        or "&lt;" in text
        or "< /" in text
        or "[/" in text
        or "\u25c1" in text
        or "\uff5c" in text
    )


def _differs(draft: Draft) -> bool:
    """Whether the model's answer is another than the gold one; False where it states none."""
    said = draft.said
    if not said:
        return False  # what the rationale itself states is held against the gold answer when it is parsed
    claimed = extract_answer(None, said)
    if claimed is None and len(said) <= SHORT_ANSWER and "\n" not in said:
        claimed = extract_answer(said)
    gold = extract_answer(draft.answer)
    return bool(claimed and gold) and not answers_equal(gold, claimed, draft.choices)
