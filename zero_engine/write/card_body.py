"""The parts of a dataset's card that need the rows: an example, a strip of pictures, how to use the codes, limits.

A card is read by people who have nothing but it and the files. So it names no path and no address of the machine that
made it, says what a field inside `steps` means, shows one real row, and how codes become a picture. What is said of
the pipeline is said from the manifest; what is shown comes from the first rows of the files.
"""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from zero_engine.contracts.manifest import Manifest, ModelInfo
from zero_engine.contracts.rows import STEP
from zero_engine.errors import printable
from zero_engine.write.export.rows import Row, read_rows
from zero_engine.write.folder import STRIP

SHOWN, SIDE = 8, 128
_DROPPED = frozenset("scheduler output reuse api_key endpoint url device".split())
"""Keys that say where something lay or ran, and nothing of what it is."""
_TEXT = 300


def sections(manifest: Manifest, out: Path | None, language: str | None) -> list[str]:
    """Markdown, part by part; without the folder only what the manifest says."""
    row = _first_row(out, manifest) if out is not None else None
    parts = ["## One row", _example(row)] if row is not None else []
    if out is not None and (out / STRIP).is_file():
        parts.append(f"![Drawings of the first rows]({STRIP})")
    parts += ["### Fields inside `steps`", _step_fields()]
    if manifest.model is not None:
        parts += ["## Use the codes", _codes(manifest.model)]
    parts += ["## Do the counts add up", _sums(manifest), "## How it was gated", _gate(manifest)]
    return [
        *parts,
        "## Sources",
        _sources(manifest),
        "## Limits",
        _limits(manifest, language),
        "## Cite",
        _cite(),
    ]


def write_strip(out: Path, manifest: Manifest, target: Path | None = None) -> Path | None:
    """Put a dataset's first drawings side by side into `strip.png`, in its folder or another; None without any."""
    from PIL import Image

    pictures = []
    for row in _rows(out, manifest):
        pictures += [step.image for step in row.steps if step.image is not None]
        if len(pictures) >= SHOWN:
            break
    shown = []
    for data in pictures[:SHOWN]:
        try:
            with Image.open(io.BytesIO(data)) as opened:
                small = opened.convert("RGB")
        except (OSError, ValueError):
            continue  # `validate` says what is wrong with it
        hard = max(small.size) < SIDE
        scale = SIDE / max(small.size)
        size = (max(1, round(small.width * scale)), max(1, round(small.height * scale)))
        shown.append(small.resize(size, Image.Resampling.NEAREST if hard else Image.Resampling.LANCZOS))
    path = (target or out) / STRIP
    if not shown:
        path.unlink(missing_ok=True)  # of an earlier run that had some
        return None
    strip = Image.new("RGB", (len(shown) * (SIDE + 8) - 8, SIDE), "white")
    for place, small in enumerate(shown):
        strip.paste(small, (place * (SIDE + 8), 0))
    strip.save(path, "PNG")
    return path


def public(value: Any, key: str = "") -> Any:
    """A pipeline without what is the machine's own: paths become names, addresses and folders go."""
    if isinstance(value, dict):
        kept = {name: public(item, name) for name, item in value.items() if name not in _DROPPED}
        return {name: item for name, item in kept.items() if item != {}}
    if isinstance(value, list):
        return [public(item, key) for item in value]
    if not isinstance(value, str):
        return value
    return value.rstrip("/").rpartition("/")[2] if key == "path" else named(value)


def named(text: str) -> str:
    """The last part of a path or an address; any other text as it is."""
    looks = text.startswith(("/", "~", "./", "../", "file:")) or "://" in text or "\\" in text[:3]
    return (
        text.rstrip("/").replace("\\", "/").rpartition("/")[2] or "local"
        if looks and "\n" not in text
        else text
    )


def _rows(out: Path, manifest: Manifest):
    try:
        yield from read_rows(out, [shard.data for shard in manifest.shards])
    except (OSError, pa.ArrowException, KeyError):
        return  # a card is no place for an error: `validate` reports the file


def _first_row(out: Path, manifest: Manifest) -> Row | None:
    """The first row with a drawing, else the first."""
    first = None
    for place, row in enumerate(_rows(out, manifest)):
        first = first or row
        if any(step.image is not None for step in row.steps):
            return row
        if place >= 100:
            break
    return first


def _example(row: Row) -> str:
    def step(place: int) -> dict[str, Any]:
        found = row.steps[place]
        codes = (
            None if found.codes is None else [*map(int, found.codes[:4]), f"... {len(found.codes)} in all"]
        )
        image = None if found.image is None else f"a picture of {len(found.image):,} bytes"
        return {"index": place, "text": _short(found.text), "image": image, "codes": codes}

    told = {
        "id": row.id,
        "question": _short(row.question),
        "question_images": f"{len(row.given)} pictures" if row.given else [],
        "answer": row.answer,
        "choices": [_short(choice) for choice in row.choices],
        "steps": [step(place) for place in range(min(2, len(row.steps)))],
    }
    more = f"\n\nand {len(row.steps) - 2} more steps." if len(row.steps) > 2 else ""
    text = printable(json.dumps(told, ensure_ascii=False, indent=1))
    fence = "````" if "```" in text else "```"
    return f"{fence}json\n{text}\n{fence}{more}"


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else text[:_TEXT] + " ..."


def _step_fields() -> str:
    lines = ["| field | what |", "| --- | --- |"]
    return "\n".join(
        [*lines, *(f"| `{c.name}` | {' '.join(c.doc.replace('|', '/').split())} |" for c in STEP.columns)]
    )


def _codes(model: ModelInfo) -> str:
    name = named(model.name)
    given = f'"{name}"' if name == model.name else f'"FOLDER_OF_{name}"'
    size = f"{model.width} x {model.height} pixels" if model.width else "pictures"
    return f"""Codes are indices 0..K-1 into the codebook of the drawing model, row by row, never ids of its vocabulary.

| model | codebook | codes a picture | decodes to | fingerprint of the model |
| --- | --- | --- | --- | --- |
| {name} | {model.codebook_size or "?"} | {model.codes_per_picture or "?"} | {size} | `{model.fingerprint[:16]}` |

```python
import numpy as np
from datasets import load_dataset
from PIL import Image
from zero_engine.models import load_model

rows = load_dataset("THIS_FOLDER", split="train")
codes = next(step["codes"] for row in rows for step in row["steps"] if step["codes"])
picture = Image.fromarray(load_model({given}).decode(np.array([codes]))[0])
```"""


def _sums(manifest: Manifest) -> str:
    counts = manifest.counts
    rejected = counts["rejected_traces"]
    lines = [
        f"- {counts['traces']:,} traces = {counts['rows']:,} rows + {rejected:,} rejected, each named in `rejected/`"
    ]
    lines.append(
        f"- {sum(shard.data.rows for shard in manifest.shards):,} rows in {len(manifest.shards):,} files"
    )
    drawn = [shard.candidates for shard in manifest.shards if shard.candidates is not None]
    if drawn:
        kept = counts.get("pictures_kept")
        said = f", of which {kept:,} stand in a row" if kept is not None else ""
        lines.append(f"- {sum(file.rows for file in drawn):,} drawings among the candidates{said}")
    if verdicts := dict(counts.get("verdicts") or {}):
        parts = " + ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in sorted(verdicts.items()))
        lines.append(f"- {sum(verdicts.values()):,} steps = {parts}")
    return "\n".join(lines)


def _gate(manifest: Manifest) -> str:
    gate = manifest.pipeline.get("gate") or {}
    if manifest.model is None or not gate:
        return "Nothing was drawn, so nothing was gated."
    lines = []
    if rank := gate.get("rank"):
        lines.append(
            "- Of a step's drawings the best by " + ", ".join(f"{w} x {name}" for name, w in rank.items())
        )
    for bound, word in (("min", "at least"), ("max", "at most")):
        lines += [f"- `{name}` is {word} {value}" for name, value in (gate.get(bound) or {}).items()]
    if on_reject := gate.get("on_reject"):
        lines.append(f"- A step without a drawing that passes: `{on_reject}`")
    if pictures := gate.get("min_pictures"):
        lines.append(f"- A row has at least {pictures} drawings")
    return "\n".join(lines) or "Every drawing passes."


def _sources(manifest: Manifest) -> str:
    own = manifest.pipeline.get("input", {})
    names = [named(str(path)) for path in manifest.input.paths]
    license_ = own.get("license") or "not stated: find it out before you pass rows on"
    shown = ", ".join(f"`{name}`" for name in names[:8]) + (
        f" and {len(names) - 8} more" if len(names) > 8 else ""
    )
    title = own.get("name") or own.get("format") or "corpus"
    lines = ["| corpus | files | records | licence |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, f"| {title} | {shown} | {manifest.input.records:,} | {license_} |"])


def _limits(manifest: Manifest, language: str | None) -> str:
    told = f"`{language}` by its first questions" if language else "which its first questions do not tell"
    said = manifest.pipeline.get("input", {}).get("language")
    lines = [
        "- Questions and answers are the source's, with its errors; steps are cut by program.",
        f"- Texts are in the language of the source: {f'`{said}`, as the pipeline says' if said else told}.",
    ]
    if manifest.model is not None:
        lines += [
            "- Drawings are a model's. The gate keeps what scores well; a score is no proof that a drawing is right.",
            "- What the gate refused is no sample of errors: rows favour what is easy to draw.",
            "- Codes mean something under this model's codebook only.",
        ]
    return "\n".join(lines)


def _cite() -> str:
    return """The method, and beside it the source's own citation:

```bibtex
@misc{cheng2026omnir1unifiedgenerativeparadigm,
  title={Omni-R1: Towards the Unified Generative Paradigm for Multimodal Reasoning},
  author={Dongjie Cheng and Yongqi Li and Zhixin Ma and Hongru Cai and Yupeng Hu and Wenjie Wang and Liqiang Nie
    and Wenjie Li},
  year={2026}, eprint={2601.09536}, archivePrefix={arXiv}, primaryClass={cs.AI}
}
```"""
