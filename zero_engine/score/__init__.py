"""Scores of drawings, and the gate that keeps or rejects them by their scores.

likelihood.py, codebook.py, pixels.py, readback.py   what each score is
catalogue.py   every score by name: what it means, its range, what it needs
scorer.py      all scores of a shard's drawings, batched across its traces
gate.py        scores to verdicts, without a model
calibrate.py   thresholds from a sample
"""

from zero_engine.score.catalogue import SCORERS
from zero_engine.score.scorer import check_scores, score_candidates

__all__ = ["SCORERS", "check_scores", "score_candidates"]
