"""What a run says when it is done."""

import dataclasses
from dataclasses import dataclass, field

from zero_engine.run.plan import Plan
from zero_engine.write.unused import Unused


@dataclass(slots=True)
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

    def as_dict(self) -> dict:
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
