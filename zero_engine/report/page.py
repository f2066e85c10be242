"""One HTML page about the drawings of a few traces, for `preview`.

The page is one file that needs nothing else: pictures are base64, there is no script, and its own
content security policy forbids every request. All data is escaped by the template. It follows the
reader's light or dark setting and works from the keyboard (native `details`, focusable scroll areas).

Pictures of up to 96 pixels are enlarged twice or more, with hard pixel edges; larger than 384 they
are stored as thumbnails, so that a page of 512-pixel drawings stays a few megabytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jinja2

from zero_engine.contracts.scores import in_order
from zero_engine.records import Candidate, ParsedTrace, Rejection, Trajectory
from zero_engine.report.pages import put_page
from zero_engine.report.pictures import Picture, shown_picture


@dataclass(frozen=True)
class PageCandidate:
    """One drawing as the page shows it."""

    attempt: int
    seed: int
    image: bytes
    scores: dict[str, float]
    kept: bool
    reasons: list[str]
    """Why it was left out; empty for one that passed, kept or not."""

    @cached_property
    def picture(self) -> Picture:
        return shown_picture(self.image)


@dataclass(frozen=True)
class PageStep:
    """One step with every drawing of it."""

    index: int
    text: str
    prompt: str | None
    candidates: list[PageCandidate]
    verdict: str
    reason: str | None

    @property
    def score_names(self) -> list[str]:
        """Scores that any drawing of the step has, in the order of the columns, plugins' last."""
        return in_order(name for candidate in self.candidates for name in candidate.scores)


@dataclass(frozen=True)
class PageTrace:
    """One trace with its steps."""

    id: str
    question: str
    answer: str | None
    steps: list[PageStep]
    notes: list[str]
    rejection: str | None


@dataclass(frozen=True)
class Table:
    """A titled table; numbers are right-aligned, with thousands separators."""

    title: str
    columns: list[str]
    rows: list[tuple]
    note: str = ""
    folded: bool = False
    """Shown at the end of the page, closed."""


def write_page(
    path: str | Path,
    *,
    title: str,
    subtitle: str,
    facts: Sequence[tuple[str, str]],
    tables: Sequence[Table],
    traces: Sequence[PageTrace],
) -> None:
    """Write the page under `path`, atomically. Raises OutputError where it cannot be written."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("zero_engine.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["cell"] = _cell
    page = environment.get_template("page.html.j2").render(
        title=title,
        subtitle=subtitle,
        facts=facts,
        tables=tables,
        traces=traces,
    )
    put_page(path, page)


def page_trace(
    parsed: ParsedTrace,
    candidates: Sequence[Candidate],
    outcome: Trajectory | Rejection,
    rejections: Sequence[Rejection],
) -> PageTrace:
    """One trace for the page: each step with its candidates, their scores and the verdict.

    `rejections` are those of this trace, of its steps and of its drawings.
    """
    verdicts = {v.step: v for v in outcome.verdicts} if isinstance(outcome, Trajectory) else {}
    steps = []
    for step in parsed.steps:
        verdict = verdicts.get(step.index)
        kept = verdict.candidate.attempt if verdict is not None and verdict.candidate is not None else None
        mine = sorted((c for c in candidates if c.step == step.index), key=lambda c: c.attempt)
        said = [r for r in rejections if r.step == step.index]
        steps.append(
            PageStep(
                index=step.index,
                text=step.text,
                prompt=mine[0].prompt if mine else None,
                candidates=[
                    PageCandidate(
                        attempt=c.attempt,
                        seed=c.seed,
                        image=c.image,
                        scores=dict(c.scores),
                        kept=c.attempt == kept,
                        reasons=[_reason(r) for r in said if r.attempt == c.attempt],
                    )
                    for c in mine
                ],
                verdict=verdict.verdict if verdict is not None else "dropped",
                reason=(verdict.reason if verdict is not None else None)
                or next((_reason(r) for r in said if r.attempt is None), None),
            )
        )
    rejection = f"{outcome.stage}: {_reason(outcome)}" if isinstance(outcome, Rejection) else None
    trace = parsed.trace
    return PageTrace(trace.id, trace.question, parsed.answer, steps, list(parsed.notes), rejection)


def _reason(rejection: Rejection) -> str:
    return f"{rejection.reason}: {rejection.detail}" if rejection.detail else rejection.reason


def _cell(value: object) -> str:
    """The text of a table cell: numbers with four digits, as in the report, lists with commas."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)
