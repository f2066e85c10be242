"""`recover`: make a folder whole again from what lies in it."""

import typer

from zero_engine.cli.options import AsJson, Folder, Workers, number, print_json, say
from zero_engine.cli.screen import console


def register(app: typer.Typer) -> None:
    app.command()(recover)


def recover(
    out: Folder,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Make a damaged folder whole: lost records, damaged and missing files are made again, nothing else is."""
    from zero_engine.run.recover import recover

    summary = recover(out, console(), number(workers))
    if json:
        print_json(summary.as_dict())
    else:
        counts = summary.counts
        say(
            f"{out}: whole: {counts['rows']:,} rows, {counts['rejected_traces']:,} traces rejected, "
            f"{summary.drawn:,} pictures drawn"
        )
