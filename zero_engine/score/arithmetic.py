"""Arithmetic: whether the step's own equations hold. A diagnostic: it says nothing of the drawing.

1 where every equation that the step writes out, in signs or in infix words, is true; 0 where one is false; absent where
it writes none, or only such with letters. A result may be rounded to the digits that it is written with: `10 / 3 =
3.33` holds, `$2.50 * 3 = $8` does not. Off in the gate by default: a drawing of `3 + 4 = 8` is faithful to a step that
says so.
"""

from itertools import pairwise

import numpy as np

from zero_engine.score.readback.expressions import Tree, equations, holds, operators, value, without_units
from zero_engine.score.readback.spelling import plain, signs_for_words


def arithmetic(image_HW3: np.ndarray | None, text: str) -> float | None:
    """1, 0, or None, of the step's text alone; the picture is not looked at."""
    found = _verdicts(equations(plain(text))) or _verdicts(
        equations(signs_for_words(plain(text)), in_words=True)
    )
    return None if not found else float(all(found))


def _verdicts(chains: list[list[Tree]]) -> list[bool]:
    """Whether each side of each chain that computes something equals the next one.

    A letter behind a number may be a unit or an unknown: it counts as a unit where the equation then holds.
    """
    found = []
    for chain in chains:
        for pair in pairwise(chain):
            left, right = map(without_units, pair)
            if value(left) is None or value(right) is None or not (operators(left) or operators(right)):
                continue
            if holds(left, right) or (left, right) == pair:
                found.append(holds(left, right))
    return found
