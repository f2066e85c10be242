"""`tokens`: whole sequences for one model, text and pictures as ids, with the mask of what bears a loss.

Contract (TRL 1.16.0, trainer/sft_trainer.py `_prepare_dataset`): a dataset with `input_ids` is taken as tokenised,
and with `completion_only_loss=True` the tokens whose `completion_mask` is 0 get no loss. The ids are those that
`zero-engine train sft` learns from the same template (`render.sequences.Encoder`). Rows without an answer, of
another codebook, or over `--max-length` ids are left out and named.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from zero_engine.contracts.manifest import Manifest
from zero_engine.records import Rejection
from zero_engine.render.sequences import GIVEN, TEMPLATES, Encoder, Plain
from zero_engine.write.export.coder import coder_of
from zero_engine.write.export.files import (
    features,
    front_matter,
    parquet_rows,
    sequence,
    value,
    write_parquet,
)
from zero_engine.write.export.job import Format, Options, Shard

_SCHEMA = pa.schema(
    [("id", pa.string()), ("input_ids", pa.list_(pa.int32())), ("completion_mask", pa.list_(pa.int8()))]
).with_metadata(
    features(
        {
            "id": value("string"),
            "input_ids": sequence(value("int32")),
            "completion_mask": sequence(value("int8")),
        }
    )
)


def _write(shard: Shard) -> None:
    shard.samples = write_parquet(
        shard.path(f"data/data-{shard.index:05d}.parquet"), _SCHEMA, _sequences(shard)
    )


def _sequences(shard: Shard) -> Iterator[dict]:
    options = shard.options
    shape = Plain(TEMPLATES[options.template or "omni_r1"], max_length=options.max_length or 1 << 30)
    encoder = Encoder(coder_of(shard.model), shape)
    for row in shard.rows():
        found = encoder.example(row.as_dict())
        if isinstance(found, Rejection):
            shard.leave_out(row, found.reason, found.detail.replace("data.max_length", "--max-length"))
            continue
        mask = (found.kinds != GIVEN).astype(np.int8)
        yield {"id": row.id, "input_ids": found.ids.astype(np.int32), "completion_mask": mask}


def _finish(
    out: Path, target: Path, manifest: Manifest, files: dict[str, dict], options: Options
) -> dict[str, str]:
    text = f"""{front_matter({"default": "data/*.parquet"}, manifest, files)}
# {manifest.name}, as ids of {Path(options.model or "").name}

`SFTTrainer(model, SFTConfig(completion_only_loss=True, ...), train_dataset=load_dataset("THIS_FOLDER", split="train"))`

transformers' Chameleon sets the logits of picture tokens to the dtype's minimum in `forward`; to learn to draw, compute
`model.lm_head(model.model(...).last_hidden_state)` instead (`examples/sft_with_trl.py` does).
"""
    return {"README.md": text}


FORMAT = Format(
    "tokens",
    "input_ids and completion_mask for one model (TRL's SFTTrainer, any loop of your own)",
    _write,
    parquet_rows,
    _finish,
    loses="pixels, scores",
    needs_model=True,
    takes=frozenset({"template", "max_length"}),
)
