"""Counts of a shard, and of many: what the summary, stats.json and the checks are made of.

A tally is a plain JSON-able dict, a function of a shard's content alone (no times), so it can be
committed with the shard. Tallies add up: `add(a, b)` is associative and commutative.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from zero_engine.records import Candidate, ParsedTrace, Rejection, Trajectory

NUMBERS = (
    "records",
    "traces",
    "rows",
    "rejected_traces",
    "steps",
    "pictures",
    "distinct_pictures",
    "steps_drawn",
    "pictures_kept",
    "rejected_steps",
    "rejected_pictures",
)
GROUPS = ("rules", "notes", "reasons", "verdicts")


def empty() -> dict:
    return {**dict.fromkeys(NUMBERS, 0), **{name: {} for name in GROUPS}, "scores": {}}


def count(
    records: int,
    traces: int,
    parsed: Sequence[ParsedTrace],
    candidates: Sequence[Candidate],
    rows: Sequence[Trajectory],
    rejections: Sequence[Rejection],
) -> dict:
    """The tally of one shard: `records` lines were read as `traces` traces (a bad line counts as one)."""
    whole = sum(r.is_whole_trace for r in rejections)
    verdicts = Counter(v.verdict for row in rows for v in row.verdicts)
    return {
        "records": records,
        "traces": traces,
        "rows": len(rows),
        "rejected_traces": whole,
        "steps": sum(len(p.steps) for p in parsed),
        "pictures": len(candidates),
        "distinct_pictures": len({(c.trace_id, c.step, c.codes.tobytes()) for c in candidates}),
        "steps_drawn": len({(c.trace_id, c.step) for c in candidates}),
        "pictures_kept": verdicts.get("kept", 0),
        "rejected_steps": sum(r.step is not None and r.attempt is None for r in rejections),
        "rejected_pictures": sum(r.attempt is not None and r.stage != "score" for r in rejections),
        "rules": dict(Counter(p.rule for p in parsed)),
        "notes": dict(Counter(note.partition(":")[0] for p in parsed for note in p.notes)),
        "reasons": dict(Counter(f"{r.stage}: {r.reason.partition(':')[0]}" for r in rejections)),
        "verdicts": dict(verdicts),
        "scores": _spread(candidates),
    }


def add(total: dict, part: Mapping) -> dict:
    """The tally of both together."""
    result = {name: total[name] + part.get(name, 0) for name in NUMBERS}  # shards of version 1 count less
    for group in GROUPS:
        result[group] = dict(sorted((Counter(total[group]) + Counter(part[group])).items()))
    result["scores"] = dict(total["scores"])
    for name, spread in part["scores"].items():
        known = result["scores"].get(name, {"n": 0, "sum": 0.0, "min": math.inf, "max": -math.inf})
        result["scores"][name] = {
            "n": known["n"] + spread["n"],
            "sum": known["sum"] + spread["sum"],
            "min": min(known["min"], spread["min"]),
            "max": max(known["max"], spread["max"]),
        }
    return result


def total(parts: Iterable[Mapping]) -> dict:
    """The tally of all of them, in one pass that makes nothing new for a part: there may be ten thousand."""
    numbers = dict.fromkeys(NUMBERS, 0)
    groups: dict[str, dict] = {group: {} for group in GROUPS}
    scores: dict[str, dict] = {}
    for part in parts:
        for name in NUMBERS:
            numbers[name] += part.get(name, 0)
        for group, counts in groups.items():
            for name, number in (part.get(group) or {}).items():
                counts[name] = counts.get(name, 0) + number
        for name, spread in (part.get("scores") or {}).items():
            known = scores.get(name)
            if known is None:
                scores[name] = {key: spread[key] for key in ("n", "sum", "min", "max")}
                continue
            known["n"] += spread["n"]
            known["sum"] += spread["sum"]
            if spread["min"] < known["min"]:
                known["min"] = spread["min"]
            if spread["max"] > known["max"]:
                known["max"] = spread["max"]
    sorted_groups = {group: dict(sorted(counts.items())) for group, counts in groups.items()}
    return {**numbers, **sorted_groups, "scores": scores}


def _spread(candidates: Sequence[Candidate]) -> dict[str, dict[str, float]]:
    values: dict[str, list[float]] = {}
    for candidate in candidates:
        for name, value in candidate.scores.items():
            if value == value:
                values.setdefault(name, []).append(float(value))
    return {
        name: {"n": len(v), "sum": sum(v), "min": min(v), "max": max(v)} for name, v in sorted(values.items())
    }
