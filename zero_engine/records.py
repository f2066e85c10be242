"""The records that flow through the pipeline, one type a stage.

    read -> Trace -> parse -> ParsedTrace -> render, score -> Candidate -> gate -> Trajectory -> write

and, from any stage, Rejection: what was left out, why, and the input it came from. All are frozen;
a stage returns new records. None knows about files, models or Dask.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True)
class Source:
    """Where a trace came from."""

    name: str
    """Short name of the corpus, e.g. `gsm8k`."""
    path: str
    """The file as the user named it."""
    row: int
    """Zero-based position of the record in its file (of the line, for JSON Lines)."""
    license: str | None = None


PICTURE = "\ufffc"
"""Stands in a text where a picture stands (the object replacement character)."""


@dataclass(frozen=True, slots=True)
class Given:
    """A picture that the corpus brought for a step."""

    at: int
    """Characters of the rationale before it; where the corpus marks the steps itself, the index of its step."""
    name: str
    """Where it stands in the input, for rejections: file, record and key."""
    reference: object = None
    """Bytes, base64, data URL, path, or datasets' {bytes, path}, as the corpus has it."""
    image: bytes | None = None
    """The encoded picture, once `read.given` has loaded it."""
    problem: tuple[str, str] | None = None
    """Reason and detail where it could not be loaded."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A question, a rationale and an answer, as read, and the pictures that the corpus gives with them."""

    id: str
    question: str
    rationale: str
    answer: str | None
    source: Source
    steps: tuple[str, ...] | None = None
    """Step texts where the corpus itself marks them; None where the parse stage has to find them."""
    choices: tuple[str, ...] = ()
    question_images: tuple[bytes, ...] = ()
    """Encoded pictures (PNG, JPEG, ...) that belong to the question. `question` has a `PICTURE` in the place of each,
    or none at all where the corpus does not say where they stand."""
    notes: tuple[str, ...] = ()
    """Codes of what reading or parsing had to repair or cut, e.g. `surrogate_replaced`."""
    record: object = None
    """The input record, kept for rejections. JSON-able."""
    key: str = ""
    """What seeds are made of: the record's own id, else a digest of its texts. Unlike `id` it need not be unique."""
    given: tuple[Given, ...] = ()
    """Pictures of the rationale or its steps, in their order."""


@dataclass(frozen=True, slots=True)
class Step:
    """One unit of a rationale."""

    index: int
    text: str
    given: Given | None = None
    """The picture that the corpus gives for it."""


@dataclass(frozen=True, slots=True)
class ParsedTrace:
    """A trace cut into steps, with its answer extracted."""

    trace: Trace
    steps: tuple[Step, ...]
    answer: str | None
    rule: str
    """The segmentation rule that was used: given, markers, blank_lines, lines, sentences, whole."""
    notes: tuple[str, ...] = ()
    """Reading notes and parse notes, e.g. `steps_capped`, `step_truncated`."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One drawing of one step."""

    trace_id: str
    step: int
    attempt: int
    seed: int
    prompt: str
    """Text it was made from, with U+FFFC where a picture stood."""
    codes: np.ndarray
    """(N,) uint16 VQ indices in row-major order; never vocabulary ids."""
    image: bytes
    """Encoded picture, in the pipeline's `output.image_format`: what the codes decode to where it was drawn, its own
    pixels where it was painted; a given one as it came."""
    scores: dict[str, float] = field(default_factory=dict)
    """Built-in and plugin scores by name; one that was not computed, or does not apply, is absent."""
    identity: str = ""
    """What makes it the drawing it is, 32 hex digits (`render.identity`)."""
    origin: str = "drawn"
    """drawn (by the unified model), painted (by a painter), served (painted by a server) or given (by the corpus)."""
    shown: tuple[np.ndarray, ...] = ()
    """Codes of the pictures that stood in its prompt, where they are known; not written to files."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate said of one step: the candidate it keeps, or why none."""

    step: int
    verdict: str
    """kept, text_only (the step stays, without a picture) or dropped (the step goes)."""
    reason: str | None = None
    """Reason code where nothing was kept, e.g. `likelihood_low`, `blank_high`, `not_drawn`."""
    candidate: Candidate | None = None


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A parsed trace with the drawings it keeps: one row of the dataset."""

    parsed: ParsedTrace
    verdicts: tuple[Verdict, ...]
    """One for each step that stays, in the order of the steps."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A trace (step is None), a step (attempt is None) or a drawing that was left out, and why."""

    trace_id: str
    stage: str
    reason: str
    detail: str = ""
    step: int | None = None
    attempt: int | None = None
    exception: str | None = None
    record: object = None
    """The input record for a whole trace, the step's text otherwise. JSON-able."""

    @property
    def is_whole_trace(self) -> bool:
        return self.step is None
