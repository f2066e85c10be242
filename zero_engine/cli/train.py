"""`train sft`, `train rl`, `eval`: train on a dataset, and evaluate a model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from zero_engine.cli.options import AsJson, Set, print_json, say, table, tell
from zero_engine.errors import PipelineError

app = typer.Typer(no_args_is_help=True)
Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="Training file (YAML).")]
OutputPath = Annotated[
    str | None, typer.Option("--output", help="Folder of the training (overrides output).")
]


@app.command()
def sft(config: Config, output: OutputPath = None, set: Set = None, json: AsJson = False) -> None:
    """PeSFT: train a model on the trajectories of a dataset. Resumes the training in the folder.

    Ctrl-C finishes the step and saves; the same command resumes. Run several processes with accelerate launch.
    """
    from zero_engine.train.config import load_training
    from zero_engine.train.sft import train_sft

    _done(train_sft(load_training(config, "sft", _said(output, set)), tell), json)


@app.command()
def rl(config: Config, output: OutputPath = None, set: Set = None, json: AsJson = False) -> None:
    """PeRPO: answer a dataset's questions and train on the rewards. Resumes the training in the folder."""
    from zero_engine.train.config import load_training
    from zero_engine.train.rl import train_rl

    _done(train_rl(load_training(config, "rl", _said(output, set)), tell), json)


def evaluate(
    model: Annotated[str, typer.Argument(help="nano, a checkpoint's folder, or a hub name.")],
    data: Annotated[
        str, typer.Argument(help="A dataset's folder, or any file that run reads: --set format=gsm8k.")
    ],
    output: Annotated[
        str, typer.Option("--output", help="Folder for predictions, pictures and summary.")
    ] = "out/eval",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Ask at most this many questions.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Evaluation file (YAML): settings, and a judge.")
    ] = None,
    set: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="format, template, mode, max_new_tokens, temperature, columns.answer ...",
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Answer questions and judge the answers: accuracy with a 95 % interval, format, pictures, by task.

    `valid` is the share of whole, new, not blank pictures; `faithful` of answers whose text follows their pictures.
    """
    from zero_engine.config import parse_config, read_yaml
    from zero_engine.train.evaluate import Evaluation, evaluate

    settings = read_yaml(config) if config is not None else {}
    if not isinstance(settings, dict):
        raise PipelineError(f"{config}: expected `key: value` lines, got {type(settings).__name__}.")
    document: dict[str, Any] = {**settings, "model": model, "data": data, "output": output}
    if limit is not None:
        document["limit"] = limit
    where = str(config) if config is not None else "eval"
    summary = evaluate(parse_config(Evaluation, document, where, set or []), tell)
    if json:
        print_json(summary)
        return
    rows = [("all", summary), *summary["by_task"].items()]
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
    if judge := summary.get("judge"):
        typer.echo(
            f"judge {judge['model']}: {100 * judge['accuracy']:.1f} % "
            f"({100 * judge['low']:.1f} to {100 * judge['high']:.1f}), {judge['unclear']} unclear; "
            f"agrees with the rule on {100 * judge['agreement']:.1f} %"
        )


def _said(output: str | None, overrides: list[str] | None) -> list[str]:
    return [*([f"output={output}"] if output is not None else []), *(overrides or [])]


def _done(model: Path, json: bool) -> None:
    if json:
        print_json({"model": str(model)})
    else:
        say(f"trained model: {model}")
