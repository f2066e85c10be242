"""Evaluation: questions in every form, predictions with pictures, resumed; and the commands around it."""

import base64
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tests.train.conftest import TINY
from zero_engine.cli.app import app
from zero_engine.config import parse_config
from zero_engine.errors import InputError, OutputError
from zero_engine.images import encode_image
from zero_engine.parse.answers import looks_like_a_solution
from zero_engine.render.sequences import Encoder
from zero_engine.train.config import Data
from zero_engine.train.evaluate import Evaluation, evaluate, questions, respond, summarise

pytestmark = pytest.mark.slow


def config(data: Path, out: Path, **changes) -> Evaluation:
    document = {
        "model": str(TINY),
        "data": str(data),
        "output": str(out),
        "template": "bare",
        "max_new_tokens": 40,
        "temperature": 1.0,
        "batch_size": 2,
        "device": "cpu",
    }
    return parse_config(Evaluation, {**document, **changes}, "test")


@pytest.fixture
def lines(tmp_path) -> Path:
    rows = [{"id": f"walk-{i}", "question": f"what is {i}?", "answer": i, "task": "walk"} for i in range(5)]
    rows[4]["task"] = "sum"
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_predictions_have_text_pictures_and_a_judgement(lines, tmp_path):
    summary = evaluate(config(lines, tmp_path / "out"), lambda text: None)
    predictions = [
        json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    ]
    assert [p["id"] for p in predictions] == [f"walk-{i}" for i in range(5)]
    assert (
        summary["questions"] == 5
        and summary["accuracy"] == 0
        and summary["by_task"].keys() == {"walk", "sum"}
    )
    assert summary["by_task"]["sum"]["questions"] == 1
    assert sum(len(p["pictures"]) for p in predictions) == pytest.approx(5 * summary["pictures"])
    for prediction in predictions:
        assert prediction["text"].count("<image>") >= len(prediction["pictures"])
        assert all((tmp_path / "out" / name).is_file() for name in prediction["pictures"])


def test_a_stopped_evaluation_goes_on_to_the_same_predictions(lines, tmp_path):
    evaluate(config(lines, tmp_path / "whole"), lambda text: None)
    whole = (tmp_path / "whole" / "predictions.jsonl").read_bytes()

    def stop(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(config(lines, tmp_path / "out"), stop)
    cut = tmp_path / "out" / "predictions.jsonl"
    cut.write_bytes(cut.read_bytes()[:-7])  # as a kill in the middle of a write would leave it
    said: list[str] = []
    evaluate(config(lines, tmp_path / "out"), said.append)
    assert cut.read_bytes() == whole and said[0].startswith("1 of 5")
    with pytest.raises(OutputError, match="another"):
        evaluate(config(lines, tmp_path / "out", seed=1), lambda text: None)


def test_pictures_come_in_every_form_of_omni_bench(tiny, tmp_path):
    """Forms that the benchmark's own reader takes: omni-bench/vllm_eval.py of ModalityDance/Omni-R1 at 63fb24e."""
    image = encode_image(tiny.decode(np.arange(16)[None])[0])
    (tmp_path / "picture.png").write_bytes(image)
    text = base64.b64encode(image).decode()
    forms = {
        "bytes in a struct": {"bytes": image, "path": None},
        "path in a struct": {"bytes": None, "path": "picture.png"},
        "both, as PIL pictures are stored": {"bytes": image, "path": "elsewhere.png"},
        "bytes": image,
        "path": "picture.png",
        "base64": text,
        "base64 in lines": "\n".join(text[at : at + 76] for at in range(0, len(text), 76)),
        "data URL": f"data:image/png;base64,{text}",
        "list": [image, image],
        "list of structs": [{"bytes": image, "path": None}] * 2,
    }
    encoder = Encoder(tiny, Data(path="x", template="bare", max_length=512))
    for place, (name, form) in enumerate(forms.items()):
        table = pa.table({"question": ["what is this?"], "image": [form], "answer": ["A"]})
        path = tmp_path / f"bench-{place}.parquet"
        pq.write_table(table, path)
        (asked,) = questions(config(path, tmp_path / "out"), encoder)
        assert list(asked.row["question_images"]) == [image] * (2 if "list" in name else 1), name
    table = pa.table(
        {"question": ["what?"], "image": ["<TLTS>"], "answer": ["A"]}
    )  # a picture that was removed
    pq.write_table(table, tmp_path / "removed.parquet")
    (refused,) = questions(config(tmp_path / "removed.parquet", tmp_path / "out"), encoder)
    assert refused.reason == "image_missing"


def test_valid_pictures_and_text_that_follows_them_stand_beside_accuracy(lines, tmp_path):
    summary = evaluate(config(lines, tmp_path / "out", max_new_tokens=60), lambda text: None)
    predictions = [
        json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    ]
    begun, valid = (sum(p[name] for p in predictions) for name in ("begun", "valid"))
    assert 0 < valid <= begun and summary["valid"] == pytest.approx(valid / begun)
    followed = [p["gain"] for p in predictions if p["gain"] is not None]
    assert followed and all(p["pictures"] for p in predictions if p["gain"] is not None)
    assert summary["faithful"] == pytest.approx(sum(gain > 0 for gain in followed) / len(followed))


def test_a_dataset_folder_is_a_set_of_questions(dataset, tmp_path):
    summary = evaluate(config(dataset, tmp_path, limit=3, mode="text-only"), lambda text: None)
    assert summary["questions"] == 3 and summary["pictures"] == 0


def test_a_question_without_an_answer_is_an_error_not_a_wrong_answer(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text('{"question": "why?"}\n')
    with pytest.raises(InputError, match="no_answer"):
        evaluate(config(path, tmp_path / "out"), lambda text: None)
    with pytest.raises(InputError, match="no such file"):
        evaluate(config(tmp_path / "none", tmp_path / "out"), lambda text: None)
    path.write_text('{"question": "why?", "answer": "so"}\n')
    with pytest.raises(InputError, match="700 for the answer > the model's 512"):
        evaluate(config(path, tmp_path / "long", max_new_tokens=700), lambda text: None)


def test_a_summary_counts_by_task():
    rows = [{"task": "a", "accuracy": 1.0, "format": 1.0, "pictures": ["x"]}] * 3
    assert summarise(rows)["by_task"]["a"]["pictures"] == 1


def invoke(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def test_the_commands_train_and_judge(dataset, tmp_path):
    sft, rl = tmp_path / "sft.yaml", tmp_path / "rl.yaml"
    common = f"model: {TINY}\ndata: {{path: {dataset}, template: bare, max_length: 256}}\nsteps: 1\ntensorboard: true\n"
    sft.write_text(common + f"output: {tmp_path / 'sft'}\nbatch_size: 2\ndevice: cpu\n")
    rl.write_text(common + "output: x\nprompts: 1\ngroup: 2\nmax_new_tokens: 24\ndevice: cpu\n")
    done = invoke("train", "sft", str(sft), "--json")
    assert done.exit_code == 0, done.output
    model = json.loads(done.stdout)["model"]
    assert list((tmp_path / "sft" / "tensorboard").iterdir())
    done = invoke("train", "rl", str(rl), "--set", f"model={model}", "--output", str(tmp_path / "rl"))
    assert done.exit_code == 0 and (tmp_path / "rl" / "model" / "config.json").exists(), done.output
    arguments = ["--limit", "2", "--set", "template=bare", "--set", "max_new_tokens=8", "--json"]
    done = invoke("eval", model, str(dataset), "--output", str(tmp_path / "eval"), *arguments)
    assert done.exit_code == 0 and json.loads(done.stdout)["questions"] == 2, done.output


def test_validate_says_which_rows_a_training_would_leave_out(dataset, tmp_path):
    file = tmp_path / "sft.yaml"
    file.write_text(f"model: {TINY}\ndata: {{template: bare, max_length: 64}}\n")
    done = invoke("validate", str(dataset), "--for", "sft", "--config", str(file), "--json")
    facts = json.loads(done.stdout)
    assert done.exit_code == 1 and facts["rows"] == 24 and not facts["ok"]
    assert {row["reason"] for row in facts["left_out"]} == {"too_long"} and facts["left_out"][0][
        "id"
    ].startswith("t-")
    file.write_text(f"model: {TINY}\ndata: {{template: bare}}\nmax_new_tokens: 100\n")
    done = invoke("validate", str(dataset), "--for", "rl", "--config", str(file))
    assert done.exit_code == 0 and "24 of 24 rows fit" in done.stdout


GSM8K = Path(__file__).parents[2] / "examples" / "data" / "gsm8k.jsonl"


def test_a_corpus_is_judged_by_its_answers_and_a_solution_is_no_truth(tmp_path):
    with pytest.raises(InputError, match="looks like a whole solution.*format=gsm8k"):
        evaluate(config(GSM8K, tmp_path / "generic", limit=2), lambda text: None)
    summary = evaluate(
        config(GSM8K, tmp_path / "out", format="gsm8k", limit=2, mode="text-only"), lambda text: None
    )
    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["truth"] for line in lines] == ["18", "3"] and summary["questions"] == 2


@pytest.mark.parametrize(
    ("answer", "solution"),
    [
        ("18", False),
        ("row 3, column 4", False),
        ("\\boxed{18}", False),
        (
            "A long but single answer of some words that nobody would call a solution, though it is a whole sentence",
            False,
        ),
        ("Janet sells 9.\n#### 18", True),
        ("#### 18", True),
        ("He has <<3+4=7>>7", True),
        ("We add both sides of the equation and get that it is \\boxed{18}", True),
        ("First add.\nThen halve.\nSo it is 18.", True),
        ("The sum of the two is 18 and so the final answer is 18", True),
        (" ".join(["word"] * 61), True),
        (None, False),
    ],
)
def test_a_truth_that_is_the_way_to_it_is_told_apart(answer, solution):
    assert bool(looks_like_a_solution(answer)) is solution


def test_records_without_a_question_are_counted_and_named_not_judged(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text('{"id": 17, "question": "why?", "answer": "so"}\n{"question": "how?"}\n')
    summary = evaluate(config(path, tmp_path / "out", mode="text-only"), lambda text: None)
    assert list(summary["by_task"]) == ["generic"], "a number names no task"
    assert summary["questions"] == 1 and summary["left_out"] == {"no_answer": 1}
    assert "no_answer" in (tmp_path / "out" / "left_out.jsonl").read_text()


def test_questions_without_keys_are_answered_with_texts_pictures_and_a_page(tiny, tmp_path):
    image = base64.b64encode(encode_image(tiny.decode(np.arange(16)[None])[0])).decode()
    rows = [{"id": f"q-{i}", "question": f"What is <b>{i}</b>?", "choices": ["a", "b"]} for i in range(8)]
    rows[3]["image"] = image
    rows[5] |= {"image": None, "question": "What is <image>?"}
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["--output", str(tmp_path / "out"), "--set", "template=bare", "--set", "max_new_tokens=400"]
    arguments += ["--set", "temperature=1.0", "--set", "device=cpu", "--json"]
    done = invoke("answer", str(TINY), str(path), *arguments)
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["answers"] == 8 and facts["pictures"] > 0
    page = (tmp_path / "out" / "answers.html").read_text()
    assert page.count("<article>") == 8 and "What is &lt;b&gt;3" in page and "<script" not in page
    assert (
        page.count('alt="Drawn by the model"') == facts["pictures"]
        and page.count("Picture of the question") == 1
    )
    lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [row["id"] for row in rows] and "truth" not in lines[0]
    notes = {line["id"]: line["notes"] for line in lines if line["notes"]}
    assert notes == {"q-5": ["image_placeholders:1_of_0"]} and "notes: image_placeholders 1" in done.stderr
    with pytest.raises(OutputError, match="judged"):
        keyed = config(path, tmp_path / "out", max_new_tokens=400)
        respond(keyed, lambda text: None, judged=True)


def test_answers_go_into_no_folder_that_holds_something_else(tmp_path):
    path, out = tmp_path / "questions.jsonl", tmp_path / "out"
    path.write_text('{"question": "What is 1 + 1?"}\n')
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    done = invoke("answer", str(TINY), str(path), "--output", str(out))
    assert done.exit_code == 1 and "is not empty and holds no answers of ours" in str(done.exception)
    assert [one.name for one in out.iterdir()] == ["thesis.txt"]
