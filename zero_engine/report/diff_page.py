"""The page of `zero-engine diff`: counts, reasons and settings of two folders, and changed pictures side by side."""

from pathlib import Path

from zero_engine.report.diff import KINDS, Change, Difference
from zero_engine.report.pictures import shown_picture
from zero_engine.report.sides import Group, Part, Side, Tile, write_sides

TITLES = {"changed": "Other pictures", "gained": "Pictures only in B", "lost": "Pictures only in A"}


def write_diff(path: str | Path, found: Difference) -> Path:
    """Write the page. Raises OutputError where it cannot be written."""
    parts = [Part("Counts", columns=("", "A", "B", "B - A"), rows=[_line(*row) for row in found.counts])]
    if found.reasons:
        rows = [_line(*row) for row in found.reasons]
        parts.append(Part("Left out, and why", columns=("stage: reason", "A", "B", "B - A"), rows=[*rows]))
    if found.settings:
        settings = [(key, _short(a), _short(b)) for key, a, b in found.settings]
        parts.append(Part("Settings", columns=("key", "A", "B"), rows=[*settings]))
    for kind in KINDS:
        shown, total = found.shown[kind], found.steps[kind]
        if total:
            note = f"{total:,} steps" + (
                f", of which the first {len(shown)} are shown." if len(shown) < total else "."
            )
            parts.append(Part(TITLES[kind], note, [_group(change) for change in shown]))
    title = f"{found.before.out.name} and {found.after.out.name}"
    return write_sides(path, title, f"A: {found.before.out} · B: {found.after.out}", parts)


def _group(change: Change) -> Group:
    note = f"{change.trace_id}, step {change.step + 1}" + (f": {change.reason}" if change.reason else "")
    sides = [
        Side(label, "kept" if image else "rejected", [Tile(shown_picture(image) if image else None, "")])
        for label, image in (("A", change.before), ("B", change.after))
    ]
    return Group(change.text[:240], sides, note)


def _line(name: str, before: int, after: int) -> tuple[str, str, str, str]:
    return (
        name.replace("_", " "),
        f"{before:,}",
        f"{after:,}",
        f"{after - before:+,}" if after != before else "",
    )


def _short(value: object) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
