"""What has to be done for each shard, and why.

A shard's stages are keyed by content, each key over the one before it:

    read   <- the records' bytes and where they stand, the column map
    parse  <- read, the parse section
    render <- parse, the render section, the model's files, the run's seed
    score  <- render, the score section, the checkpoints and plugins that score
    gate   <- score, the gate section, the pipeline's fingerprint (it stands in every row)

A shard resumes at the first stage whose key changed. Reading and parsing are cheap and are always
repeated; what is never repeated without need is drawing and scoring, whose results lie in
`candidates/`. `VERSIONS` is raised by hand when a stage's code changes what it writes.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from zero_engine.contracts.manifest import ShardEntry
from zero_engine.hashing import digest, digest_json
from zero_engine.pipeline import Pipeline
from zero_engine.read import Chunk
from zero_engine.score.outside import outside_fingerprint
from zero_engine.write.dataset import is_whole

STAGES = ("read", "parse", "render", "score", "gate")
VERSIONS = {"read": 9, "parse": 7, "render": 3, "score": 4, "gate": 5}
DAMAGED = " is missing or damaged"
RESUME_AT = {"read": "render", "parse": "render", "render": "render", "score": "score", "gate": "gate"}


def stage_keys(pipeline: Pipeline, model: str | None, chunk: Chunk) -> dict[str, str]:
    """The key of every stage of one shard, 16 hex digits each."""
    parameters = pipeline.stage_parameters()
    keys, previous = {}, chunk.digest
    scorers = outside_fingerprint(pipeline.score) if model else ""
    extras = {"render": model or "", "score": scorers, "gate": pipeline.fingerprint}
    for stage in STAGES:
        extra = extras.get(stage, "")
        previous = digest(previous, stage, str(VERSIONS[stage]), digest_json(parameters[stage]), extra)[:16]
        keys[stage] = previous
    return keys


def scoring_key(pipeline: Pipeline) -> str:
    """How drawings are scored: 16 hex digits over the score section, what scores, and the version of the code.

    `duplicate` compares the drawings of a trace, so how many there are of a step is a part of it.
    """
    parameters = digest_json(pipeline.stage_parameters()["score"])
    rivals = (
        f"{pipeline.render.candidates} {pipeline.render.given}" if "duplicate" in pipeline.score.names else ""
    )
    return digest(str(VERSIONS["score"]), parameters, outside_fingerprint(pipeline.score), rivals)[:16]


@dataclass(frozen=True, slots=True)
class Decision:
    """What one shard needs: `start` is None where it is done, else render, score or gate."""

    start: str | None
    why: str

    @property
    def trusts_files(self) -> bool:
        """Whether the committed drawings and rejections are what the entry says."""
        return self.start != "render" or not self.why.endswith(DAMAGED)


def decide(entry: ShardEntry | None, keys: dict[str, str], out: Path, again: bool = False) -> Decision:
    """Compare a committed shard with the keys it should have and with its files, of which every byte is read.

    `again` asks for a shard that is done once more: what failed in it is tried again.
    """
    if entry is None:
        return Decision("render", "new")
    damaged = [file for file in entry.files() if not is_whole(out, file)]
    if damaged and damaged != [entry.data]:  # drawings, or what could not be drawn: not to be built on
        return Decision("render", damaged[-1].name + DAMAGED)
    for stage in STAGES:
        if entry.keys.get(stage) != keys[stage]:
            return Decision("render" if again else RESUME_AT[stage], f"{stage} changed")
    if damaged:
        return Decision("render" if again else "gate", entry.data.name + DAMAGED)
    return Decision("render", "tried again") if again else Decision(None, "done")


@dataclass(slots=True)
class Plan:
    """Totals over all shards: how many need which stage, and for what reasons."""

    shards: int = 0
    records: int = 0
    starts: Counter = field(default_factory=Counter)
    reasons: Counter = field(default_factory=Counter)

    def add(self, chunk: Chunk, decision: Decision) -> None:
        self.shards += 1
        self.records += chunk.rows
        self.starts[decision.start or "done"] += 1
        self.reasons[decision.why] += 1

    @property
    def is_done(self) -> bool:
        """Whether no shard is to be made."""
        return self.starts["done"] == self.shards

    def damage(self) -> str | None:
        """What to say of files that are not what was committed."""
        found = [why for why in self.reasons if why.endswith(DAMAGED)]
        more = f" (and {len(found) - 1} more)" * (len(found) > 1)
        return f"{found[0]}{more}: made again; drawings in whole files were reused." if found else None

    def as_dict(self) -> dict:
        return {
            "shards": self.shards,
            "records": self.records,
            "to_draw": self.starts["render"],
            "to_score": self.starts["score"],
            "to_gate": self.starts["gate"],
            "done": self.starts["done"],
            "reasons": dict(self.reasons),
        }
