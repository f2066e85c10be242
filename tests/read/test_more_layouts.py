"""Layouts of public corpora that docs/formats.md does not list: what `init` makes of them with no option at all."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zero_engine.errors import InputError
from zero_engine.parse import parse_trace
from zero_engine.pipeline import Input, Parse
from zero_engine.read import read_traces
from zero_engine.read.fields import lettered
from zero_engine.read.proposal import propose
from zero_engine.records import ParsedTrace, Trace

ASKED = "Ann has 3 apples and buys 2 more. How many apples has she?"
STEPS = ["Ann starts with 3 apples.", "She buys 2 more, so 3 + 2 = 5 apples."]
WAY = "\n\n".join(STEPS)
THOUGHT = f"<think>\n{WAY}\n</think>\n\nThe answer is \\boxed{{5}}."
USER = {"role": "user", "content": ASKED}
WRONG = (
    "Ann gave all of her pears away, which leaves none at all, as anybody who counts them can see. So none."
)


def first(path: Path, *records: Any, **options: Any) -> ParsedTrace:
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))
    spec = propose(Input(path=str(path), **options)).spec
    (found, *_) = [parse_trace(item, Parse()) for item in read_traces(spec) if isinstance(item, Trace)]
    assert isinstance(found, ParsedTrace)
    return found


@pytest.mark.parametrize(
    ("record", "answer"),
    [
        pytest.param(
            {"messages": [{"role": "system", "content": "You are a dolphin."}, USER], "reasoning": WAY,
             "answer": "Ann has **5** apples. So the final answer is 5.", "model": "deepseek-reasoner"}, "5",
            id="Dolphin-R1"),
        pytest.param({"messages": [USER], "answer": f"{WAY}\n\nThe answer is \\boxed{{5}}."}, "5", id="AceMath"),
        pytest.param({"rejected": {"from": "gpt", "value": WRONG * 3}, "chosen": {"from": "gpt", "value": THOUGHT},
                      "conversations": [{"from": "human", "value": ASKED}]}, "5", id="preferences, a message"),
        pytest.param({"rejected": [{"role": "assistant", "content": WRONG}], "prompt": [USER],
                      "chosen": [{"role": "assistant", "content": THOUGHT}]}, "5", id="preferences, lists"),
        pytest.param({"rejected": [USER, {"role": "assistant", "content": WRONG}],
                      "chosen": [USER, {"role": "assistant", "content": THOUGHT}]}, "5", id="preferences, implicit"),
        pytest.param({"prompt": ASKED, "rejected": WRONG * 3, "chosen": f"{WAY}\nThe answer is 5."}, "5",
                     id="preferences, texts"),
        pytest.param(
            {"task": "Math_CoT", "dataset": "math", "trajectory": [{"from": "user", "value": ASKED}],
             "chosen": f"{WAY}\n\nThe final answer is \\boxed{{5}}.", "rejected": "It is \\boxed{4}."}, "5",
            id="UltraInteract"),
        pytest.param(
            {"question": ASKED, "reference_answer": "5",
             "responses": [{"response_model": "Llama3.3-70B", "response": f"{WAY}\n\nIt is $\\boxed{{6}}$"}]}, "5",
            id="natural_reasoning"),
        pytest.param({"source": ASKED, "target": "5", "rationale": WAY, "task": "gsm8k", "type": "CoT"}, "5",
                     id="CoT-Collection"),
        pytest.param(
            {"conversations": [
                {"from": "human", "value": ASKED},
                {"from": "gpt", "value": f"<SUMMARY> {STEPS[0]} </SUMMARY>\n\n<CAPTION> </CAPTION>\n\n<REASONING> "
                                         f"{STEPS[1]} </REASONING>\n\n<CONCLUSION> 5 </CONCLUSION>"}]}, "5",
            id="LLaVA-CoT"),
        pytest.param({"question": ASKED, "answer": f"{WAY} So, Ann has 5 apples."}, None, id="Orca-Math"),
        pytest.param(
            {"question": ASKED, "answer": f"{WAY} The answer is 5.", "answer_number": 5,
             "equation_solution": "3 + 2 = 5."}, "5", id="MGSM"),
        pytest.param({"input": ASKED, "reasoning_content": WAY, "content": "It is so.\n\n**Answer: 5**", "score": 10},
                     "5", id="Chinese-DeepSeek-R1"),
        pytest.param({"question": ASKED, "reasoning (reasoning_content)": WAY, "response (content)": "It is **5**."},
                     None, id="Medical-R1-Distill"),
        pytest.param({"Question": ASKED, "Complex_CoT": WAY, "Response": "So Ann has, as counted here, 5 apples."},
                     None, id="medical-o1"),
        pytest.param({"Problem": ASKED, "Rationale": WAY, "options": "a ) 4 , b ) 5 , c ) 1,200", "correct": "b",
                      "category": "general"}, "b", id="MathQA"),
        pytest.param({"question": ASKED, "answer": "5", "steps": [{"step": one, "score": 1.0} for one in STEPS]}, "5",
                     id="VisualPRM"),
        pytest.param({"text": f"<|im_start|>user\n{ASKED}<|im_end|>\n<|im_start|>assistant\n<|im_start|>think\n{WAY}\n"
                              "<|im_start|>answer\nThe answer is \\boxed{5}.<|im_end|>"}, "5", id="s1K, tokenized"),
        pytest.param({"question": ASKED, "steps": WAY, "final": 5}, "5", id="steps in one text"),
        pytest.param({"conversation": [{"system": "s", "input": ASKED, "output": THOUGHT}]}, "5", id="XTuner"),
        pytest.param({"conversation": [{"human": ASKED, "assistant": THOUGHT}]}, "5", id="Firefly"),
        pytest.param({"problem": ASKED, "reasoning": WAY, "deepseek_solution": "\\boxed{6}",
                      "deepseek_final_answer": "6", "ground_truth_solution": "It is \\boxed{5}.",
                      "ground_truth_final_answer": "five"}, "five",
                     id="numina_amc_aime_deepseek_r1"),
        pytest.param({"problem": ASKED, "matched_solution": "It is \\boxed{5}.", "predicted_solution": "x",
                      "r1_response_content": "\\boxed{6}", "r1_reasoning_content": WAY,
                      "is_r1_solution_correct": False}, "5", id="SCP-116K"),
        pytest.param({"question": ASKED, "r1_solution": f"{THOUGHT}", "r1_correctness": "True", "test": "assert f()",
                      "solution": "def f():\n    return 5", "style": "instruct"}, "5", id="KodCode, a program as gold"),
        pytest.param({"question": ASKED, "choices": ["4", "5", "98"], "correct_choice_idx": 1, "rationales": STEPS,
                      "direct_answers": "['5', 'five']", "difficult_direct_answer": False}, "B", id="A-OKVQA"),
        pytest.param({"prompt": ASKED, "answer": "5",
                      "positives": [{"extracted_answer": "6", "final_answer": "It is 6.", "reasoning": WAY}],
                      "negatives": [{"final_answer": "It is 7.", "reasoning": "So a guess."}]}, "5", id="Light-R1"),
        pytest.param({"problem": ASKED, "responses": [{"reasoning_content": WAY, "content": "It is \\boxed{5}."}]}, "5",
                     id="the thought of each generation in a key of its own"),
        pytest.param({"type": "GSM_Rephrased", "query": ASKED, "original_question": "And before?",
                      "response": f"{WAY}\n#### 5\nThe answer is: 5"}, "5", id="MetaMathQA"),
        pytest.param({"question": ASKED, "predicted_answer": "7", "generated_solution": f"{WAY} \\boxed{{5}}"}, "5",
                     id="a prediction is no gold answer"),
        pytest.param({"role_1": "Mathematician", "sub_topic": "x", "message_1": ASKED,
                      "message_2": f"{WAY} The answer is 5."}, "5", id="CAMEL"),
        pytest.param({"messages": [USER | {"info": {"ground_truth": 5}}, {"role": "assistant", "content": WAY}]}, "5",
                     id="AM-Thinking, of the question"),
        pytest.param({"messages": [USER, {"role": "assistant", "content": f"{WAY} \\boxed{{6}}",
                                          "info": {"ground_truth": "5"}}]}, "5", id="AM-Thinking, of the answer"),
    ],
)  # fmt: skip
def test_init_reads_it(tmp_path: Path, record: dict[str, Any], answer: str | None) -> None:
    found = first(tmp_path / "x.jsonl", record, record)
    assert found.trace.question == ASKED
    said = "\n".join(step.text for step in found.steps)
    assert said.replace("\n", " ").startswith(" ".join(STEPS)[:-1]) and "<" not in said
    assert answer is None or found.answer == answer


@pytest.mark.parametrize("name", ["context", "passage", "narrative", "premises"])
@pytest.mark.parametrize("asked", ["question", "problem"])
def test_what_a_question_asks_about_is_part_of_it(tmp_path: Path, name: str, asked: str) -> None:
    told = "Ann owns an orchard with apples of many kinds."
    record = {"id": "a", name: told, asked: ASKED, "solution": WAY, "answer": "5"}
    assert first(tmp_path / "x.jsonl", record).trace.question == f"{told}\n\n{ASKED}"
    assert (
        first(tmp_path / "x.jsonl", record | {asked: f"{told} {ASKED}"}).trace.question == f"{told} {ASKED}"
    )
    assert first(tmp_path / "x.jsonl", record | {name: ""}).trace.question == ASKED


@pytest.mark.parametrize(
    "record",
    [
        {"problem": ASKED, "answer": "5", "domain": ["Arithmetic"], "source": "orca_math"},
        {"data_source": "train-math", "prompt": [USER], "reward_model": {"ground_truth": '["5"]'}},
        {"Open-ended Verifiable Question": ASKED, "Ground-True Answer": "5"},
    ],
)
def test_without_a_rationale_there_is_no_guess(tmp_path: Path, record: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="no question and rationale found"):
        first(tmp_path / "x.jsonl", record)


def test_each_generation_that_is_an_object_has_its_own_verdict(tmp_path: Path) -> None:
    told = [{"text": WAY, "is_correct": True}, {"text": WRONG, "is_correct": False}]
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"question": ASKED, "samples": told, "answer": "5"}))
    traces = list(read_traces(Input(path=str(path), format="generations", where="correctness")))
    assert [isinstance(one, Trace) for one in traces] == [True, False]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a ) 38 , b ) 27.675 , c ) 1,200", ["38", "27.675", "1,200"]),
        ("A. a big cat\nB. e.g. a dog\nC. none", ["a big cat", "e.g. a dog", "none"]),
        ("(A) yes (B) no", ["yes", "no"]),
        ("no options at all", None),
        ("A. one", None),
        ("see a) and b) below", None),
    ],
)
def test_options_in_one_text(text: str, options: list[str] | None) -> None:
    assert lettered(text) == options


@pytest.mark.slow
def test_a_guess_does_not_hang_on_the_hash_seed(tmp_path: Path) -> None:
    chats = {name: [USER, {"role": "assistant", "content": name}] for name in ("good", "b", "c", "d", "e")}
    (tmp_path / "x.jsonl").write_text(json.dumps(chats))
    code = (
        "from zero_engine.read.proposal import propose; from zero_engine.pipeline import Input;"
        "print(propose(Input(path='x.jsonl')).spec.columns)"
    )
    root = str(Path(__file__).resolve().parent.parent.parent)
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": root, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1 and b"good" in said.pop()


def read(path: Path, record: dict[str, Any], **options: Any) -> list[ParsedTrace]:
    path.write_text(json.dumps(record))
    items = read_traces(Input(path=str(path), **options))
    found = [parse_trace(item, Parse()) for item in items if isinstance(item, Trace)]
    assert all(isinstance(one, ParsedTrace) for one in found)
    return [one for one in found if isinstance(one, ParsedTrace)]


def say(role: str, content: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


@pytest.mark.parametrize(
    "turns",
    [
        [USER, say("thinking", WAY), say("assistant", "5")],
        [USER, say("reasoning", WAY), say("assistant", "5")],
        [USER, say("assistant", "", reasoning_content=WAY), say("tool", "5"), say("assistant", "The answer is 5.")],
        [say("user", ASKED.partition("?")[0] + "?"), say("assistant", f"<think>{WAY}</think>**5**")],
    ],
)  # fmt: skip
def test_thought_and_answer_in_turns_of_their_own(tmp_path: Path, turns: list[Any]) -> None:
    (found,) = read(tmp_path / "x.jsonl", {"messages": turns}, format="messages")
    assert [step.text for step in found.steps] == STEPS and found.answer == "5"


def test_a_question_in_two_turns_is_whole(tmp_path: Path) -> None:
    turns = [say("user", "Ann has 3."), say("user", "How many?"), say("assistant", WAY), say("user", "And 4?"),
             say("assistant", WAY)]  # fmt: skip
    found = read(tmp_path / "x.jsonl", {"messages": turns}, format="messages")
    assert [one.trace.question for one in found] == ["Ann has 3.\nHow many?", "And 4?"]


@pytest.mark.parametrize(
    ("generations", "verdicts"),
    [
        (["a b. \\boxed{5}", None, "c d. \\boxed{6}"], ["true", "false", "False"]),
        ([["a b. \\boxed{5}"], [], ["c d."]], "[true, false, false]"),
        ([say("assistant", "a b. \\boxed{5}"), {}, say("assistant", "c d.")], [1, 0, 0]),
    ],
)
def test_verdicts_stay_with_their_generations(tmp_path: Path, generations: Any, verdicts: Any) -> None:
    record = {"question": ASKED, "generations": generations, "correctness": verdicts, "answer": "5"}
    (found,) = read(tmp_path / "x.jsonl", record, format="generations", where="correctness")
    assert found.steps[0].text.startswith("a b.") and "generations_empty:1" in found.notes


@pytest.mark.parametrize(
    "response",
    [
        "<thinking><step>Ann starts with 3 apples.</step><count>3</count><step>She buys 2 more, so 3 + 2 = 5 apples."
        "</step><reward>0.9</reward></thinking><answer>5</answer>",
        f"<think><plan>{STEPS[0]}</plan><reflection>{STEPS[1]}</reflection></think>5",
        f"<analysis>{WAY}</analysis>5",
        f"<think>{WAY}</think><|begin_of_box|>5<|end_of_box|>",
    ],
)
def test_tags_that_part_a_thought_are_no_text(tmp_path: Path, response: str) -> None:
    (found,) = read(tmp_path / "x.jsonl", {"question": ASKED, "response": response}, format="think")
    assert [step.text for step in found.steps] == STEPS and found.answer == "5"


def test_a_place_among_choices_may_be_a_float(tmp_path: Path) -> None:
    record = {"question": ASKED, "rationale": WAY, "choices": ["four", "five"], "answer": 1.0}
    assert read(tmp_path / "x.jsonl", record, format="generic")[0].answer == "B"
    record["choices"] = ["1.0", "2.0"]
    assert read(tmp_path / "x.jsonl", record, format="generic")[0].answer == "1.0"
