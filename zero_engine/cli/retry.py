"""`retry`: try again what was rejected."""

from typing import Annotated

import typer

from zero_engine.cli.completion import complete_stage
from zero_engine.cli.options import AsJson, Folder, Workers, number, print_json, say
from zero_engine.cli.screen import console


def register(app: typer.Typer) -> None:
    app.command()(retry)


def retry(
    out: Folder,
    reason: Annotated[
        str | None, typer.Option(help="Only rejections with this reason, e.g. worker_died.")
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(
            help="Only rejections of this stage: read, parse, render, ...", autocompletion=complete_stage
        ),
    ] = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Try again what a run rejected. What succeeds now takes its place, as if it had never failed."""
    from zero_engine.run.recover import rejected_kinds, retry

    done = retry(out, reason, stage, console(), number(workers))
    if json:
        print_json({"chosen": done.chosen, "left": done.left, **done.summary.as_dict()})
        return
    if not done.chosen and (reason or stage) and (there := rejected_kinds(out)):
        say(f"{out}: nothing was rejected like that. There is: {', '.join(there[:20])}", err=True)
    say(
        f"{out}: {done.chosen:,} rejections tried again, {done.left:,} such are left; "
        f"{done.summary.counts['rows']:,} rows, {done.summary.drawn:,} pictures drawn"
    )
