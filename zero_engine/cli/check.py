"""`validate`, `report`, `doctor`: check a dataset, write its page, check the machine."""

import os
import platform
import shutil
from pathlib import Path
from typing import Annotated

import typer

from zero_engine.cli.options import AsJson, Folder, print_json, say, table
from zero_engine.cli.screen import console
from zero_engine.errors import CheckFailed, InputError, OutputError, command
from zero_engine.progress import on_items


def register(app: typer.Typer) -> None:
    app.command()(validate)
    app.command()(doctor)


def validate(
    out: Folder,
    purpose: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="sft|rl", help="Name the rows that this training would leave out, and why."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Training file for --for. Without it, default settings are used."),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make again what is damaged. What is whole stays as it is.")
    ] = False,
    decode: Annotated[
        bool, typer.Option("--decode", help="Load the model, too: do the codes decode to the pictures?")
    ] = False,
    json: AsJson = False,
) -> None:
    """Read every file of a dataset again and check hashes, schema, pictures, codes and counts."""
    if purpose is None and config is not None:
        raise InputError("--config goes with --for: give --for sft or --for rl, too, or leave --config out.")
    if purpose is not None and (repair or decode):
        raise InputError("--for names rows and changes nothing: leave out --repair and --decode.")
    if purpose is not None:
        _validate_for(out, purpose, config, json)
        return
    from zero_engine.write.manifest import read_manifest
    from zero_engine.write.validate import validate_dataset

    try:
        files = len(read_manifest(out).files())
        checks = validate_dataset(out, on_items(console(), f"validating {out}", files, "files"))
        console().stop()
    except OutputError:
        if not repair:
            raise
        checks = []
    failed = [check for check in checks if not check.ok]
    if repair and (failed or not checks):
        from zero_engine.run.recover import recover

        for check in failed:
            say(f"{check.name}: {check.detail}", err=True)
        recover(out, console())
        checks = validate_dataset(out)
        failed = [check for check in checks if not check.ok]
    if decode and not failed:
        from zero_engine.write.decoded import check_codes

        checks.append(check_codes(out))
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
            f"Run the pipeline again, or `{command('validate --repair', out)}`, to repair it."
        )


def _validate_for(out: Path, purpose: str, config: Path | None, json: bool) -> None:
    from zero_engine.cli.fitting import Fit, left_out
    from zero_engine.config import kind_of, read_yaml
    from zero_engine.write.place import tidy

    told = read_yaml(config) if config else {}
    if not isinstance(told, dict):
        raise InputError(f"{config}: expected `key: value` lines, got {kind_of(told)}. Give a training file.")
    given = told.get("data") or {}
    if isinstance(given, dict):
        told["data"] = {**given, "path": str(out)}
    elif isinstance(given, list) and not any(
        isinstance(entry, dict) and tidy(str(entry.get("path"))) == tidy(out) for entry in given
    ):
        raise InputError(f"{config}: {out} is none of its datasets. Give one that it names, or another file.")
    parts = list(left_out(Fit.of(told, purpose, str(config or "--for"))))
    rows, found = sum(size for _, size, _ in parts), [one for _, _, lost in parts for one in lost]
    if json:
        facts = [{"id": r.trace_id, "reason": r.reason, "detail": r.detail} for r in found]
        each = [{"path": path, "rows": size, "fit": size - len(lost)} for path, size, lost in parts]
        whole = {
            "ok": not found and rows > 0,
            "rows": rows,
            "fit": rows - len(found),
            "datasets": each,
            "left_out": facts,
        }
        print_json(whole)
    else:
        named = [(r.trace_id, r.reason, r.detail) for r in found]
        for path, size, lost in parts:
            say(f"{size - len(lost)} of {size} rows fit" + f" in {path}" * (len(parts) > 1))
        if found:
            table("", ["row", "reason", "detail"], named, justify="left")
    if found:
        raise CheckFailed(
            f"{out}: {len(found)} of {rows} rows cannot be trained on (first: {found[0].trace_id}: {found[0].reason}). "
            "A training would leave them out."
        )
    if rows == 0:
        raise CheckFailed(
            f"{out}: there are no rows to train on. See what the run left out in {out}/rejected."
        )


def doctor(json: AsJson = False) -> None:
    """Check this machine: versions, cores, GPUs, free disk, and one drawing by the bundled model."""
    console().stage("loading nano")
    from importlib.metadata import version

    import torch

    from zero_engine.models import get_model
    from zero_engine.models.prompt import requests

    facts: dict[str, object] = {"python": platform.python_version(), "cores": os.cpu_count()}
    for package in ("zero-engine", "torch", "transformers", "datasets", "pyarrow", "distributed"):
        facts[package] = version(package)
    facts["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    facts["free_disk_gb"] = round(shutil.disk_usage(".").free / 1e9, 1)
    model = get_model("nano")
    drawing = model.draw(requests(["3 + 4 = 7"], [0]))
    facts["nano"] = (
        f"draws: {model.decode(drawing.codes).shape[1]} px, likelihood {float(drawing.likelihood[0]):.2f}"
    )
    if json:
        print_json(facts)
    else:
        table("", ["", ""], list(facts.items()), justify="left")
