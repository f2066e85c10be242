"""Chats as models leave them: markers of templates, thought tags, harmony's channels, content in parts."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from zero_engine.parse import parse_trace
from zero_engine.pipeline import Input, Parse
from zero_engine.read import read_traces
from zero_engine.read.markers import answer_in_chat
from zero_engine.read.outputs import json_output
from zero_engine.read.tags import FAMILIES, split_thinking
from zero_engine.records import ParsedTrace, Trace

Q = "What is 2+2?"
THOUGHT = "Okay, let me think.\n\n2 + 2 = 4."
STEPS = ["Okay, let me think.", "2 + 2 = 4."]
OPEN, CLOSED = f"<think>\n{THOUGHT}", f"<think>\n{THOUGHT}\n</think>\n\n4"
TEMPLATES = {
    "deepseek": "<｜begin▁of▁sentence｜><｜User｜>{q}<｜Assistant｜>{r}<｜end▁of▁sentence｜>",
    "deepseek, spelled in ascii": "<|begin_of_sentence|><|User|>{q}<|Assistant|>{r}<|end_of_sentence|>",
    "deepseek, no user marker": "{q}<｜Assistant｜>{r}",
    "chatml": "<|im_start|>system\nHelp.<|im_end|>\n<|im_start|>user\n{q}<|im_end|>\n"
    "<|im_start|>assistant\n{r}<|im_end|>",
    "llama 3": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{q}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n{r}<|eot_id|>",
    "llama 2": "<s>[INST] <<SYS>>\nHelp.\n<</SYS>>\n\n{q} [/INST] {r} </s>",
    "mistral": "<s>[SYSTEM_PROMPT]Help.[/SYSTEM_PROMPT][INST]{q}[/INST]{r}</s>",
    "gemma": "<bos><start_of_turn>user\n{q}<end_of_turn>\n<start_of_turn>model\n{r}<end_of_turn>",
    "phi": "<|user|>\n{q}<|end|>\n<|assistant|>\n{r}<|end|>",
    "glm": "[gMASK]<sop><|user|>\n{q}<|assistant|>\n{r}",
    "zephyr": "<|system|>\nHelp.</s>\n<|user|>\n{q}</s>\n<|assistant|>\n{r}</s>",
    "command r": "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{q}<|END_OF_TURN_TOKEN|>"
    "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{r}<|END_OF_TURN_TOKEN|>",
    "granite": "<|start_of_role|>user<|end_of_role|>{q}<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>{r}",
    "openbuddy": "<|role|>user<|says|>{q}<|end|>\n<|role|>assistant<|says|>{r}<|end|>",
    "two turns": "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n"
    "<|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n{r}",
    "r1 zero": "A conversation between User and Assistant. The user asks a question.\nUser: {q}\nAssistant: {r}",
    "user and assistant": "User: {q}\n\nAssistant: {r}",
    "human and assistant": "Human: {q}\n\nAssistant: {r}",
    "alpaca": "Below is an instruction that describes a task.\n\n### Instruction:\n{q}\n\n### Response:\n{r}",
    "only the end": "{r}<｜end▁of▁sentence｜>",
    "only the end, chatml": "{r}<|im_end|>\n",
    "nothing": "{r}",
}


def read(folder: Path, record: dict[str, Any], format: str, **options: Any) -> list[ParsedTrace]:
    path = folder / "corpus.jsonl"
    path.write_text(json.dumps(record) + "\n")
    found = []
    for item in read_traces(Input(path=str(path), format=format, **options)):
        assert isinstance(item, Trace), item
        parsed = parse_trace(item, Parse())
        assert isinstance(parsed, ParsedTrace), parsed
        found.append(parsed)
    return found


@pytest.mark.parametrize("format", ["think", "magpie", "generic", "math"])
@pytest.mark.parametrize("response", [OPEN, CLOSED], ids=["unclosed", "closed"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_an_output_in_chat_form_is_its_thought(
    template: str, response: str, format: str, tmp_path: Path
) -> None:
    text = TEMPLATES[template].format(q=Q, r=response)
    column = {"think": "response", "magpie": "response", "generic": "rationale", "math": "solution"}[format]
    question = {"magpie": "instruction", "math": "problem"}.get(format, "question")
    (parsed,) = read(tmp_path, {question: Q, column: text}, format)
    assert [step.text for step in parsed.steps] == STEPS
    assert parsed.trace.question == Q and parsed.answer == ("4" if response == CLOSED else None)


@pytest.mark.parametrize("template", [name for name in TEMPLATES if "{q}" in TEMPLATES[name]])
def test_the_question_is_found_before_the_answer(template: str, tmp_path: Path) -> None:
    (parsed,) = read(tmp_path, {"text": TEMPLATES[template].format(q=Q, r=CLOSED)}, "think")
    assert parsed.trace.question == Q and parsed.answer == "4"


@pytest.mark.parametrize("tags", FAMILIES, ids=[opening for opening, _ in FAMILIES])
@pytest.mark.parametrize("shout", [False, True])
def test_the_tags_in_use_are_found(tags: tuple[str, str], shout: bool) -> None:
    opening, closing = (tag.upper() if shout else tag for tag in tags)
    for text, notes in (
        (f"{opening}\na b\n{closing}\nc", ()),
        (f"a b\n{closing}\nc", ("think_unopened",)),
        (f"{opening}\na b", ("think_unclosed",)),
    ):
        found = split_thinking(text)
        assert found is not None and (found.rationale, found.notes) == ("a b", notes)


def test_harmony_channels_are_thought_and_answer(tmp_path: Path) -> None:
    text = (
        f"<|start|>system<|message|>Reasoning: high<|end|><|start|>user<|message|>{Q}<|end|>"
        f"<|start|>assistant<|channel|>analysis<|message|>{THOUGHT}<|end|>"
        "<|start|>assistant<|channel|>final<|message|>4<|return|>"
    )
    (parsed,) = read(tmp_path, {"text": text}, "think")
    assert (
        [step.text for step in parsed.steps] == STEPS and parsed.answer == "4" and parsed.trace.question == Q
    )
    (parsed,) = read(
        tmp_path, {"text": text.partition("<|end|><|start|>assistant<|channel|>final")[0]}, "think"
    )
    assert [step.text for step in parsed.steps] == STEPS and parsed.answer is None
    turns = [
        {"role": "user", "content": Q},
        {"role": "assistant", "channel": "analysis", "content": THOUGHT},
        {"role": "assistant", "channel": "final", "content": "4"},
    ]
    (parsed,) = read(tmp_path, {"messages": turns}, "messages")
    assert [step.text for step in parsed.steps] == STEPS and parsed.answer == "4"


@pytest.mark.parametrize(
    "turns",
    [
        [{"role": "User", "content": Q}, {"role": "ASSISTANT", "content": "4", "reasoning_content": THOUGHT}],
        [{"from": "human", "value": Q}, {"from": "gpt", "value": CLOSED}],
        [{"role": "user", "parts": [{"text": Q}]},
         {"role": "model", "parts": [{"text": THOUGHT, "thought": True}, {"text": "4"}]}],
        [{"role": "user", "content": Q}, {"role": "assistant", "content": "4", "reasoning": None, "reasoning_details": [
            {"type": "reasoning.text", "text": THOUGHT}, {"type": "reasoning.encrypted", "data": "x"}]}],
        [{"role": "user", "content": [{"type": "text", "text": Q}]},
         {"role": "assistant", "content": [{"type": "thinking", "thinking": THOUGHT}, {"type": "text", "text": "4"}]}],
        [{"role": "user", "content": Q}, {"role": "assistant", "content": [
            {"type": "reasoning",
             "summary": [{"type": "summary_text", "text": THOUGHT}]}, {"type": "output_text", "text": "4"}]}],
        [{"role": None, "from": "human", "content": None, "value": Q}, {"role": None, "from": "gpt", "value": CLOSED}],
        {"role": ["user", "assistant"], "content": [Q, CLOSED]},
        json.dumps([{"role": "user", "content": Q}, {"role": "assistant", "content": CLOSED}]),
    ],
)  # fmt: skip
def test_messages_in_every_spelling(turns: object, tmp_path: Path) -> None:
    (parsed,) = read(tmp_path, {"messages": turns, "answer": "four"}, "messages")
    assert [step.text for step in parsed.steps] == STEPS
    assert parsed.trace.question == Q and parsed.trace.answer == "four"  # the gold one


def test_a_chat_without_tags_is_a_trace_an_answer(tmp_path: Path) -> None:
    turns = [
        ("user", "a?"),
        ("assistant", "We add one.\n\nThat is two."),
        ("user", "b?"),
        ("assistant", "Yes.\n\nNo."),
    ]
    found = read(tmp_path, {"messages": [{"role": r, "content": c} for r, c in turns]}, "messages")
    assert [(p.trace.question, len(p.steps), p.notes) for p in found] == [
        ("a?", 2, ("no_thought_tags",)),
        ("b?", 2, ("no_thought_tags",)),
    ]


def test_a_picture_in_the_reasoning_belongs_to_its_step_and_leaves_no_mark(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "<think>See <image> here.</think>4"},
    ]
    (parsed,) = read(tmp_path, {"messages": turns, "images": ["none.png"]}, "messages")
    assert [(step.text, step.given is not None) for step in parsed.steps] == [("See", True), ("here.", False)]
    assert "<image>" not in parsed.trace.rationale


def test_an_empty_thought_loses_nothing(tmp_path: Path) -> None:
    (parsed,) = read(
        tmp_path, {"question": Q, "response": "<think>\n\n</think>\n\nTwo and two.\n\nFour."}, "think"
    )
    assert [step.text for step in parsed.steps] == [
        "Two and two.",
        "Four.",
    ] and "thought_empty" in parsed.notes


def test_prose_about_a_marker_is_no_marker() -> None:
    assert answer_in_chat("The token `<|im_end|>` ends a turn.") is None
    assert answer_in_chat("x < |y| and <s> is strikethrough, as is </s>.") is None
    assert answer_in_chat("The user said: User: hello") is None


@pytest.mark.parametrize(
    ("output", "reasoning", "answer"),
    [
        ('{"reasoning": "a", "answer": "b"}', "a", "b"),
        ('``` json\n{"reasoning": "a", "answer": 5}\n```', "a", "5"),
        ('Sure!\n```json\n{\n "reasoning": "a\nb",\n "answer": "c"\n}\n```\nDone.', "a\nb", "c"),
        (r'{"reasoning": "\frac{1}{2} and \times, \(x\), \sqrt{2}", "answer": "\boxed{3}"}',
         r"\frac{1}{2} and \times, \(x\), \sqrt{2}", r"\boxed{3}"),
        (r'{"reasoning": "one\ntwo \\frac{1}{2}", "answer": "3"}', "one\ntwo \\frac{1}{2}", "3"),
        ('The set {1, 2} matters. {"reasoning": "a", "answer": "b"}', "a", "b"),
        ('{"reasoning": ["a", "b"], "final_answer": "c"}', "a\nb", "c"),
        ('{\n "reasoning": "a is 1.\nSo b."\n\n "answer": "2"\n}', "a is 1.\nSo b.", "2"),
        ('{"reasoning": "he said "no" to it", "answer": 5}', 'he said "no" to it', "5"),
        ('```json\n{"reasoning": "a is 1. So b', "a is 1. So b", None),
        ('{"reasoning": "a is 1."', "a is 1.", None),
    ],
)  # fmt: skip
def test_json_in_an_output(output: str, reasoning: str, answer: str | None) -> None:
    assert json_output(output)[:2] == (reasoning, answer)


@pytest.mark.parametrize(
    "piece",
    [
        "<think>",
        "</think>",
        "<|im_start|>",
        "<|im_start|> ",
        "User:\n",
        "\n ",
        " ",
        "[INST]",
        "<|start|>",
        '{"',
        "\\",
        "<s>",
        "`<think>`",
        "<|channel|>",
    ],
)
def test_time_is_linear_in_a_texts_length(piece: str) -> None:
    def work_s(text: str) -> float:
        started = time.process_time()
        answer_in_chat(text), split_thinking(text), json_output(text)
        return time.process_time() - started

    n = 40_000
    once, twice = (
        min(work_s("q" + piece * (n * k // len(piece)) + "\nend.") for _ in range(3)) for k in (1, 2)
    )
    assert twice < 3.2 * once + 0.05  # quadratic time would be 4 times; the rest is noise
