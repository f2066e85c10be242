"""Proposed thresholds keep what they say."""

import numpy as np
import pytest

from zero_engine.pipeline import Gate
from zero_engine.records import Candidate
from zero_engine.score.calibrate import keep_rates, propose_thresholds


def sample(n: int = 400) -> list[Candidate]:
    rng = np.random.default_rng(0)
    return [
        Candidate(
            str(i // 8),
            i // 4 % 2,
            i % 4,
            0,
            "p",
            np.zeros(4, np.uint16),
            b"",
            {"likelihood": float(-rng.random()), "blank": float(rng.random()), "unconditional": -3.0}
            | ({"readback": 1.0} if i % 5 == 0 else {}),
        )
        for i in range(n)
    ]


def test_each_score_gets_a_bound_on_its_worse_side():
    directions = {p["score"]: p["direction"] for p in propose_thresholds(sample())}
    assert directions == {"likelihood": "min", "blank": "max", "readback": "min"}


@pytest.mark.parametrize("quantile", [0.05, 0.1, 0.25])
def test_a_bound_keeps_what_its_quantile_says(quantile):
    for proposal in propose_thresholds(sample(), [quantile]):
        if proposal["score"] != "readback":
            # 400 drawings and a bound rounded to four decimals: within one drawing or two
            assert proposal["keep_rate"] == pytest.approx(1 - quantile, abs=0.005)


def test_keep_rates_are_those_of_the_gate():
    candidates = sample()
    for proposal in propose_thresholds(candidates):
        gate = Gate(min={}, max={}).model_copy(
            update={proposal["direction"]: {proposal["score"]: proposal["threshold"]}}
        )
        assert (proposal["keep_rate"], proposal["step_keep_rate"]) == keep_rates(candidates, gate)
        assert proposal["combined_keep_rate"] <= proposal["keep_rate"] <= proposal["step_keep_rate"]


def test_an_empty_sample_proposes_nothing():
    assert propose_thresholds([]) == []
