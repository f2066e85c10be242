"""A finished dataset in other people's formats: one file a format, each with its contract's source in the docstring.

job.py      shards, resume, counts: what all formats share; stopped.py: what a stopped one leaves
rows.py     rows, streamed
files.py    Parquet and JSON lines; texts.py: rows as text; coder.py: rows as ids
parquet, messages, trl, tokens, verl, omni_r1, twgi, anole, bagel, webdataset: the formats
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zero_engine.errors import InputError
from zero_engine.progress import Progress

if TYPE_CHECKING:
    from zero_engine.write.export.job import Format

NAMES = ("parquet", "messages", "trl", "tokens", "verl", "omni_r1", "twgi", "anole", "bagel", "webdataset")


def format_named(name: str) -> "Format":
    """A format. Raises InputError for an unknown name."""
    if name not in NAMES:
        raise InputError(f"--to {name}: no such format. Give one of {', '.join(NAMES)}.")
    return import_module(f"zero_engine.write.export.{name}").FORMAT


def export_dataset(
    dataset: str | Path,
    to: str,
    directory: str | Path,
    *,
    model: str | None = None,
    template: str | None = None,
    max_length: int | None = None,
    rows_per_shard: int = 10_000,
    say: Callable[[str], None] = lambda text: None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a finished dataset in another format; returns the counts and files that `export.json` holds.

    Resumes what a stopped export left. Raises InputError for an option that the format does not take, ModelError for a
    model that cannot be read, OutputError where the folder holds something else or a count is wrong.
    """
    from zero_engine.write.export.job import Options, run_export

    fmt = format_named(to)
    if fmt.needs_model and model is None:
        raise InputError(
            f"--to {to} writes ids of one model's vocabulary. Say which: --model nano, or a folder."
        )
    for name, value in (("model", model), ("template", template), ("max_length", max_length)):
        if value is not None and name not in fmt.takes and not (name == "model" and fmt.needs_model):
            raise InputError(f"--to {to} takes no --{name.replace('_', '-')}. Leave it out.")
    if template is not None:
        from zero_engine.render.sequences import TEMPLATES

        if template not in TEMPLATES:
            raise InputError(f"--template {template}: no such template. Give one of {', '.join(TEMPLATES)}.")
    return run_export(
        fmt, dataset, directory, Options(model, template, max_length, rows_per_shard), say, progress
    )
