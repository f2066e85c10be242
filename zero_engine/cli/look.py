"""`parse`, `preview`, `inspect`: show steps, first drawings, and rows of a dataset."""

import json as json_library
import sys
from pathlib import Path
from typing import Annotated

import typer

from zero_engine.cli.options import (
    AsJson,
    Folder,
    InputPath,
    Limit,
    PipelineFile,
    Set,
    print_json,
    resolve,
    say,
    say_all,
)
from zero_engine.errors import printable


def register(app: typer.Typer) -> None:
    app.command()(parse)
    app.command()(preview)
    app.command()(inspect)


def parse(pipeline: PipelineFile, input: InputPath = None, limit: Limit = None, set: Set = None) -> None:
    """Print each trace's steps as JSON lines: {id, question, steps, answer}. Nothing is drawn.

    A line has `given`, the steps with a picture of the corpus, where there are any, and `notes` where something was
    repaired or cut. Each rejected record is one line on stderr. The exit code
    stays 0, because bad records are data, not a failure.
    """
    from zero_engine.parse import parse_trace
    from zero_engine.read import passed_over, read_traces
    from zero_engine.read.given import redrawn
    from zero_engine.records import ParsedTrace, Rejection

    config = resolve(pipeline, input, None, limit, set)
    say_all(passed_over(config.input))
    traces = rejected = 0
    for record in read_traces(config.input):
        if isinstance(record, Rejection):
            parsed: ParsedTrace | Rejection = record
        else:
            parsed = parse_trace(record if config.render.keeps_given else redrawn(record), config.parse)
        if isinstance(parsed, Rejection):
            rejected += 1
            line = f"rejected {parsed.trace_id}: {parsed.stage}: {parsed.reason}: {parsed.detail}"
            print(printable(line, one_line=True), file=sys.stderr)
            continue
        traces += 1
        row = {
            "id": parsed.trace.id,
            "question": parsed.trace.question,
            "steps": [step.text for step in parsed.steps],
            "answer": parsed.answer,
        }
        if any(step.given for step in parsed.steps):
            row["given"] = [step.index for step in parsed.steps if step.given]
        if parsed.notes:
            row["notes"] = list(parsed.notes)
        print(printable(json_library.dumps(row, ensure_ascii=False)))
    print(f"{traces} traces parsed, {rejected} rejected", file=sys.stderr)


def preview(
    pipeline: PipelineFile,
    input: InputPath = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Traces to draw.")] = 4,
    page: Annotated[Path | None, typer.Option(help="HTML file to write; by default preview.html.")] = None,
    set: Set = None,
    json: AsJson = False,
) -> None:
    """Draw a few traces and write one HTML page with every candidate, its scores and its verdict."""
    from zero_engine.records import Rejection, Trajectory
    from zero_engine.report.page import page_trace, write_page
    from zero_engine.run.sample import draw_sample

    config = resolve(pipeline, input, None, None, set)
    sample = draw_sample(config, count)
    outcomes: dict[str, Trajectory | Rejection] = {t.parsed.trace.id: t for t in sample.trajectories}
    outcomes.update({r.trace_id: r for r in sample.rejections if r.is_whole_trace})
    pages = [
        page_trace(
            parsed,
            [c for c in sample.candidates if c.trace_id == parsed.trace.id],
            outcomes[parsed.trace.id],
            [r for r in sample.rejections if r.trace_id == parsed.trace.id],
        )
        for parsed in sample.parsed
    ]
    kept = sum(v.verdict == "kept" for t in sample.trajectories for v in t.verdicts)
    target = page or Path("preview.html")
    facts = {
        "page": str(target),
        "traces": len(sample.parsed),
        "rejected_traces": sum(r.is_whole_trace for r in sample.rejections),
        "pictures": len(sample.candidates),
        "kept": kept,
    }
    write_page(
        target,
        title=f"{config.name}: preview",
        subtitle=f"first {count} traces of {config.input.path}",
        facts=[(name, str(value)) for name, value in facts.items() if name != "page"],
        tables=[],
        traces=pages,
    )
    if json:
        print_json(facts)
    else:
        typer.echo(
            f"{facts['pictures']} pictures of {facts['traces']} traces, {kept} kept: open {facts['page']}"
        )


def inspect(
    out: Folder,
    trace: Annotated[str | None, typer.Option("--id", help="Show everything about this trace.")] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Rows to show.")] = 3,
    pictures: Annotated[
        Path | None, typer.Option(help="Also save the shown rows' pictures into this folder.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Show rows of a finished dataset: steps, verdicts, scores, and the reasons of rejections."""
    from zero_engine.report.inspection import inspect_rows, save_pictures

    rows = inspect_rows(out, trace, count)
    saved = save_pictures(rows, pictures) if pictures else []
    for row in rows:
        row.pop("pictures", None)
    if json:
        print_json({"rows": rows, "pictures": [str(path) for path in saved]})
        return
    for row in rows:
        say(f"{row['id']}\n  question: {row['question']}\n  answer:   {row['answer']}")
        if row["rejections"] and not row["steps"]:
            for rejection in row["rejections"]:
                say(f"  rejected: {rejection['stage']}: {rejection['reason']}: {rejection['detail']}")
        for step in row["steps"]:
            say(f"  step {step['index']}:   {step['text']}\n            {_verdict(step)}")
    for path in saved:
        say(str(path))


def _verdict(step: dict) -> str:
    """`kept: attempt 2, likelihood -0.031, ...` or `text_only: likelihood_low`."""
    if step["verdict"] != "kept":
        return f"{step['verdict']}: {step['reason']}"
    scores = [f"{name} {value:.3f}" for name, value in step["scores"].items()]
    what = "the given picture" if step["origin"] == "given" else f"attempt {step['attempt']}"
    return ", ".join([f"kept: {what}", *scores])
