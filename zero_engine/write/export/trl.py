"""`trl`: Parquet for TRL's trainers of text: `sft/` with prompt and completion, `grpo/` with prompt, answer and
choices.

Contract (TRL 1.16.0): SFTTrainer takes `prompt`/`completion` (docs "Dataset formats"; trainer/sft_trainer.py, where
a completion may hold no picture: `_collate_prompt_completion` gives pictures to the prompt alone). GRPOTrainer
takes `prompt`, and hands every other column to the reward functions (trainer/grpo_trainer.py `_calculate_rewards`).
So drawings have no place here and are counted: `messages` holds them as pictures, `tokens` as ids.

Prompts are strings, which need no chat template. Where any question of the dataset has a picture they are chats of
typed content with `images` beside them, as TRL's vision trainers want them. A row without an answer has no place in
`grpo/`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from zero_engine.contracts.manifest import Manifest
from zero_engine.write.export import texts
from zero_engine.write.export.files import (
    IMAGE,
    ParquetFile,
    features,
    front_matter,
    image,
    parquet_rows,
    sequence,
    value,
)
from zero_engine.write.export.job import Format, Options, Shard
from zero_engine.write.export.rows import Row

_STRING = value("string")
_CONTENT = [{"type": _STRING, "text": _STRING}]
_CHAT = pa.list_(
    pa.struct(
        [
            ("role", pa.string()),
            ("content", pa.list_(pa.struct([("type", pa.string()), ("text", pa.string())]))),
        ]
    )
)


def _schema(given: bool, columns: dict[str, tuple[pa.DataType, Any]]) -> pa.Schema:
    kinds = {"id": (pa.string(), _STRING), **columns}
    if given:
        kinds["images"] = (pa.list_(IMAGE), sequence({"_type": "Image"}))
    return pa.schema([(name, kind) for name, (kind, _) in kinds.items()]).with_metadata(
        features({name: feature for name, (_, feature) in kinds.items()})
    )


def _write(shard: Shard) -> None:
    said = (_CHAT, [{"role": _STRING, "content": _CONTENT}]) if shard.given else (pa.string(), _STRING)
    sft = _schema(shard.given, {"prompt": said, "completion": said})
    listed = (pa.list_(pa.string()), sequence(_STRING))
    grpo = _schema(shard.given, {"prompt": said, "answer": (pa.string(), _STRING), "choices": listed})
    asked = 0
    with (
        ParquetFile(shard.path(f"sft/data-{shard.index:05d}.parquet"), sft) as tell,
        ParquetFile(shard.path(f"grpo/data-{shard.index:05d}.parquet"), grpo) as ask,
    ):
        for rows in _hundreds(shard.rows()):
            pairs = [_pair(shard, row) for row in rows]
            tell.add([pa.RecordBatch.from_pylist([one for one, _ in pairs], schema=sft)])
            answered = [other for _, other in pairs if other["answer"] is not None]
            if answered:
                ask.add([pa.RecordBatch.from_pylist(answered, schema=grpo)])
            asked += len(answered)
    shard.samples = shard.held + asked


def _pair(shard: Shard, row: Row) -> tuple[dict, dict]:
    asked = texts.question_parts(shard, row)
    told: texts.Parts = [
        part for part in texts.completion_parts(shard, row, texts.plain()) if isinstance(part, str)
    ]
    shard.lost["drawings"] += sum(step.image is not None for step in row.steps)
    same: dict[str, Any] = {"id": row.id}
    if shard.given:
        same |= {
            "prompt": [{"role": "user", "content": texts.typed(asked)}],
            "images": list(map(image, row.given)),
        }
        completion: Any = [{"role": "assistant", "content": texts.typed(texts.joined(told))}]
    else:
        same["prompt"], completion = texts.flat(asked) + "\n", texts.flat(told)
    return {**same, "completion": completion}, {**same, "answer": row.answer, "choices": list(row.choices)}


def _hundreds(rows: Iterator[Row]) -> Iterator[list[Row]]:
    held: list[Row] = []
    for row in rows:
        held.append(row)
        if len(held) == 100:
            yield held
            held = []
    if held:
        yield held


def _finish(
    out: Path, target: Path, manifest: Manifest, files: dict[str, dict], options: Options
) -> dict[str, str]:
    text = f"""{front_matter({"sft": "sft/*.parquet", "grpo": "grpo/*.parquet"}, manifest, files)}
# {manifest.name}, for TRL

    from zero_engine.train.outside import trl_reward_for

    told, asked = (load_dataset("THIS_FOLDER", name, split="train") for name in ("sft", "grpo"))
    SFTTrainer(model, train_dataset=told)
    GRPOTrainer(model, train_dataset=asked, reward_funcs=trl_reward_for(tokenizer))
"""
    return {"README.md": text}


FORMAT = Format(
    "trl",
    "Prompt and completion (SFT); prompt, answer and choices (GRPO), for TRL",
    _write,
    parquet_rows,
    _finish,
    loses="drawings, codes, scores",
)
