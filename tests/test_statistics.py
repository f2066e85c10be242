"""Intervals against published ones."""

import pytest

from zero_engine.statistics import wilson


@pytest.mark.parametrize(
    ("right", "asked", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_intervals_are_those_of_newcombe_1998_table_1(right, asked, low, high):
    assert wilson(right, asked) == pytest.approx((low, high), abs=5e-5)  # the table has four decimals


def test_nothing_asked_says_nothing():
    assert wilson(0, 0) == (0, 1)


@pytest.mark.parametrize("right", [0, 1, 7])
def test_an_interval_lies_in_the_unit_interval_and_holds_the_share(right):
    low, high = wilson(right, 7)
    assert 0 <= low <= right / 7 <= high <= 1
