"""The published contracts: what a row, a dead letter and a manifest look like to other programs.

rows.py      row types, with their Arrow schema and Hugging Face features
manifest.py  manifest.json
publish.py   the files in schemas/, generated from these

python -m zero_engine.contracts schemas/           # write schemas/*.json
python -m zero_engine.contracts --check schemas/   # exit 1 where they differ from the code
"""

from zero_engine.contracts.manifest import InputInfo, Manifest, ModelInfo, ShardEntry, ShardFile, Tally
from zero_engine.contracts.publish import schemas
from zero_engine.contracts.rows import (
    CANDIDATE,
    REJECTION,
    SCHEMA_VERSION,
    TRACE,
    TRAJECTORY,
    arrow_schema,
    features,
    stored_scores,
)

__all__ = [
    "CANDIDATE",
    "REJECTION",
    "SCHEMA_VERSION",
    "TRACE",
    "TRAJECTORY",
    "InputInfo",
    "Manifest",
    "ModelInfo",
    "ShardEntry",
    "ShardFile",
    "Tally",
    "arrow_schema",
    "features",
    "schemas",
    "stored_scores",
]
