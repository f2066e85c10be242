"""`train sft`, `train rl`, `eval`: train on a dataset, and evaluate a model."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from zero_engine.cli.options import (
    AsJson,
    Limit,
    as_yaml,
    counted,
    folder_to_write,
    print_json,
    say,
    set_option,
    table,
)
from zero_engine.cli.screen import console, if_stopped
from zero_engine.errors import PipelineError
from zero_engine.progress import Progress, Silent

MOST_TASKS = 20
"""Lines of a table by task; `summary.json` has all."""
app = typer.Typer(no_args_is_help=True)
Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="Training file (YAML).")]
OutputPath = Annotated[
    str | None,
    typer.Option("--output", metavar="PATH", help="Write into this folder."),
]
SetSft = Annotated[list[str] | None, set_option("sft", "optimiser.learning_rate=1e-4")]
SetRl = Annotated[list[str] | None, set_option("rl", "max_new_tokens=512")]


@app.command()
def sft(config: Config, output: OutputPath = None, set: SetSft = None, json: AsJson = False) -> None:
    """PeSFT: train a model to write, draw and answer as a dataset's rows do.

    Ctrl-C finishes the step and saves; the same command goes on. accelerate launch runs it on several processes.
    """
    from zero_engine.train.config import load_training
    from zero_engine.train.sft import train_sft

    settings = load_training(config, "sft", _said(output, set))
    progress = _progress(settings.model, settings.output)
    _done(train_sft(settings, progress.say, progress), json)


@app.command()
def rl(config: Config, output: OutputPath = None, set: SetRl = None, json: AsJson = False) -> None:
    """PeRPO: let a model answer a dataset's questions and train it on the rewards.

    Ctrl-C finishes the step and saves; the same command goes on.
    """
    from zero_engine.train.config import load_training
    from zero_engine.train.rl import train_rl

    settings = load_training(config, "rl", _said(output, set))
    progress = _progress(settings.model, settings.output)
    _done(train_rl(settings, progress.say, progress), json)


def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="nano, a checkpoint's folder, or a hub name.")
    ],
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Folder of a dataset, or any file that run reads.")
    ],
    output: Annotated[
        str, typer.Option("--output", metavar="PATH", help="Write into this folder.")
    ] = "out/eval",
    limit: Limit = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Evaluation file (YAML): settings, and a judge."),
    ] = None,
    set: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Set one of format, template, mode, max_new_tokens, temperature, seed, batch_size, device or "
            "columns.NAME, e.g. --set format=gsm8k. May be repeated.",
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Let a model answer questions whose answers are known: accuracy with a 95 % interval, overall and by task.

    `valid` is the share of whole, new, not blank pictures; `faithful` of answers whose text follows their pictures.
    """
    from zero_engine.config import parse_config, read_yaml
    from zero_engine.train.evaluate import Evaluation, evaluate

    folder_to_write(Path(output))
    settings = read_yaml(config) if config is not None else {}
    if not isinstance(settings, dict):
        raise PipelineError(f"{config}: expected `key: value` lines, got {type(settings).__name__}.")
    document: dict[str, Any] = {**settings, "model": model, "data": data, "output": output}
    if limit is not None:
        document["limit"] = limit
    where = str(config) if config is not None else "eval"
    if_stopped(lambda: answers_kept(Path(output)))
    summary = evaluate(parse_config(Evaluation, document, where, set or []), console().say, console())
    if json:
        print_json(summary)
        return
    by_task = sorted(summary["by_task"].items(), key=lambda pair: -pair[1]["questions"])
    rows = [("all", summary), *sorted(by_task[:MOST_TASKS])]
    table(
        f"{model} on {data}",
        ["task", "questions", "accuracy", "95 %", "format", "pictures", "valid", "faithful"],
        [
            (
                name,
                found["questions"],
                f"{100 * found['accuracy']:.1f} %",
                f"{100 * found['low']:.1f} to {100 * found['high']:.1f}",
                f"{100 * found['format']:.1f} %",
                f"{found['pictures']:.2f}",
                *(
                    "-" if found[key] is None else f"{100 * found[key]:.1f} %"
                    for key in ("valid", "faithful")
                ),
            )
            for name, found in rows
        ],
    )
    if len(by_task) > MOST_TASKS:
        say(f"and {len(by_task) - MOST_TASKS} tasks more, with fewer questions: {output}/summary.json")
    if judge := summary.get("judge"):
        typer.echo(
            f"judge {judge['model']}: {100 * judge['accuracy']:.1f} % "
            f"({100 * judge['low']:.1f} to {100 * judge['high']:.1f}), {judge['unclear']} unclear; "
            f"agrees with the rule on {100 * judge['agreement']:.1f} %"
        )


def answers_kept(out: Path) -> str:
    """What a stopped evaluation keeps."""
    from zero_engine.train.evaluate import PREDICTIONS

    done = (out / PREDICTIONS).read_bytes().count(b"\n") if (out / PREDICTIONS).is_file() else 0
    if not done:
        return "No answer was written. Run the same command again."
    return f"Kept: {counted(done, 'answer')} in {out / PREDICTIONS}. Run the same command to go on."


def _steps_kept(out: Path) -> str:
    """What a training keeps that is stopped before its first step or after its last one."""
    saved = any((out / "states").glob("*"))
    if not saved:
        return "No step was saved. Run the same command again."
    return f"Kept: the last saved step, in {out / 'states'}. Run the same command to go on."


def _said(output: str | None, overrides: list[str] | None) -> list[str]:
    return [*([f"output={as_yaml(output)}"] if output is not None else []), *(overrides or [])]


def _progress(model: str, output: str) -> Progress:
    """Who shows it: of several processes the first one."""
    if os.environ.get("RANK", "0") != "0":
        return Silent()
    folder_to_write(Path(output))
    if_stopped(lambda: _steps_kept(Path(output)))
    console().stage(f"loading {model} and its data")
    return console()


def _done(model: Path, json: bool) -> None:
    if json:
        print_json({"model": str(model)})
    else:
        say(f"trained model: {model}")
