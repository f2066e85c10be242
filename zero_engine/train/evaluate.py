"""Judge a model on questions whose answers are known: accuracy with its interval, form, pictures, for each task.

Questions come from JSON lines or Parquet (question, answer, and, where there are any, id, task, choices, and pictures
in any form that a corpus holds them: Omni-Bench's too), or from a dataset folder. Predictions are written as they
come, in batches, with their pictures; an evaluation that was stopped goes on where it was.

The interval is Wilson's at 95 %: right also for 0 of n.
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from zero_engine.config import Section
from zero_engine.errors import InputError
from zero_engine.hashing import digest_file, seed_for
from zero_engine.images import encode_image
from zero_engine.models import load_model, model_fingerprint
from zero_engine.models.chameleon.interleaved import generate
from zero_engine.models.sampling import Sampling
from zero_engine.pipeline import Input
from zero_engine.read import read_traces
from zero_engine.records import Rejection
from zero_engine.render.sequences import Encoder, Question
from zero_engine.train.checkpoint import check_identity
from zero_engine.train.config import Data, Template
from zero_engine.train.data import read_rows
from zero_engine.train.rewards import reward
from zero_engine.train.rollout import read_answer

Z = 1.959964
"""Standard deviations that hold 95 %."""


class Evaluation(Section):
    model: str = "nano"
    data: str
    """JSON lines, Parquet, or a dataset folder."""
    output: str
    template: str | Template = "omni_r1"
    mode: Literal["text-only", "interleaved-text-image", "unrestricted"] = "interleaved-text-image"
    max_new_tokens: int = Field(1024, ge=1)
    temperature: float = Field(0.0, ge=0)
    """0 is greedy. Pictures are better sampled: greedy ones tend to be blank."""
    seed: int = 0
    batch_size: int = Field(64, ge=1)
    limit: int | None = Field(None, ge=1)
    columns: dict[str, str] = {}
    """Where question, answer, choices, image, id and task are, if not under these names."""
    device: str = "auto"


def evaluate(config: Evaluation, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Answer every question that has no prediction yet; returns the summary that is in `summary.json`.

    Raises InputError where there are no questions, OutputError where the folder holds another evaluation.
    """
    out = Path(config.output)
    out.mkdir(parents=True, exist_ok=True)
    identity = {
        k: v for k, v in config.model_dump(mode="json").items() if k not in ("output", "device", "batch_size")
    }
    identity |= {"model": model_fingerprint(config.model), "data": _fingerprint(config.data)}
    record = out / "evaluation.json"
    if record.exists():
        check_identity(record, json.loads(record.read_text()), identity)
    record.write_text(json.dumps(identity, indent=2, sort_keys=True))
    model = load_model(config.model, device=config.device)
    encoder = Encoder(model, Data(path=config.data, template=config.template, max_length=1 << 30))
    asked = list(questions(config, encoder))
    if not asked:
        raise InputError(f"{config.data}: no questions with answers in it. Check the file and --set columns.")
    predictions = out / "predictions.jsonl"
    done = _whole_lines(predictions)
    todo = [(question, task) for question, task in asked if question.id not in done]
    if done:
        say(f"{len(done)} of {len(asked)} questions are answered already")
    code_of = np.full(len(model.module.lm_head.weight), -1, np.int64)
    code_of[model.layout.code_ids] = np.arange(len(model.layout.code_ids))
    for start in range(0, len(todo), config.batch_size):
        part = todo[start : start + config.batch_size]
        continuations = generate(
            model,
            [question.prompt for question, _ in part],
            [seed_for(config.seed, question.id, 0, 0) for question, _ in part],
            mode=config.mode,
            max_new_tokens=config.max_new_tokens,
            sampling=Sampling(temperature=config.temperature),
        )
        lines = []
        for (question, task), continuation in zip(part, continuations, strict=True):
            text, pictures = read_answer(
                continuation.ids, code_of, model.layout, model.tokenizer, model.codes_per_picture
            )
            found = reward(text, question.answer, choices=question.choices, template=encoder.pieces)
            names = _save_pictures(out, model, question.id, pictures)
            facts = {
                "id": question.id,
                "task": task,
                "text": text,
                "truth": question.answer,
                "accuracy": found.accuracy,
                "format": found.format,
                "pictures": names,
                "length": len(continuation.ids),
                "finish": continuation.finish,
            }
            lines.append(json.dumps(facts, ensure_ascii=False) + "\n")
        with open(predictions, "a", encoding="utf-8") as file:
            file.write("".join(lines))
        say(f"{len(done) + start + len(part)} of {len(asked)} questions answered")
    summary = summarise([json.loads(line) for line in predictions.read_text(encoding="utf-8").splitlines()])
    (out / "summary.json").write_text(json.dumps(summary, indent=2))
    return summary


def summarise(predictions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Accuracy with interval, format rate and pictures an answer: of all, and by task."""
    by_task: dict[str, list[dict]] = defaultdict(list)
    for prediction in predictions:
        by_task[prediction["task"]].append(prediction)
    return {**_rates(predictions), "by_task": {task: _rates(rows) for task, rows in sorted(by_task.items())}}


def wilson(right: int, asked: int) -> tuple[float, float]:
    """Wilson's interval at 95 % for a rate (Wilson 1927)."""
    if not asked:
        return 0.0, 1.0
    rate, spread = right / asked, Z * Z / asked
    middle = (rate + spread / 2) / (1 + spread)
    half = Z * math.sqrt(rate * (1 - rate) / asked + spread / (4 * asked)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def questions(config: Evaluation, encoder: Encoder) -> Iterator[tuple[Question, str]]:
    """Questions with their tasks; one without an answer is an InputError, for it would count as wrong."""
    limit = config.limit
    if (Path(config.data) / "manifest.json").exists():
        from zero_engine import open_dataset

        rows = open_dataset(config.data)
        for row in read_rows(rows, range(min(limit or len(rows), len(rows)))):
            yield _question(encoder, row, _task(row["id"], None))
        return
    columns = dict(config.columns)
    task_column = columns.pop("task", "task")
    # a trace must have a rationale and a question has none: its own text stands there, and is not looked at
    columns["rationale"] = columns.get("question", "question")
    spec = Input(path=config.data, format="generic", columns=columns, limit=limit)
    for trace in read_traces(spec):
        if isinstance(trace, Rejection):
            raise InputError(
                f"{config.data}: {trace.trace_id}: {trace.reason}: {trace.detail}. Repair the record."
            )
        record = trace.record if isinstance(trace.record, dict) else {}
        row = {
            "id": trace.id,
            "question": trace.question,
            "question_images": trace.question_images,
            "answer": trace.answer,
            "choices": trace.choices,
        }
        yield _question(encoder, row, _task(trace.id, record.get(task_column)))


def _question(encoder: Encoder, row: dict, task: str) -> tuple[Question, str]:
    found = encoder.question(row, 0)
    if isinstance(found, Rejection):
        raise InputError(f"{row['id']}: {found.reason}: {found.detail}. Repair the record.")
    return replace(found, id=str(found.id)), task


def _task(row_id: str, task: object) -> str:
    """The record's task, or the beginning of its id: `walk-test-000004` is a walk."""
    return str(task) if task else row_id.partition("-")[0]


def _rates(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    right, asked = int(sum(row["accuracy"] for row in rows)), len(rows)
    low, high = wilson(right, asked)
    return {
        "questions": asked,
        "right": right,
        "accuracy": right / max(1, asked),
        "low": low,
        "high": high,
        "format": sum(row["format"] for row in rows) / max(1, asked),
        "pictures": sum(len(row["pictures"]) for row in rows) / max(1, asked),
    }


def _save_pictures(out: Path, model, question_id: str, pictures: Sequence[np.ndarray]) -> list[str]:
    if not pictures:
        return []
    (out / "pictures").mkdir(exist_ok=True)
    stem = "".join(c if c.isalnum() or c in "-_." else "_" for c in question_id)[:100]
    names = [f"pictures/{stem}-{number}.png" for number in range(len(pictures))]
    for name, image in zip(names, model.decode(np.stack(pictures)), strict=True):
        (out / name).write_bytes(encode_image(image))
    return names


def _whole_lines(path: Path) -> set[str]:
    """Ids that have a prediction; a line that a kill cut in two is taken off the file."""
    if not path.exists():
        return set()
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return {json.loads(line)["id"] for line in lines}


def _fingerprint(data: str) -> str:
    path = Path(data)
    if path.is_dir() and (path / "manifest.json").exists():
        return digest_file(path / "manifest.json")
    if not path.is_file():
        raise InputError(f"{data}: no such file, nor a dataset folder. Check the path.")
    return digest_file(path)
