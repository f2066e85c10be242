"""`bootstrap`: rounds of drawing and training, each with what the round before trained."""

from pathlib import Path
from typing import Annotated

import typer

from zero_engine.cli.options import AsJson, as_yaml, folder_to_write, print_json, say, set_option, table
from zero_engine.cli.screen import console, if_stopped
from zero_engine.errors import CheckFailed


def register(app: typer.Typer) -> None:
    app.command()(bootstrap)


def bootstrap(
    config: Annotated[Path, typer.Argument(metavar="FILE", help="File of rounds (YAML).")],
    output: Annotated[
        str | None, typer.Option("--output", help="Folder of all rounds (overrides output).")
    ] = None,
    set: Annotated[list[str] | None, set_option("rounds", "draw.render.guidance=3")] = None,
    json: AsJson = False,
) -> None:
    """Draw, gate, train, and draw with the result, in rounds. Resumes what is in the folder.

    Ctrl-C commits or saves what is under way; the same command resumes.
    """
    from zero_engine.bootstrap.config import load_bootstrap
    from zero_engine.bootstrap.rounds import bootstrap

    if_stopped(lambda: "Kept: all finished rounds. Run the same command to go on.")
    said = [*([f"output={as_yaml(output)}"] if output is not None else []), *(set or [])]
    settings = load_bootstrap(config, said)
    folder_to_write(Path(settings.output))
    found = bootstrap(settings, console().say, console())
    if json:
        print_json(found)
    else:
        _show(found)
    if found["stopped"]:
        raise CheckFailed(f"{found['worse']} Stopped: stop_when_worse. The model before is {found['model']}")


def _show(found: dict) -> None:
    heads = ["round", "model", "rows", "drawings", "kept", "right (95 %)", "of kept", "loss"]
    rows = []
    for one in found["rounds"]:
        training = one["training"]
        rows.append(
            (
                f"{one['round']} (worse)" if one["worse"] else one["round"],
                one["model"] if one["round"] == 1 else f"of round {one['round'] - 1}",
                one["rows"],
                one["pictures"],
                _share(one["keep_rate"]),
                " ".join((_share(one["right_rate"]), _interval(one))),
                _share(one["kept_right_rate"]),
                f"{training['last']['loss']:.3f}" if training else "-",
            )
        )
    table(f"{found['name']}: kept steps and right drawings, in %", heads, rows)
    if found["worse"]:
        say(found["worse"])
    say(f"model: {found['model']}")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _interval(one: dict) -> str:
    return f"({100 * one['right_low']:.0f}-{100 * one['right_high']:.0f})" if one["judged"] else ""
