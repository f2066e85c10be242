"""report.html of a finished dataset: counts, reasons, score histograms, and drawings to look at.

Reads only what the manifest lists, as a memory map, a record batch at a time: scores are surveyed column by
column without touching a picture, then the sampled traces and drawings alone are fetched.

The sample depends on the data only. Drawings are those with the smallest seeds, which is a uniform
sample because a seed is a hash of the drawing's identity; traces are those with the smallest
sha256 of their id.

    zero-engine report out/gsm8k_nano
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zero_engine.contracts.manifest import Manifest, ShardEntry
from zero_engine.contracts.rows import PLUGIN_SCORES, scores_in
from zero_engine.contracts.scores import SCORES, in_order
from zero_engine.hashing import digest
from zero_engine.report.charts import Histogram
from zero_engine.report.page import (
    Drawing,
    Gallery,
    PageCandidate,
    PageStep,
    PageTrace,
    Table,
    image_format_of,
    write_page,
)
from zero_engine.write.dataset import check_bytes
from zero_engine.write.manifest import read_manifest
from zero_engine.write.place import takes_store
from zero_engine.write.rejections import read_rejections

REPORT = "report.html"


@takes_store(sends="report")
def write_report(out: str | Path, traces: int = 6, drawings: int = 24, verify: bool = True) -> Path:
    """Write OUT/report.html and return its path.

    `traces` are shown with every candidate, `drawings` kept and as many left out as galleries. `verify` compares every
    byte with the manifest first. Raises OutputError where the folder is no finished dataset, or damaged.
    """
    out = Path(out)
    manifest = read_manifest(out)
    for file in manifest.files() if verify else ():
        check_bytes(out, file)
    survey = _survey(out, manifest, traces, drawings)
    shown, galleries = _fetch(out, manifest, survey)
    write_page(
        out / REPORT,
        title=manifest.name,
        subtitle=_subtitle(manifest),
        facts=_facts(manifest.counts),
        tables=_tables(manifest, survey),
        charts=[survey.histograms[name] for name in in_order(survey.histograms)],
        galleries=galleries,
        traces=shown,
    )
    return out / REPORT


@dataclass(slots=True)
class _Survey:
    """The findings of one pass over the files, without their pictures."""

    histograms: dict[str, Histogram]
    traces: list[tuple[str, int, str]] = field(default_factory=list)
    """(sha256 of the id, shard, id) of the sampled rows, smallest first."""
    kept: list[tuple[int, int]] = field(default_factory=list)
    """(seed, shard) of the sampled drawings that were kept."""
    left: list[tuple[int, int]] = field(default_factory=list)
    """The same of those left out."""
    rejected: list[tuple[str, str, str, str]] = field(default_factory=list)
    """(trace id, stage, reason, detail) of the first whole traces that were rejected."""


def _survey(out: Path, manifest: Manifest, traces: int, drawings: int) -> _Survey:
    survey = _Survey(_empty_histograms(out, manifest))
    for shard in manifest.shards:
        kept_seeds: list[np.ndarray] = []
        rows = []
        for batch in _batches(out / shard.data.name):
            rows += [(digest(name), shard.index, name) for name in batch.column("id").to_pylist()]
            seeds = batch.column("steps").flatten().field("seed")
            kept_seeds.append(seeds.drop_null().to_numpy(zero_copy_only=False))
        survey.traces = heapq.nsmallest(traces, survey.traces + rows)
        if shard.candidates is not None:
            path = out / shard.candidates.name
            _survey_drawings(path, shard.index, np.concatenate(kept_seeds), survey, drawings)
        if shard.rejections is not None and shard.counts["rejected_traces"] and len(survey.rejected) < 20:
            whole = (r for r in read_rejections(out / shard.rejections.name) if r.is_whole_trace)
            survey.rejected += [(r.trace_id, r.stage, r.reason, r.detail) for r in whole]
    survey.rejected = survey.rejected[:20]
    return survey


def _survey_drawings(path: Path, shard: int, kept_seeds: np.ndarray, survey: _Survey, drawings: int) -> None:
    for batch in _batches(path):
        seeds = batch.column("seed").to_numpy()
        is_kept = np.isin(seeds, kept_seeds)
        for name, (values, rows) in _scores_of(batch).items():
            survey.histograms[name].add(values, is_kept[rows])
        survey.kept = _smallest(survey.kept, seeds[is_kept], shard, drawings)
        survey.left = _smallest(survey.left, seeds[~is_kept], shard, drawings)


def _smallest(
    found: list[tuple[int, int]], seeds: np.ndarray, shard: int, count: int
) -> list[tuple[int, int]]:
    smallest = np.sort(seeds)[:count].tolist()
    return heapq.nsmallest(count, found + [(seed, shard) for seed in smallest])


def _empty_histograms(out: Path, manifest: Manifest) -> dict[str, Histogram]:
    """A histogram over its range for each score that any drawing has."""
    ranges: dict[str, tuple[float, float]] = {}
    for shard in manifest.shards:
        for batch in _batches(out / shard.candidates.name) if shard.candidates else ():
            for name, (values, _) in _scores_of(batch).items():
                low, high = ranges.get(name, (np.inf, -np.inf))
                ranges[name] = (min(low, float(values.min())), max(high, float(values.max())))
    gate = manifest.pipeline.get("gate", {})
    return {
        name: Histogram(
            name,
            low,
            high,
            SCORES[name].meaning if name in SCORES else "a plugin's score",
            gate.get("min", {}).get(name),
            gate.get("max", {}).get(name),
        )
        for name, (low, high) in ranges.items()
    }


def _scores_of(batch: pa.RecordBatch) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The values of each score that any drawing of the batch has, plugins' too, and the drawings that have them."""
    found = {}
    for name in SCORES.keys() & set(batch.schema.names):
        values = batch.column(name).to_numpy(zero_copy_only=False)  # null is NaN
        (rows,) = np.nonzero(~np.isnan(values))
        if len(rows):
            found[name] = (values[rows], rows)
    plugins = batch.column(PLUGIN_SCORES.name)
    owners = pc.list_parent_indices(plugins).to_numpy()
    entries = plugins.flatten()
    names, values = entries.field("name"), entries.field("value").to_numpy(zero_copy_only=False)
    for name in names.unique().to_pylist():
        own = pc.equal(names, name).to_numpy(zero_copy_only=False)
        found[name] = (values[own], owners[own])
    return found


def _fetch(out: Path, manifest: Manifest, survey: _Survey) -> tuple[list[PageTrace], list[Gallery]]:
    """Read the sampled traces with all their drawings, and the sampled drawings, shard by shard."""
    wanted = {name for _, _, name in survey.traces}
    kept, left = {seed for seed, _ in survey.kept}, {seed for seed, _ in survey.left}
    touched = {shard for _, shard, _ in survey.traces} | {shard for _, shard in survey.kept + survey.left}
    pages: dict[str, PageTrace] = {}
    walls: dict[int, Drawing] = {}
    for shard in (shard for shard in manifest.shards if shard.index in touched):
        rows = [r for b in _batches(out / shard.data.name) for r in _where(b, "id", wanted)]
        drawn: list[dict] = []
        for batch in _batches(out / shard.candidates.name) if shard.candidates else ():
            mask = pc.or_(_is_in(batch, "trace_id", wanted), _is_in(batch, "seed", kept | left))
            drawn += batch.filter(mask).to_pylist()
        reasons = _reasons(out, shard, {d["trace_id"] for d in drawn})
        for drawing in drawn:
            if drawing["seed"] in kept or drawing["seed"] in left:
                walls[drawing["seed"]] = _wall_drawing(drawing, drawing["seed"] in kept, reasons)
        for row in rows:
            mine = [d for d in drawn if d["trace_id"] == row["id"]]
            pages[row["id"]] = _page_of(row, mine, reasons)
    note = "A uniform sample; the same for the same data."
    return [pages[name] for _, _, name in survey.traces], [
        Gallery("Drawings kept", note, [walls[seed] for seed, _ in survey.kept]),
        Gallery("Drawings left out", note, [walls[seed] for seed, _ in survey.left]),
    ]


def _reasons(out: Path, shard: ShardEntry, traces: set[str]) -> dict[tuple[str, int, int | None], list[str]]:
    """Reasons by (trace id, step, attempt), of the given traces; attempt is None for a whole step."""
    reasons = defaultdict(list)
    for r in read_rejections(out / shard.rejections.name) if shard.rejections else ():
        if r.trace_id in traces and r.step is not None:
            text = f"{r.reason}: {r.detail}" if r.detail else r.reason
            reasons[r.trace_id, r.step, r.attempt].append(text)
    return reasons


def _wall_drawing(drawing: dict, is_kept: bool, reasons: Mapping) -> Drawing:
    candidate = _candidate(drawing, is_kept, reasons)
    detail = [
        f"{name} {drawing[name]:.3g}" for name in ("likelihood", "readback") if drawing[name] is not None
    ]
    detail += candidate.reasons or ([] if is_kept else ["passed, but was not chosen"])
    return Drawing(candidate, drawing["text"], "; ".join(detail))


def _page_of(row: dict, drawn: Sequence[dict], reasons: Mapping) -> PageTrace:
    steps = []
    for step in row["steps"]:
        mine = sorted((d for d in drawn if d["step"] == step["index"]), key=lambda d: d["attempt"])
        said = reasons.get((row["id"], step["index"], None), [])
        steps.append(
            PageStep(
                index=step["index"],
                text=step["text"],
                prompt=mine[0]["prompt"] if mine else None,
                candidates=[_candidate(d, d["seed"] == step["seed"], reasons) for d in mine],
                verdict=step["verdict"],
                reason=step["reason"] or (said[0] if said else None),
            )
        )
    return PageTrace(row["id"], row["question"], row["answer"], steps, list(row["notes"]), None)


def _candidate(drawing: dict, is_kept: bool, reasons: Mapping) -> PageCandidate:
    image = drawing["image"]["bytes"]
    said = reasons.get((drawing["trace_id"], drawing["step"], drawing["attempt"]), [])
    return PageCandidate(
        drawing["attempt"],
        drawing["seed"],
        image,
        image_format_of(image),
        scores_in(drawing),
        is_kept,
        list(said),
    )


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
        yield from reader


def _where(batch: pa.RecordBatch, column: str, values: set) -> list[dict]:
    return batch.filter(_is_in(batch, column, values)).to_pylist()


def _is_in(batch: pa.RecordBatch, column: str, values: set) -> pa.Array:
    array = batch.column(column)
    return pc.is_in(array, value_set=pa.array(sorted(values), array.type))


def _subtitle(manifest: Manifest) -> str:
    drew = f"drawn by {manifest.model.name}" if manifest.model else "nothing drawn"
    paths = ", ".join(manifest.input.paths)
    return f"{paths} · {drew} · zero-engine {manifest.versions.get('zero-engine', '?')} · {manifest.created}"


def _facts(counts: Mapping) -> list[tuple[str, str]]:
    facts = [("traces in", f"{counts['traces']:,}"), ("rows", f"{counts['rows']:,}")]
    facts.append(("traces rejected", f"{counts['rejected_traces']:,}"))
    if "steps" in counts:
        facts.append(("steps", f"{counts['steps']:,}"))
    if counts.get("pictures"):
        drawn, kept, steps = counts["pictures"], counts["pictures_kept"], counts["steps_drawn"]
        facts += [
            ("drawings", f"{drawn:,}"),
            (
                "distinct drawings",
                f"{counts.get('distinct_pictures', 0):,}" if "distinct_pictures" in counts else "-",
            ),
            ("drawings kept", f"{kept:,}"),
            ("drawn steps with a picture", f"{100 * kept / steps:.1f} %"),
        ]
    return facts


def _tables(manifest: Manifest, survey: _Survey) -> list[Table]:
    counts = manifest.counts
    named = [
        ("Left out, and why", ["stage: reason", "count"], counts.get("reasons", {})),
        ("How rationales were cut", ["rule", "traces"], counts.get("rules", {})),
        ("Notes", ["note", "traces"], counts.get("notes", {})),
    ]
    tables = [
        Table(title, columns, sorted(found.items(), key=lambda item: (-item[1], item[0])))
        for title, columns, found in named
        if found
    ]
    if survey.rejected:
        tables.append(
            Table(
                "Traces rejected",
                ["trace", "stage", "reason", "detail"],
                survey.rejected,
                "The first of them.",
            )
        )
    settings = [(key, value) for key, value in _flat(manifest.pipeline) if value not in (None, "", {}, [])]
    shown = [(key, value if isinstance(value, list) else str(value)) for key, value in settings]
    return [*tables, Table("Pipeline, resolved", ["key", "value"], shown, folded=True)]


def _flat(section: Mapping, prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
