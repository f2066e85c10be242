"""`webdataset`: tar shards in which every sample has the same four members.

    KEY.json          id, question, answer, choices, steps {text, picture: place in drawings.mp or null}, source
    KEY.codes.npy     (P, N) codes of the drawings
    KEY.given.mp      pictures of the question, KEY.drawings.mp those of the steps: msgpack lists of encoded files

Contract (webdataset 1.0.2, tariterators.py `group_by_keys`, autodecode.py): members of one sample follow each other
and share what stands before the first dot; `.json`, `.npy` and `.mp` are decoded by `.decode()`. A sample whose
members differ from its neighbours' breaks batching, so lists hold what varies. Times, owners and modes are fixed:
equal rows give equal bytes.
"""

import io
import json
import tarfile
from pathlib import Path

import msgpack
import numpy as np

from zero_engine.contracts.manifest import Manifest
from zero_engine.write.export.files import front_matter
from zero_engine.write.export.job import Format, Options, Shard
from zero_engine.write.export.rows import Row


def _write(shard: Shard) -> None:
    path = shard.path(f"data-{shard.index:05d}.tar")
    with open(path, "wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for place, row in enumerate(shard.rows()):
            for name, data in _members(row):
                member = tarfile.TarInfo(f"{shard.index:05d}_{place:06d}.{name}")
                member.size, member.mode, member.mtime = len(data), 0o644, 0
                tar.addfile(member, io.BytesIO(data))
            shard.samples += 1


def _members(row: Row) -> list[tuple[str, bytes]]:
    drawn = [step for step in row.steps if step.image is not None]
    places = {id(step): place for place, step in enumerate(drawn)}
    told = {
        "id": row.id,
        "question": row.question,
        "answer": row.answer,
        "choices": list(row.choices),
        "steps": [{"text": step.text, "picture": places.get(id(step))} for step in row.steps],
        "source": {"name": row.corpus, "license": row.license},
    }
    return [
        ("json", json.dumps(told, ensure_ascii=False).encode()),
        ("codes.npy", _npy([step.codes for step in drawn])),
        ("given.mp", msgpack.packb(list(row.given))),
        ("drawings.mp", msgpack.packb([step.image for step in drawn])),
    ]


def _npy(codes: list[np.ndarray | None]) -> bytes:
    """One array; pictures without codes, or of unequal lengths, are filled up with the type's largest value."""
    present = [own for own in codes if own is not None]
    kind = present[0].dtype if present else np.dtype(np.uint16)
    width = max(map(len, present), default=0)
    table = np.full((len(codes), width), np.iinfo(kind).max, kind)
    for place, own in enumerate(codes):
        if own is not None:
            table[place, : len(own)] = own
    buffer = io.BytesIO()
    np.save(buffer, table, allow_pickle=False)
    return buffer.getvalue()


def _count(path: Path) -> int:
    if path.suffix != ".tar":
        return 0
    with tarfile.open(path) as tar:
        return sum(member.name.endswith(".json") for member in tar)


def _finish(
    out: Path, target: Path, manifest: Manifest, files: dict[str, dict], options: Options
) -> dict[str, str]:
    last = max(len(files) - 1, 0)
    text = f"""{front_matter({"default": "data-*.tar"}, manifest, files)}
# {manifest.name}, as tar shards

    import webdataset
    rows = webdataset.WebDataset("THIS_FOLDER/data-{{00000..{last:05d}}}.tar", shardshuffle=False).decode()
    for row in rows:
        row["json"], row["codes.npy"], row["given.mp"], row["drawings.mp"]
"""
    return {"README.md": text}


FORMAT = Format(
    "webdataset",
    "Tar shards with equal members in every sample",
    _write,
    _count,
    _finish,
    loses="scores, seeds, verdicts",
)
