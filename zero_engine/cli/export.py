"""`export`, `push`: write a dataset in another format, or upload it to the hub."""

from pathlib import Path
from typing import Annotated

import typer

from zero_engine.cli.options import AsJson, Folder, print_json, say, table, tell
from zero_engine.write.export import NAMES


def register(app: typer.Typer) -> None:
    app.command()(export)
    app.command()(push)


def export(
    out: Folder,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help=f"One of {', '.join(NAMES)}.")],
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="Folder to write into.")],
    model: Annotated[
        str | None, typer.Option(help="For formats of token ids: nano, a checkpoint's folder, or a hub name.")
    ] = None,
    template: Annotated[str | None, typer.Option(help="For tokens: omni_r1, plain or bare.")] = None,
    max_length: Annotated[
        int | None,
        typer.Option(min=1, help="For formats of token ids: longest sequence; longer rows are left out."),
    ] = None,
    rows_per_shard: Annotated[int, typer.Option(min=1, help="Rows in one file, at least.")] = 10_000,
    json: AsJson = False,
) -> None:
    """Write a dataset in another program's format. Resumes the export in the folder.

    Rows that the format cannot hold are counted and named in left_out.jsonl.
    """
    from zero_engine.write.export import export_dataset

    facts = export_dataset(
        out,
        to,
        output,
        model=model,
        template=template,
        max_length=max_length,
        rows_per_shard=rows_per_shard,
        say=tell,
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
    repo: Annotated[str, typer.Argument(metavar="REPO", help="owner/name on the Hugging Face Hub.")],
    private: Annotated[bool, typer.Option("--private", help="Make the repository private.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the files and send nothing.")] = False,
    json: AsJson = False,
) -> None:
    """Upload a dataset to the Hugging Face Hub, as Parquet with its card. Log in first: hf auth login."""
    from zero_engine.write.push import push_dataset

    facts = push_dataset(out, repo, private=private, dry_run=dry_run, say=tell).as_dict()
    if json:
        print_json(facts)
        return
    table("", ["file", "bytes"], [(name, f"{size:,}") for name, size in facts["files"].items()])
    kind = "private" if private else "public"
    done = f"sent: {facts['url']}" if facts["url"] else f"nothing sent; would go to {repo} ({kind})"
    say(f"{facts['rows']:,} rows, {facts['bytes']:,} bytes: {done}")
