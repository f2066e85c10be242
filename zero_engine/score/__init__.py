"""Scores of drawings, and the gate that keeps or rejects them by their scores. `contracts.scores` lists them all.

likelihood.py, codebook.py, pixels.py, readback.py   the functions of the scores
scorer.py      all scores of a shard's drawings, batched across its traces; the functions by name
outside.py     scores with a model of their own, and plugins'; clip.py is the bundled one
gate.py        scores to verdicts, without a model
calibrate.py   thresholds from a sample
"""

from zero_engine.score.scorer import check_scores, score_candidates

__all__ = ["check_scores", "score_candidates"]
