"""Every score with a column, by name and in the order of the columns: the one list of them.

Columns and schemas, the default of `score.names`, the gate's idea of a missing score, `zero-engine schema scores`,
docs/scores.md and the report are all derived from `SCORES`. What computes a score lies in `zero_engine.score` under
the same name. Pure data: importing this imports nothing but the standard library.

A plugin's score has no entry here. It lands in the column `plugin_scores`.

AUC is the chance that a right drawing has the better score than a wrong one, ties half. It was measured once, on the
bundled nano model: held-out specifications of all kinds, drawings judged by the oracles, guidance 1.5, four drawings
a prompt (`AUC_FROM` has the command). `auc` is over all drawings, which is what a threshold needs; `auc_within` among
the drawings of one prompt, which is what ranking needs. Where lower is better the AUC is that of the negated score.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Needs = Literal["drawing", "painter", "model", "codes", "picture", "earlier", "checkpoint"]
NEEDS: dict[Needs, str] = {
    "drawing": "comes with the drawing, or takes a pass of the model that drew",
    "painter": "comes from a painter, with the drawing",
    "model": "a pass of the model that drew",
    "codes": "the drawing's codes and the codebook",
    "picture": "the pixels, and the step's text",
    "earlier": "the drawings of earlier steps of the trace",
    "checkpoint": "a model of its own",
}
"""What a score is computed from."""


@dataclass(frozen=True, slots=True)
class ScoreInfo:
    """What is known of a score before it is computed."""

    meaning: str
    better: Literal["higher", "lower"]
    range: tuple[float, float]
    unit: str
    """Empty for a plain number."""
    needs: Needs
    default: bool = True
    """Whether `score.names` holds it where a pipeline says nothing."""
    optional: bool = False
    """Whether a sound drawing can lack it; the gate then lets the drawing pass."""
    proposed: bool = True
    """Whether `plan --calibrate` proposes bounds for it."""
    since: int = 1
    """The schema version that brought its column; before, it lay in `plugin_scores`."""
    auc: float | None = None
    """Over all drawings; None where nano has no such score."""
    auc_within: float | None = None
    """Among the drawings of one prompt."""


def in_order(names: Iterable[str]) -> list[str]:
    """Names of scores in the order of the columns, plugins' after them by name; each once."""
    found = set(names)
    return [name for name in SCORES if name in found] + sorted(found - SCORES.keys())


AUC_FROM = "zero-engine models eval-nano --prompts 60 --candidates 2"
_INFINITE = float("inf")

SCORES: dict[str, ScoreInfo] = {
    "likelihood": ScoreInfo(
        "mean log p(codes | prompt), without guidance",
        "higher",
        (-_INFINITE, 0.0),
        "nats per code",
        "drawing",
        auc=0.94,
        auc_within=0.75,
    ),
    "unconditional": ScoreInfo(
        "mean log p(codes | nothing): how usual the drawing is, whatever the step; free with guidance above 1",
        "higher",
        (-_INFINITE, 0.0),
        "nats per code",
        "drawing",
        default=False,
        proposed=False,
    ),
    "caption": ScoreInfo(
        "mean log p(step | codes): the model reads its own drawing",
        "higher",
        (-_INFINITE, 0.0),
        "nats per token",
        "model",
        auc=0.49,
        auc_within=0.54,
    ),
    "alignment": ScoreInfo(
        "likelihood minus unconditional (PMI); a diagnostic that inverts under guidance",
        "higher",
        (-_INFINITE, _INFINITE),
        "nats per code",
        "model",
        auc=0.43,
        auc_within=0.53,
    ),
    "total_variation": ScoreInfo(
        "smoothness of the code vectors, 1 / (1 + tv / tau); 1 for a blank of one code, so never use it alone",
        "higher",
        (0.0, 1.0),
        "",
        "codes",
        auc=0.54,
        auc_within=0.54,
    ),
    "perception": ScoreInfo(
        "L_Pe: mean squared distance of the code vectors from the trained projection of the hidden states; "
        "absent where the model has no trained projection",
        "lower",
        (0.0, _INFINITE),
        "squared distance",
        "model",
        default=False,
        optional=True,
    ),
    "blank": ScoreInfo(
        "share of 8 x 8 tiles with nothing but the commonest colour; 1 for nano's sign 'no drawing fits'",
        "lower",
        (0.0, 1.0),
        "share",
        "picture",
        auc=0.51,
        auc_within=0.48,
    ),
    "contrast": ScoreInfo(
        "spread of luminance: 0 flat, 1 half black and half white",
        "higher",
        (0.0, 1.0),
        "",
        "picture",
        auc=0.46,
        auc_within=0.45,
    ),
    "sharpness": ScoreInfo(
        "variance v of the Laplacian as v / (v + 100): 0.5 at the customary limit of blur",
        "higher",
        (0.0, 1.0),
        "",
        "picture",
        auc=0.54,
        auc_within=0.44,
    ),
    "duplicate": ScoreInfo(
        "largest likeness to a drawing of an earlier step of the trace; 0 at the first step",
        "lower",
        (0.0, 1.0),
        "correlation",
        "earlier",
    ),
    "readback": ScoreInfo(
        "what is drawn against what the step says: 1 agrees, 0 contradicts; absent where nothing compares",
        "higher",
        (0.0, 1.0),
        "",
        "picture",
        optional=True,
        auc=0.94,
        auc_within=0.96,
    ),
    "arithmetic": ScoreInfo(
        "whether the step's own equations hold, whatever is drawn: a diagnostic; absent where it has none",
        "higher",
        (0.0, 1.0),
        "",
        "picture",
        optional=True,
        proposed=False,
        since=2,
    ),
    "ocr": ScoreInfo(
        "equations read in the picture by OCR against the step's, for pictures too large to be read exactly; "
        "absent where no digit is read (needs the extra ocr)",
        "higher",
        (0.0, 1.0),
        "",
        "checkpoint",
        default=False,
        optional=True,
        since=2,
    ),
    "clip": ScoreInfo(
        "similarity of picture and step under the CLIP or SigLIP checkpoint that score.clip names",
        "higher",
        (-1.0, 1.0),
        "cosine",
        "checkpoint",
        default=False,
    ),
    "roundtrip": ScoreInfo(
        "PSNR of a painted or given picture, fitted to the model's size, and what its codes decode to; absent where "
        "the model drew the codes itself",
        "higher",
        (-_INFINITE, 100.0),
        "dB",
        "painter",
        default=False,
        optional=True,
        since=2,
    ),
    "unread": ScoreInfo(
        "tokens at the prompt's end that a painter's text encoders cut; absent where the model drew the codes itself",
        "lower",
        (0.0, _INFINITE),
        "tokens",
        "painter",
        default=False,
        optional=True,
        since=2,
    ),
}
