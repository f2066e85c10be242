"""What a run says when it is done."""

import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from zero_engine.contracts.manifest import InputInfo, Manifest, ModelInfo, ShardEntry
from zero_engine.contracts.rows import SCHEMA_VERSION
from zero_engine.pipeline import Pipeline
from zero_engine.run.plan import Plan
from zero_engine.write.finish import side_files, unlisted_files
from zero_engine.write.manifest import read_manifest, versions
from zero_engine.write.unused import Unused


@dataclass(slots=True, repr=False)
class Summary:
    """What a run did and what the folder now holds."""

    out: str
    counts: dict
    plan: Plan
    drawn: int = 0
    """Pictures drawn in this run."""
    encoded: int = 0
    """Given pictures encoded in this run; all other pictures were reused."""
    unused: Unused = field(default_factory=Unused)
    """Drawings that this pipeline does not ask for, kept beside the dataset."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Worker seconds by stage, in this run."""
    wall_s: float = 0.0
    workers: int = 0

    def __repr__(self) -> str:
        """`Summary(out/mine: 61 rows of 64 traces, 192 of 218 steps with a picture, 872 drawn, 13.2 s)`."""
        counts = self.counts
        told = [f"{counts['rows']:,} rows of {counts['traces']:,} traces"]
        if counts["pictures"]:
            told.append(f"{counts['pictures_kept']:,} of {counts['steps']:,} steps with a picture")
        told += [f"{self.drawn:,} drawn", f"{self.wall_s:.1f} s"]
        return f"Summary({self.out}: {', '.join(told)})"

    def as_dict(self) -> dict:
        """All of it, JSON-able: what `zero-engine run --json` prints."""
        return {
            "out": self.out,
            "counts": self.counts,
            "plan": self.plan.as_dict(),
            "drawn": self.drawn,
            "encoded": self.encoded,
            "reused": self.counts["pictures"] - self.drawn - self.encoded,
            "unused": dataclasses.asdict(self.unused),
            "workers": self.workers,
            "wall_s": round(self.wall_s, 3),
            "pictures_per_s": round(self.drawn / self.wall_s, 2) if self.wall_s else 0.0,
            "seconds": {stage: round(s, 3) for stage, s in self.seconds.items()},
        }


def manifest_of(
    pipeline: Pipeline,
    model: str | None,
    known: ModelInfo | None,
    shards: list[ShardEntry],
    totals: dict,
    input_digest: str,
) -> Manifest:
    """The manifest of a finished folder. `model` is the generator's fingerprint, `known` what workers told of it."""
    if model and (known is None or known.fingerprint != model):  # nothing was ever drawn with it
        known = ModelInfo(name=pipeline.render.model, fingerprint=model)
    paths = pipeline.input.path
    return Manifest(
        name=pipeline.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        pipeline=pipeline.model_dump(mode="json"),
        fingerprints={"pipeline": pipeline.fingerprint, **({"model": model} if model else {})},
        model=known if model else None,
        input=InputInfo(
            paths=[paths] if isinstance(paths, str) else paths,
            records=totals["records"],
            digest=input_digest,
        ),
        shards=shards,
        counts=totals,
    )


def is_untidy(out: Path, pipeline: Pipeline) -> bool:
    """Whether a finished folder holds files that nobody lists, lacks what loads it, or tells of another pipeline."""
    manifest = read_manifest(out)
    if manifest.schema_version != SCHEMA_VERSION:
        return False
    if unlisted_files(out, manifest) or side_files(out, manifest):
        return True
    try:
        told = Pipeline.model_validate(manifest.pipeline)
    except ValueError:  # written by a version with other keys
        return False
    return _of_the_dataset(told) != _of_the_dataset(pipeline)


def _of_the_dataset(pipeline: Pipeline) -> dict:
    """All but where it lies and on what it was made: `retry` and `recover` go by it, and the card shows it."""
    told = pipeline.model_dump(mode="json", exclude={"dask"})
    del told["output"]["path"]
    return told
