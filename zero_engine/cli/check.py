"""`validate`, `schema`, `doctor`: check a dataset, print the contracts, check the machine."""

import os
import platform
import shutil
from typing import Annotated

import typer

from zero_engine.cli.options import AsJson, Folder, descriptions, print_json, table
from zero_engine.errors import CheckFailed, InputError


def register(app: typer.Typer) -> None:
    app.command()(validate)
    app.command()(report)
    app.command()(schema)
    app.command()(doctor)


def validate(out: Folder, json: AsJson = False) -> None:
    """Re-read every file of a dataset: hashes, schema, pictures, codes, and traces in = rows + rejections."""
    from zero_engine.write.validate import validate_dataset

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
            f"{out}: {failed[0].name}: {failed[0].detail}. Run the pipeline again to repair it."
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
