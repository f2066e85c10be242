"""Judge a model on questions whose answers are known: accuracy with its interval, form, pictures, for each task.

Beside accuracy: the share of the pictures that an answer began which are valid (whole, not blank, not drawn before in
it), and the share of answers whose text follows their pictures (`score/faithful.py`). With `judge` a second judgement,
by a model (`judge.py`), and how it agrees with the rule.

Questions come from a dataset folder, or from any corpus that `read` knows: under `generic` question, answer, and,
where there are any, id, task, choices, and pictures in any form (Omni-Bench's too); under another format the answer is
extracted as a run would. An answer that looks like a whole solution is refused: no answer is equal to it. Predictions
are written as they come, in batches, with their pictures; an evaluation that was stopped goes on where it was.
`respond` without judging is the command `answer`.

The interval is Wilson's at 95 %: right also for 0 of n.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from zero_engine.config import HomePath, LocalPath, Section
from zero_engine.errors import InputError, OutputError
from zero_engine.hashing import digest, digest_file, seed_for
from zero_engine.identity import check_identity
from zero_engine.images import decode_image, encode_image
from zero_engine.models import load_chameleon, model_fingerprint
from zero_engine.models.chameleon.interleaved import Continuation, generate
from zero_engine.models.chameleon.model import Chameleon
from zero_engine.models.prompt import Sampling
from zero_engine.parse import parse_trace
from zero_engine.parse.answers import looks_like_a_solution
from zero_engine.pipeline import Input, Parse
from zero_engine.progress import Progress, Silent
from zero_engine.read.folders import find_inputs
from zero_engine.records import ParsedTrace, Rejection
from zero_engine.render.answers import parse_completion, read_answer
from zero_engine.render.sequences import Encoder, Plain, Question, Template, pieces_of
from zero_engine.score.faithful import gains
from zero_engine.score.pictures import is_blank
from zero_engine.statistics import wilson
from zero_engine.train.asking import read_questions
from zero_engine.train.config import Rewards
from zero_engine.train.judge import Judge, judge_answers
from zero_engine.train.rewards import reward
from zero_engine.write.atomic import atomic_write
from zero_engine.write.dataset import COLUMNS, is_dataset, manifest_digest, open_rows, read_rows

PREDICTIONS = "predictions.jsonl"


class Evaluation(Section):
    model: str = "nano"
    data: HomePath
    """A dataset folder, or any file, folder or name that `run` reads."""
    format: str = "generic"
    """Column map of the file, as for `run`: gsm8k, m3cot, aqua, ... (zero-engine schema formats)."""
    output: LocalPath
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
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """auto: float32 on a CPU, bfloat16 on a GPU."""
    judge: Judge | None = None
    """A model behind an OpenAI-style endpoint that judges answers beside the rule."""


def evaluate(
    config: Evaluation, say: Callable[[str], None] = print, progress: Progress | None = None
) -> dict[str, Any]:
    """Answer every question that has no prediction yet; returns the summary that is in `summary.json`.

    Raises InputError where there are no questions or a truth is a whole solution, OutputError where the folder holds
    another evaluation.
    """
    predictions, left_out = respond(config, say, judged=True, progress=progress)
    summary = {**summarise(predictions), "left_out": left_out}
    if config.judge is not None:
        summary["judge"] = judge_answers(config.judge, predictions, Path(config.output), say)
    with atomic_write(Path(config.output) / "summary.json", "w") as file:
        file.write(json.dumps(summary, indent=2))
    return summary


def respond(
    config: Evaluation, say: Callable[[str], None], judged: bool, progress: Progress | None = None
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The answers in `predictions.jsonl`, made where they are not there yet, and how many records hold no question."""
    progress = progress or Silent()
    out = Path(config.output)
    if out.is_dir() and any(out.iterdir()) and not (out / "evaluation.json").is_file():
        raise OutputError(f"{out}: is not empty and holds no answers of ours. Choose another --output.")
    progress.stage(f"loading {config.model}")
    model = load_chameleon(config.model, device=config.device, dtype=config.dtype)
    progress.stage(f"reading {config.data}")
    identity = {
        k: v
        for k, v in config.model_dump(mode="json").items()
        if k not in ("output", "device", "dtype", "batch_size", "judge")
    }
    identity |= {"model": model_fingerprint(config.model), "data": _fingerprint(config), "judged": judged}
    record = out / "evaluation.json"
    if record.exists():
        check_identity(record, json.loads(record.read_text()), identity, "evaluation")
    room = model.module.config.max_position_embeddings
    encoder = Encoder(model, Plain(pieces_of(config.template), max_length=room))
    found = list(questions(config, encoder, judged))
    asked = [one for one in found if isinstance(one, Asked)]
    refused = [one for one in found if isinstance(one, Rejection)]
    if not asked:
        why = f" (first: {refused[0].trace_id}: {refused[0].reason}: {refused[0].detail})" if refused else ""
        raise InputError(
            f"{config.data}: no questions{' with answers' if judged else ''} in it{why}. "
            "Check the file, --set format and --set columns."
        )
    out.mkdir(parents=True, exist_ok=True)
    with atomic_write(record, "w") as file:
        file.write(json.dumps(identity, indent=2, sort_keys=True))
    if refused:
        lines = [
            json.dumps({"id": r.trace_id, "reason": r.reason, "detail": r.detail}) + "\n" for r in refused
        ]
        with atomic_write(out / "left_out.jsonl", "w") as file:
            file.writelines(lines)
        say(f"{len(refused)} records hold no question that can be asked: {out / 'left_out.jsonl'}")
    if noted := Counter(note.partition(":")[0] for one in asked for note in one.row.get("notes", [])):
        counts = ", ".join(f"{note} {count}" for note, count in sorted(noted.items()))
        say(f"questions with notes: {counts} (in {out / PREDICTIONS})")
    path = out / PREDICTIONS
    done = _whole_lines(path)
    todo = [one for one in asked if one.question.id not in done]
    if done:
        say(f"{len(done)} of {len(asked)} questions are answered already")
    code_of = model.layout.code_of(len(model.module.lm_head.weight))
    progress.stage("answering", len(asked), "questions", len(done))
    for start in range(0, len(todo), config.batch_size):
        part = todo[start : start + config.batch_size]
        continuations = generate(
            model,
            [one.question.prompt for one in part],
            [seed_for(config.seed, one.question.id, 0, 0) for one in part],
            mode=config.mode,
            max_new_tokens=config.max_new_tokens,
            sampling=Sampling(temperature=config.temperature),
        )
        followed = _followed(model, part, continuations) if judged else []
        lines = []
        for place, (one, continuation) in enumerate(zip(part, continuations, strict=True)):
            text, pictures = read_answer(
                continuation.ids, code_of, model.layout, model.tokenizer, model.codes_per_picture
            )
            facts = {
                "id": one.question.id,
                "task": one.task,
                "question": one.row["question"],
                "choices": list(one.question.choices),
                "notes": one.row.get("notes", []),
                "text": text,
                "answer": parse_completion(text, encoder.pieces).answer,
                "given": _save(out, one.question.id, "given-", one.row["question_images"]),
                "pictures": _save_pictures(out, model, one.question.id, pictures),
                "begun": int((continuation.ids == model.layout.boi).sum()),
                "valid": _valid(pictures),
                "length": len(continuation.ids),
                "finish": continuation.finish,
            }
            if judged:
                own = one.question
                judgement = reward(text, own.answer, choices=own.choices, template=encoder.pieces)
                facts |= {
                    "truth": one.question.answer,
                    "accuracy": judgement.accuracy,
                    "format": judgement.format,
                    "gain": followed[place],
                }
            lines.append(json.dumps(facts, ensure_ascii=False) + "\n")
        with open(path, "a", encoding="utf-8") as file:
            file.write("".join(lines))
        say(f"{len(done) + start + len(part)} of {len(asked)} questions answered")
        progress.update(len(done) + start + len(part))
    predictions = [json.loads(line) for line in _lines(path.read_text(encoding="utf-8"))]
    return predictions, dict(Counter(r.reason for r in refused))


def summarise(predictions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Accuracy with interval, format rate and pictures an answer: of all, and by task."""
    by_task: dict[str, list[dict]] = defaultdict(list)
    for prediction in predictions:
        by_task[prediction["task"]].append(prediction)
    return {**_rates(predictions), "by_task": {task: _rates(rows) for task, rows in sorted(by_task.items())}}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its task, and the row that it came from."""

    question: Question
    task: str
    row: dict[str, Any]


def questions(config: Evaluation, encoder: Encoder, judged: bool = True) -> Iterator[Asked | Rejection]:
    """Questions with their tasks; a record without one, or where it is judged without an answer, is a Rejection.

    Raises InputError for an answer that is a whole solution: every judgement by it would be wrong.
    """
    if is_dataset(config.data):
        rows = open_rows(config.data, COLUMNS, config.limit)
        for row in read_rows(rows, range(len(rows))):
            yield _asked(config, encoder, row, _task(row["id"], None, "all"), judged)
        return
    for trace in read_questions(config.data, config.format, config.columns, config.limit, judged):
        if isinstance(trace, Rejection):
            yield trace
            continue
        parsed = trace if config.format == "generic" else parse_trace(trace, Parse())
        if isinstance(parsed, Rejection):
            yield parsed
            continue
        if judged and config.format == "generic" and (why := looks_like_a_solution(trace.answer)):
            raise InputError(
                f"{config.data}: {trace.id}: its answer looks like a whole solution ({why}), which no answer equals. "
                "Say its format, e.g. --set format=gsm8k (zero-engine schema formats), or --set columns.answer=FIELD."
            )
        record = trace.record if isinstance(trace.record, dict) else {}
        row = {
            "id": trace.id,
            "question": trace.question,
            "question_images": trace.question_images,
            "answer": parsed.answer,
            "choices": trace.choices,
            "notes": list(parsed.notes if isinstance(parsed, ParsedTrace) else trace.notes),
        }
        task = _task(trace.id, record.get(config.columns.get("task", "task")), config.format)
        yield _asked(config, encoder, row, task, judged)


def _asked(config: Evaluation, encoder: Encoder, row: dict, task: str, judged: bool) -> Asked | Rejection:
    asked = row if judged else {**row, "answer": row["answer"] or "?"}
    found = encoder.question(asked, config.max_new_tokens)
    if isinstance(found, Rejection):
        return replace(found, detail=found.detail.replace("data.max_length", "the model's"))
    return Asked(replace(found, id=str(found.id)), task, row)


def _task(row_id: str, task: object, otherwise: str) -> str:
    """The record's task, or the beginning of its id: `walk-test-000004` is a walk, `17` nothing."""
    begins, dash, _ = row_id.partition("-")
    return str(task) if task else begins if dash else otherwise


def _rates(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    right, asked = int(sum(row["accuracy"] for row in rows)), len(rows)
    low, high = wilson(right, asked)
    gains_ = [row["gain"] for row in rows if row.get("gain") is not None]
    return {
        "questions": asked,
        "right": right,
        "accuracy": right / max(1, asked),
        "low": low,
        "high": high,
        "format": sum(row["format"] for row in rows) / max(1, asked),
        "pictures": sum(len(row["pictures"]) for row in rows) / max(1, asked),
        "valid": _share(sum(row.get("valid", 0) for row in rows), sum(row.get("begun", 0) for row in rows)),
        "faithful": _share(sum(gain > 0 for gain in gains_), len(gains_)),
        "gain": _share(sum(gains_), len(gains_)),
    }


def _share(part: float, whole: int) -> float | None:
    """None where there is nothing to have a share of."""
    return part / whole if whole else None


def _valid(pictures: Sequence[np.ndarray]) -> int:
    """How many pictures of one answer are neither blank nor drawn before in it."""
    distinct = {picture.tobytes(): picture for picture in pictures}
    return sum(not is_blank(picture, Rewards().blank) for picture in distinct.values())


def _followed(
    model: Chameleon, part: Sequence[Asked], continuations: Sequence[Continuation]
) -> list[float | None]:
    """How much likelier each answer's text is with its pictures than with shuffled ones."""
    pairs = zip(part, continuations, strict=True)
    return gains(
        model,
        [
            (a.question.id, np.concatenate((a.question.prompt, c.ids)), len(a.question.prompt))
            for a, c in pairs
        ],
    )


def _save_pictures(out: Path, model, question_id: str, pictures: Sequence[np.ndarray]) -> list[str]:
    decoded = model.decode(np.stack(pictures)) if pictures else []
    return _save(out, question_id, "", [encode_image(image) for image in decoded])


def _save(out: Path, question_id: str, kind: str, images: Sequence[bytes]) -> list[str]:
    """Writes a question's pictures, whatever kind of picture they are; their names."""
    stem = "".join(c if c.isalnum() or c in "-_." else "_" for c in question_id)[:100]
    stem += "" if stem == question_id else f"-{digest(question_id)[:8]}"
    names = [f"pictures/{stem}-{kind}{number}.png" for number in range(len(images))]
    for name, image in zip(names, images, strict=True):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(image if image.startswith(b"\x89PNG") else encode_image(decode_image(image)))
    return names


def _whole_lines(path: Path) -> set[str]:
    """Ids that have a prediction; a line that a kill cut in two is taken off the file."""
    if not path.exists():
        return set()
    text = path.read_text(encoding="utf-8", errors="replace")
    whole = text[: text.rfind("\n") + 1]
    if len(whole) < len(text):
        with atomic_write(path, "w") as file:
            file.write(whole)
    return {json.loads(line)["id"] for line in _lines(whole)}


def _lines(text: str) -> list[str]:
    """Lines as JSON Lines has them: an answer may hold other characters that Python takes for ends of lines."""
    return text.split("\n")[:-1]


def _fingerprint(config: Evaluation) -> str:
    """What is asked, by the bytes of its files; a hub name or an address stands for itself."""
    if is_dataset(config.data):
        return manifest_digest(config.data)
    paths = [file.path for file in find_inputs(Input(path=config.data))]
    return digest(*(digest_file(path) if Path(path).is_file() else path for path in paths))
