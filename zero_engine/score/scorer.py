"""The score stage: all scores of a shard's drawings.

Contract: `score_candidates` returns the same candidates in the same order, each with the scores that
`score.names` lists. Scores that came with the drawing (`likelihood`, and a painter's scores) are kept; all others are
computed from the codes and the *encoded* picture, so stored candidates get the same scores as fresh ones. Values are
rounded to float32, as the files hold them, before other scores are derived from them and before the gate.

A score that fails on a drawing, or is not finite, is left out of that drawing and reported as a `Rejection`
of stage `score`, reason `<score>_failed`, `_out_of_memory`, `_too_long` or `_not_finite`; the drawing
stays. A score that does not apply (e.g. a step without a statement to read back) is left out and not reported.

`contracts.scores` describes each score. Its function is here, under the same name, in the table for its inputs:
`BY_MODEL`, `BY_CODES`, `BY_PICTURE`, `BY_EARLIER`, or `BUNDLED` of `score.outside`. A painter computes its own scores
when it paints.
"""

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from zero_engine.batches import BatchFailure, run_distinct
from zero_engine.contracts.scores import SCORES, in_order
from zero_engine.errors import PipelineError, ZeroEngineError
from zero_engine.images import decode_image
from zero_engine.models.base import UnifiedModel
from zero_engine.models.prompt import Prompt
from zero_engine.pipeline import Score
from zero_engine.records import Candidate, ParsedTrace, Rejection
from zero_engine.render.prompts import assemble, plain_text, prose
from zero_engine.score import codebook, likelihood, pixels
from zero_engine.score.arithmetic import arithmetic
from zero_engine.score.outside import outside_fingerprint, outside_scores, plugin_names, score_outside
from zero_engine.score.readback import is_nothing, readback

DRAWN = tuple(name for name, score in SCORES.items() if score.needs in ("drawing", "painter"))
"""Scores that come with a drawing."""

NEARLY_BLANK = 0.9
"""Only pictures that are emptier than this are compared with nano's sign "no drawing fits", which is 94 % empty."""


def _blank(image_HW3: np.ndarray, text: str) -> float:
    share = pixels.blank(image_HW3)
    return 1.0 if share > NEARLY_BLANK and is_nothing(image_HW3) else share


BY_PICTURE: dict[str, Callable[[np.ndarray, str], float | None]] = {
    "blank": _blank,
    "contrast": lambda image_HW3, text: pixels.contrast(image_HW3),
    "sharpness": lambda image_HW3, text: pixels.sharpness(image_HW3),
    "arithmetic": arithmetic,
    "readback": readback,
}
"""Functions of an RGB picture and the step's text."""

BY_CODES: dict[str, Callable[..., float]] = {"total_variation": codebook.total_variation}
"""Functions of a drawing's codes, the codebook, the grid and `score.tau`."""

BY_EARLIER: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {"duplicate": pixels.likeness}
"""Functions of two thumbnails; a drawing's score is the largest over the earlier steps of its trace."""


def score_candidates(
    candidates: Sequence[Candidate],
    parsed: Sequence[ParsedTrace],
    model: UnifiedModel,
    score: Score,
    before: Sequence[Candidate] = (),
) -> tuple[list[Candidate], list[Rejection]]:
    """The candidates with their scores, and a rejection for each score that failed.

    `before` are drawings of earlier steps, scored already; `duplicate` compares with them, too. Raises PipelineError
    for unknown names.
    """
    check_scores(score)
    sheet = _Sheet(candidates, parsed)
    _score_by_model(sheet, model, score.names)
    _score_codes(sheet, model, score)
    names = [name for name in BY_PICTURE if name in score.names]
    _score_pictures(sheet, names, "duplicate" in score.names, before)
    for name in outside_scores(score):
        images = [candidate.image for candidate in candidates]
        texts = [plain_text(prose(text)) for text in sheet.texts]
        values = score_outside(name, images, texts, score, str(model.device))
        for row, value in enumerate(values):
            sheet.put(row, name, value)
    return sheet.scored(), sheet.rejections()


def prompt_of(candidate: Candidate) -> Prompt:
    """The candidate's whole prompt, with its pictures."""
    return assemble(candidate.prompt, candidate.shown)


def check_scores(score: Score) -> None:
    """Raises PipelineError for an unknown name in `score.names`, ModelError for a score whose model is missing."""
    known = [*SCORES, *plugin_names()]
    for name in score.names:
        if name not in known:
            raise PipelineError(f"score.names: unknown score {name!r}. Known: {', '.join(known)}.")
    outside_fingerprint(score)


class _Sheet:
    """Scores and failures of a shard's candidates, one row a candidate, while they are computed."""

    def __init__(self, candidates: Sequence[Candidate], parsed: Sequence[ParsedTrace]):
        texts = {(trace.trace.id, step.index): step.text for trace in parsed for step in trace.steps}
        self.candidates = candidates
        self.texts = [texts[candidate.trace_id, candidate.step] for candidate in candidates]
        self.values: list[dict[str, float]] = [{} for _ in candidates]
        self.failures: list[tuple[int, str, BatchFailure]] = []
        for row, candidate in enumerate(candidates):
            for name in DRAWN:
                if name in candidate.scores:
                    self.put(row, name, candidate.scores[name])

    def put(self, row: int, name: str, value: float | BatchFailure | None) -> None:
        """Stores a value, rounded to float32, or a failure; None, for a score that does not apply, is not stored."""
        if isinstance(value, BatchFailure):
            self.failures.append((row, name, value))
        elif value is not None:
            with np.errstate(over="ignore"):  # what float32 cannot hold is a failure, and needs no warning
                rounded = float(np.float32(value))
            if math.isfinite(rounded):
                self.values[row][name] = rounded
                return
            self.failures.append((row, name, BatchFailure("not_finite", f"{name} is {value}")))

    def codes(self, rows: Sequence[int] | None = None) -> list[np.ndarray]:
        """Codes of the given rows, of all by default."""
        return [self.candidates[row].codes for row in (range(len(self.candidates)) if rows is None else rows)]

    def lacking(self, name: str) -> list[int]:
        return [row for row, values in enumerate(self.values) if name not in values]

    def scored(self) -> list[Candidate]:
        return [
            replace(candidate, scores={name: values[name] for name in in_order(values)})
            for candidate, values in zip(self.candidates, self.values, strict=True)
        ]

    def rejections(self) -> list[Rejection]:
        return [
            Rejection(
                self.candidates[row].trace_id,
                "score",
                f"{name}_{failure.reason}",
                failure.detail,
                self.candidates[row].step,
                self.candidates[row].attempt,
                failure.exception,
                self.texts[row],
            )
            for row, name, failure in sorted(self.failures, key=lambda entry: entry[:2])
        ]


_Found = dict[int, float | BatchFailure | None]
"""Values or failures by row."""


def _score_by_model(sheet: _Sheet, model: UnifiedModel, names: Sequence[str]) -> None:
    """Runs the model's passes; a pass skips rows that have its score already."""
    asked = {*names, "likelihood"} if "alignment" in names else set(names)
    for name, function in BY_MODEL.items():
        if name in asked:
            for row, value in function(sheet, model).items():
                sheet.put(row, name, value)


def _likelihood(sheet: _Sheet, model: UnifiedModel) -> _Found:
    rows = sheet.lacking("likelihood")
    prompts = [prompt_of(sheet.candidates[row]) for row in rows]
    return dict(zip(rows, likelihood.likelihood(model, prompts, sheet.codes(rows)), strict=True))


def _unconditional(sheet: _Sheet, model: UnifiedModel) -> _Found:
    rows = sheet.lacking("unconditional")
    return dict(zip(rows, likelihood.likelihood(model, [""] * len(rows), sheet.codes(rows)), strict=True))


def _alignment(sheet: _Sheet, model: UnifiedModel) -> _Found:
    prior: _Found = {row: values.get("unconditional") for row, values in enumerate(sheet.values)}
    prior |= _unconditional(sheet, model)
    found: _Found = {}
    for row, values in enumerate(sheet.values):
        before, given = prior[row], values.get("likelihood")
        if isinstance(before, BatchFailure):
            found[row] = before
        elif before is not None and given is not None:
            found[row] = given - float(np.float32(before))
    return found


def _caption(sheet: _Sheet, model: UnifiedModel) -> _Found:
    texts = [plain_text(prose(text)) for text in sheet.texts]
    return dict(enumerate(likelihood.caption(model, sheet.codes(), texts)))


def _perception(sheet: _Sheet, model: UnifiedModel) -> _Found:
    if not model.has_projection:
        return {}
    prompts = [prompt_of(candidate) for candidate in sheet.candidates]
    return dict(enumerate(likelihood.perception(model, prompts, sheet.codes())))


BY_MODEL: dict[str, Callable[[_Sheet, UnifiedModel], _Found]] = {
    "likelihood": _likelihood,
    "unconditional": _unconditional,
    "caption": _caption,
    "alignment": _alignment,
    "perception": _perception,
}
"""Passes of the model over the drawings. `alignment` comes after the scores that it is computed from."""


def _score_codes(sheet: _Sheet, model: UnifiedModel, score: Score) -> None:
    names = [name for name in BY_CODES if name in score.names]
    codebook_KD = model.codebook() if names and sheet.candidates else None
    for name in names:
        for row, candidate in enumerate(sheet.candidates):
            value = _value_of(BY_CODES[name], candidate.codes, codebook_KD, model.grid, score.tau)
            sheet.put(row, name, value)


def _score_pictures(
    sheet: _Sheet, names: Sequence[str], duplicate: bool, before: Sequence[Candidate]
) -> None:
    """Decodes each picture once for all of its scores; only thumbnails stay in memory."""
    if not names and not duplicate:
        return

    def look(
        seen: list[tuple[bytes, str]],
    ) -> list[tuple[dict[str, float | BatchFailure | None], np.ndarray | None]]:
        return [_look(image, text, names, duplicate) for image, text in seen]

    pictures = [
        (candidate.image, text) for candidate, text in zip(sheet.candidates, sheet.texts, strict=True)
    ]
    thumbnails: dict[int, np.ndarray] = {}
    for row, (values, thumbnail) in enumerate(run_distinct(pictures, lambda picture: picture, look)):
        for name, value in values.items():
            sheet.put(row, name, value)
        if thumbnail is not None:
            thumbnails[row] = thumbnail
    by_trace: dict[str, list[int]] = {}
    for row in thumbnails:
        by_trace.setdefault(sheet.candidates[row].trace_id, []).append(row)
    seen = _thumbnails(before, set(by_trace)) if duplicate else {}
    for trace_id, rows in by_trace.items():
        for row in rows:
            step = sheet.candidates[row].step
            earlier = [thumbnails[r] for r in rows if sheet.candidates[r].step < step]
            earlier += [thumbnail for at, thumbnail in seen.get(trace_id, []) if at < step]
            alike = (BY_EARLIER["duplicate"](thumbnails[row], other) for other in earlier)
            sheet.put(row, "duplicate", max(alike, default=0.0))


def _thumbnails(before: Sequence[Candidate], traces: set[str]) -> dict[str, list[tuple[int, np.ndarray]]]:
    """(step, thumbnail) of the distinct readable drawings of these traces, by trace."""
    seen: dict[str, dict[tuple[int, bytes], np.ndarray]] = {}
    for candidate in before:
        key, found = (candidate.step, candidate.image), seen.setdefault(candidate.trace_id, {})
        if candidate.trace_id in traces and key not in found:
            with contextlib.suppress(ValueError):  # its failure was reported when it was scored
                found[key] = pixels.thumbnail(decode_image(candidate.image))
    return {trace_id: [(step, shot) for (step, _), shot in found.items()] for trace_id, found in seen.items()}


def _look(
    image: bytes, text: str, names: Sequence[str], duplicate: bool
) -> tuple[dict[str, float | BatchFailure | None], np.ndarray | None]:
    """The scores of one picture, or their failures, and its thumbnail if `duplicate` is set."""
    try:
        image_HW3 = decode_image(image)
    except ValueError as error:
        failure = BatchFailure("failed", str(error), type(error).__name__)
        return dict.fromkeys([*names, *(["duplicate"] if duplicate else [])], failure), None
    values = {name: _value_of(BY_PICTURE[name], image_HW3, text) for name in names}
    return values, pixels.thumbnail(image_HW3) if duplicate else None


def _value_of(function: Callable[..., float | None], *arguments: object) -> float | BatchFailure | None:
    """The function's value, or its failure, so that one bad drawing does not stop its shard."""
    try:
        return function(*arguments)
    except ZeroEngineError:
        raise
    except Exception as error:
        return BatchFailure("failed", str(error), type(error).__name__)
