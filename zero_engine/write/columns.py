"""Python values to Arrow arrays, a column at a time.

Every value under a null is zero and every bitmap comes from Arrow's own builders, so that equal
content gives equal bytes. A lone surrogate, which UTF-8 cannot hold, becomes U+FFFD here as a last resort;
reading has replaced and noted it before.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from zero_engine.contracts.rows import PLUGIN_SCORES, arrow_type, stored_scores
from zero_engine.contracts.scores import SCORES

IMAGE = arrow_type("image")
CODES = pa.list_(pa.uint16())
PLUGINS = arrow_type(PLUGIN_SCORES.type)


def strings(values: Sequence[str | None]) -> pa.Array:
    """A string column; None is null."""
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array([value and without_surrogates(value) for value in values], pa.string())


def without_surrogates(text: str) -> str:
    """The text with surrogate pairs joined and lone surrogates replaced by U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def images_column(values: Sequence[bytes | None]) -> pa.Array:
    """A column of `datasets` images from encoded pictures; None is null."""
    fields = {"bytes": pa.array(values, pa.binary()), "path": pa.nulls(len(values), pa.string())}
    return struct(fields, IMAGE, null=[value is None for value in values])


def codes_column(values: Sequence[np.ndarray | None]) -> pa.Array:
    """list<uint16> from (N,) uint16 arrays; None is null."""
    present = [codes for codes in values if codes is not None]
    assert all(codes.dtype == np.uint16 and codes.ndim == 1 for codes in present), "codes are (N,) uint16"
    if not present:
        return pa.nulls(len(values), CODES)
    flat = pa.array(np.concatenate(present), pa.uint16())
    lengths = [0 if codes is None else len(codes) for codes in values]
    return _lists(lengths, flat, CODES, null=[codes is None for codes in values])


def scores_columns(values: Sequence[Mapping[str, float] | None]) -> dict[str, pa.Array]:
    """A float32 column for each built-in score and the list of the plugins' ones. Absent and NaN are null."""
    if all(value is None for value in values):
        columns = {name: pa.nulls(len(values), pa.float32()) for name in SCORES}
        return {**columns, PLUGIN_SCORES.name: pa.nulls(len(values), PLUGINS)}
    stored = [{} if value is None else stored_scores(value) for value in values]
    columns = {name: pa.array([s.get(name) for s in stored], pa.float32()) for name in SCORES}
    plugins = [sorted((n, v) for n, v in s.items() if n not in SCORES) for s in stored]
    flat = list(chain.from_iterable(plugins))
    fields = {
        "name": strings([name for name, _ in flat]),
        "value": pa.array([value for _, value in flat], pa.float32()),
    }
    null = [value is None for value in values]
    columns[PLUGIN_SCORES.name] = _lists(
        list(map(len, plugins)), struct(fields, PLUGINS.value_type), PLUGINS, null
    )
    return columns


def lists_column(values: Sequence[Sequence[Any]], column: Callable[[Sequence[Any]], pa.Array]) -> pa.Array:
    """A list column, its items built by `column`."""
    flat = column(list(chain.from_iterable(values)))
    return _lists(list(map(len, values)), flat, pa.list_(flat.type))


def struct(
    fields: Mapping[str, pa.Array], kind: pa.StructType, null: Sequence[bool] | None = None
) -> pa.Array:
    """A struct column with its fields in the order of `kind`; `null` marks the rows without one."""
    mask = pa.array(null, pa.bool_()) if null is not None and any(null) else None
    return pa.StructArray.from_arrays([fields[field.name] for field in kind], fields=list(kind), mask=mask)


def _lists(
    lengths: list[int], flat: pa.Array, kind: pa.ListType, null: Sequence[bool] | None = None
) -> pa.Array:
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    mask = pa.array(null, pa.bool_()) if null is not None and any(null) else None
    return pa.ListArray.from_arrays(pa.array(offsets), flat, type=kind, mask=mask)
