"""Total variation in code space, against the reference's numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from zero_engine.score.codebook import total_variation, total_variation_energy

GOLDEN = json.loads((Path(__file__).parent / "total_variation.json").read_text(encoding="utf-8"))
CODEBOOK = np.array(GOLDEN["codebook"], np.float32)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['tv2d']:.2f}")
def test_energy_and_score_are_the_references(case):
    codes = np.array(case["codes"], np.uint16)
    # the reference sums in float32: six digits
    assert total_variation_energy(codes, CODEBOOK, (4, 4)) == pytest.approx(case["tv2d"], rel=1e-6)
    assert total_variation(codes, CODEBOOK, (4, 4)) == pytest.approx(case["inv_3"], rel=1e-6)


def test_one_code_all_over_has_no_energy():
    assert total_variation(np.full(16, 5, np.uint16), CODEBOOK, (4, 4)) == 1.0


@pytest.mark.parametrize("grid", [(1, 16), (16, 1), (1, 1)])
def test_a_single_row_or_column_has_a_score(grid):
    codes = np.arange(grid[0] * grid[1], dtype=np.uint16)
    assert 0 < total_variation(codes, CODEBOOK, grid) <= 1


def test_a_code_outside_the_codebook_is_an_error():
    with pytest.raises(IndexError):
        total_variation(np.full(16, 64, np.uint16), CODEBOOK, (4, 4))
