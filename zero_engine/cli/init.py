"""`init`: read a file, show the steps of its first trace, and write a pipeline that runs."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from zero_engine.cli.completion import complete_set
from zero_engine.cli.options import AsJson, file_to_write, print_json, say
from zero_engine.errors import OutputError, command
from zero_engine.pipeline import Input, parse_config
from zero_engine.write.atomic import atomic_write

if TYPE_CHECKING:
    from zero_engine.read.proposal import Proposal

DRAWN = {"render": ["  candidates: 4"], "gate": ["  min: {likelihood: -0.06, readback: 0.5}"]}
GIVEN = {
    "render": [
        "  given: keep             # the steps' own pictures; redraw draws these steps anew, both lets them compete",
        "  candidates: 0           # 4 draws the steps without a picture of their own, too",
    ],
    "gate": [
        "  # min: {likelihood: -0.06, readback: 0.5}    # for what nano draws; it holds given pictures unlikely",
    ],
}
"""Lines by which corpora with pictures for their steps differ from others."""
SHOWN_STEPS = 12
SHOWN_CHARS = 200
InputName = Annotated[
    str, typer.Argument(metavar="FILE", help="File, folder, archive, URL or hub name; - reads stdin.")
]
WriteTo = Annotated[
    Path | None,
    typer.Option(
        "--write", metavar="PATH", help="Pipeline file to write, NAME.yaml in this folder by default."
    ),
]
Override = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set a key of the section input, e.g. --set input.split=test. May be repeated.",
        autocompletion=complete_set("pipeline"),
    ),
]


def register(app: typer.Typer) -> None:
    app.command()(init)


def init(
    file: InputName,
    write: WriteTo = None,
    set: Override = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a pipeline file that is there already.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Look at a file of yours: guess its format and columns, show its first trace, write a pipeline for it.

    The pipeline runs as it stands; every guess in it has a comment.
    """
    from zero_engine.read.proposal import propose

    name = _name_of(file)
    target = file_to_write(write or Path(f"{name}.yaml"), ".yaml", ".yml")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists. Choose another with --write, or replace it with --overwrite.")
    inner = [item.removeprefix("input.") for item in set or []]
    spec: Input = parse_config(Input, {"path": file}, f"init {file}", inner)
    proposal = propose(spec)
    text = pipeline_text(proposal, name)
    with atomic_write(target, "w") as page:
        page.write(text)
    if json:
        print_json(_facts(proposal, target))
    else:
        _show(proposal, target)


def pipeline_text(proposal: "Proposal", name: str) -> str:
    """A commented pipeline for what was found."""
    from zero_engine.read.proposal import columns_line

    spec = proposal.spec
    lines = [
        f"# Made by `zero-engine init` from {_one_line(str(spec.path))}. It runs as it stands:",
        "#",
        "#   zero-engine parse   THIS_FILE | head     the steps; nothing is drawn",
        "#   zero-engine preview THIS_FILE            a page of the first drawings",
        "#   zero-engine run     THIS_FILE            the dataset",
        "#",
        f"# Columns found: {_one_line(columns_line(proposal.records))}",
        "# All keys, with types and ranges: zero-engine schema pipeline",
        "",
        f"name: {name}",
        "seed: 0",
        "",
        "input:",
        f"  path: {_scalar(spec.path)}",
        f"  format: {spec.format}    # {proposal.guess.why}; others: zero-engine schema formats",
    ]
    if spec.columns:
        lines.append(
            "  columns:    # field: a column, a path (meta.id, turns.-1.text), or a template of {{columns}}"
        )
        lines += [f"    {field}: {_scalar(path)}" for field, path in spec.columns.items()]
    for key in ("split", "config", "field", "encoding"):
        value = getattr(spec, key)
        if value is not None and not (key == "split" and value == "train"):
            lines.append(f"  {key}: {_scalar(value)}")
    lines += [
        f"  # where: {_where_hint(proposal)}    # keep only traces for which this holds",
        "  # duplicates: reject    # leave out what says the same as an earlier trace",
        "  # license: ...          # kept with every row",
        "  # limit: 100            # for a first try",
        "",
        "parse:",
        "  rule: auto              # how a rationale is cut; auto picks the rule each trace calls for",
        "  max_steps: 128",
        "",
        "render:",
        "  model: nano             # bundled, draws equations, walks and the like; or a checkpoint's folder",
        "  template: step",
        *(GIVEN if proposal.given else DRAWN)["render"],
        "",
        "score:",
        "  names: [likelihood, caption, alignment, total_variation, blank, contrast, sharpness, duplicate, readback]",
        "",
        "gate:",
        "  rank: {likelihood: 1.0, caption: 0.33, readback: 1.0}",
        *(GIVEN if proposal.given else DRAWN)["gate"],
        "  max: {blank: 0.98}",
        "  on_reject: text_only    # a step without a good drawing stays, as text",
        "  min_pictures: 0         # 1 leaves out traces of which no step was drawn",
        "",
        "output:",
        f"  path: out/{name}",
        "  rows_per_shard: 32",
        "",
    ]
    return "\n".join(lines)


def _show(proposal: "Proposal", target: Path) -> None:
    from zero_engine.read.proposal import columns_line

    spec, files = proposal.spec, proposal.files
    kinds = sorted({file.kind for file in files})
    say(f"{spec.path}: {len(files)} file{'s' * (len(files) != 1)} ({', '.join(kinds)})")
    say(f"columns: {columns_line(proposal.records)}")
    say(f"format:  {spec.format} ({proposal.guess.why})")
    for field, path in spec.columns.items():
        say(f"         {field}: {path}")
    parsed = proposal.parsed
    if parsed is None:
        say(f"no trace could be cut: {proposal.problem or 'no record'}", err=True)
    else:
        say(f"\nthe first trace, {parsed.trace.id}, as it would be cut ({parsed.rule}):")
        say(f"  question: {_short(parsed.trace.question)}")
        for step in parsed.steps[:SHOWN_STEPS]:
            say(f"  step {step.index + 1}:   {_short(step.text)}{'  [its picture]' if step.given else ''}")
        if len(parsed.steps) > SHOWN_STEPS:
            say(f"  ... and {len(parsed.steps) - SHOWN_STEPS} more steps")
        say(f"  answer:   {_short(parsed.answer) if parsed.answer is not None else 'none found'}")
        if parsed.notes:
            say(f"  notes:    {', '.join(parsed.notes)}")
    say(f"\nwrote {target}: {command('run', target)}")


def _facts(proposal: "Proposal", target: Path) -> dict:
    parsed = proposal.parsed
    return {
        "pipeline": str(target),
        "files": [{"path": file.path, "kind": file.kind} for file in proposal.files],
        "input": proposal.spec.model_dump(mode="json", exclude_defaults=True),
        "why": proposal.guess.why,
        "problem": proposal.problem,
        "first_trace": None
        if parsed is None
        else {
            "id": parsed.trace.id,
            "question": parsed.trace.question,
            "steps": [step.text for step in parsed.steps],
            "given": [step.index for step in parsed.steps if step.given],
            "answer": parsed.answer,
            "notes": list(parsed.notes),
        },
    }


def _where_hint(proposal: "Proposal") -> str:
    if proposal.guess.format in ("generations", "processbench"):
        return "correctness"
    return "answer not in ['proof', 'notfound']"


def _name_of(file: str) -> str:
    """A pipeline's name from a file's: letters, digits, `_`, `.` and `-`."""
    base = file.rstrip("/").rpartition("/")[2].split(":")[0]
    stem = re.sub(
        r"(\.(jsonl?|ndjson|jsonlines|jl|csv|tsv|parquet|pq|arrow|zip|tar|tgz|txt|gz|gzip|zstd?|xz|bz2))+$",
        "",
        base,
        flags=re.I,
    )
    return re.sub(r"[^\w.-]+", "_", stem, flags=re.ASCII).strip("_.-") or "traces"


def _scalar(value: object) -> str:
    """A value as one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1 << 20).strip()
    return text.removesuffix("\n...").strip()


def _one_line(text: str) -> str:
    from zero_engine.errors import printable

    return printable(text, one_line=True)[:1000]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARS else f"{line[: SHOWN_CHARS - 3]}..."
