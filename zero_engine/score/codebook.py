"""Scores of a drawing's code vectors, without decoding them.

`total_variation_energy` is the reference's token-only reward (arXiv 2601.09536). With Z = codebook[codes] as
(h, w, D):

    tv = (mean |Z[:, 1:] - Z[:, :-1]|^2 + mean |Z[1:] - Z[:-1]|^2) / D

and `total_variation` maps it to (0, 1] as 1 / (1 + tv / tau). A drawing of one code has tv 0 and so the best
score there is: rank by it with a blank check beside it, or not at all.
"""

import numpy as np


def total_variation(
    codes_N: np.ndarray, codebook_KD: np.ndarray, grid: tuple[int, int], tau: float = 3.0
) -> float:
    """Smoothness of one drawing, in (0, 1]; 1 if all its codes are equal."""
    return 1.0 / (1.0 + total_variation_energy(codes_N, codebook_KD, grid) / tau)


def total_variation_energy(codes_N: np.ndarray, codebook_KD: np.ndarray, grid: tuple[int, int]) -> float:
    """Mean squared step between neighbouring code vectors, across and down, per dimension.

    Raises IndexError where a code is not in the codebook, ValueError where the codes do not fill the grid.
    """
    vectors_hwD = codebook_KD[np.asarray(codes_N).astype(np.intp)].reshape(*grid, -1).astype(np.float64)
    across = np.square(vectors_hwD[:, 1:] - vectors_hwD[:, :-1])
    down = np.square(vectors_hwD[1:] - vectors_hwD[:-1])
    # a grid of one row or column has no neighbours that way, and no energy there
    return sum(float(part.mean()) for part in (across, down) if part.size)
