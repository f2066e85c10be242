"""`parse`, `preview`: show steps, and first drawings, of an input."""

import json as json_library
import sys
from pathlib import Path
from typing import Annotated

import typer

from zero_engine.cli.options import (
    PAGE,
    AsJson,
    InputPath,
    Limit,
    PipelineFile,
    Set,
    counted,
    file_to_write,
    print_json,
    resolve,
    say,
    say_all,
    tell,
)
from zero_engine.cli.screen import console
from zero_engine.errors import printable


def register(app: typer.Typer) -> None:
    app.command()(parse)
    app.command()(preview)


def parse(
    pipeline: PipelineFile,
    input: InputPath = None,
    limit: Limit = None,
    set: Set = None,
    json: AsJson = False,
) -> None:
    """Print each trace as a JSON line: id, question, steps, answer. Nothing is drawn.

    A line has `given`, the steps with a picture of the corpus, where there are any, and `notes` where something was
    repaired or cut. Each rejected record is one line on stderr; rejections do not change the exit code.
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
        row: dict[str, object] = {
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
    tell(f"{counted(traces, 'trace')} parsed, {rejected} rejected")


def preview(
    pipeline: PipelineFile,
    input: InputPath = None,
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, metavar="N", help="How many traces to draw.")
    ] = 4,
    page: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="HTML file to write, preview.html by default."),
    ] = None,
    set: Set = None,
    json: AsJson = False,
) -> None:
    """Draw the first traces and write one HTML page with every drawing, its scores and its verdict."""
    from zero_engine.records import Rejection, Trajectory
    from zero_engine.report.page import page_trace, write_page
    from zero_engine.run.sample import draw_sample

    config = resolve(pipeline, input, None, None, set)
    target = file_to_write(page or Path("preview.html"), *PAGE)
    sample = draw_sample(config, count, console())
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
        pictures, traces = counted(len(sample.candidates), "picture"), counted(len(sample.parsed), "trace")
        say(f"{pictures} of {traces}, {kept} kept: open {target}")
