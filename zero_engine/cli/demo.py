"""`demo`, `examples`: a first dataset from what comes with the package, and the bundled pipeline files."""

from pathlib import Path
from typing import Annotated

import typer

from zero_engine.bundled import NAMED_SAMPLE, SAMPLE, bundled, bundled_text
from zero_engine.cli.completion import complete_example
from zero_engine.cli.options import (
    AsJson,
    Limit,
    OutputPath,
    Set,
    Workers,
    descriptions,
    number,
    overrides_of,
    print_json,
    say,
)
from zero_engine.cli.run import finish, show_summary
from zero_engine.cli.screen import console

NAME = "gsm8k_nano"
"""The pipeline of the demo."""


def register(app: typer.Typer) -> None:
    app.command()(demo)
    app.command()(examples)


def demo(
    output: OutputPath = None,
    limit: Limit = None,
    workers: Workers = None,
    set: Set = None,
    json: AsJson = False,
) -> None:
    """Draw 64 real GSM8K solutions with the bundled model, in any folder: no file, no network, no GPU needed."""
    from zero_engine.config import parse_yaml
    from zero_engine.pipeline import load_pipeline
    from zero_engine.run import run_pipeline

    document = parse_yaml(bundled_text(NAME), f"examples {NAME}")
    assert isinstance(document, dict), "the bundled pipeline is one"
    said = overrides_of(None, output, limit, set, workers=number(workers))
    config = load_pipeline(document, said)
    summary = run_pipeline(config, progress=console())
    finish(summary, report=True)
    if json:
        print_json(summary.as_dict())
        return
    show_summary(summary.as_dict())
    own = f"zero-engine examples {NAME} > my.yaml"
    say(f"Open {Path(summary.out) / 'report.html'} in a browser.")
    say(f"To change the pipeline: {own}")


def examples(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Print this file, e.g. zero-engine examples gsm8k_nano > my.yaml. Without it, all are listed.",
            autocompletion=complete_example,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """List the pipeline and training files that come with the package, or print one."""
    if name is None:
        print_json(bundled()) if json else descriptions("file", bundled())
        return
    text = bundled_text(name)
    if json:
        sample = NAMED_SAMPLE if Path(NAMED_SAMPLE).exists() else str(SAMPLE)
        print_json({"name": name, "text": text, "sample": sample})
    else:
        typer.echo(text, nl=False)
