"""Options that several commands share, and how they become a pipeline."""

import json
import sys
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from zero_engine.cli.completion import complete_set
from zero_engine.cli.screen import hush
from zero_engine.config import refuse_address
from zero_engine.errors import OutputError, printable
from zero_engine.pipeline import Pipeline, load_pipeline
from zero_engine.wrapping import fold

PipelineFile = Annotated[Path, typer.Argument(metavar="PIPELINE", help="Pipeline file (YAML).")]


def folder(text: str) -> Any:
    """A path, or an address in an object store as it is: a path would lose one of its slashes."""
    if not text.strip():
        raise typer.BadParameter("it must be a path, not an empty text")
    return text if "://" in text else Path(text)


Folder = Annotated[Path, typer.Argument(parser=folder, metavar="OUT", help="Output folder of a run.")]
InputPath = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="PATH",
        help="Read this file, glob, folder, URL or hub name (overrides input.path). May be repeated.",
    ),
]
OutputPath = Annotated[
    str | None,
    typer.Option(
        "--output",
        metavar="PATH",
        help="Write into this folder.",
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", min=1, metavar="N", help="Read at most this many records of the input."),
]
SET_HELP = "Override a key of the file, e.g. --set {}. May be repeated. All keys: zero-engine schema {}."


def set_option(kind: str, example: str) -> Any:
    """`--set KEY=VALUE` of a command on a file of a kind, which completes its keys."""
    return typer.Option(
        "--set", metavar="KEY=VALUE", help=SET_HELP.format(example, kind), autocompletion=complete_set(kind)
    )


Set = Annotated[list[str] | None, set_option("pipeline", "render.guidance=3")]
Workers = Annotated[
    str | None,
    typer.Option(
        "--workers",
        metavar="N",
        help="Local worker processes (overrides dask.workers): auto starts one a core, 0 runs in this process.",
    ),
]
Reuse = Annotated[
    list[Path] | None,
    typer.Option(
        "--reuse", parser=folder, metavar="OUT", help="Reuse drawings of this dataset, too. May be repeated."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print facts as JSON on stdout.")]


def resolve(
    path: Path,
    inputs: list[str] | None = None,
    output: str | None = None,
    limit: int | None = None,
    overrides: list[str] | None = None,
    **dask: object,
) -> Pipeline:
    """The pipeline of a file, with the command line's options applied; `--set` comes last and overrides all."""
    return load_pipeline(path, overrides_of(inputs, output, limit, overrides, **dask))


def overrides_of(
    inputs: list[str] | None,
    output: str | None,
    limit: int | None,
    overrides: list[str] | None,
    **dask: object,
) -> list[str]:
    """Options of the command line as `key=value`."""
    said: list[str] = []
    if inputs:
        said.append(f"input.path={as_yaml(inputs if len(inputs) > 1 else inputs[0])}")
    if output is not None:
        said.append(f"output.path={as_yaml(output)}")
    if limit is not None:
        said.append(f"input.limit={limit}")
    said += [f"dask.{key}={json.dumps(value)}" for key, value in dask.items() if value is not None]
    return [*said, *(overrides or [])]


def as_yaml(value: object) -> str:
    """Text as YAML takes it: JSON, but without its pairs of escapes for one character."""
    return json.dumps(value, ensure_ascii=False)


def print_json(value: Any) -> None:
    """Facts as JSON on stdout."""
    hush()
    typer.echo(printable(json.dumps(value, ensure_ascii=False, indent=2, default=str)))


LINES_SAID = 20
WIDEST = 10_000
"""Columns of what is no terminal."""


def say(text: str, err: bool = False) -> None:
    """Prints a line that may quote a corpus, without its control characters."""
    hush()
    typer.echo(fold(printable(text), sys.stderr if err else sys.stdout), err=err)


def tell(text: str) -> None:
    """Progress: it goes to stderr, so that stdout holds facts alone."""
    say(text, err=True)


def say_all(lines: list[str]) -> None:
    """Prints lines on stderr: at most `LINES_SAID` of them, and the number of the others."""
    for line in lines[:LINES_SAID]:
        say(line, err=True)
    if len(lines) > LINES_SAID:
        say(f"... and {len(lines) - LINES_SAID} more", err=True)


def table(
    title: str, columns: list[str], rows: list[tuple], justify: Literal["left", "right"] = "right"
) -> None:
    """A table on stdout; the first column is left-aligned, the others as `justify` says.

    A terminal folds what is too long for it; a pipe or a file gets every row on one line.
    """
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    hush()
    grid = Table(box=box.SIMPLE_HEAD, show_header=any(columns))
    for position, column in enumerate(columns):
        grid.add_column(column, justify="left" if position == 0 else justify, overflow="fold")
    for row in rows:
        grid.add_row(*(escape(printable(str(cell))) for cell in row))
    screen = Console(highlight=False)
    if title:
        screen.print(printable(title), style="bold", markup=False, soft_wrap=True)
    if screen.is_terminal:
        screen.print(grid)
        return
    page = StringIO()
    Console(file=page, highlight=False, width=WIDEST).print(grid)
    typer.echo("\n".join(line.rstrip() for line in page.getvalue().splitlines()))


def descriptions(what: str, texts: dict[str, str]) -> None:
    """A table of names and their meanings."""
    table("", [what, ""], list(texts.items()), justify="left")


PAGE = (".html", ".htm")


def file_to_write(path: Path, *endings: str) -> Path:
    """The path, if a file can be written there. Raises OutputError before any work is done for it.

    What is written replaces what is there, so its name has to end as one of `endings`: a page replaces no manifest.
    """
    refuse_address(path)
    if path.is_dir():
        raise OutputError(f"{path}: is a folder. Name a file in it.")
    if endings and path.suffix.lower() not in endings:
        raise OutputError(f"{path}: does not end in {' or '.join(endings)}. Name a file that does.")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}. Make it, or name another file.")
    return path


def folder_to_write(path: Path) -> Path:
    """The path, if it is a folder or one can be made there. Raises OutputError before any work is done for it."""
    refuse_address(path)
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not there.is_dir():
        raise OutputError(f"{there}: is a file. Name a folder.")
    return path


def number(workers: str | None) -> int | str | None:
    """`2` as a number; `auto` and nothing as they are."""
    return int(workers) if workers is not None and workers.lstrip("-").isdigit() else workers


def counted(number: int, what: str) -> str:
    """`1 trace`, `2,000 traces`."""
    return f"{number:,} {what}" + "s" * (number != 1)


def percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
