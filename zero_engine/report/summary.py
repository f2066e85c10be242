"""report.html of a folder, finished or not: pictures first, then traces, scores and thresholds, and what was left out.

The page holds counts, tables and the first pictures; everything else lies in data pages beside it (`pages`). Traces are
read once, shard by shard, and each page is written when it is full: memory does not grow with the dataset.

    zero-engine report out/gsm8k_nano
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2

from zero_engine.contracts.scores import SCORES
from zero_engine.errors import InputError
from zero_engine.hashing import digest
from zero_engine.report.folder import Folder, Told, check_shard, code_of, open_folder, score_names, traces_of
from zero_engine.report.judged import KEPT, PASSED, Columns, judged
from zero_engine.report.pages import (
    Pages,
    as_json,
    asset,
    commit_page,
    edition_of,
    page_script,
    pages_folder,
    source_hash,
    whole_or_none,
)
from zero_engine.report.told import Shown, Wall, shown_trace
from zero_engine.write.folder import REPORT
from zero_engine.write.place import takes_store

MOST_TRACES = 20_000
"""Traces that a report shows unless it is asked for more; of a larger dataset a uniform sample."""
WALL_ITEMS, TRACE_ITEMS, GATE_DRAWINGS = 96, 200, 25_000
"""Drawings on a page of a wall, traces on a page of traces, drawings on a page of columns."""


@takes_store(sends="report")
def write_report(
    out: str | Path,
    page: str | Path | None = None,
    most: int = MOST_TRACES,
    reason: str | None = None,
    verify: bool = True,
) -> Path:
    """Write a report of OUT, OUT/report.html unless `page` says otherwise, and return its path.

    At most `most` traces are shown (0: all of them); with `reason` only those of which something was left out for it.
    `verify` compares every byte with what was committed. Raises OutputError where the folder is none of ours, or
    damaged, InputError for a reason that the folder does not have.
    """
    folder = open_folder(out)
    if reason is not None:
        _check_reason(folder, reason)
    for shard in folder.shards if verify else ():
        check_shard(folder, shard)
    target = Path(page) if page is not None else folder.out / _page_name(reason)
    made = _Report(folder, target, most, reason)
    with whole_or_none(made.pages, made.edition):
        for trace in traces_of(folder, verify=False):
            if made.wants(trace):
                made.add(trace)
        made.finish()
    return target


class _Report:
    def __init__(self, folder: Folder, target: Path, most: int, reason: str | None) -> None:
        self.folder, self.target, self.reason, self.gate = folder, target, reason, folder.gate
        total = folder.counts["traces"]
        self.share = 1.0 if not most or total <= most else most / total
        files = [file.sha256 for shard in folder.shards for file in shard.files()]
        self.edition = edition_of(*files, str(most), str(reason), as_json(folder.pipeline), folder.note)
        self.pages = pages_folder(target)
        self.names = score_names(folder)
        self.rows = Pages(self.pages, self.edition, "rows", TRACE_ITEMS)
        self.rejected = Pages(self.pages, self.edition, "rejected", TRACE_ITEMS)
        self.columns = Columns(self.names)
        self.columns_written = Pages(self.pages, self.edition, "columns", 1)
        self.walls: dict[str, Wall] = {}
        for key in (KEPT, PASSED):
            self._wall(key)
        self.whole: Counter = Counter()
        self.gated: Counter = Counter()
        """Rows and kept pictures of the traces that are shown; the page compares its own figures with these."""
        self.refused: Counter = Counter()
        """Traces that the gate rejected, by reason."""
        self.failed: Counter = Counter()
        """Drawings that it rejected, by reason."""

    def wants(self, trace: Told) -> bool:
        if self.reason is not None and self.reason not in trace.reasons:
            return False
        return self.share >= 1 or int(digest(trace.id)[:13], 16) < self.share * 16**13

    def add(self, trace: Told) -> None:
        group = self.rows if trace.whole is None else self.rejected
        where = (("rows" if trace.whole is None else "rejected"), *group.place())
        places: dict[tuple[int, int], tuple[int, int, int]] = {}
        shown: dict[int, list[Shown]] = {}
        for step in trace.steps:
            for one in judged(step, self.gate):
                wall = self._wall(one.wall)
                place = (wall.number, *wall.add(trace, step, one, where, self.names))
                places.update({(step.index, attempt): place for attempt in one.attempts})
                shown.setdefault(step.index, []).append(place)
        group.add(shown_trace(trace, shown))
        self._count(trace)
        if trace.whole is None or trace.whole.stage == "gate":
            self.columns.add(trace, self.gate, places)
            if len(self.columns.attempt) >= GATE_DRAWINGS:
                self._write_columns()

    def finish(self) -> None:
        if self.columns.steps:
            self._write_columns()
        for wall in self.walls.values():
            wall.pages.close()
        self.rows.close()
        self.rejected.close()
        text = _render(self.folder, self._about(), self._first(), self._note())
        commit_page(self.target, self.pages, self.edition, text)

    def _write_columns(self) -> None:
        self.columns_written.add(self.columns.encoded())
        self.columns_written.close()
        self.columns.clear()

    def _wall(self, key: str) -> Wall:
        if key not in self.walls:
            number = len(self.walls)
            head: dict[str, list] = {"pictures": []}
            pages = Pages(self.pages, self.edition, f"wall{number}", WALL_ITEMS, head)
            self.walls[key] = Wall(key, number, pages)
        return self.walls[key]

    def _count(self, trace: Told) -> None:
        whole = trace.whole
        if whole is None:
            self.gated["rows"] += 1
            self.gated["kept"] += sum(step.verdict == KEPT for step in trace.steps)
        else:
            self.whole[f"{whole.stage}: {code_of(whole)}"] += 1
            if whole.stage == "gate":
                self.refused[code_of(whole)] += 1
        gate = (r for r in trace.rejections if r.stage == "gate" and r.attempt is not None)
        self.failed.update(rejection.reason for rejection in gate)

    def _about(self) -> dict[str, Any]:
        """All that the script has to know."""
        render = self.folder.pipeline.get("render") or {}
        walls = [wall.about() for wall in self.walls.values()]
        return {
            "edition": self.edition,
            "folder": self.pages.name,
            "walls": walls,
            "rows": self.rows.counts,
            "rejected": self.rejected.counts,
            "columns": len(self.columns_written.counts),
            "whole": dict(self.whole.most_common()),
            "scores": [_score(name) for name in self.names],
            "required": [name for name, info in SCORES.items() if not info.optional],
            "gate": self.gate.model_dump(mode="json"),
            "found": {
                "rows": self.gated["rows"],
                "kept": self.gated["kept"],
                "rejected": dict(self.refused),
                "reasons": dict(self.failed),
            },
            "guidance": render.get("guidance"),
            "redraws": render.get("context") == "pictures",
        }

    def _first(self) -> dict[str, Any]:
        """The pictures that stand on the page itself: those of the first wall that has any."""
        walls = [wall for wall in self.walls.values() if wall.first]
        return {"key": walls[0].key, "items": walls[0].first} if walls else {"key": KEPT, "items": []}

    def _note(self) -> str:
        shown = sum(self.rows.counts) + sum(self.rejected.counts)
        if self.reason is not None:
            return f"Only the {shown:,} traces of which something was left out as {self.reason}."
        if self.share < 1:
            total = self.folder.counts["traces"]
            return f"A uniform sample: {shown:,} of {total:,} traces. The counts above are of all."
        return ""


def _score(name: str) -> dict[str, Any]:
    info = SCORES.get(name)
    if info is None:
        return {"name": name, "meaning": "a plugin's score", "better": "higher"}
    return {"name": name, "meaning": info.meaning, "better": info.better}


def _render(folder: Folder, about: dict[str, Any], first: dict[str, Any], note: str) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("zero_engine.report", "assets"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    script, style = page_script(), asset("style.css")
    return environment.get_template("report.html.j2").render(
        title=folder.name,
        subtitle=folder.note,
        note=note,
        facts=_facts(folder.counts),
        tables=list(_tables(folder)),
        about=as_json(about),
        walls=[wall for wall in about["walls"] if wall["count"]],
        first=first,
        script=script,
        style=style,
        script_hash=source_hash(script),
        style_hash=source_hash(style),
        finished=folder.finished,
    )


def _facts(counts: Mapping) -> list[tuple[str, str, str]]:
    """(figure, what it counts, what more there is to say)."""
    traces, rows = counts["traces"], counts["rows"]
    facts = [(f"{rows:,}", f"of {traces:,} traces are rows", "")]
    if counts.get("steps_drawn"):
        kept, drawn = counts.get("pictures_kept", 0), counts["steps_drawn"]
        facts.append(
            (f"{kept:,}", f"of {drawn:,} drawn steps have a picture", f"({100 * kept / drawn:.1f} %)")
        )
    if counts.get("pictures"):
        distinct = counts.get("distinct_pictures")
        more = "" if distinct is None else f"({distinct:,} distinct)"
        facts.append((f"{counts['pictures']:,}", "drawings", more))
    if counts["rejected_traces"]:
        facts.append((f"{counts['rejected_traces']:,}", "traces rejected", ""))
    return facts


def _tables(folder: Folder) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for title, key in (
        ("Left out, and why", "reasons"),
        ("How rationales were cut", "rules"),
        ("Notes", "notes"),
    ):
        found = sorted((folder.counts.get(key) or {}).items(), key=lambda item: (-item[1], item[0]))
        if found:
            yield title, [(name, f"{count:,}") for name, count in found]
    settings = [
        (key, _as_written(value)) for key, value in _flat(folder.pipeline) if value not in (None, "", {}, [])
    ]
    if settings:
        yield "Pipeline, resolved", settings


def _flat(section: Mapping, prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _as_written(value: object) -> str:
    """A value as a pipeline file has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _page_name(reason: str | None) -> str:
    if reason is None:
        return REPORT
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in reason)[:80]
    return f"report-{safe}.html"


def _check_reason(folder: Folder, reason: str) -> None:
    known = sorted({name.partition(": ")[2] for name in folder.counts.get("reasons") or {}})
    if reason not in known:
        raise InputError(
            f"{folder.out}: nothing was left out as {reason!r}. Reasons: {', '.join(known) or 'none'}."
        )
