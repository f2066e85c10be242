"""`validate`, `schema`, `doctor`: check a dataset, print the contracts, check the machine."""

import os
import platform
import shutil
from pathlib import Path
from typing import Annotated

import typer

from zero_engine.cli.options import AsJson, Folder, descriptions, print_json, table
from zero_engine.errors import CheckFailed, InputError, OutputError


def register(app: typer.Typer) -> None:
    app.command()(validate)
    app.command()(report)
    app.command()(schema)
    app.command()(doctor)


def validate(
    out: Folder,
    purpose: Annotated[
        str | None,
        typer.Option("--for", metavar="sft|rl", help="Say which rows cannot be trained on, and why."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="With --for: the training file; its defaults without.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make again what is damaged; nothing whole is drawn again.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Re-read every file of a dataset: hashes, schema, pictures, codes, and traces in = rows + rejections."""
    if purpose is not None:
        _validate_for(out, purpose, config, json)
        return
    from zero_engine.write.validate import validate_dataset

    try:
        checks = validate_dataset(out)
    except OutputError:
        if not repair:
            raise
        checks = []
    failed = [check for check in checks if not check.ok]
    if repair and (failed or not checks):
        from zero_engine.run.progress import Console
        from zero_engine.run.recover import recover

        for check in failed:
            typer.echo(f"{check.name}: {check.detail}", err=True)
        recover(out, Console())
        checks = validate_dataset(out)
        failed = [check for check in checks if not check.ok]
    if json:
        print_json(
            {"ok": not failed, "checks": [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in checks]}
        )
    else:
        rows = [(c.name, "ok" if c.ok else "FAILED", c.detail) for c in checks]
        table(str(out), ["check", "", "detail"], rows, justify="left")
    if failed:
        raise CheckFailed(
            f"{out}: {failed[0].name}: {failed[0].detail}. "
            f"Run the pipeline again, or `zero-engine validate --repair {out}`, to repair it."
        )


def _validate_for(out: Path, purpose: str, config: Path | None, json: bool) -> None:
    from zero_engine.config import read_yaml
    from zero_engine.train.config import training
    from zero_engine.train.data import left_out

    document = {"steps": 1, "output": "out", **(read_yaml(config) if config else {})}
    document["data"] = {**document.get("data", {}), "path": str(out)}
    rows, found = left_out(training(document, purpose, str(config or "--for")))
    if json:
        facts = [{"id": r.trace_id, "reason": r.reason, "detail": r.detail} for r in found]
        print_json({"ok": not found, "rows": rows, "fit": rows - len(found), "left_out": facts})
    else:
        named = [(r.trace_id, r.reason, r.detail) for r in found]
        typer.echo(f"{rows - len(found)} of {rows} rows fit")
        if found:
            table("", ["row", "reason", "detail"], named, justify="left")
    if found:
        raise CheckFailed(
            f"{out}: {len(found)} of {rows} rows cannot be trained on (first: {found[0].trace_id}: {found[0].reason}). "
            "A training would leave them out."
        )


def report(out: Folder) -> None:
    """Write report.html for a finished dataset."""
    from zero_engine.report import write_report

    typer.echo(str(write_report(out)))


def schema(
    name: Annotated[
        str | None, typer.Argument(help="A contract's name; all names are listed without it.")
    ] = None,
) -> None:
    """Print a published contract: pipeline, trace, trajectory, candidate, rejection, manifest, formats, scores."""
    from zero_engine.contracts import schemas

    texts = {
        file.split(".")[0] + (".arrow" if ".arrow." in file else ""): text for file, text in schemas().items()
    }
    if name is None:
        for known in [*sorted(texts), "formats", "scores"]:
            typer.echo(known)
    elif name == "formats":
        from zero_engine.read.formats import FORMATS

        descriptions("format", {key: value.summary for key, value in FORMATS.items()})
    elif name == "scores":
        from zero_engine.score import SCORERS

        descriptions("score", {key: value.description for key, value in SCORERS.items()})
    elif name in texts:
        typer.echo(texts[name])
    else:
        raise InputError(
            f"schema {name}: unknown. Known: {', '.join([*sorted(texts), 'formats', 'scores'])}."
        )


def doctor(json: AsJson = False) -> None:
    """Check this machine: versions, cores, memory, GPUs, disk, the bundled model, a drawing."""
    from importlib.metadata import version

    import torch

    from zero_engine.models import get_model

    facts: dict[str, object] = {"python": platform.python_version(), "cores": os.cpu_count()}
    for package in ("zero-engine", "torch", "transformers", "datasets", "pyarrow", "distributed"):
        facts[package] = version(package)
    facts["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    facts["free_disk_gb"] = round(shutil.disk_usage(".").free / 1e9, 1)
    model = get_model("nano")
    drawing = model.draw(["3 + 4 = 7"], [0])
    facts["nano"] = (
        f"draws: {model.decode(drawing.codes).shape[1]} px, likelihood {float(drawing.likelihood[0]):.2f}"
    )
    if json:
        print_json(facts)
    else:
        table("", ["", ""], list(facts.items()), justify="left")
