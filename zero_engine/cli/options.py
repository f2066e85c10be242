"""Options that several commands share, and how they become a pipeline."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from zero_engine.errors import printable
from zero_engine.pipeline import Pipeline, load_pipeline

PipelineFile = Annotated[Path, typer.Argument(metavar="PIPELINE", help="Pipeline file (YAML).")]


def folder(text: str) -> Any:
    """A path, or an address in an object store as it is: a path would lose one of its slashes."""
    return text if "://" in text else Path(text)


Folder = Annotated[
    Path, typer.Argument(parser=folder, metavar="OUT", help="Folder of a dataset that a run wrote.")
]
InputPath = Annotated[
    list[str] | None,
    typer.Option(
        "--input", help="Input file, glob, folder, URL or hub name (overrides input.path). May be repeated."
    ),
]
OutputPath = Annotated[
    str | None, typer.Option("--output", help="Folder of the dataset (overrides output.path).")
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Read at most this many records (overrides input.limit).")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a key, e.g. --set render.guidance=3. May be repeated."
    ),
]
Reuse = Annotated[
    list[Path] | None,
    typer.Option(
        "--reuse", parser=folder, metavar="OUT", help="Reuse drawings of this dataset, too. May be repeated."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print facts as one JSON object on stdout.")]


def resolve(
    path: Path,
    inputs: list[str] | None = None,
    output: str | None = None,
    limit: int | None = None,
    overrides: list[str] | None = None,
    **dask: object,
) -> Pipeline:
    """The pipeline of a file, with the command line's options applied; `--set` comes last and overrides all."""
    said: list[str] = []
    if inputs:
        said.append(f"input.path={json.dumps(inputs if len(inputs) > 1 else inputs[0])}")
    if output is not None:
        said.append(f"output.path={json.dumps(output)}")
    if limit is not None:
        said.append(f"input.limit={limit}")
    said += [f"dask.{key}={json.dumps(value)}" for key, value in dask.items() if value is not None]
    return load_pipeline(path, [*said, *(overrides or [])])


def print_json(value: Any) -> None:
    """One JSON object on stdout."""
    typer.echo(printable(json.dumps(value, ensure_ascii=False, indent=2, default=str)))


LINES_SAID = 20


def say(text: str, err: bool = False) -> None:
    """Prints a line that may quote a corpus, without its control characters."""
    typer.echo(printable(text), err=err)


def say_all(lines: list[str]) -> None:
    """Prints lines on stderr: at most `LINES_SAID` of them, and the number of the others."""
    for line in lines[:LINES_SAID]:
        say(line, err=True)
    if len(lines) > LINES_SAID:
        say(f"... and {len(lines) - LINES_SAID} more", err=True)


def table(
    title: str, columns: list[str], rows: list[tuple], justify: Literal["left", "right"] = "right"
) -> None:
    """A table on stdout; the first column is left-aligned, the others as `justify` says."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    grid = Table(
        title=escape(printable(title)),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_header=any(columns),
        title_style="bold",
    )
    for position, column in enumerate(columns):
        grid.add_column(column, justify="left" if position == 0 else justify, overflow="fold")
    for row in rows:
        grid.add_row(*(escape(printable(str(cell))) for cell in row))
    Console(highlight=False).print(grid)


def descriptions(what: str, texts: dict[str, str]) -> None:
    """A table of names and their meanings."""
    table("", [what, ""], list(texts.items()), justify="left")


def percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
