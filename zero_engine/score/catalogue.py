"""Every score by name: what it means, which way is better, its range, what it needs.

The gate, `plan --calibrate`, the documentation and `zero-engine schema scores` read this table; nothing here
computes. AUC, where given, is the chance that a right drawing outscores a wrong one of the same step, without
guidance, by the oracles of a prototype of the nano model; `zero-engine models calibrate` measures the bundled one.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Scorer:
    """What is known of a score before it is computed."""

    description: str
    better: Literal["higher", "lower"]
    range: tuple[float, float]
    needs: str
    """drawing (comes with it), model (another pass), codes, picture, earlier (drawings of the trace), checkpoint."""
    optional: bool = False
    """Whether a sound drawing can lack it; the gate then lets the drawing pass."""


_INFINITE = float("inf")
_LOG = (-_INFINITE, 0.0)

SCORERS: dict[str, Scorer] = {
    "likelihood": Scorer(
        "mean log p(codes | prompt), nats per code, without guidance; the best single rank (AUC .79)",
        "higher",
        _LOG,
        "drawing",
    ),
    "unconditional": Scorer(
        "mean log p(codes | nothing), nats per code; free with guidance above 1",
        "higher",
        _LOG,
        "drawing",
    ),
    "caption": Scorer(
        "mean log p(step | codes), nats per token: the model reads its own drawing; best where binding fails",
        "higher",
        _LOG,
        "model",
    ),
    "alignment": Scorer(
        "likelihood minus unconditional (PMI), nats per code; a diagnostic, inverts under guidance",
        "higher",
        (-_INFINITE, _INFINITE),
        "model",
    ),
    "total_variation": Scorer(
        "smoothness of the code vectors, 1 / (1 + tv / tau); 1 for a one-code blank, so never alone",
        "higher",
        (0.0, 1.0),
        "codes",
    ),
    "blank": Scorer(
        "share of 8 x 8 tiles with only the commonest colour; 1 for nano's sign 'no drawing fits'",
        "lower",
        (0.0, 1.0),
        "picture",
    ),
    "contrast": Scorer(
        "spread of luminance: 0 flat, 1 half black and half white", "higher", (0.0, 1.0), "picture"
    ),
    "sharpness": Scorer(
        "variance of the Laplacian v as v / (v + 100): 0.5 at the customary limit of blur",
        "higher",
        (0.0, 1.0),
        "picture",
    ),
    "duplicate": Scorer(
        "largest likeness to a drawing of an earlier step of the trace; 0 at the first step",
        "lower",
        (0.0, 1.0),
        "earlier",
    ),
    "roundtrip": Scorer(
        "PSNR in dB of a painted picture and what its codes decode to; absent where the model drew the codes itself",
        "higher",
        (-_INFINITE, 100.0),
        "drawing",
        optional=True,
    ),
    "unread": Scorer(
        "tokens at the prompt's end that a painter's text encoders cut; absent where the model drew the codes itself",
        "lower",
        (0.0, _INFINITE),
        "drawing",
        optional=True,
    ),
    "readback": Scorer(
        "what is drawn against what the step says: 1 agrees, 0 contradicts; absent where nothing compares",
        "higher",
        (0.0, 1.0),
        "picture",
        optional=True,
    ),
    "clip": Scorer(
        "cosine of the drawing's and the step's embeddings by the CLIP or SigLIP checkpoint that score.clip names",
        "higher",
        (-1.0, 1.0),
        "checkpoint",
    ),
}
