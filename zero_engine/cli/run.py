"""`run`, `plan`, `status`: make a dataset, say beforehand what would be done, say how far it is."""

from dataclasses import asdict
from typing import Annotated

import typer

from zero_engine.cli.options import (
    AsJson,
    Folder,
    InputPath,
    Limit,
    OutputPath,
    PipelineFile,
    Reuse,
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
    app.command()(clean)


def run(
    pipeline: PipelineFile,
    input: InputPath = None,
    output: OutputPath = None,
    limit: Limit = None,
    workers: Annotated[
        str | None,
        typer.Option(help="Local worker processes; 0 runs in this process, auto starts one per core."),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Existing Dask scheduler, e.g. tcp://host:8786.")
    ] = None,
    set: Set = None,
    reuse: Reuse = None,
    overwrite: Annotated[
        bool, typer.Option(help="Replace the rows of a pipeline of another name; its drawings are kept.")
    ] = False,
    report: Annotated[bool, typer.Option(help="Write report.html when done.")] = True,
    json: AsJson = False,
) -> None:
    """Run a pipeline: traces in, a sharded Arrow dataset out. Resumes the run in the folder.

    Ctrl-C finishes and commits the shards in flight; the same command resumes.
    """
    from zero_engine.read import passed_over
    from zero_engine.run import run_pipeline
    from zero_engine.run.progress import Console

    config = resolve(pipeline, input, output, limit, set, workers=_number(workers), scheduler=scheduler)
    say_all(passed_over(config.input))
    summary = run_pipeline(config, overwrite=overwrite, reuse=reuse or (), progress=Console())
    if report:
        from zero_engine.report import write_report

        write_report(summary.out, verify=False)  # its bytes have just been written or checked
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
    reuse: Reuse = None,
    calibrate: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Draw N traces and propose thresholds for the gate."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Say what a run would do and why: shards to make, drawings to reuse, make and set aside. Nothing is written."""
    from zero_engine.run import plan_run

    config = resolve(pipeline, input, output, limit, set)
    facts = plan_run(config, reuse or ()).as_dict()
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
    table("Drawings", ["what changed", "from", "to", "reused", "made", "set aside"], _drawings(facts))
    if calibrate is not None:
        _show_thresholds(facts["thresholds"], calibrate)


def status(out: Folder, json: AsJson = False) -> None:
    """Say how far the run in a folder is: share, rate, time left, what is in flight; running, stalled or finished."""
    from zero_engine.run import tally
    from zero_engine.run.status import folder_status

    facts = folder_status(out)
    if json:
        print_json(facts)
        return
    table(
        f"{out}: {facts['state']}",
        ["", ""],
        [
            ("pipeline", facts["pipeline"]["name"]),
            ("input", str(facts["pipeline"]["input"] or "-")),
            ("shards", facts["shards"]),
            *_progress(facts),
        ]
        + [(name.replace("_", " "), facts["counts"][name]) for name in tally.NUMBERS]
        + [("unused drawings", _size(facts["unused"]))],
    )


def _progress(facts: dict) -> list[tuple]:
    """What is known of a run under way, a line each."""
    share, eta, age = facts["share"], facts["eta_s"], facts["last_commit_age_s"]
    lines: list[tuple] = []
    if share is not None:
        done = facts["counts"]["records"]
        lines.append(("of the input", f"{done:,} of {facts['total']:,} records, {100 * share:.1f} %"))
    if facts["records_per_s"]:
        lines.append(
            ("pace", f"{facts['records_per_s']:,.2f} records/s" + (f", {eta:,} s left" if eta else ""))
        )
    if age is not None:
        lines.append(("last commit", f"{age:,.0f} s ago"))
    if facts["driver"]:
        lines.append(("driver", f"process {facts['driver']['pid']} on {facts['driver']['host']}"))
        lines.append(("workers", facts["workers"]))
    for flight in facts["in_flight"]:
        lines.append(
            (
                f"shard {flight.get('shard')}",
                f"{flight.get('stage')}, {flight.get('seconds')} s, on {flight.get('host')}",
            )
        )
    return lines


def clean(
    out: Folder,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: AsJson = False,
) -> None:
    """Delete the drawings in OUT/unused, which the dataset does not use. Nothing else deletes a drawing."""
    from zero_engine.errors import OutputError
    from zero_engine.run.recorded import is_locked, recorded
    from zero_engine.write.unused import clean, unused

    if recorded(out).name is None:
        raise OutputError(f"{out}: no run has written here. Check the path.")
    if is_locked(out):
        raise OutputError(f"{out}: a run is writing to this folder. Wait for it.")
    found = unused(out)
    if found.files and not yes:
        typer.confirm(f"{out}/unused: delete {_size(asdict(found))}?", abort=True, err=True)
    deleted = asdict(clean(out))
    if json:
        print_json({"out": str(out), "deleted": deleted})
    else:
        typer.echo(f"{out}: deleted {_size(deleted)}")


def _size(unused: dict) -> str:
    return f"{unused['drawings']:,} drawings, {unused['bytes'] / 1e6:,.1f} MB"


def _drawings(facts: dict) -> list[tuple]:
    """A row for each changed key alone, and one for all of them together."""

    def row(key: str, before: object, now: object, drawings: dict) -> tuple:
        return key, _short(before), _short(now), drawings["reused"], drawings["made"], drawings["set_aside"]

    changes = [row(c["key"], c["before"], c["now"], c["drawings"]) for c in facts["changes"]]
    return [*changes, row("all together" if changes else "nothing", "", "", facts["drawings"])]


def _short(value: object) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= 32 else f"{text[:29]}..."


def _number(workers: str | None) -> int | str | None:
    return int(workers) if workers is not None and workers.lstrip("-").isdigit() else workers


def _show(facts: dict) -> None:
    from zero_engine.write.place import here

    counts, out = facts["counts"], facts["out"]
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
            (
                "  distinct",
                counts["distinct_pictures"],
                percent(counts["distinct_pictures"], counts["pictures"]),
            ),
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
    for line in _advice(facts):
        typer.echo(line)
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
        if (here(out) / name).exists():
            typer.echo(f"  {out}/{name}  ({what})")
    typer.echo("")


def _no_rows(out: str, totals: dict) -> InputError:
    """A run that wrote nothing is a failed one: what left most of its traces out, and what to look at."""
    why = max(totals["reasons"].items(), key=lambda item: item[1], default=("nothing was read", 0))
    return InputError(
        f"{out}: no rows: of {totals['traces']} traces, {why[1]} left out by {why[0]!r}. "
        f"See {out}/rejected, and `zero-engine preview` before the next run."
    )


def _advice(facts: dict) -> list[str]:
    """Advice from the run's figures."""
    counts, lines = facts["counts"], []
    drawn = max(1, counts["steps_drawn"])
    candidates, distinct = counts["pictures"] / drawn, counts["distinct_pictures"] / drawn
    if candidates >= 2 and distinct < 1.5:
        lines.append(
            f"{candidates:.3g} candidates a step, {distinct:.2f} distinct: raise render.temperature or lower "
            "render.candidates."
        )
    if facts["unused"]["files"]:
        lines.append(
            f"Set aside in {facts['out']}/unused: {_size(facts['unused'])}; `zero-engine clean` deletes them."
        )
    return lines


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
