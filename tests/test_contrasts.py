"""The statistics of the claims, against values worked out by hand and against simulation."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks" / "claims"))

from contrasts import contrast, equivalence, holm, sign_flip


def test_eight_seeds_that_all_agree_have_the_least_p_there_is():
    assert sign_flip(np.arange(1.0, 9.0)) == 2 / 256
    assert sign_flip(np.array([1.0, -1.0])) == 1.0


def test_sign_flips_by_hand():
    # means of (3, 1) with signs: 2, 1, -1, -2: two of four are at least 2 from 0; of (3, -1): 1, 2, -2, -1: all are 1
    assert sign_flip(np.array([3.0, 1.0])) == 0.5
    assert sign_flip(np.array([3.0, -1.0])) == 1.0


def test_holm_is_that_of_the_textbook():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_contrast_is_paired_and_in_points():
    a, b = np.ones((8, 50), bool), np.zeros((8, 50), bool)
    found = contrast(a, b)
    assert (found.points, found.low, found.high, found.p) == (100.0, 100.0, 100.0, 2 / 256)
    with pytest.raises(ValueError, match="shape"):
        contrast(a, b[:, :-1])


def test_the_interval_covers_new_seeds_and_new_questions():
    """95 % intervals of an effect with spread over seeds and questions hold the true one about as often as they say."""
    random, held = np.random.default_rng(0), 0
    for _ in range(150):
        of_seed, of_question = random.normal(0, 0.05, (8, 1)), random.normal(0, 0.1, (1, 80))
        b = random.random((8, 80)) < np.clip(0.4 + of_question, 0, 1)
        a = random.random((8, 80)) < np.clip(0.6 + of_question + of_seed, 0, 1)
        found = contrast(a, b, draws=500)
        held += found.low <= 20.0 <= found.high
    assert 0.86 <= held / 150 <= 1.0


def test_arms_are_equal_within_a_margin_only_where_all_seeds_say_so():
    random = np.random.default_rng(1)
    a = random.random((8, 400)) < 0.5
    assert equivalence(a, a, 5.0) == 1 / 256
    assert equivalence(a, np.zeros_like(a), 5.0) == 1.0
