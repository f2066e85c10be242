"""`status`, `clean`: say how far a run is, delete what was set aside."""

from contextlib import nullcontext
from dataclasses import asdict
from typing import Annotated

import typer

from zero_engine.cli.options import AsJson, Folder, print_json, say, table
from zero_engine.cli.screen import if_stopped


def register(app: typer.Typer) -> None:
    app.command()(status)
    app.command()(clean)


def status(out: Folder, json: AsJson = False) -> None:
    """Say how far the run in a folder is, how fast, and whether it is running, stalled, stopped or finished."""
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
            ("pipeline", facts["pipeline"]["name"] or "-"),
            ("input", str(facts["pipeline"]["input"] or "-")),
            ("shards", facts["shards"]),
            *_progress(facts),
        ]
        + [(name.replace("_", " "), facts["counts"][name]) for name in tally.NUMBERS]
        + [("set aside in unused/", size_of(facts["unused"]) if facts["unused"]["files"] else "nothing")],
        justify="left",
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
                f"{flight.get('stage')}{_pictures(flight)}, {flight.get('seconds')} s, on {flight.get('host')}",
            )
        )
    return lines


def _pictures(flight: dict) -> str:
    return f", {flight['drawn']} of {flight['of']} pictures" if flight.get("of") else ""


def clean(
    out: Folder,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    json: AsJson = False,
) -> None:
    """Delete the drawings in OUT/unused, which the pipeline no longer asks for. No other command deletes drawings."""
    from zero_engine.errors import OutputError
    from zero_engine.run.ledger import holding
    from zero_engine.run.recorded import is_locked, recorded
    from zero_engine.sections import is_store
    from zero_engine.write.unused import clean, unused

    if recorded(out).name is None:
        raise OutputError(f"{out}: no run has written here. Check the path.")
    found = unused(out)
    if found.files and not yes and not is_locked(out):
        typer.confirm(f"{out}/unused: delete {size_of(asdict(found))}?", abort=True, err=True)
    if is_locked(out):  # also where a run began while the question stood there
        raise OutputError(f"{out}: a run is writing to this folder. Wait for it.")
    if_stopped(lambda: f"Some of {out}/unused is deleted. Run the same command to delete the rest.")
    with nullcontext() if is_store(out) or not found.files else holding(out):
        deleted = asdict(clean(out))
    if json:
        print_json({"out": str(out), "deleted": deleted})
    else:
        say(f"{out}: deleted {size_of(deleted)}")


def size_of(unused: dict) -> str:
    return f"{unused['drawings']:,} drawings, {unused['bytes'] / 1e6:,.1f} MB"
