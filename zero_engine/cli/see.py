"""`report`, `inspect`, `sample`, `diff`: look at what a run wrote, also while it is under way."""

from pathlib import Path
from typing import Annotated

import typer

from zero_engine.cli.options import (
    PAGE,
    AsJson,
    Folder,
    file_to_write,
    folder,
    folder_to_write,
    print_json,
    say,
    table,
)

Page = Annotated[Path | None, typer.Option("--page", help="HTML file to write.")]
Pictures = Annotated[
    Path | None,
    typer.Option(
        "--pictures",
        parser=folder,
        metavar="PATH",
        help="Also save the shown traces' pictures into this folder.",
    ),
]
Reason = Annotated[
    str | None,
    typer.Option(
        "--reason", help="Only traces of which something was left out for this reason, e.g. likelihood_low."
    ),
]


def register(app: typer.Typer) -> None:
    app.command()(report)
    app.command()(inspect)
    app.command()(sample)
    app.command()(diff)


def report(
    out: Folder,
    reason: Reason = None,
    page: Page = None,
    most: Annotated[
        int,
        typer.Option("--traces", min=0, help="Show at most this many traces, a uniform sample; 0 shows all."),
    ] = 20_000,
    json: AsJson = False,
) -> None:
    """Write a report to look at: pictures by verdict, traces, scores with thresholds to try, what was left out.

    OUT/report.html, with its data in OUT/report beside it; with --reason OUT/report-<reason>.html.
    """
    from zero_engine.report import write_report

    written = str(write_report(out, page and file_to_write(page, *PAGE), most, reason))
    if json:
        print_json({"page": written})
    else:
        say(written)


def inspect(
    out: Folder,
    trace: Annotated[
        str | None, typer.Option("--id", help="Show everything about this trace, rejected or not.")
    ] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Traces to show.")] = 3,
    pictures: Pictures = None,
    json: AsJson = False,
) -> None:
    """Show the first traces, or one: steps, verdicts, scores, and the reasons of rejections."""
    from zero_engine.report.inspection import inspect_rows

    _show(inspect_rows(out, trace, count), pictures, json, full=trace is not None)


def sample(
    out: Folder,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Traces to show.")] = 3,
    seed: Annotated[int, typer.Option("--seed", help="Another number draws other traces.")] = 0,
    reason: Reason = None,
    pictures: Pictures = None,
    json: AsJson = False,
) -> None:
    """Show some traces, drawn uniformly from rows and rejected ones; the same ones for the same seed."""
    from zero_engine.report.inspection import sample_rows

    _show(sample_rows(out, count, seed, reason), pictures, json, full=False)


def diff(
    before: Annotated[Path, typer.Argument(parser=folder, metavar="A", help="Folder of a run.")],
    after: Annotated[Path, typer.Argument(parser=folder, metavar="B", help="Folder to hold against it.")],
    count: Annotated[int, typer.Option("-n", "--count", min=0, help="Changes of each kind to show.")] = 5,
    page: Page = None,
    json: AsJson = False,
) -> None:
    """Compare two folders: counts, reasons, settings, and the steps whose picture is not the same.

    With --page the pictures are shown side by side, 100 changes of each kind.
    """
    from zero_engine.report.diff import KINDS, compare
    from zero_engine.report.diff_page import write_diff

    if page is not None:
        file_to_write(page, *PAGE)
    found = compare(before, after, most=max(count, 100 if page else 0))
    written = write_diff(page, found) if page else None
    if json:
        shown = {
            kind: [
                {"id": c.trace_id, "step": c.step, "text": c.text, "reason": c.reason}
                for c in found.shown[kind][:count]
            ]
            for kind in KINDS
        }
        print_json(
            {
                "counts": {name: {"a": a, "b": b} for name, a, b in found.counts},
                "reasons": {name: {"a": a, "b": b} for name, a, b in found.reasons},
                "settings": {key: {"a": a, "b": b} for key, a, b in found.settings},
                "traces": dict(found.traces),
                "steps": dict(found.steps),
                "shown": shown,
                "page": None if written is None else str(written),
            }
        )
        return
    table(
        f"A: {before}   B: {after}",
        ["", "A", "B", "B - A"],
        [_line(name.replace("_", " "), *both) for name, *both in found.counts],
    )
    if found.reasons:
        table(
            "Left out, and why", ["stage: reason", "A", "B", "B - A"], [_line(*row) for row in found.reasons]
        )
    if found.settings:
        rows = [(key, _short(a), _short(b)) for key, a, b in found.settings]
        table("Settings", ["key", "A", "B"], rows, justify="left")
    moved = [(what, n) for what, n in sorted(found.traces.items()) if what not in _STILL]
    table("Traces that moved", ["A -> B", "traces"], moved or [("none", 0)])
    table("Pictures of steps", ["", "steps"], [(what, found.steps[what]) for what in ("same", *KINDS)])
    for kind in KINDS:
        for change in found.shown[kind][:count]:
            why = f" ({change.reason})" if change.reason else ""
            say(
                f"{kind}: {change.trace_id}, step {change.step + 1}{why}: {' '.join(change.text.split())[:100]}"
            )
    if written is not None:
        say(f"open {written}")


_STILL = ("row -> row", "rejected -> rejected")


def _line(name: str, before: int, after: int) -> tuple[str, int, int, str]:
    return name, before, after, f"{after - before:+,}" if after != before else ""


def _short(value: object) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _show(rows: list[dict], pictures: Path | None, json: bool, full: bool) -> None:
    from zero_engine.report.inspection import save_pictures

    saved = save_pictures(rows, folder_to_write(pictures)) if pictures else []
    for row in rows:
        del row["pictures"]
    if json:
        print_json({"rows": rows, "pictures": [str(path) for path in saved]})
        return
    if not rows:
        say("no trace is committed yet", err=True)
    for row in rows:
        _print_trace(row, full)
    for path in saved:
        say(str(path))


def _print_trace(row: dict, full: bool) -> None:
    rejected = row.get("rejected")
    say(f"{row['id']}\n  question: {row['question'] or '(the record has none)'}")
    if rejected:
        say(f"  rejected: {rejected['stage']}: {rejected['reason']}: {rejected['detail']}")
    else:
        say(f"  answer:   {row['answer'] if row['answer'] is not None else '(none found)'}")
    for step in row["steps"]:
        say(f"  step {step['index'] + 1}:   {step['text']}\n            {_verdict(step)}")
        for drawing in step["drawings"] if full else ():
            attempts = ", ".join(map(str, drawing["attempts"]))
            say(f"            attempt {attempts}: {drawing['verdict']}: {_scores(drawing['scores'])}")
            for reason in drawing["reasons"]:
                say(f"              {reason}")
    for rejection in row["rejections"] if full else ():
        if rejection["stage"] != "gate" and rejection["step"] is not None:
            say(
                f"  step {rejection['step'] + 1}: {rejection['stage']}: {rejection['reason']}: {rejection['detail']}"
            )
    if full and rejected and row["record"] is not None:
        import json

        say(f"  record:   {json.dumps(row['record'], ensure_ascii=False, default=str)}")


def _verdict(step: dict) -> str:
    """`kept: attempt 2, likelihood -0.031, ...`, `kept: the given picture, ...` or `text_only: likelihood_low`."""
    if step["verdict"] == "kept":
        what = "the given picture" if step["origin"] == "given" else f"attempt {step['attempt']}"
        return f"kept: {what}, {_scores(step['scores'])}"
    return f"{step['verdict']}: {step['reason']}" if step["reason"] else step["verdict"]


def _scores(scores: dict[str, float]) -> str:
    """Four significant digits: a threshold may lie at any power of ten."""
    return ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
