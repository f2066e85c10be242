"""Equal drawings of a shard are made once: those of records that say the same, without an id or with the same one.

A drawing is a function of its identity, so a copy has the bytes that drawing it again would have.
"""

from collections.abc import Sequence
from dataclasses import replace

from zero_engine.records import Candidate, Rejection
from zero_engine.render.planned import Planned


def apart(planned: Sequence[Planned]) -> tuple[list[Planned], list[tuple[Planned, Planned]]]:
    """Drawings that differ, and (drawing, the earlier one that it equals) for the others."""
    first: dict[str, Planned] = {}
    again = []
    for wanted in planned:
        before = first.setdefault(wanted.identity(""), wanted)
        if before is not wanted:
            again.append((wanted, before))
    return list(first.values()), again


def copies(
    again: Sequence[tuple[Planned, Planned]], drawn: Sequence[Candidate], refused: Sequence[Rejection]
) -> tuple[list[Candidate], list[Rejection]]:
    """What became of the drawings that equal earlier ones: what became of those."""
    if not again:
        return [], []
    made = {(c.trace_id, c.step, c.attempt): c for c in drawn}
    lost: dict[tuple, list[Rejection]] = {}
    for rejection in refused:
        lost.setdefault((rejection.trace_id, rejection.step), []).append(rejection)
    candidates: list[Candidate] = []
    rejections: dict[tuple, Rejection] = {}
    for wanted, before in again:
        own, earlier = wanted.trace.trace.id, before.trace.trace.id
        if found := made.get((earlier, before.step, before.attempt)):
            candidates.append(replace(found, trace_id=own, step=wanted.step, attempt=wanted.attempt))
        for rejection in lost.get((earlier, before.step), []):
            if rejection.attempt in (None, before.attempt):
                attempt = None if rejection.attempt is None else wanted.attempt
                rejections[own, wanted.step, attempt] = replace(
                    rejection, trace_id=own, step=wanted.step, attempt=attempt, record=wanted.text
                )
    return candidates, list(rejections.values())
