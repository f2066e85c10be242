"""A run as a person sees it: what is committed, what is under way, what is kept, and how long the rest takes.

The driver tells of commits, workers tell of the shards that they are making (`flights`). Both meet here and go to a
`Progress`. What is committed counts traces, steps and pictures; shards under way count for the pace and the time left.
"""

import threading
import time
from collections import Counter

from zero_engine.contracts.manifest import Tally
from zero_engine.progress import Progress, clock

STAGES = {
    "start": "starting",
    "read": "reading",
    "parse": "parsing",
    "render": "drawing",
    "score": "scoring",
    "gate": "judging",
    "write": "writing",
}
"""Stages of a shard, in a person's words."""


class Account:
    """What the screen says of one run. Its methods may be called from any thread."""

    def __init__(self, progress: Progress, model: str | None) -> None:
        self._progress, self._model = progress, model
        self._lock = threading.Lock()
        self._records: dict[int, int] = {}
        self._done = 0.0
        self._drawn = self._pictures = self._distinct = self._steps = self._kept = self._traces = 0
        self._flights: dict[int, dict] = {}
        self._heard_at: dict[int, float] = {}
        self._drawing_since: dict[int, float] = {}
        self._total: int | None = None
        self._draws = False
        """Whether any shard draws by now: processes that start and models that load are no part of the pace."""
        self._began = self._paced = time.monotonic()
        self._stopping = False

    def begin(self, total: int | None, done: int) -> None:
        """Shards are made from here on; `done` of `total` records are committed already."""
        with self._lock:
            self._total, self._done = total, done
            self._began = self._paced = time.monotonic()
        self._progress.stage("starting", total, "records", done)

    def placed(self, shard: int, records: int) -> None:
        """A shard is handed out."""
        with self._lock:
            self._records[shard] = records

    def heard(self, facts: dict) -> None:
        """A worker says how far its shard is."""
        with self._lock:
            shard = facts["shard"]
            if facts.get("stage") == "done":
                self._flights.pop(shard, None)
            elif shard in self._records:
                self._flights[shard], self._heard_at[shard] = facts, time.monotonic()
                if facts.get("stage") == "loading":  # it is loaded in the middle of a stage
                    self._drawing_since.pop(shard, None)
                elif facts.get("stage") == "render":
                    self._drawing_since.setdefault(shard, time.monotonic())
            first = "of" in facts and not self._draws
            if first:
                self._draws, self._paced = True, min(self._drawing_since.values(), default=time.monotonic())
        if first and not self._stopping:
            self._progress.stage(
                "drawing", self._total, "records", self._done, since=self._began, paced_since=self._paced
            )
        self._show()

    def refresh(self) -> None:
        """Show it again: clocks have gone on."""
        self._show()

    def committed(self, shard: int, counts: Tally, drawn: int) -> None:
        """A shard is done."""
        with self._lock:
            self._flights.pop(shard, None)
            self._records.pop(shard, None)
            self._drawing_since.pop(shard, None)
            self._done += counts["records"]
            self._drawn += drawn
            self._pictures += counts["pictures"]
            self._distinct += counts.get("distinct_pictures", 0)
            self._steps += counts["steps"]
            self._kept += counts["pictures_kept"]
            self._traces += counts["traces"]
        self._show()

    def drain(self) -> str:
        """Nothing more begins: what is said to who asked for it."""
        with self._lock:
            self._stopping = True
            begun, left = len(self._flights), self._until_finished()
        self._show()
        if not begun:
            return "stopping; press again to stop now. The same command goes on from here."
        about = f" (about {clock(left)})" if left is not None else ""
        shards = f"{begun} shard" + "s" * (begun != 1)
        return f"finishing {shards}{about}; press again to stop now. The same command goes on from here."

    def _until_finished(self) -> float | None:
        """Seconds until all shards under way are done, as far as their pictures tell."""
        left = [seconds for facts in self._flights.values() if (seconds := self._left(facts)) is not None]
        return max(left, default=None)

    def _left(self, facts: dict) -> float | None:
        """Seconds until a shard is done, as far as its pictures tell."""
        share, since = self._share(facts), self._drawing_since.get(facts["shard"])
        if since is None or share < 0.1:
            return None
        return (time.monotonic() - since) * (1 - share) / share

    def _age(self, facts: dict) -> float:
        return facts.get("seconds", 0.0) + time.monotonic() - self._heard_at[facts["shard"]]

    def _share(self, facts: dict) -> float:
        """How much of a shard is done; its pictures are nearly all of its work."""
        if facts.get("stage") in ("gate", "write"):
            return 0.95
        return 0.9 * facts["drawn"] / facts["of"] if facts.get("of") else 0.0

    def _show(self) -> None:
        with self._lock:
            flights = [self._flights[shard] for shard in sorted(self._flights)]
            begun = sum(self._share(facts) * self._records.get(facts["shard"], 0) for facts in flights)
            drawn = self._drawn + sum(facts.get("drawn", 0) for facts in flights)
            name, done, figures = self._name(flights), self._done, self._figures(flights, drawn)
            parts = [self._part(facts) for facts in flights]
            going_on = not self._stopping
            if self._stopping and (left := self._until_finished()) is not None:
                figures.insert(0, f"about {clock(left)} left")
        self._progress.update(done, figures, parts, begun=begun, name=name, eta=going_on)

    def _name(self, flights: list[dict]) -> str | None:
        if self._stopping:
            return "finishing"
        stages = Counter(facts.get("stage", "start") for facts in flights)
        if not stages:
            return None
        if stages["render"] or self._drawn:
            return STAGES["render"]
        return self._said(stages.most_common(1)[0][0])

    def _figures(self, flights: list[dict], drawn: int) -> list[str]:
        elapsed_s = max(time.monotonic() - self._paced, 1e-9)
        figures = []
        if drawn:
            distinct = self._distinct + sum(facts.get("distinct", 0) for facts in flights)
            known = self._pictures + sum(facts.get("drawn", 0) for facts in flights)
            figures.append(f"{drawn / elapsed_s:.1f} pictures/s")
            figures.append(f"{100 * distinct / max(1, known):.0f} % distinct")
        elif self._traces:
            figures.append(f"{self._traces / elapsed_s:,.0f} traces/s")
        if self._pictures and self._steps:
            figures.append(f"{100 * self._kept / self._steps:.0f} % of steps kept")
        return figures

    def _part(self, facts: dict) -> str:
        """`shard 3: drawing, 96 of 280 pictures (31 distinct), 4 s`."""
        said = [f"shard {facts['shard']}: {self._said(facts.get('stage', 'start'))}"]
        if facts.get("of"):
            said.append(f"{facts['drawn']:,} of {facts['of']:,} pictures ({facts['distinct']:,} distinct)")
        if facts.get("attempt", 1) > 1:
            said.append(f"try {facts['attempt']}")
        said.append(clock(self._age(facts)))
        return ", ".join(said)

    def _said(self, stage: str) -> str:
        return f"loading {self._model or 'a model'}" if stage == "loading" else STAGES.get(stage, stage)
