"""`bagel`: the interleaved Parquet of BAGEL and of ThinkMorph, which share column names and not their meaning.

Contracts:
- ThinkMorph c1a48adf (data/interleave_datasets/edit_dataset.py, README): `image_list` (encoded; the first is the
  problem's, and there has to be one), `instruction_list` [question], `output_text_list`, whose i-th text stands
  before picture i + 1: `<think>..</think><image_start>`, then `<image_end><think>..</think><answer>..</answer>`. In
  `thinkmorph/`.
- BAGEL 056b5fd5 (the same file there): `image_list` of at least two, `instruction_list` of lists of wordings, one
  list for every picture but the first: from picture i to i + 1. In `bagel/`: successive pictures of a row, the step
  as instruction.
Both read row groups that `parquet_info` lists by path, as written below: relative to the export's folder.

A question of a text corpus has no picture, and ThinkMorph's loader cannot do without: such a row begins with a
white one of the drawings' size, which bears no loss, and is counted. A row with several pictures of the question is
left out there, named. One with fewer than two pictures has no place in `bagel/`, and is counted.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from zero_engine.contracts.manifest import Manifest
from zero_engine.images import decode_image, encode_image
from zero_engine.render.sequences import around_pictures
from zero_engine.write.export.files import ParquetFile, front_matter, parquet_rows
from zero_engine.write.export.job import Format, Options, Shard
from zero_engine.write.export.rows import Row

MARKS = ("<image_start>", "<image_end>", "<think>", "</think>", "<answer>", "</answer>")
_STRINGS = pa.list_(pa.string())
_MORPH = pa.schema(
    [
        ("id", pa.string()),
        ("image_list", pa.list_(pa.binary())),
        ("instruction_list", _STRINGS),
        ("output_text_list", _STRINGS),
    ]
)
_BAGEL = pa.schema(
    [("id", pa.string()), ("image_list", pa.list_(pa.binary())), ("instruction_list", pa.list_(_STRINGS))]
)


def _write(shard: Shard) -> None:
    edits = 0
    with (
        ParquetFile(shard.path(f"thinkmorph/data-{shard.index:05d}.parquet"), _MORPH) as morph,
        ParquetFile(shard.path(f"bagel/data-{shard.index:05d}.parquet"), _BAGEL) as bagel,
    ):
        for whole, edited in _hundreds(shard):
            for file, schema, lines in ((morph, _MORPH, whole), (bagel, _BAGEL, edited)):
                if lines:
                    file.add([pa.RecordBatch.from_pylist(lines, schema=schema)])
            edits += len(edited)
    shard.samples = shard.held + edits


def _hundreds(shard: Shard) -> Iterator[tuple[list[dict], list[dict]]]:
    whole: list[dict] = []
    edited: list[dict] = []
    for row in shard.rows():
        if row.answer is None:
            shard.leave_out(row, "no_answer", "the last text ends with the answer")
        elif len(row.given) > 1:
            shard.leave_out(
                row, "several_question_pictures", f"{len(row.given)} pictures where one has a place"
            )
        else:
            whole.append(_morph(shard, row))
        pictures = sum(step.image is not None for step in row.steps) + len(row.given)
        if pictures > 1:
            edited.append(_edits(row))
        else:
            shard.lost["rows not in bagel/: fewer than two pictures"] += 1
        if len(whole) >= 100 or len(edited) >= 100:
            yield whole, edited
            whole, edited = [], []
    yield whole, edited


def _morph(shard: Shard, row: Row) -> dict:
    first = row.given[0] if row.given else _white(shard, row)
    images: list[bytes] = [first]
    outputs: list[str] = []
    said: list[str] = []
    for step in row.steps:
        said.append(_unmarked(shard, step.text))
        if step.image is not None:
            outputs.append(_thought(said, bool(outputs)) + "<image_start>")
            images.append(step.image)
            said = []
    last = f"<answer>{_unmarked(shard, row.answer or '')}</answer>"
    outputs.append((_thought(said, bool(outputs)) if said else "<image_end>" * bool(outputs)) + last)
    asked = "".join(around_pictures(row.asked(), len(row.given))).strip() if row.given else row.asked()
    return {"id": row.id, "image_list": images, "instruction_list": [asked], "output_text_list": outputs}


def _thought(said: list[str], after_picture: bool) -> str:
    return f"{'<image_end>' * after_picture}<think>{chr(10).join(said)}</think>"


def _edits(row: Row) -> dict:
    asked = "".join(around_pictures(row.asked(), len(row.given)))
    images, wordings, said = list(row.given), [[asked] for _ in row.given[1:]], []
    for step in row.steps:
        said.append(step.text)
        if step.image is not None:
            if images:
                wordings.append(["\n".join(said)])
            images.append(step.image)
            said = []
    return {"id": row.id, "image_list": images, "instruction_list": wordings}


def _unmarked(shard: Shard, text: str) -> str:
    for mark in MARKS:
        if mark in text:
            shard.lost["marks respelled"] += text.count(mark)
            text = text.replace(mark, f"< {mark[1:]}")
    return text


def _white(shard: Shard, row: Row) -> bytes:
    shard.lost["rows that begin with a white picture"] += 1
    drawn = next((step.image for step in row.steps if step.image is not None), None)
    height, width = decode_image(drawn).shape[:2] if drawn is not None else (512, 512)
    return _blank(height, width)


@lru_cache(maxsize=8)
def _blank(height: int, width: int) -> bytes:
    return encode_image(np.full((height, width, 3), 255, np.uint8))


def _finish(
    out: Path, target: Path, manifest: Manifest, files: dict[str, dict], options: Options
) -> dict[str, str]:
    info: dict[str, dict] = {"thinkmorph": {}, "bagel": {}}
    for name in sorted(files):
        if name.endswith(".parquet"):
            groups = pq.read_metadata(target / name).num_row_groups
            info[name.split("/")[0]][name] = {"num_row_groups": groups}
    configs = {name: f"{name}/*.parquet" for name in ("thinkmorph", "bagel")}
    text = f"""{front_matter(configs, manifest, files)}
# {manifest.name}, for ThinkMorph and BAGEL

In `data/dataset_info.py`, for ThinkMorph (for BAGEL the same with `bagel`):

    'unified_edit': {{'{manifest.name}': {{
        'data_dir': 'thinkmorph', 'num_files': {len(info["thinkmorph"])},
        'num_total_samples': {manifest.counts["rows"]},
        'parquet_info_path': 'parquet_info_thinkmorph.json'}}}}

Paths are relative to this folder, in `parquet_info_*.json` too: start the training here, or put the folder before both.
"""
    return {
        "README.md": text,
        **{f"parquet_info_{name}.json": json.dumps(paths, indent=1) + "\n" for name, paths in info.items()},
    }


FORMAT = Format(
    "bagel",
    "Interleaved Parquet of ThinkMorph, and editing pairs for BAGEL",
    _write,
    parquet_rows,
    _finish,
    loses="codes, scores, choices as a list",
)
