"""`run`, `plan`, `status`: make a dataset, say beforehand what would be done, say how far it is."""

from pathlib import Path
from typing import Annotated

import typer

from zero_engine.cli.options import (
    AsJson,
    Folder,
    InputPath,
    Limit,
    OutputPath,
    PipelineFile,
    Set,
    percent,
    print_json,
    resolve,
    say_all,
    table,
)
from zero_engine.errors import InputError


def register(app: typer.Typer) -> None:
    app.command()(run)
    app.command()(plan)
    app.command()(status)


def run(
    pipeline: PipelineFile,
    input: InputPath = None,
    output: OutputPath = None,
    limit: Limit = None,
    workers: Annotated[
        str | None, typer.Option(help="Local worker processes; 0 runs in this process, auto is one a core.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Existing Dask scheduler, e.g. tcp://host:8786.")
    ] = None,
    set: Set = None,
    overwrite: Annotated[
        bool, typer.Option(help="Replace the dataset of another pipeline in the folder.")
    ] = False,
    report: Annotated[bool, typer.Option(help="Write report.html when done.")] = True,
    json: AsJson = False,
) -> None:
    """Run a pipeline: traces in, a sharded Arrow dataset out. Resumes what the folder holds already.

    Ctrl-C finishes the shards in flight, commits them, and the same command goes on later.
    """
    from zero_engine.read import passed_over
    from zero_engine.run import run_pipeline
    from zero_engine.run.progress import Console

    config = resolve(pipeline, input, output, limit, set, workers=_number(workers), scheduler=scheduler)
    say_all(passed_over(config.input))
    summary = run_pipeline(config, overwrite=overwrite, progress=Console())
    if report:
        from zero_engine.report import write_report

        write_report(summary.out)
    if json:
        print_json(summary.as_dict())
    else:
        _show(summary.as_dict())
    if not summary.counts["rows"]:
        raise _no_rows(summary.out, summary.counts)


def plan(
    pipeline: PipelineFile,
    input: InputPath = None,
    output: OutputPath = None,
    limit: Limit = None,
    set: Set = None,
    calibrate: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Draw N traces and propose thresholds for the gate."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Say what a run would do and why, shard by shard, without doing it."""
    from zero_engine.run import plan_run

    config = resolve(pipeline, input, output, limit, set)
    facts = plan_run(config).as_dict()
    if calibrate is not None:
        from zero_engine.run.sample import draw_sample
        from zero_engine.score.calibrate import propose_thresholds

        facts["thresholds"] = propose_thresholds(draw_sample(config, calibrate).candidates)
    if json:
        print_json(facts)
        return
    table(
        f"{config.name}: {facts['records']} records in {facts['shards']} shards -> {config.output.path}",
        ["shards", "count"],
        [
            ("to draw, score and gate", facts["to_draw"]),
            ("to score again and gate", facts["to_score"]),
            ("to gate again (nothing is drawn)", facts["to_gate"]),
            ("done", facts["done"]),
        ],
    )
    table("Why", ["reason", "shards"], sorted(facts["reasons"].items()))
    if calibrate is not None:
        _show_thresholds(facts["thresholds"], calibrate)


def status(out: Folder, json: AsJson = False) -> None:
    """Say how far the run in a folder is: shards and rows committed, finished or not, running or not."""
    from zero_engine.errors import OutputError
    from zero_engine.run import tally
    from zero_engine.run.ledger import committed, is_locked, read_identity
    from zero_engine.write.manifest import MANIFEST

    identity = read_identity(out)
    if identity is None:
        raise OutputError(f"{out}: no run has written here. Check the path.")
    totals = tally.empty()
    entries = committed(out)
    for entry in entries.values():
        totals = tally.add(totals, entry.counts)
    state = (
        "finished"
        if (out / MANIFEST).exists()
        else "running"
        if is_locked(out)
        else "stopped; run again to go on"
    )
    facts = {"out": str(out), "pipeline": identity, "state": state, "shards": len(entries), "counts": totals}
    if json:
        print_json(facts)
        return
    table(
        f"{out}: {state}",
        ["", ""],
        [("pipeline", identity["name"]), ("input", identity["input"]), ("shards", len(entries))]
        + [(name.replace("_", " "), totals[name]) for name in tally.NUMBERS],
    )


def _number(workers: str | None) -> int | str | None:
    return int(workers) if workers is not None and workers.lstrip("-").isdigit() else workers


def _show(facts: dict) -> None:
    counts, out = facts["counts"], Path(facts["out"])
    table(
        "",
        ["", "count", "share"],
        [
            ("records in", counts["records"], ""),
            ("traces in", counts["traces"], "100 %"),
            ("rows written", counts["rows"], percent(counts["rows"], counts["traces"])),
            (
                "traces rejected",
                counts["rejected_traces"],
                percent(counts["rejected_traces"], counts["traces"]),
            ),
            ("steps", counts["steps"], ""),
            (
                "steps with a picture",
                counts["pictures_kept"],
                percent(counts["pictures_kept"], counts["steps"]),
            ),
            ("pictures", counts["pictures"], ""),
            ("  drawn in this run", facts["drawn"], percent(facts["drawn"], counts["pictures"])),
            ("  reused", facts["reused"], percent(facts["reused"], counts["pictures"])),
            (
                "  rejected",
                counts["rejected_pictures"],
                percent(counts["rejected_pictures"], counts["pictures"]),
            ),
        ],
    )
    if counts["reasons"]:
        table(
            "Left out, and why",
            ["stage: reason", "count"],
            sorted(counts["reasons"].items(), key=lambda r: -r[1]),
        )
    speed = f", {facts['pictures_per_s']:.1f} pictures/s" if facts["drawn"] else ", nothing drawn"
    typer.echo(f"{facts['wall_s']:.1f} s with {facts['workers']} workers{speed}")
    typer.echo("")
    for name, what in (
        ("report.html", "look at it"),
        ("data", "datasets.load_from_disk"),
        ("candidates", "every drawing with its scores"),
        ("rejected", "what was left out"),
        ("README.md", "dataset card"),
    ):
        if (out / name).exists():
            typer.echo(f"  {out / name}  ({what})")
    typer.echo("")


def _no_rows(out: str, totals: dict) -> InputError:
    """A run that wrote nothing is a failed one: what left most of its traces out, and what to look at."""
    why = max(totals["reasons"].items(), key=lambda item: item[1], default=("nothing was read", 0))
    return InputError(
        f"{out}: no rows: of {totals['traces']} traces, {why[1]} left out by {why[0]!r}. "
        f"See {out}/rejected, and `zero-engine preview` before the next run."
    )


def _show_thresholds(proposals: list[dict], traces: int) -> None:
    rows = [
        (
            p["score"],
            p["direction"],
            f"{p['quantile']:.2f}",
            f"{p['threshold']:.4g}",
            f"{100 * p['keep_rate']:.1f} %",
        )
        for p in proposals
    ]
    table(
        f"Thresholds from {traces} traces: put them under gate.min or gate.max",
        ["score", "gate", "quantile", "threshold", "pictures kept"],
        rows,
    )
