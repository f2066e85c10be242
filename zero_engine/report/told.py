"""One trace, and one drawing, as the data pages of a report hold them: short keys, bounded texts."""

import json
from dataclasses import dataclass, field
from typing import Any

from zero_engine.hashing import digest
from zero_engine.report.folder import Told, ToldStep
from zero_engine.report.judged import Judged
from zero_engine.report.pages import Pages, as_json
from zero_engine.report.pictures import Picture, shown_picture

Shown = tuple[int, int, int]
"""Where a drawing is shown: wall, page, item."""
FIRST = 24
"""Pictures of a wall that stand on the page itself."""
THUMBNAIL_SIDE = 256
LABEL, TEXT, RECORD = 240, 8_000, 20_000
"""Characters of a text under a picture, in a trace, and of an input record."""
MOST_STEPS, MOST_REJECTIONS = 256, 512
TRACE_BYTES = 800_000
"""A trace that is longer than this on a page has its texts cut."""


@dataclass(slots=True)
class Wall:
    """The drawings of one verdict, or of one reason. Equal pictures on a page are stored once."""

    key: str
    number: int
    pages: Pages
    drawings: int = 0
    """Attempts, equal ones included."""
    first: list[dict[str, Any]] = field(default_factory=list)
    _seen: dict[str, int] = field(default_factory=dict)

    def add(
        self, trace: Told, step: ToldStep, one: Judged, where: tuple[str, int, int], names: list[str]
    ) -> tuple[int, int]:
        """Adds a drawing of a trace that stands at `where`; says on which page it is, and as which item."""
        self.pages.place()
        pictures = self.pages.head["pictures"]
        if not pictures:
            self._seen.clear()
        name = digest(one.candidate.image)
        if name not in self._seen:
            picture = shown_picture(one.candidate.image, THUMBNAIL_SIDE)
            self._seen[name] = len(pictures)
            pictures.append([picture.source, picture.width, picture.height, int(picture.hard_edges)])
            self.pages.weigh(len(picture.source))
            self._remember(picture, trace, step)
        self.drawings += len(one.attempts)
        scores = one.candidate.scores
        return self.pages.add(
            {
                "p": self._seen[name],
                "n": one.attempts,
                "t": where,
                "id": shortened(trace.id, LABEL),
                "s": step.index,
                "x": shortened(step.text, LABEL),
                "r": [shortened(reason, LABEL) for reason in one.reasons],
                "v": [_rounded(scores.get(name)) for name in names],
            }
        )

    def about(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "count": sum(self.pages.counts),
            "drawings": self.drawings,
            "pages": self.pages.counts,
        }

    def _remember(self, picture: Picture, trace: Told, step: ToldStep) -> None:
        if len(self.first) < FIRST and not self.pages.counts:
            text = shortened(step.text, LABEL)
            self.first.append({"picture": picture, "text": text, "id": shortened(trace.id, LABEL)})


def shown_trace(trace: Told, places: dict[int, list[Shown]]) -> dict[str, Any]:
    """A trace; `places` says by step where its drawings are shown."""
    found: dict[str, Any] = {}
    for most in (TEXT, 1_000, LABEL // 2):
        found = _trace(trace, places, most)
        if len(as_json(found)) < TRACE_BYTES:
            break
    return found


def _trace(trace: Told, places: dict[int, list[Shown]], most: int) -> dict[str, Any]:
    whole = trace.whole
    return {
        "id": shortened(trace.id, most),
        "q": shortened(trace.question, most),
        "a": shortened(trace.answer, most),
        "rule": trace.rule,
        "notes": [shortened(note, LABEL) for note in trace.notes],
        "from": _source(trace.source),
        "whole": None
        if whole is None
        else [whole.stage, shortened(whole.reason, LABEL), shortened(whole.detail, most)],
        "record": None if whole is None or whole.record is None else shortened(_pretty(whole.record), RECORD),
        "steps": [_step(step, places.get(step.index, []), most) for step in trace.steps[:MOST_STEPS]],
        "left": max(0, len(trace.steps) - MOST_STEPS),
        "out": [
            [r.step, r.stage, shortened(r.reason, LABEL), shortened(r.detail, LABEL)]
            for r in trace.rejections[:MOST_REJECTIONS]
            if r.attempt is None or r.stage != "gate"
        ],
    }


def shortened(text: str | None, most: int) -> Any:
    """The text, cut where it is longer than a page can show."""
    return text if text is None or len(text) <= most else f"{text[: most - 1]}…"


def _step(step: ToldStep, places: list[Shown], most: int) -> dict[str, Any]:
    prompt = step.drawings[0].prompt if step.drawings else None
    return {
        "i": step.index,
        "x": shortened(step.text, most),
        "v": step.verdict,
        "r": step.reason,
        "p": shortened(prompt, most) if prompt != step.text else None,
        "d": places,
    }


def _source(source: dict | None) -> str | None:
    return None if not source else f"{source.get('path')}, record {source.get('row')}"


def _pretty(record: object) -> str:
    if isinstance(record, str):
        return record
    return json.dumps(record, ensure_ascii=False, indent=1, default=str)


def _rounded(value: float | None) -> float | None:
    """Six significant digits: what tells two thresholds apart."""
    return None if value is None or value != value else float(f"{value:.6g}")
