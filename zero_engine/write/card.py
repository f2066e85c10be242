"""README.md of a dataset: the card that the Hugging Face Hub shows and `load_dataset` reads.

The front matter's `configs` say which files are rows and which are drawings; without them
`load_dataset(OUT)` would mix both. The rest is for people: what is inside, how to load it, how it was made.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import DatasetCardData

from zero_engine.contracts.manifest import Manifest, Spread
from zero_engine.contracts.rows import CANDIDATE, TRAJECTORY, Column
from zero_engine.hashing import digest
from zero_engine.write import card_body
from zero_engine.write.folder import CANDIDATE_FILES, DATA_FILES
from zero_engine.write.language import language_of

_SIZES = (
    ("n<1K", 10**3),
    ("1K<n<10K", 10**4),
    ("10K<n<100K", 10**5),
    ("100K<n<1M", 10**6),
    ("1M<n<10M", 10**7),
)
_LICENSES = {
    "mit",
    "apache-2.0",
    "bsd-3-clause",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc0-1.0",
    "odc-by",
    "openrail",
}


def dataset_card(manifest: Manifest, stats: dict, out: Path | None = None) -> str:
    """The card as text: a function of manifest and stats, and with the folder of its rows."""
    drawn = any(shard.candidates for shard in manifest.shards)
    language = language_of(manifest, out)
    parts = [
        f"---\n{_front_matter(manifest, drawn, language).to_yaml()}\n---",
        f"# {manifest.name}",
        _lead(manifest, drawn),
        "## Load it",
        _how_to_load(drawn),
        "## What is inside",
        _table(("", "count"), _counts(dict(manifest.counts))),
    ]
    groups = (
        ("Left out, by reason", manifest.counts.get("reasons")),
        ("Steps by verdict", manifest.counts.get("verdicts")),
    )
    for title, group in groups:
        if group:
            counted = [(name, f"{count:,}") for name, count in sorted(group.items())]
            parts += [f"### {title}", _table((title, "count"), counted)]
    if scores := manifest.counts.get("scores"):
        parts += [
            "### Scores of all drawings",
            _table(("score", "drawings", "mean", "min", "max"), _scores(scores)),
        ]
    parts += ["## Columns", _columns("Rows", TRAJECTORY)]
    if drawn:
        parts.append(_columns("Drawings (config `candidates`)", CANDIDATE))
    parts += [*card_body.sections(manifest, out, language), "## How it was made", _made(manifest)]
    return "\n\n".join(parts) + "\n"


def _front_matter(manifest: Manifest, drawn: bool, language: str | None) -> DatasetCardData:
    configs = [{**_config("default", DATA_FILES, manifest), "default": True}]
    if drawn:
        configs.append(_config("candidates", CANDIDATE_FILES, manifest))
    rows = manifest.counts["rows"]
    size = next((name for name, limit in _SIZES if rows < limit), "n>10M")
    license_id, license_name = _license(manifest)
    return DatasetCardData(
        license=license_id,
        license_name=license_name,
        language=[language] if language else None,
        task_categories=["any-to-any" if drawn else "text-generation", "question-answering"],
        pretty_name=manifest.name,
        size_categories=[size],
        tags=["zero-engine", "reasoning", *(["interleaved", "image"] if drawn else [])],
        configs=configs,
    )


def _config(name: str, pattern: str, manifest: Manifest) -> dict[str, Any]:
    """One config. Its description names the content: datasets 5.2 keys its cache of a local folder by the
    text of the configs and not by the files, and would hand out the rows of an older run."""
    content = digest(*(file.sha256 for file in manifest.files()))[:16]
    files = [{"split": "train", "path": pattern}]
    return {"config_name": name, "description": f"content {content}", "data_files": files}


def _license(manifest: Manifest) -> tuple[str, str | None]:
    """(identifier, name): the Hub knows licences by identifier; any other goes under `other` with its name."""
    name = _license_name(manifest)
    if name is None:
        return "unknown", None
    identifier = name.lower().replace(" ", "-")
    return (identifier, None) if identifier in _LICENSES else ("other", name)


def _license_name(manifest: Manifest) -> str | None:
    name = manifest.pipeline.get("input", {}).get("license")
    return " ".join(name.split()) or None if name else None


def _lead(manifest: Manifest, drawn: bool) -> str:
    rows, traces = manifest.counts["rows"], manifest.counts["traces"]
    by = f" Drawn by `{card_body.named(manifest.model.name)}`." if manifest.model else ""
    what = "interleaved text-and-image" if drawn else "text-only"
    return (
        f"{rows:,} {what} reasoning trajectories made from {traces:,} text-only traces by zero-engine "
        f"{manifest.versions.get('zero-engine', '')}.{by} Licence of the source: "
        f"{_license_name(manifest) or 'not stated'}."
    )


def _how_to_load(drawn: bool) -> str:
    lines = [
        "```python",
        "from datasets import load_dataset, load_from_disk",
        "",
        'rows = load_from_disk("THIS_FOLDER/data")                          # memory-mapped, no copy',
        'rows = load_dataset("THIS_FOLDER", split="train")                  # or streaming=True',
    ]
    if drawn:
        lines.append('drawings = load_dataset("THIS_FOLDER", "candidates", split="train")  # kept or not')
        lines.append(
            'rows[0]["steps"][0]["image"]                                       # a PIL image, or None'
        )
    return "\n".join([*lines, "```"])


def _counts(counts: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (name.replace("_", " "), f"{value:,}") for name, value in counts.items() if isinstance(value, int)
    ]


def _scores(scores: Mapping[str, Spread]) -> list[tuple[str, ...]]:
    return [
        (name, f"{s['n']:,}", f"{s['sum'] / max(s['n'], 1):.4g}", f"{s['min']:.4g}", f"{s['max']:.4g}")
        for name, s in sorted(scores.items())
    ]


def _columns(title: str, columns: tuple[Column, ...]) -> str:
    return f"### {title}\n\n" + _table(("column", "what"), [(f"`{c.name}`", c.doc) for c in columns])


def _made(manifest: Manifest) -> str:
    text = yaml.safe_dump(card_body.public(manifest.pipeline), sort_keys=False, allow_unicode=True)
    fence = "`" * max(3, 1 + max((len(run) for run in _backtick_runs(text)), default=0))
    prints = ", ".join(f"{name} `{value}`" for name, value in manifest.fingerprints.items())
    return f"Fingerprints: {prints}.\n\n{fence}yaml\n{text}{fence}"


def _backtick_runs(text: str) -> list[str]:
    return "".join(c if c == "`" else " " for c in text).split()


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    """Text that cannot end a table's cell or line."""
    return " ".join(text.replace("|", "\\|").split())
