"""All scores of a shard's drawings: the score stage.

Contract: `score_candidates` returns the same candidates in the same order, each with the scores that
`score.names` asks for. What came with the drawing (`likelihood`, `unconditional`) stays as it is;
everything else is computed afresh, from the codes and the *encoded* picture, so scoring stored candidates
again gives what scoring fresh ones gave. Values are rounded to float32, as the files hold them, before
anything is derived from them or judged by them.

A score that fails on a drawing, or is not finite, is left out of that drawing and reported as a `Rejection`
of stage `score`, reason `<score>_failed`, `_out_of_memory`, `_too_long` or `_not_finite`; the drawing
stays. A score that does not apply (nothing to read back) is left out and not reported.

`PICTURE_SCORES` is where a new pixel score goes: name -> function of (RGB picture, step text).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from zero_engine.errors import PipelineError, ZeroEngineError
from zero_engine.images import decode_image
from zero_engine.models.base import UnifiedModel
from zero_engine.models.batching import BatchFailure, run_distinct
from zero_engine.pipeline import Score
from zero_engine.records import Candidate, ParsedTrace, Rejection
from zero_engine.render.prompts import plain_text, prose
from zero_engine.score import codebook, likelihood, pixels
from zero_engine.score.catalogue import SCORERS
from zero_engine.score.outside import outside_fingerprint, outside_scores, plugin_names, score_outside
from zero_engine.score.readback import is_nothing, readback

DRAWN = ("likelihood", "unconditional", "roundtrip", "unread")
"""Scores that come with a drawing."""

NEARLY_BLANK = 0.9
"""Only emptier pictures are compared with nano's sign "no drawing fits", which leaves 94 % empty."""


def _blank(image_HW3: np.ndarray, text: str) -> float:
    share = pixels.blank(image_HW3)
    return 1.0 if share > NEARLY_BLANK and is_nothing(image_HW3) else share


PICTURE_SCORES: dict[str, Callable[[np.ndarray, str], float | None]] = {
    "blank": _blank,
    "contrast": lambda image_HW3, text: pixels.contrast(image_HW3),
    "sharpness": lambda image_HW3, text: pixels.sharpness(image_HW3),
    "readback": readback,
}


def score_candidates(
    candidates: Sequence[Candidate], parsed: Sequence[ParsedTrace], model: UnifiedModel, score: Score
) -> tuple[list[Candidate], list[Rejection]]:
    """The candidates with their scores, and what could not be scored. Raises PipelineError for unknown names."""
    check_scores(score)
    sheet = _Sheet(candidates, parsed)
    _score_by_model(sheet, model, score.names)
    if "total_variation" in score.names and candidates:
        codebook_KD = model.codebook()
        for row, candidate in enumerate(candidates):
            value = _value_of(
                lambda c=candidate: codebook.total_variation(c.codes, codebook_KD, model.grid, score.tau)
            )
            sheet.put(row, "total_variation", value)
    _score_pictures(
        sheet, [name for name in PICTURE_SCORES if name in score.names], "duplicate" in score.names
    )
    for name in outside_scores(score):
        images = [candidate.image for candidate in candidates]
        texts = [plain_text(prose(text)) for text in sheet.texts]
        values = score_outside(name, images, texts, score, str(getattr(model, "device", "cpu")))
        for row, value in enumerate(values):
            sheet.put(row, name, value)
    return sheet.scored(), sheet.rejections()


def check_scores(score: Score) -> None:
    """Raise PipelineError where `score.names` holds a name that is no score, ModelError where one lacks its model."""
    known = [*SCORERS, *plugin_names()]
    for name in score.names:
        if name not in known:
            raise PipelineError(f"score.names: unknown score {name!r}. Known: {', '.join(known)}.")
    outside_fingerprint(score)


class _Sheet:
    """Scores and failures by row while a shard is scored; rows are candidates."""

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
        """Note a value, rounded to float32; None is a score that does not apply."""
        if isinstance(value, BatchFailure):
            self.failures.append((row, name, value))
        elif value is not None and not math.isfinite(np.float32(value)):
            self.failures.append((row, name, BatchFailure("not_finite", f"{name} is {value}")))
        elif value is not None:
            self.values[row][name] = float(np.float32(value))

    def lacking(self, name: str) -> list[int]:
        return [row for row, values in enumerate(self.values) if name not in values]

    def scored(self) -> list[Candidate]:
        order, last = {name: place for place, name in enumerate(SCORERS)}, len(SCORERS)
        return [
            replace(
                candidate,
                scores={n: values[n] for n in sorted(values, key=lambda n: (order.get(n, last), n))},
            )
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


def _score_by_model(sheet: _Sheet, model: UnifiedModel, names: Sequence[str]) -> None:
    """The passes through the model, each over just the rows that lack its result."""
    candidates = sheet.candidates
    if "likelihood" in names or "alignment" in names:
        rows = sheet.lacking("likelihood")
        prompts, codes = [candidates[row].prompt for row in rows], [candidates[row].codes for row in rows]
        for row, value in zip(rows, likelihood.likelihood(model, prompts, codes), strict=True):
            sheet.put(row, "likelihood", value)
    if "unconditional" in names or "alignment" in names:
        rows = sheet.lacking("unconditional")
        codes = [candidates[row].codes for row in rows]
        prior = dict(zip(rows, likelihood.likelihood(model, [""] * len(rows), codes), strict=True))
        if "unconditional" in names:
            for row, value in prior.items():
                sheet.put(row, "unconditional", value)
        if "alignment" in names:
            for row, values in enumerate(sheet.values):
                _put_alignment(
                    sheet, row, values.get("likelihood"), values.get("unconditional", prior.get(row))
                )
    if "caption" in names:
        texts = [plain_text(prose(text)) for text in sheet.texts]
        found = likelihood.caption(model, [candidate.codes for candidate in candidates], texts)
        for row, value in enumerate(found):
            sheet.put(row, "caption", value)


def _put_alignment(sheet: _Sheet, row: int, given: float | None, prior: float | BatchFailure | None) -> None:
    if isinstance(prior, BatchFailure):
        sheet.put(row, "alignment", prior)
    elif given is not None and prior is not None:
        sheet.put(row, "alignment", given - float(np.float32(prior)))


def _score_pictures(sheet: _Sheet, names: Sequence[str], duplicate: bool) -> None:
    """Decode each picture once and take all of its scores; thumbnails are all that stays of it."""
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
    for rows in by_trace.values():
        for row in rows:
            earlier = [r for r in rows if sheet.candidates[r].step < sheet.candidates[row].step]
            alike = (pixels.likeness(thumbnails[row], thumbnails[r]) for r in earlier)
            sheet.put(row, "duplicate", max(alike, default=0.0))


def _look(
    image: bytes, text: str, names: Sequence[str], duplicate: bool
) -> tuple[dict[str, float | BatchFailure | None], np.ndarray | None]:
    """The scores of one picture, or their failures, and its thumbnail where `duplicate` asks for one."""
    try:
        image_HW3 = decode_image(image)
    except ValueError as error:
        failure = BatchFailure("failed", str(error), type(error).__name__)
        return dict.fromkeys([*names, *(["duplicate"] if duplicate else [])], failure), None
    values = {name: _value_of(lambda name=name: PICTURE_SCORES[name](image_HW3, text)) for name in names}
    return values, pixels.thumbnail(image_HW3) if duplicate else None


def _value_of(function: Callable[[], float | None]) -> float | BatchFailure | None:
    """What the function returns, or its failure: one bad drawing must not cost its shard."""
    try:
        return function()
    except ZeroEngineError:
        raise
    except Exception as error:
        return BatchFailure("failed", str(error), type(error).__name__)
