"""`recover`: make a folder whole again from what lies in it."""

from typing import Annotated

import typer

from zero_engine.cli.options import AsJson, Folder, print_json
from zero_engine.cli.screen import console


def register(app: typer.Typer) -> None:
    app.command()(recover)


def recover(
    out: Folder,
    workers: Annotated[
        str | None, typer.Option(help="Local worker processes (overrides the pipeline's).")
    ] = None,
    json: AsJson = False,
) -> None:
    """Make a damaged folder whole: lost records, damaged and missing files. Nothing that is whole is drawn again."""
    from zero_engine.run.recover import recover

    summary = recover(out, console(), number(workers))
    if json:
        print_json(summary.as_dict())
    else:
        counts = summary.counts
        typer.echo(
            f"{out}: whole: {counts['rows']:,} rows, {counts['rejected_traces']:,} traces rejected, "
            f"{summary.drawn:,} pictures drawn"
        )


def number(workers: str | None) -> int | str | None:
    """`2` as a number; `auto` and nothing as they are."""
    return int(workers) if workers is not None and workers.lstrip("-").isdigit() else workers
