"""The published contracts: the layout of rows, rejections and manifests, for other programs.

scores.py    every score with a column: what it means, its range, what it needs
rows.py      row types, with their Arrow schema and Hugging Face features
manifest.py  manifest.json
publish.py   the files in schemas/ and docs/scores.md, generated from these

python -m zero_engine.contracts schemas/ docs/           # write schemas/*.json and docs/scores.md
python -m zero_engine.contracts --check schemas/ docs/   # exit 1 where they differ from the code
"""

from zero_engine.contracts.manifest import InputInfo, Manifest, ModelInfo, ShardEntry, ShardFile, Tally
from zero_engine.contracts.rows import (
    CANDIDATE,
    REJECTION,
    SCHEMA_VERSION,
    TRACE,
    TRAJECTORY,
    arrow_schema,
    features,
    scores_in,
    stored_scores,
)
from zero_engine.contracts.scores import SCORES, ScoreInfo

__all__ = [
    "CANDIDATE",
    "REJECTION",
    "SCHEMA_VERSION",
    "SCORES",
    "TRACE",
    "TRAJECTORY",
    "InputInfo",
    "Manifest",
    "ModelInfo",
    "ScoreInfo",
    "ShardEntry",
    "ShardFile",
    "Tally",
    "arrow_schema",
    "features",
    "scores_in",
    "stored_scores",
]
