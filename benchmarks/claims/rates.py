"""The rates of the rounds' drawings: how many are right, what the gate keeps of them, which errors were repaired."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

Cell = tuple[str, str, int]
"""Experiment, arm, steps; the arm ends in ` r=2`, after two rounds."""
Seeds = dict[int, dict[tuple[str, int], dict[str, Any]]]
"""Of each seed, a row of drawings.parquet by trace and step."""


def of_cells(drawn: Iterable[dict[str, Any]]) -> dict[Cell, Seeds]:
    """The rows of drawings.parquet, by cell."""
    found: dict[Cell, Seeds] = defaultdict(lambda: defaultdict(dict))
    for row in drawn:
        found[row["experiment"], row["arm"], row["steps"]][row["seed"]][row["question"], row["step"]] = row
    return found


def right_rates(seeds: Seeds) -> np.ndarray:
    """The share of a trace's drawings that are right, (S, Q): S seeds and Q traces."""
    return np.array(
        [_by_trace(seeds[seed], "right") / _by_trace(seeds[seed], "drawn") for seed in sorted(seeds)]
    )


def rates(drawings: dict[Cell, Seeds], accuracy: dict[Cell, float]) -> list[dict[str, Any]]:
    """A row for each arm and number of rounds, all in per cent, means over seeds.

    right       of what the model after these rounds draws (0: the bundled model), all its candidates
    kept        traces that the gate keeps whole
    kept_right  of the drawings in those
    repaired    right now, of the drawings of steps that the bundled model never drew right; None before a round
    accuracy    of the model's answers; None before a round, and where they are not there
    """
    found = []
    for (experiment, arm, steps), seeds in sorted(drawings.items()):
        name, _, number = arm.partition(" r=")
        first = drawings.get((experiment, f"{name} r=0", steps), {})
        by_seed = [100 * float(one) for one in right_rates(seeds).mean(1)]
        found.append(
            {
                "experiment": experiment,
                "arm": name,
                "round": int(number),
                "steps": steps,
                "right": float(np.mean(by_seed)),
                "right_by_seed": by_seed,
                "kept": _mean([_kept(rows) for rows in seeds.values()]),
                "kept_right": _mean([_kept_right(rows) for rows in seeds.values()]),
                "repaired": _mean([_repaired(first[seed], rows) for seed, rows in seeds.items() if seed in first])
                if number != "0"
                else None,
                "accuracy": accuracy.get((experiment, arm, steps)),
            }
        )  # fmt: skip
    return found


def _by_trace(rows: dict[tuple[str, int], dict[str, Any]], column: str) -> np.ndarray:
    """The sum of a column over each trace's steps, traces in the order of their names, (Q,)."""
    sums: dict[str, int] = defaultdict(int)
    for (trace, _), row in sorted(rows.items()):
        sums[trace] += row[column]
    return np.array(list(sums.values()))


def _kept(rows: dict[tuple[str, int], dict[str, Any]]) -> float | None:
    return _share([row["kept"] for (_, step), row in rows.items() if step == 0])


def _kept_right(rows: dict[tuple[str, int], dict[str, Any]]) -> float | None:
    return _share([row["kept_right"] for row in rows.values() if row["kept"]])


def _repaired(
    first: dict[tuple[str, int], dict[str, Any]], rows: dict[tuple[str, int], dict[str, Any]]
) -> float | None:
    return _share([row["right"] / row["drawn"] for place, row in rows.items() if not first[place]["right"]])


def _share(values: list[Any]) -> float | None:
    return 100 * float(np.mean(values)) if values else None


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
