"""`plan` of a training file: what it stands on, and how often it goes through its data. Nothing is trained.

What is missing is the usual error of one line: a checkpoint that is neither a folder nor to be fetched, a dataset that
no run has finished.
"""

from pathlib import Path
from typing import Any

from zero_engine.cli.options import print_json, table
from zero_engine.config import read_yaml


def training_kind(path: Path) -> str | None:
    """`sft` or `rl` where a file says a training, else None."""
    document = read_yaml(path)
    if not isinstance(document, dict) or "data" not in document or {"input", "draw"} & document.keys():
        return None
    from zero_engine.train.config import Rl, Sft

    return "rl" if document.keys() & (Rl.model_fields.keys() - Sft.model_fields.keys()) else "sft"


def plan_training(path: Path, kind: str, overrides: list[str], json: bool) -> None:
    """Says what a training would do. Raises ModelError or OutputError for what it lacks."""
    from zero_engine.models import model_fingerprint
    from zero_engine.train.config import load_training
    from zero_engine.train.mixture import Mixture
    from zero_engine.write.dataset import open_rows

    config = load_training(path, kind, overrides)
    model_fingerprint(config.model)
    sources = config.data.parts
    mixed = Mixture([open_rows(one.path, ["id", "question"], one.limit) for one in sources], sources)
    asked = config.steps * (config.batch_size if kind == "sft" else config.prompts * config.rounds)
    parts: list[dict[str, Any]] = [
        {
            "path": part.path,
            "rows": count,
            "weight": part.weight,
            "share": round(float(share), 4),
            "passes": round(asked * float(share) / count, 2),
        }
        for part, count, share in zip(sources, mixed.rows_trained_on(), mixed.shares, strict=True)
    ]
    rows = sum(part["rows"] for part in parts)
    facts = {
        "kind": kind,
        "model": config.model,
        "output": config.output,
        "data": parts,
        "steps": config.steps,
        "rows_read": asked,
        "passes": round(asked / max(1, rows), 2),
    }
    if json:
        print_json(facts)
        return
    table(
        f"{config.name}: {kind} of {config.model} -> {config.output}",
        ["", ""],
        [
            *((f"rows of {part['path']}", part["rows"]) for part in parts),
            ("steps", config.steps),
            ("rows read", asked),
            *(
                (f"passes over {part['path']}", f"{part['passes']} ({part['share']:.1%} of the rows read)")
                for part in (parts if len(parts) > 1 else ())
            ),
            ("passes over the data", facts["passes"]),
        ],
    )
