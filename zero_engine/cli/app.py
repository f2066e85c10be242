"""The command tree. Each module of this folder registers its commands; nothing heavy is imported here."""

import typer

from zero_engine import __version__
from zero_engine.cli import (
    answer,
    bootstrap,
    check,
    demo,
    export,
    init,
    look,
    models,
    recover,
    retry,
    run,
    schema,
    see,
    status,
    train,
)

app = typer.Typer(
    name="zero-engine",
    help="Turn text-only reasoning traces into interleaved text-and-image trajectories.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Start with: zero-engine demo. Your own file: zero-engine init FILE, then zero-engine run.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zero-engine {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Turn text-only reasoning traces into interleaved text-and-image trajectories."""


demo.register(app)
init.register(app)
run.register(app)
status.register(app)
retry.register(app)
recover.register(app)
look.register(app)
see.register(app)
check.register(app)
schema.register(app)
export.register(app)
app.add_typer(models.app, name="models", help="List, check, train and evaluate models that draw.")
app.add_typer(
    train.app,
    name="train",
    help="Train a model: sft on a dataset's rows, rl on rewards for right answers.",
)
app.command("eval")(train.evaluate)
answer.register(app)
bootstrap.register(app)
