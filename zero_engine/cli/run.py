"""`run`, `plan`: make a dataset, say beforehand what would be done."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zero_engine.cli.options import (
    PAGE,
    AsJson,
    InputPath,
    Limit,
    OutputPath,
    PipelineFile,
    Reuse,
    Set,
    Workers,
    counted,
    file_to_write,
    number,
    percent,
    print_json,
    resolve,
    say,
    say_all,
    table,
)
from zero_engine.cli.screen import console, if_stopped
from zero_engine.cli.status import size_of
from zero_engine.errors import InputError, OutputError, command

if TYPE_CHECKING:
    from zero_engine.report.calibration import Calibration
    from zero_engine.run import Summary


def register(app: typer.Typer) -> None:
    app.command()(run)
    app.command()(plan)


def run(
    pipeline: PipelineFile,
    input: InputPath = None,
    output: OutputPath = None,
    limit: Limit = None,
    workers: Workers = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Run on this Dask scheduler (overrides dask.scheduler), e.g. tcp://host:8786.",
        ),
    ] = None,
    set: Set = None,
    reuse: Reuse = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace the rows of a pipeline of another name; its drawings are kept."
        ),
    ] = False,
    report: Annotated[bool, typer.Option(help="Write OUT/report.html at the end, or leave it out.")] = True,
    json: AsJson = False,
) -> None:
    """Run a pipeline: traces in, a dataset of text and pictures out. The same command resumes a stopped run.

    Ctrl-C finishes the shards that are begun and stops; a second Ctrl-C stops at once.
    """
    from zero_engine.read import passed_over
    from zero_engine.run import run_pipeline

    config = resolve(pipeline, input, output, limit, set, workers=number(workers), scheduler=scheduler)
    say_all(passed_over(config.input))
    summary = run_pipeline(config, overwrite=overwrite, reuse=reuse or (), progress=console())
    finish(summary, report)
    if json:
        print_json(summary.as_dict())
    else:
        show_summary(summary.as_dict())
    if not summary.counts["rows"]:
        raise _no_rows(summary.out, summary.counts)


def finish(summary: "Summary", report: bool) -> None:
    """The page of a finished run."""
    if report:
        from zero_engine.report import write_report

        if_stopped(lambda: f"The dataset is whole. For its page: `{command('report', summary.out)}`")
        console().stage("writing report.html")
        try:
            write_report(summary.out, verify=False)  # its bytes have just been written or checked
        except OutputError as error:
            if not summary.plan.is_done:
                raise
            say(f"{error} Nothing else was to be done.", err=True)
        console().stop()


def plan(
    pipeline: PipelineFile,
    input: InputPath = None,
    output: OutputPath = None,
    limit: Limit = None,
    set: Set = None,
    reuse: Reuse = None,
    calibrate: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Propose thresholds for the gate from N traces: from the drawings that OUT holds, else N are drawn.",
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            help="With --calibrate: HTML file with the drawings around each threshold; by default calibration.html."
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Say what a run would do, and why: shards and drawings to make, to reuse, to set aside. Writes nothing.

    Of a training file: whether its model and its data are there, and how often it goes through them.
    """
    from zero_engine.cli.ahead import plan_training, training_kind

    if page is not None and calibrate is None:
        raise InputError("--page shows what --calibrate finds: give --calibrate N, too, or leave --page out.")
    target = file_to_write(page or Path("calibration.html"), *PAGE) if calibrate is not None else None
    if kind := training_kind(pipeline):
        given = {"--input": input, "--limit": limit, "--reuse": reuse, "--calibrate": calibrate}
        if wrong := [name for name, value in given.items() if value is not None]:
            raise InputError(
                f"{pipeline}: is a training file, and {wrong[0]} is for pipelines. Leave it out."
            )
        said = [*([f"output={output}"] if output is not None else []), *(set or [])]
        plan_training(pipeline, kind, said, json)
        return
    from zero_engine.run import plan_run

    config = resolve(pipeline, input, output, limit, set)
    console().stage(f"comparing {config.input.path} with {config.output.path}")
    facts = plan_run(config, reuse or ()).as_dict()
    found = None
    if calibrate is not None and target is not None:
        from zero_engine.report.calibration import calibrate as propose
        from zero_engine.report.calibration import gates, write_calibration

        found = propose(config, calibrate, console())
        facts["thresholds"], facts["gates"] = found.proposals, gates(found)
        facts["stored"] = found.stored
        facts["page"] = str(write_calibration(target, config.name, found))
    if json:
        print_json(facts)
        return
    table(
        f"{config.name}: {counted(facts['records'], 'record')} in {counted(facts['shards'], 'shard')} "
        f"-> {config.output.path}",
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
    say_all([f"{name}: damaged, missing, or not to be read; not reused." for name in facts["passed_over"]])
    if found is not None:
        _show_thresholds(found, facts["page"])


def _drawings(facts: dict) -> list[tuple]:
    """A row for each changed key alone, and one for all of them together."""

    def row(key: str, before: object, now: object, drawings: dict) -> tuple:
        return key, _short(before), _short(now), drawings["reused"], drawings["made"], drawings["set_aside"]

    changes = [row(c["key"], c["before"], c["now"], c["drawings"]) for c in facts["changes"]]
    return [*changes, row("all together" if changes else "nothing", "", "", facts["drawings"])]


def _short(value: object) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= 32 else f"{text[:29]}..."


def show_summary(facts: dict) -> None:
    from zero_engine.write.place import here

    counts, out = facts["counts"], facts["out"]
    encoded = facts["encoded"]
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
            *([("  given, encoded now", encoded, percent(encoded, counts["pictures"]))] if encoded else []),
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
        say(line)
    speed = f", {facts['pictures_per_s']:.1f} pictures/s" if facts["drawn"] else ", nothing drawn"
    workers = f"{facts['workers']} worker" + "s" * (facts["workers"] != 1)
    say(f"{facts['wall_s']:.1f} s with {workers}{speed}")
    say("")
    for name, what in (
        ("report.html", "look at it"),
        ("data", "datasets.load_from_disk"),
        ("candidates", "every drawing with its scores"),
        ("rejected", "what was left out"),
        ("README.md", "dataset card"),
    ):
        if (here(out) / name).exists():
            say(f"  {out}/{name}  ({what})")
    say("")


def _no_rows(out: str, totals: dict) -> InputError:
    """A run that wrote nothing is a failed one: what left most of its traces out, and what to look at."""
    why = max(totals["reasons"].items(), key=lambda item: item[1], default=("nothing was read", 0))
    return InputError(
        f"{out}: no rows of {counted(totals['traces'], 'trace')}. Most often left out: {why[0]!r}, {why[1]} times. "
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
            f"Set aside in {facts['out']}/unused: {size_of(facts['unused'])}; `zero-engine clean` deletes them."
        )
    return lines


def _show_thresholds(found: "Calibration", page: str) -> None:
    from zero_engine.report.calibration import gate_section

    rows = [
        (
            p["score"],
            p["direction"],
            f"{p['quantile']:.2f}",
            f"{p['threshold']:.4g}",
            f"{100 * p['keep_rate']:.1f} %",
            f"{100 * p['step_keep_rate']:.1f} %",
        )
        for p in found.proposals
    ]
    table(
        f"Thresholds from {found.where}",
        ["score", "gate", "quantile", "threshold", "drawings kept", "steps with one"],
        rows,
    )
    typer.echo(gate_section(found))
    say(f"Drawings on both sides of each threshold: open {page}")
