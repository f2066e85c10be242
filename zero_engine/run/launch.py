"""Shards on their way: placed, waited for, and placed again when their worker is lost.

A shard that has begun keeps a file fresh (`flights`). When that has not changed for SILENT_S, its worker is taken to be
gone (cut off, or stopped) and only that shard is placed anew. A shard that merely waits for its turn is never late. A
result of a worker with other code than the driver's is thrown away.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from zero_engine.errors import OutputError
from zero_engine.pipeline import Dask
from zero_engine.run.cluster import Died, Executor, Job
from zero_engine.run.contain import make_shard
from zero_engine.run.flights import BEAT_S, flights
from zero_engine.run.sameness import code_digest
from zero_engine.run.stages import ShardResult, ShardTask
from zero_engine.write.place import discard

SILENT_S = 24 * BEAT_S
LOST_AT_MOST = 20
"""Workers that one shard may lose before the run ends: no record is to blame for that."""


@dataclass(slots=True)
class _Flight:
    task: ShardTask
    lost: int = 0
    beat: object = None
    heard_at: float = field(default_factory=time.monotonic)


class Launcher:
    """A window of shards in flight."""

    def __init__(self, executor: Executor, dask: Dask, out: str, say: Callable[[str], None]) -> None:
        self._executor, self._dask, self._out, self._say = executor, dask, out, say
        self.flights: dict[Job, _Flight] = {}
        self.unbegun = 0
        """Shards that came back untouched, because the run is to stop."""
        self._looked_at = time.monotonic()

    @property
    def is_remote(self) -> bool:
        return self._executor.is_remote

    @property
    def workers(self) -> int:
        return self._executor.workers

    @property
    def is_full(self) -> bool:
        return len(self.flights) >= self.workers * self._dask.shards_in_flight

    def launch(self, task: ShardTask) -> None:
        self._launch(_Flight(task))

    def collect(self) -> list[tuple[ShardTask, ShardResult]]:
        """Wait a moment; what is done by then. Raises what a shard raised, and OutputError for one that never ends."""
        done = []
        for job in self._executor.wait(set(self.flights)):
            flight = self.flights.pop(job)
            try:
                result = job.result()
            except Died as death:
                self._again(flight, str(death))
                continue
            if result is None:
                self.unbegun += 1
            elif result.code == code_digest():
                done.append((flight.task, result))
            else:
                discard(self._out, *result.temporary)
                self._again(flight, "its worker has another version of the code")
        if self._executor.is_remote:
            self._listen()
        return done

    def _launch(self, flight: _Flight) -> None:
        self.flights[self._executor.submit(make_shard, flight.task)] = flight

    def _again(self, flight: _Flight, why: str) -> None:
        self._executor.check()
        flight = _Flight(flight.task, flight.lost + 1)
        shard = flight.task.chunk.index
        if flight.lost > LOST_AT_MOST:
            raise OutputError(
                f"{self._out}: shard {shard} lost {flight.lost} workers ({why}). No record does that: see what ends "
                "the workers, then run the same command again."
            )
        self._say(f"shard {shard}: worker lost, placed again: {why}")
        if flight.lost > 1:
            time.sleep(min(5.0, 0.2 * 2**flight.lost))  # a cluster that is just starting again
        self._launch(flight)

    def _listen(self) -> None:
        """Give up on shards that have begun and whose worker has gone silent."""
        now = time.monotonic()
        if now - self._looked_at < BEAT_S:
            return
        late = now - self._looked_at > 4 * BEAT_S
        self._looked_at = now
        beats: dict[int, list] = {}
        for facts in flights(self._out):
            beats.setdefault(facts["shard"], []).append((facts["host"], facts["pid"], facts["beat"]))
        for job, flight in list(self.flights.items()):
            beat = beats.get(flight.task.chunk.index)
            if late or beat is None or beat != flight.beat:  # late: this process itself stood still
                flight.beat, flight.heard_at = beat, now
            elif now - flight.heard_at > SILENT_S:
                self.flights.pop(job)
                self._executor.abandon(job)
                self._again(flight, f"its worker has been silent for {SILENT_S:g} s")
