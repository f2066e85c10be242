"""Intervals of measured shares. Pure, and imports nothing of ours."""

import math


def wilson(right: float, asked: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share, `right` of `asked`, at 95 % (Wilson 1927); all of [0, 1] where nothing was asked.

    Unlike the mean plus or minus its error it is right for 0 of n and n of n, too.
    """
    if not asked:
        return 0.0, 1.0
    share = right / asked
    centre = share + z * z / (2 * asked)
    half = z * math.sqrt(share * (1 - share) / asked + z * z / (4 * asked * asked))
    scale = 1 + z * z / asked
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
