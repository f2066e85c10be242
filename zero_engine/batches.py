"""Runs a function over many items in batches of one shape, and isolates the items that fail.

Contract: every call of the function gets exactly `batch_size` items (a short batch is filled up with a harmless
`filler`), all from one bucket of prompt lengths. So the shapes of an item's batch, and the bits of its result, depend
on the item alone: not on the other items, their order, or their failures. Where the bits of an item do not depend on
its batch, up to `at_once` batches can share a call.

A batch that raises is bisected *in place*: the rows under test keep their positions and the others become filler, until
the failing item is found. That item's result is a `BatchFailure`; the other items have the results that they would have
without it. Before bisecting, one call with filler alone tests the function. If that fails, too (a lost device, a broken
checkpoint), its error is raised, because otherwise every item of a corpus would be rejected. `ZeroEngineError`, which
the user has to fix, KeyboardInterrupt and SystemExit are raised at once.

Out-of-memory halves the batch in which it happened, down to one item. A halved batch has other shapes, so on a
card too small for `batch_size` a drawing can differ in its last bits; set `render.batch_size` to what fits.

    results = run_batched(items, function, batch_size=32, filler=item)   # R | BatchFailure, in the items' order
"""

import sys
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from zero_engine.errors import ZeroEngineError

T = TypeVar("T")
R = TypeVar("R")

SLOT_MULTIPLE = 16
"""Sequences are padded to multiples of this, so that a value is always summed in the same vector lane. A batch holds
prompts of one padded length only."""

DETAIL_CHARS = 300


@dataclass(frozen=True, slots=True)
class BatchFailure:
    """The result of an item that failed, found by bisection."""

    reason: str
    """failed, out_of_memory, or a code that the caller sets."""
    detail: str
    exception: str | None = None
    """Class of the exception."""


def run_batched(
    items: Sequence[T],
    function: Callable[[list[T]], Sequence[R]],
    batch_size: int,
    filler: T,
    at_once: int = 1,
) -> list[R | BatchFailure]:
    """Results of `function`, which maps whole batches of items to as many results, in the order of the items."""
    results: list[R | BatchFailure] = []
    for start in range(0, len(items), batch_size * at_once):
        chunk = list(items[start : start + batch_size * at_once])
        results += _run_batch(chunk, function, padded(len(chunk), batch_size), filler)
    return results


def run_bucketed(
    items: Sequence[T],
    lengths: Sequence[int],
    function: Callable[[list[T]], Sequence[R]],
    batch_size: int,
    filler: Callable[[int], T],
    at_once: int = 1,
) -> list[R | BatchFailure]:
    """`run_batched` over items grouped by `padded(length)`; `filler(size)` makes a harmless item of that length."""
    members: dict[int, list[int]] = {}
    for position, length in enumerate(lengths):
        members.setdefault(padded(length), []).append(position)
    results: dict[int, R | BatchFailure] = {}
    for size in sorted(members):
        done = run_batched([items[i] for i in members[size]], function, batch_size, filler(size), at_once)
        results.update(zip(members[size], done, strict=True))
    return [results[position] for position in range(len(items))]


def run_distinct(
    items: Sequence[T], key: Callable[[T], Hashable], run: Callable[[list[T]], Sequence[R]]
) -> list[R]:
    """Runs `run` once for each distinct `key`; items with equal keys share a result.

    A confident model draws the same picture several times, and its scores need computing only once.
    """
    numbers: dict[Hashable, int] = {}
    places = [numbers.setdefault(key(item), len(numbers)) for item in items]
    first = {place: position for position, place in reversed(list(enumerate(places)))}
    results = run([items[first[place]] for place in range(len(numbers))])
    return [results[place] for place in places]


def padded(length: int, multiple: int = SLOT_MULTIPLE) -> int:
    """The length that a sequence of `length` tokens is padded to, a multiple of `multiple`."""
    return max(1, -(-length // multiple)) * multiple


def _run_batch(
    chunk: list[T], function: Callable[[list[T]], Sequence[R]], size: int, filler: T
) -> list[R | BatchFailure]:
    everyone = range(len(chunk))
    done, failure = _attempt(chunk, everyone, function, size, filler)
    if failure is None:
        return list(done)
    if failure.reason == "out_of_memory":
        if size == 1:
            return [failure]
        half = (size + 1) // 2
        parts = [part for part in (chunk[:half], chunk[half:]) if part]
        return [result for part in parts for result in _run_batch(part, function, half, filler)]
    _require_working(function, size, filler)
    if len(chunk) == 1:
        return [failure]
    results: dict[int, R | BatchFailure] = {}
    suspects = _halves(everyone)
    while suspects:
        rows = suspects.pop()
        done, failure = _attempt(chunk, rows, function, size, filler)
        if failure is None:
            results.update(zip(rows, done, strict=True))
        elif len(rows) == 1:
            results[rows[0]] = failure
        else:
            suspects += _halves(rows)
    return [results[row] for row in everyone]


def _attempt(
    chunk: list[T], rows: Sequence[int], function: Callable[[list[T]], Sequence[R]], size: int, filler: T
) -> tuple[list[R], BatchFailure | None]:
    """Calls the function with the given rows in their places and filler elsewhere.

    The exception does not leave this function, because its traceback keeps the batch's tensors in memory.
    """
    wanted = set(rows)
    batch = [chunk[row] if row in wanted else filler for row in range(size)]
    try:
        results = list(function(batch))
    except ZeroEngineError:
        raise
    except Exception as error:
        reason = "out_of_memory" if _is_out_of_memory(error) else "failed"
        failure = BatchFailure(reason, _first_line(error), type(error).__name__)
    else:
        if len(results) != size:
            raise AssertionError(f"a batch of {size} came back as {len(results)} results")
        return [results[row] for row in rows], None
    if failure.reason == "out_of_memory":
        _release_device_memory()
    return [], failure


def _require_working(function: Callable[[list[T]], Sequence[R]], size: int, filler: T) -> None:
    """Raises the error of a batch of filler, which is no item's fault."""
    try:
        function([filler] * size)
    except Exception as error:
        if not _is_out_of_memory(error):
            raise


def _halves(rows: Sequence[int]) -> list[Sequence[int]]:
    middle = (len(rows) + 1) // 2
    return [half for half in (rows[:middle], rows[middle:]) if len(half)]


def _is_out_of_memory(error: Exception) -> bool:
    """By class name and message, so that this module needs no torch."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if "OutOfMemoryError" in names or isinstance(error, MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def _release_device_memory() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:DETAIL_CHARS] if lines else type(error).__name__
