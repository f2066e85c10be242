"""What came out of each contrast of claims.yaml, in the words that were fixed before: it held, or it did not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
from contrasts import contrast, equivalence, holm
from rates import of_cells, rates, right_rates

Cell = tuple[str, str, int]
"""Experiment, arm, steps."""


def verdicts(
    document: dict[str, Any], rows: Iterable[dict[str, Any]], drawn: Iterable[dict[str, Any]] = ()
) -> dict[str, Any]:
    """`cells`: accuracy and right pictures of every arm. `contrasts`: interval, p, Holm's p and verdict of each.

    `drawn` are the drawings of rounds, a row for each step, of which `rounds` has the rates. A contrast whose answers
    are not all there is `open`.
    """
    cells, drawings = _cells(rows), of_cells(drawn)
    facts: dict[str, Any] = {
        "cells": [
            {
                "experiment": name,
                "arm": arm,
                "steps": steps,
                "accuracy": 100 * float(right.mean()),
                "by_seed": [100 * float(x) for x in right.mean(1)],
                "pictures_right": 100 * float(np.nanmean(pictures)) if not np.isnan(pictures).all() else None,
            }
            for (name, arm, steps), (right, pictures) in sorted(cells.items())
        ],
        "rounds": rates(drawings, {cell: 100 * float(right.mean()) for cell, (right, _) in cells.items()}),
        "contrasts": {},
    }
    found = {}
    for name, said in document["contrasts"].items():
        if said.get("measure") == "drawings":
            a, b = (right_rates(drawings.get(tuple(said[side]), {})) for side in ("of", "against"))
        else:
            measure = 1 if said.get("measure") == "pictures" else 0
            a, b = (cells.get(tuple(said[side]), _NONE)[measure] for side in ("of", "against"))
        if len(a) < _seeds(document, said["of"][0]) or a.shape != b.shape:
            facts["contrasts"][name] = {**said, "verdict": "open"}
            continue
        seen = contrast(a, b)
        p = equivalence(a, b, document["margin"]) if said["predicted"] == "equal" else seen.p
        found[name] = {
            **said, "points": seen.points, "low": seen.low, "high": seen.high, "p": p, "by_seed": list(seen.by_seed),
        }  # fmt: skip
    for family in {said["family"] for said in found.values()}:
        names = [name for name, said in found.items() if said["family"] == family]
        still_open = sum(
            said["family"] == family and name not in found for name, said in document["contrasts"].items()
        )
        adjusted = holm(
            [*(found[name]["p"] for name in names), *[1.0] * still_open]
        )  # open ones share the error
        for name, p in zip(names, adjusted, strict=False):
            facts["contrasts"][name] = found[name] | {
                "holm": p,
                "verdict": _verdict(found[name], p, document["level"], document["margin"]),
            }
    facts["contrasts"] = {name: facts["contrasts"][name] for name in document["contrasts"]}
    return facts


_NONE = np.zeros((0, 0)), np.zeros((0, 0))


def _seeds(document: dict[str, Any], experiment: str) -> int:
    return document.get("experiments", {}).get(experiment, {}).get("seeds", document["seeds"])


def _verdict(said: dict[str, Any], p: float, level: float, margin: float) -> str:
    """held, or what is short of it. "At most" is held where the interval ends below it, give or take the margin."""
    sure = p < level
    if said["predicted"] == "equal":
        return "held" if sure else "not shown"
    word, _, points = said["predicted"].rpartition(" ")
    if word == "at least":
        if sure and said["points"] >= float(points):
            return "held"
        return "an effect, smaller than predicted" if sure and said["points"] > 0 else "not shown"
    if sure and said["points"] > float(points):
        return "did not hold"
    return "held" if said["high"] <= float(points) + margin else "not shown"


def _cells(rows: Iterable[dict[str, Any]]) -> dict[Cell, tuple[np.ndarray, np.ndarray]]:
    """Of every arm: right (S, Q), and the share of pictures right (S, Q), NaN where none is asked for."""
    of_cell: dict[Cell, dict[int, dict[str, dict]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        of_cell[row["experiment"], row["arm"], row["steps"]][row["seed"]][row["question"]] = row
    found = {}
    for cell, seeds in of_cell.items():
        questions = sorted(set.intersection(*(set(asked) for asked in seeds.values())))
        table = [[seeds[seed][question] for question in questions] for seed in sorted(seeds)]
        right = np.array([[row["right"] for row in line] for line in table])
        pictures = np.array(
            [
                [row["pictures_right"] / row["pictures"] if row["pictures"] else np.nan for row in line]
                for line in table
            ]
        )
        found[cell] = right, pictures
    return found
