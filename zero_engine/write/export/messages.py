"""`messages`: chats with pictures as files, one folder that four trainers load as it stands.

data/data-00000/metadata.parquet   id, messages, images_file_names: content is a list of {type, text}
data/data-00000/*.png         the pictures, given ones and drawings chats/chats-00000.parquet          the same rows
for readers of strings: `<image>` marks, and `images`, their paths dataset_info.json
LLaMA-Factory's

Two spellings, for no one is read by all. Contracts, by source:
- TRL 1.16.0, data_utils.py `prepare_multimodal_messages`: a string's pictures are all put before the first user
  message, so pictures between steps need lists; `{"type": "image"}` is filled from the row's `images` in order.
- datasets 5.2.0, folder_based_builder.py: `images_file_names` beside the pictures becomes `images`, decoded.
- axolotl 067b021c, processing_strategies.py and docs/multimodal.qmd: like TRL.
- LLaMA-Factory ff6d4d12, data/converter.py SharegptDatasetConverter and mm_plugin.py `_validate_messages`: content
  is a string, as many `<image>` as images, paths relative to `media_dir`, which is the folder of dataset_info.json.
- ms-swift 3602360a, dataset/preprocessor/core.py and template/vision_utils.py: `<image>` marks, paths under
  ROOT_IMAGE_DIR.
"""

import json
from pathlib import Path

import pyarrow as pa

from zero_engine.contracts.manifest import Manifest
from zero_engine.write.export import texts
from zero_engine.write.export.files import ParquetFile, front_matter, parquet_rows
from zero_engine.write.export.job import Format, Options, Shard
from zero_engine.write.export.rows import Row, suffix_of

_TYPED = pa.list_(pa.struct([("type", pa.string()), ("text", pa.string())]))
_DATA = pa.schema(
    [
        ("id", pa.string()),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", _TYPED)]))),
        ("images_file_names", pa.list_(pa.string())),
    ]
)
_CHATS = pa.schema(
    [
        ("id", pa.string()),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("images", pa.list_(pa.string())),
    ]
)
_BATCH = 100


def _write(shard: Shard) -> None:
    folder = f"data/data-{shard.index:05d}"
    with (
        ParquetFile(shard.path(f"{folder}/metadata.parquet"), _DATA) as data,
        ParquetFile(shard.path(f"chats/chats-{shard.index:05d}.parquet"), _CHATS) as chats,
    ):
        both: list[tuple[dict, dict]] = []
        for place, row in enumerate(shard.rows()):
            both.append(_pair(shard, row, folder, place))
            if len(both) == _BATCH:
                _flush(data, chats, both)
                both = []
        _flush(data, chats, both)
    shard.samples = 2 * shard.held


def _flush(data: ParquetFile, chats: ParquetFile, both: list[tuple[dict, dict]]) -> None:
    if both:
        data.add([pa.RecordBatch.from_pylist([one for one, _ in both], schema=_DATA)])
        chats.add([pa.RecordBatch.from_pylist([other for _, other in both], schema=_CHATS)])


def _pair(shard: Shard, row: Row, folder: str, place: int) -> tuple[dict, dict]:
    names = []
    for number, picture in enumerate([*row.given, *texts.drawings(row)]):
        names.append(f"{place:06d}-{number}{suffix_of(picture)}")
        shard.path(f"{folder}/{names[-1]}").write_bytes(picture)
    asked = texts.question_parts(shard, row)
    told = texts.completion_parts(shard, row, texts.plain(), first=len(row.given))
    typed = [
        {"role": role, "content": texts.typed(parts)}
        for role, parts in (("user", asked), ("assistant", told))
    ]
    said = [
        {"role": role, "content": texts.flat(parts)} for role, parts in (("user", asked), ("assistant", told))
    ]
    data = {"id": row.id, "messages": typed, "images_file_names": names}
    return data, {"id": row.id, "messages": said, "images": [f"{folder}/{name}" for name in names]}


def _finish(
    out: Path, target: Path, manifest: Manifest, files: dict[str, dict], options: Options
) -> dict[str, str]:
    name = manifest.name
    info = {
        name: {
            "file_name": "chats",
            "formatting": "sharegpt",
            "columns": {"messages": "messages", "images": "images"},
            "tags": {
                "role_tag": "role",
                "content_tag": "content",
                "user_tag": "user",
                "assistant_tag": "assistant",
            },
        }
    }
    text = f"""{front_matter({"default": "data/**"}, manifest, files)}
# {name}, as chats

- TRL, axolotl: `load_dataset("imagefolder", data_dir="THIS_FOLDER/data", split="train")`; columns `messages`, `images`.
- LLaMA-Factory: `dataset_dir: THIS_FOLDER`, `dataset: {name}`.
- ms-swift: `ROOT_IMAGE_DIR=THIS_FOLDER swift sft --dataset THIS_FOLDER/chats/chats-00000.parquet ...`
"""
    return {"dataset_info.json": json.dumps(info, indent=2) + "\n", "README.md": text}


FORMAT = Format(
    "messages",
    "Chats with pictures as files: TRL (VLM), axolotl, LLaMA-Factory, ms-swift",
    _write,
    parquet_rows,
    _finish,
    loses="codes, scores, seeds, verdicts, choices as a list",
)
