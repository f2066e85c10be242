"""Layouts of public corpora that docs/formats.md does not name: what `init` takes for question, steps and answer."""

from pathlib import Path

import pytest

from tests.read.test_strangers import parsed, write
from zero_engine.errors import InputError
from zero_engine.pipeline import Input
from zero_engine.read.proposal import propose

PASSAGE = "Ann and Ben share all the apples that the tree in their garden gives them in a year."
ASKED = "How many apples has she?"
WAY = "Ann starts with 3 apples. She buys 2, so 3 + 2 = 5."
STEPS = ["Ann starts with 3 apples.", "She buys 2, so 3 + 2 = 5."]
THOUGHT = f"<think>\n{WAY}\n</think>\n\nIt is \\boxed{{5}}."
CODE = "```python\nn = int(input())\nm = int(input())\nprint(n + m)\n```"
TOLD = f"{PASSAGE}\n\n{ASKED}"
ASDIV = {
    "body": PASSAGE,
    "question": ASKED,
    "solution_type": "Addition",
    "formula": "3+2=5",
    "answer": "5 (apples)",
}
SVAMP = {"ID": "chal-1", "Body": PASSAGE, "Question": ASKED, "Equation": "( 3.0 + 2.0 )", "Answer": "5.0"}
SCIENCEQA = {
    "question": ASKED,
    "choices": ["4", "5"],
    "answer": 1,
    "hint": PASSAGE,
    "lecture": WAY * 4,
    "solution": WAY,
}
MATHVISTA = {
    "question": ASKED,
    "query": f"Hint: answer with a number.\nQuestion: {ASKED}",
    "explanation": WAY,
    "answer": "5",
}
OPTIONS = {"A": "4", "B": "5"}
STEP_DPO = {
    "instruction": ASKED,
    "initial_reason_steps": WAY[:30],
    "full_chosen": WAY,
    "full_rejected": "No.",
    "answer": "5",
}
GIVEN = [{"role": "user", "content": ASKED}]
SKYWORK = {"prompt": GIVEN, "response": THOUGHT, "reward_model": {"ground_truth": '["5"]', "style": "rule"}}
VERIFIED = {
    "prompt": ASKED,
    "llm_response": THOUGHT,
    "verification_info": '{"ground_truth": "5.0"}',
    "metadata": "{}",
}
CASES = [
    (
        "dolly",
        {"instruction": ASKED, "context": PASSAGE, "response": WAY, "category": "closed_qa"},
        TOLD,
        STEPS,
        None,
    ),
    ("chinese", {"问题": ASKED, "解答": WAY, "答案": "五"}, ASKED, STEPS, "五"),
    ("german", {"Frage": ASKED, "Lösung": WAY, "Antwort": "fünf"}, ASKED, STEPS, "fünf"),
    ("korean", {"질문": ASKED, "풀이": WAY, "정답": "다섯"}, ASKED, STEPS, "다섯"),
    ("skywork_or1", SKYWORK, ASKED, STEPS, "5"),
    ("verification_info", VERIFIED, ASKED, STEPS, "5.0"),
    ("trl_stepwise", {"prompt": ASKED, "completions": STEPS, "labels": [True, False]}, ASKED, STEPS, None),
    ("step_dpo", STEP_DPO, ASKED, STEPS, "5"),
    ("asdiv", ASDIV, TOLD, ["3+2=5"], "5 (apples)"),
    ("svamp", SVAMP, TOLD, ["( 3.0 + 2.0 )"], "5.0"),
    ("scienceqa", SCIENCEQA, TOLD, STEPS, "B"),
    ("mathvista", MATHVISTA, ASKED, STEPS, "5"),
    ("tabmwp", {"question": ASKED, "table": PASSAGE, "solution": WAY, "answer": "5"}, TOLD, STEPS, "5"),
    (
        "finqa",
        {"pre_text": [PASSAGE], "table": [["a"]], "question": ASKED, "rationale": WAY, "answer": "5"},
        TOLD,
        STEPS,
        "5",
    ),
    (
        "hotpotqa",
        {"context": {"title": ["A"]}, "question": ASKED, "rationale": WAY, "answer": "5"},
        ASKED,
        STEPS,
        "5",
    ),
    (
        "reclor",
        {"context": PASSAGE, "question": ASKED, "answers": ["4", "five"], "label": 1, "rationale": WAY},
        TOLD,
        STEPS,
        "B",
    ),
    (
        "cot_collection",
        {"source": ASKED, "target": "5", "rationale": WAY, "task": "gsm8k", "type": "CoT"},
        ASKED,
        STEPS,
        "5",
    ),
    (
        "openorca",
        {"id": "1", "system_prompt": "Think.", "question": ASKED, "response": WAY},
        ASKED,
        STEPS,
        None,
    ),
    (
        "opencodereasoning",
        {"input": ASKED, "output": f"<think>{WAY}</think>\n{CODE}", "solution": CODE},
        ASKED,
        STEPS,
        CODE,
    ),
    (
        "ecqa",
        {"q_text": ASKED, "q_op1": "4", "q_op2": "five", "q_ans": "five", "taskB": WAY},
        ASKED,
        STEPS,
        "five",
    ),
    (
        "synthetic1",
        {"prompt": ASKED, "llm_response": THOUGHT, "gold_standard_solution": "So \\boxed{5}."},
        ASKED,
        STEPS,
        "5",
    ),
]


@pytest.mark.parametrize(
    ("record", "asked", "steps", "answer"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_init_reads_what_the_corpus_means(
    tmp_path: Path, record: dict, asked: str, steps: list[str], answer: str | None
) -> None:
    spec = propose(Input(path=write(tmp_path / "x.jsonl", record))).spec
    (found,) = parsed(spec)
    assert (found.trace.question, [step.text for step in found.steps], found.answer) == (asked, steps, answer)
    assert "answer_differs_from_gold" not in found.notes
    if "q_op1" in record:
        assert found.trace.choices == ("4", "five")


@pytest.mark.parametrize(
    "record",
    [
        {"passage": PASSAGE, "question": ASKED, "answers_spans": {"spans": ["5"]}},
        {"theory": PASSAGE, "question": ASKED, "answer": "True", "QDep": 1},
        {"context": PASSAGE, "question": ASKED, "answers": ["4", "5"], "label": 0},
        {
            "pid": "1",
            "question": ASKED,
            "answer": "5",
            "query": f"Hint: answer with a number.\nQuestion: {ASKED}",
        },
        {
            "question": ASKED,
            "answerKey": "B",
            "choices": OPTIONS,
            "formatted_question": f"{ASKED} (A) 4 (B) 5 as it is",
        },
    ],
)
def test_a_passage_and_a_question_said_twice_are_no_reasoning(tmp_path: Path, record: dict) -> None:
    with pytest.raises(InputError, match="no question and rationale found"):
        propose(Input(path=write(tmp_path / "x.jsonl", record)))


def test_a_column_that_is_the_rationale_is_not_the_models_answer_as_well(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", {"question": ASKED, "response": "7 is a prime, and 8 is none."})
    (found,) = parsed(Input(path=path, format="generic", columns={"rationale": "response"}))
    assert found.answer is None and len(found.steps) == 1
