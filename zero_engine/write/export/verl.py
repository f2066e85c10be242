"""`verl`: its RLHF Parquet, one question a row with the truth that the reward compares with.

Contract (verl b178a3cd, utils/dataset/rl_dataset.py `RLHFDataset._build_messages`, and
examples/data_preprocess/geo3k.py): `data_source`, `prompt` (a chat; in its text as many `<image>` as there are
`images`), `images` (pictures of the question), `ability`, `reward_model` {style, ground_truth}, `extra_info` with
`index`. Steps and drawings have no place: they are what the policy has to come up with. A row without an answer
cannot be rewarded, and is left out.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from zero_engine.contracts.manifest import Manifest
from zero_engine.write.export import texts
from zero_engine.write.export.files import (
    IMAGE,
    features,
    front_matter,
    image,
    parquet_rows,
    sequence,
    value,
    write_parquet,
)
from zero_engine.write.export.job import Format, Options, Shard
from zero_engine.write.export.rows import Row

HOW = 'Think step by step, and end with a line "Final Answer: " followed by the answer.'
"""What the prompt asks for: the form that `compute_score` reads once special tokens are gone."""
_S = value("string")
_SCHEMA = pa.schema(
    [
        ("data_source", pa.string()),
        ("prompt", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("images", pa.list_(IMAGE)),
        ("ability", pa.string()),
        ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
        (
            "extra_info",
            pa.struct([("index", pa.int64()), ("id", pa.string()), ("choices", pa.list_(pa.string()))]),
        ),
    ]
).with_metadata(
    features(
        {
            "data_source": _S,
            "prompt": [{"role": _S, "content": _S}],
            "images": sequence({"_type": "Image"}),
            "ability": _S,
            "reward_model": {"style": _S, "ground_truth": _S},
            "extra_info": {"index": value("int64"), "id": _S, "choices": sequence(_S)},
        }
    )
)


def _write(shard: Shard) -> None:
    shard.samples = write_parquet(shard.path(f"data/train-{shard.index:05d}.parquet"), _SCHEMA, _asked(shard))


def _asked(shard: Shard) -> Iterator[dict]:
    for place, row in enumerate(shard.rows()):
        if row.answer is None:
            shard.leave_out(row, "no_answer", "the row has no answer to compare with")
            continue
        shard.lost["drawings"] += sum(step.image is not None for step in row.steps)
        yield _question(shard, row, shard.first + place)


def _question(shard: Shard, row: Row, index: int) -> dict:
    return {
        "data_source": row.corpus,
        "prompt": [{"role": "user", "content": f"{texts.flat(texts.question_parts(shard, row))}\n{HOW}"}],
        "images": list(map(image, row.given)),
        "ability": "reasoning",
        "reward_model": {"style": "rule", "ground_truth": row.answer},
        "extra_info": {"index": index, "id": row.id, "choices": list(row.choices)},
    }


def _finish(
    out: Path, target: Path, manifest: Manifest, files: dict[str, dict], options: Options
) -> dict[str, str]:
    names = ", ".join(f"THIS_FOLDER/{name}" for name in sorted(files))
    text = f"""{front_matter({"default": "data/*.parquet"}, manifest, files)}
# {manifest.name}, for verl

    data.train_files=[{names}]
    data.image_key=images
    custom_reward_function.path=.../zero_engine/train/outside.py
    custom_reward_function.name=compute_score

`prompt` is a chat, so the model's tokenizer needs a chat template. Where it has none (a base model), set one:
`tokenizer.chat_template = "{{% for m in messages %}}{{{{ m['content'] }}}}\\n{{% endfor %}}"`. Rows with pictures need
a processor. verl decodes answers without special tokens, so the prompt asks for `Final Answer: ...` in plain text.
"""
    return {"README.md": text}


FORMAT = Format(
    "verl",
    "Questions with their truth in verl's RLHF Parquet",
    _write,
    parquet_rows,
    _finish,
    loses="steps, drawings, codes, scores",
)
