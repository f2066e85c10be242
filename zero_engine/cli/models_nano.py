"""`models train-nano`, `eval-nano`, `calibrate`, `make-tasks`: the bundled model's recipe and its judges."""

from pathlib import Path
from typing import Annotated

import typer

from zero_engine.cli.completion import complete_kind
from zero_engine.cli.models_tasks import make_tasks
from zero_engine.cli.options import AsJson, file_to_write, folder_to_write, print_json, say, table
from zero_engine.cli.screen import console, if_stopped
from zero_engine.errors import InputError

Model = Annotated[
    str, typer.Option(metavar="MODEL", help="nano, or a checkpoint's folder that draws the nano world.")
]
Prompts = Annotated[int, typer.Option(min=1, metavar="N", help="Held-out prompts of each kind.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="NAME",
        help="Only this kind of drawing. May be repeated.",
        autocompletion=complete_kind,
    ),
]
Guidance = Annotated[float, typer.Option(min=0.0, metavar="G", help="Classifier-free guidance; 1 is none.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `zero-engine models`."""
    app.command("train-nano")(train_nano)
    app.command("eval-nano")(eval_nano)
    app.command("calibrate")(calibrate)
    app.command("make-tasks")(make_tasks)


def train_nano(
    output: Annotated[Path, typer.Option("--output", metavar="PATH", help="Write into this folder.")],
    steps: Annotated[
        int, typer.Option(min=1, metavar="N", help="Steps of the language model, in all.")
    ] = 20_000,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.0, metavar="N", help="Stop after this many minutes, save, and write the model."),
    ] = None,
    resume: Annotated[
        bool, typer.Option(help="Go on with the training in the folder, or refuse such a folder.")
    ] = True,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed.")] = 0,
    json: AsJson = False,
) -> None:
    """Train the bundled model: codebook, codec, language model; then write PATH/checkpoint."""
    from zero_engine.nano.recipe.train import Recipe, train

    if not resume and (output / "recipe.json").exists():
        raise InputError(
            f"{output} already holds a training run. Give another --output, or leave out --no-resume."
        )
    folder_to_write(output)
    if_stopped(lambda: f"Kept: the last saved step, in {output}. Run the same command to go on.")
    console().stage("training nano")
    facts = train(output, Recipe(seed=seed, steps=steps), console().say, minutes)
    if json:
        print_json(facts)
    else:
        table("", ["", ""], list(facts.items()))


def eval_nano(
    prompts: Prompts = 200,
    guidance: Guidance = 1.5,
    kind: Kinds = None,
    model: Model = "nano",
    candidates: Annotated[int, typer.Option(min=1, metavar="N", help="Drawings of each prompt.")] = 4,
    temperature: Annotated[
        float, typer.Option(min=0.0, metavar="T", help="Sampling temperature; 0 is greedy.")
    ] = 1.0,
    top_p: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="P", help="Nucleus mass kept when sampling a code.")
    ] = 0.9,
    new_phrasing: Annotated[
        bool, typer.Option("--new-phrasing", help="Use phrasings, too, that the model was not trained on.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Evaluate such phrasings, and guidance 1, 1.5 and 2, as well.")
    ] = False,
    gsm8k: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Judge the steps of this GSM8K file, too: test.jsonl.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a contact sheet to this PNG file.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Draw prompts that nano was not trained on, judge the pixels by program, and print the accuracy of each kind."""
    from zero_engine.models import get_model
    from zero_engine.nano import evaluate
    from zero_engine.nano.calibrate import gate_curve

    if gsm8k is not None and not gsm8k.is_file():
        raise InputError(f"{gsm8k}: no such file. Give GSM8K's test.jsonl.")
    if sheet is not None:
        file_to_write(sheet, ".png")
    _known(kind)
    console().stage(f"drawing held-out prompts with {model}")
    loaded = get_model(model)

    def judge(guidance: float, new_phrasing: bool) -> dict:
        return evaluate.judge_kinds(
            loaded,
            prompts,
            evaluate.Drawing(candidates, guidance, temperature, top_p),
            kinds=_known(kind),
            new_phrasing=new_phrasing,
            report=lambda line: console().say(f"guidance {guidance:g}: {line}"),
        )

    drawn = judge(guidance, new_phrasing)
    facts = evaluate.summary(drawn)
    facts["curve"] = gate_curve(drawn)
    facts["settings"] = {
        "prompts": prompts,
        "guidance": guidance,
        "candidates": candidates,
        "new_phrasing": new_phrasing,
    }
    if full:
        others = {f"guidance {scale:g}": (scale, False) for scale in (1.0, 1.5, 2.0) if scale != guidance}
        others["new phrasings"] = guidance, True
        facts["also"] = {name: evaluate.summary(judge(*setting)) for name, setting in others.items()}
    if gsm8k is not None:
        steps, counts = evaluate.gsm8k_steps(gsm8k)
        how = evaluate.Drawing(candidates, guidance, temperature, top_p)
        real = evaluate.judge_traces(loaded, steps, how)
        facts["gsm8k"] = {"steps": counts, **evaluate.summary(real)["kinds"]}
        drawn |= {f"gsm8k {name}": judged for name, judged in real.items()}
    if sheet is not None:
        from PIL import Image

        Image.fromarray(evaluate.contact_sheet(drawn)).save(sheet)
    if json:
        print_json(facts)
    else:
        _print_evaluation(facts, candidates)


def calibrate(
    prompts: Prompts = 100,
    guidance: Guidance = 1.5,
    kind: Kinds = None,
    model: Model = "nano",
    precision: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, metavar="SHARE", help="Share of kept pictures that must be right."),
    ] = 0.95,
    json: AsJson = False,
) -> None:
    """Draw held-out prompts and fit gate.rank and gate.min to what is right; print precision and keep rate of each."""
    from zero_engine.models import get_model
    from zero_engine.nano import calibrate as fit
    from zero_engine.nano import evaluate

    _known(kind)
    console().stage(f"drawing held-out prompts with {model}")
    how = evaluate.Drawing(guidance=guidance, seed=1)
    loaded = get_model(model)
    drawn = evaluate.judge_kinds(
        loaded,
        prompts,
        how,
        kinds=_known(kind),
        report=console().say,
    )
    facts = fit.calibrate(drawn, precision=precision)
    if json:
        print_json(facts)
        return
    _print_curve(facts)
    _print_scores(facts)
    say(f"rank: {facts['rank']}")
    say(f"gate: min likelihood {facts['gate']['threshold']}: {facts['gate']}")


def _print_evaluation(facts: dict, candidates: int) -> None:
    def cells(name: str, row: dict) -> tuple[str, ...]:
        low, high = row.get("interval", (None, None))
        interval = "" if low is None else f"{low:.3f} to {high:.3f}"
        return name, f"{row['one']:.3f}", interval, f"{row['best']:.3f}", f"{row['oracle']:.3f}"

    real = {f"gsm8k {name}": row for name, row in facts.get("gsm8k", {}).items() if name != "steps"}
    rows = [cells(name, row) for name, row in (facts["kinds"] | real).items()]
    rows.append(cells("mean", facts["mean"]))
    rows += [cells(f"mean, {name}", other["mean"]) for name, other in facts.get("also", {}).items()]
    heads = ["kind", "one sample", "95 % interval", f"best of {candidates}", "oracle's best"]
    table(f"guidance {facts['settings']['guidance']:g}", heads, rows)
    _print_scores(facts)
    _print_curve(facts)
    gate = facts["gate"]
    say(f"default gate: keeps {gate['keep_rate']:.1%} of the prompts, {gate['precision']:.1%} right")


def _print_scores(facts: dict) -> None:
    kinds = facts.get("kinds", {}).values()
    rows = []
    for name, within in facts["auc_within"].items():
        numbers = [facts["auc"][name], within]
        if kinds:
            numbers.append(sum(kind["by"][name] for kind in kinds) / len(kinds))
        rows.append((name, *("-" if number is None else f"{number:.3f}" for number in numbers)))
    heads = ["score", "AUC over all", "AUC within a prompt", "best by it"]
    table("scores", heads if kinds else heads[:-1], rows)


def _print_curve(facts: dict) -> None:
    points = [
        (point["threshold"], f"{point['precision']:.3f}", f"{point['keep_rate']:.3f}")
        for point in facts["curve"]
    ]
    table("gate", ["likelihood >=", "precision", "keep rate"], points)


def _known(kinds: list[str] | None) -> list[str] | None:
    from zero_engine.world import GIVEN, KINDS

    known = (*KINDS, *GIVEN)
    for name in kinds or ():
        if name not in known:
            raise InputError(f"--kind {name}: no such kind of drawing. Give one of {', '.join(known)}.")
    return kinds
