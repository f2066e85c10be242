"""`export`, `push`: write a dataset in another format, or upload it to the hub."""

from pathlib import Path
from typing import Annotated

import typer

from zero_engine.cli.completion import complete_export
from zero_engine.cli.options import AsJson, Folder, counted, folder, print_json, say, table
from zero_engine.cli.screen import NOTHING_KEPT, console, if_stopped
from zero_engine.write.export import NAMES


def register(app: typer.Typer) -> None:
    app.command()(export)
    app.command()(push)


def export(
    out: Folder,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help=f"Format to write: {', '.join(NAMES)}.",
            autocompletion=complete_export,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", parser=folder, metavar="PATH", help="Write into this folder.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="For formats of token ids: whose ids. nano, a checkpoint's folder, or a hub name.",
        ),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="For formats of token ids: omni_r1, plain or bare."),
    ] = None,
    max_length: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="For formats of token ids: leave out rows with more ids than this."
        ),
    ] = None,
    rows_per_shard: Annotated[
        int, typer.Option(min=1, metavar="N", help="Put at least this many rows into one file.")
    ] = 10_000,
    json: AsJson = False,
) -> None:
    """Write a dataset in another program's format. The same command resumes a stopped export.

    Rows that the format cannot hold are counted, and named in left_out.jsonl.
    """
    from zero_engine.write.export import export_dataset
    from zero_engine.write.export.stopped import RECORD, shards_kept

    def kept() -> str:
        if (output / RECORD).is_file():
            return f"The export in {output} is whole."
        done = shards_kept(output)
        said = f"Kept: {counted(done, 'shard')} in {output}. Run the same command to go on."
        return said if done else NOTHING_KEPT

    if_stopped(kept)
    facts = export_dataset(
        out,
        to,
        output,
        model=model,
        template=template,
        max_length=max_length,
        rows_per_shard=rows_per_shard,
        say=console().say,
        progress=console(),
    )
    if json:
        print_json({"out": str(output), **facts})
        return
    rows = [("rows", facts["rows"]), ("rows written", facts["held"]), ("samples", facts["samples"])]
    rows += [("pictures as files", facts["pictures"])] if facts["pictures"] else []
    rows += [(f"rows left out: {reason}", count) for reason, count in facts["left_out"].items()]
    rows += [(f"no place for: {what}", count) for what, count in facts["cannot_hold"].items() if count]
    table("", [to, "count"], rows)
    say(f"{output}: {to} has no place for {facts['no_place_for']}")


def push(
    out: Folder,
    repo: Annotated[
        str, typer.Argument(metavar="REPO", help="Repository OWNER/NAME on the Hugging Face Hub.")
    ],
    private: Annotated[bool, typer.Option("--private", help="Create the repository as private.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the files that would be sent, and send nothing.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Upload a dataset to the Hugging Face Hub, as Parquet with its card. Log in first: hf auth login."""
    from zero_engine.write.push import push_dataset

    if_stopped(lambda: f"{repo} has all of it, or nothing: one commit is sent. Run the same command again.")
    console().stage(f"checking {out}")
    facts = push_dataset(out, repo, private=private, dry_run=dry_run, say=console().say).as_dict()
    if json:
        print_json(facts)
        return
    table("", ["file", "bytes"], [(name, f"{size:,}") for name, size in facts["files"].items()])
    kind = "private" if private else "public"
    done = f"sent: {facts['url']}" if facts["url"] else f"nothing sent; would go to {repo} ({kind})"
    say(f"{facts['rows']:,} rows, {facts['bytes']:,} bytes: {done}")
