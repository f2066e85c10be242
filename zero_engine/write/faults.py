"""What can be wrong with drawings and steps, as functions of Arrow columns. Nothing here reads files."""

import hashlib
import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from zero_engine.contracts.manifest import ModelInfo
from zero_engine.contracts.rows import Column, ListOf, Struct

OWN_PIXELS = ("painted", "served", "given")
"""Origins of pictures that are something else than what their codes decode to."""


def kept_drawings(batch: pa.RecordBatch, decoded: bool = False) -> dict[tuple[str, int, int], bytes]:
    """Drawings in rows or candidates: (trace id, step, attempt) -> digest of seed, codes and picture.

    `decoded` says that rows show what the codes decode to: the picture then counts only where it is that anyway.
    """
    if "steps" in batch.schema.names:
        steps = batch.column("steps")
        owners = np.repeat(np.arange(len(steps)), np.diff(steps.offsets.to_numpy()))
        drawn = steps.flatten()
        names = ("index", "attempt", "seed", "codes", "image")
        index, attempt, seed, codes, image = (drawn.field(name) for name in names)
        ids, origins = batch.column("id"), origins_of(drawn)
    else:
        names = ("step", "attempt", "seed", "codes", "image")
        index, attempt, seed, codes, image = (batch.column(name) for name in names)
        owners, ids = np.arange(batch.num_rows), batch.column("trace_id")
        origins = origins_of(batch.to_struct_array())
    pictures, result = image.field("bytes"), {}
    for i in np.flatnonzero(codes.is_valid().to_numpy(zero_copy_only=False)).tolist():
        key = (ids[int(owners[i])].as_py(), index[i].as_py(), attempt[i].as_py())
        sha = hashlib.sha256(str(seed[i].as_py()).encode())
        sha.update(codes[i].values.to_numpy().tobytes())
        if not decoded or origins[i] == "drawn":
            sha.update(pictures[i].as_buffer() or b"")
        result[key] = sha.digest()
    return result


def origins_of(drawings: pa.StructArray) -> list[str | None]:
    """Where each picture comes from; before version 2 the model drew all of them."""
    if drawings.type.get_field_index("origin") < 0:
        return ["drawn"] * len(drawings)
    return drawings.field("origin").to_pylist()


def bad_origins(drawings: pa.StructArray) -> Iterator[str]:
    """Problems with what is said of where pictures come from, and of what their codes hold of them."""
    if drawings.type.get_field_index("origin") < 0:
        return
    known = drawings.field("roundtrip").is_valid().to_pylist()
    for origin, measured in zip(origins_of(drawings), known, strict=True):
        if origin not in (None, "drawn", *OWN_PIXELS):
            yield f"a picture has the origin {origin!r}"
        elif origin in OWN_PIXELS and not measured:
            yield f"a {origin} picture has no roundtrip: what its codes hold of it is not known"


def bad_steps(steps: pa.ListArray) -> Iterator[tuple[int, str]]:
    """(row, problem) where indices do not ascend, or a verdict and its drawing do not go together."""
    offsets = steps.offsets.to_numpy() - steps.offsets[0].as_py()
    flat = steps.flatten()
    index = flat.field("index").to_numpy(zero_copy_only=False)
    owner = np.repeat(np.arange(len(steps)), np.diff(offsets))
    for i in np.flatnonzero((np.diff(index) <= 0) & (owner[1:] == owner[:-1])):
        yield int(owner[i]), f"step {index[i + 1] + 1} stands after step {index[i] + 1}"
    verdicts = np.asarray(flat.field("verdict").to_pylist(), dtype=object)
    for i in np.flatnonzero((verdicts != "kept") & (verdicts != "text_only")):
        yield int(owner[i]), f"step {index[i] + 1} has the verdict {verdicts[i]!r}"
    drawn = ("image", "codes", "seed", "attempt", "prompt", "origin")
    for name in (name for name in drawn if flat.type.get_field_index(name) >= 0):
        there = flat.field(name).is_valid().to_numpy(zero_copy_only=False)
        for i in np.flatnonzero(there != (verdicts == "kept")):
            yield (
                int(owner[i]),
                f"step {index[i] + 1} is {verdicts[i]} and its {name} is {'' if there[i] else 'not '}there",
            )


def bad_codes(codes: pa.ListArray, model: ModelInfo | None) -> Iterator[str]:
    """Problems with the codes of a column, against the model's codebook and picture size where known."""
    present = codes.drop_null()
    if not len(present):
        return
    lengths = np.diff(present.offsets.to_numpy())
    wanted = model.codes_per_picture if model and model.codes_per_picture else int(lengths[0])
    for length in np.unique(lengths[lengths != wanted]):
        yield f"a drawing has {length} codes where a picture has {wanted}"
    values = present.flatten().to_numpy()
    if model and model.codebook_size and len(values) and values.max() >= model.codebook_size:
        yield f"code {values.max()} is outside the codebook of {model.codebook_size}"


def bad_picture(data: pa.Buffer, model: ModelInfo | None) -> str | None:
    """Why a picture does not decode, or is not of the model's size (a drawing has to be); None where all is well."""
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(data)) as image:
            image.load()
            size = image.size
    except Exception as error:  # whatever the decoder makes of bad bytes
        return f"a picture of {data.size:,} bytes does not decode ({type(error).__name__}: {error})"
    if model and model.width and model.height and size != (model.width, model.height):
        return f"a picture is {size[0]}x{size[1]} where the model draws {model.width}x{model.height}"
    return None


def null_columns(batch: pa.RecordBatch, columns: tuple[Column, ...]) -> Iterator[str]:
    """Names of columns and fields that hold a null without a meaning."""
    for column in columns:
        yield from _nulls(column, batch.column(column.name), column.name)


def _nulls(column: Column, array: pa.Array, name: str) -> Iterator[str]:
    if array.null_count and not column.null:
        yield name
    if isinstance(column.type, ListOf):
        yield from _nulls(Column("item", column.type.item, ""), array.flatten(), f"{name}[]")
    elif isinstance(column.type, Struct):
        array = array.drop_null()
        for field in column.type.columns:
            yield from _nulls(field, array.field(field.name), f"{name}.{field.name}")
