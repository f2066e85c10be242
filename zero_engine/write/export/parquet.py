"""`parquet`: the rows and the drawings as they are, in Parquet, for the hub, DuckDB, polars and pandas.

Contract: Apache Parquet; what the hub's viewer wants is row groups that it can read whole (it refuses to scan more than
300 MB for a page of 100 rows, unless the file has a page index; `datasets` took 100 rows for pictures up to version 3,
and takes MAX_ROW_GROUP_SIZE = 100 MB with a page index now, datasets 5.2.0, config.py) and the features in the schema's
metadata under `huggingface`. Nothing is lost but the rejections and `stats.json`, which are no tables.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from zero_engine.contracts.manifest import Manifest, ShardFile
from zero_engine.contracts.rows import CANDIDATE, TRAJECTORY, arrow_schema
from zero_engine.write.card import dataset_card
from zero_engine.write.card_body import write_strip
from zero_engine.write.croissant import croissant
from zero_engine.write.dataset import check_bytes
from zero_engine.write.export.files import ParquetFile, parquet_rows
from zero_engine.write.export.job import Format, Options, Shard
from zero_engine.write.export.stopped import unchanged

LONG = frozenset(("question", "answer", "choices", "text", "prompt", "codes"))
"""Fields that are worth compressing; the others hold a few bytes a row."""


def _write(shard: Shard) -> None:
    shard.seen = shard.held = _copy(
        shard, shard.path(f"data/data-{shard.index:05d}.parquet"), shard.files, TRAJECTORY
    )
    drawings = 0
    if shard.candidates:
        for part in shard.candidates:
            check_bytes(shard.out, part)
        path = shard.path(f"candidates/part-{shard.index:05d}.parquet")
        with unchanged(shard.out, shard.candidates):
            drawings = _copy(shard, path, shard.candidates, CANDIDATE)
    shard.samples = shard.seen + drawings


def _copy(shard: Shard, path: Path, files: Sequence[ShardFile], columns: tuple) -> int:
    with ParquetFile(path, _schema(shard.out, files) or arrow_schema(columns), LONG) as parquet:
        return parquet.add(shard.batches(files))


def _schema(out: Path, files: Sequence[ShardFile]) -> pa.Schema | None:
    """The schema that the files have, of the version that wrote them, its features spelled for datasets 3 to 5."""
    for file in files:
        with pa.memory_map(str(out / file.name)) as source, pa.ipc.open_stream(source) as reader:
            told = dict(reader.schema.metadata or {})
            if b"huggingface" in told:
                told[b"huggingface"] = json.dumps(_respelled(json.loads(told[b"huggingface"]))).encode()
            return reader.schema.with_metadata(told)
    return None


def _respelled(value: Any) -> Any:
    """`List`, which datasets 3 does not know, as what all know: `[{..}]` of structs, else `Sequence`."""
    if not isinstance(value, dict):
        return value
    if value.get("_type") != "List":
        return {name: _respelled(item) for name, item in value.items()}
    inner = _respelled(value["feature"])
    return {"feature": inner, "_type": "Sequence"} if "_type" in inner else [inner]


def _finish(
    out: Path, target: Path, manifest: Manifest, files: dict[str, dict], options: Options
) -> dict[str, str]:
    """The dataset's own card, its globs turned to the Parquet files, and the Croissant description of these."""
    return {"README.md": parquet_card(out, target, manifest), "croissant.json": croissant(manifest, files)}


def parquet_card(out: Path, target: Path, manifest: Manifest) -> str:
    """The card for Parquet files in `data` and `candidates`; its strip of pictures is written beside it."""
    write_strip(out, manifest, target)
    _, front, body = dataset_card(manifest, {}, out).split("---\n", 2)
    known = yaml.safe_load(front)
    for config in known.get("configs", []):
        for part in config["data_files"]:
            part["path"] = part["path"].replace(".arrow", ".parquet")
    text = yaml.safe_dump(known, sort_keys=False, allow_unicode=True)
    lines = [line for line in body.splitlines(keepends=True) if "load_from_disk(" not in line]
    body = "".join(lines).replace("import load_dataset, load_from_disk", "import load_dataset")
    return f"---\n{text}---\n{body}"


FORMAT = Format(
    "parquet",
    "Rows and drawings as they are: the hub, DuckDB, polars, pandas, datasets",
    _write,
    parquet_rows,
    _finish,
    loses="rejections and run statistics",
    threads=True,
)
