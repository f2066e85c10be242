"""The runner of the claims: what is answered is found again, however a machine computes."""

from itertools import product
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

ROOT = Path(__file__).parent.parent
DOCUMENT = yaml.safe_load((ROOT / "benchmarks" / "claims" / "claims.yaml").read_text(encoding="utf-8"))
ANSWERED = ROOT / "benchmarks" / "results" / "claims" / "answers.parquet"


@pytest.fixture
def Plan(monkeypatch):
    """The class of the runner, whose modules lie beside one another in a folder of their own."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks" / "claims")
    import arms

    return arms.Plan


def test_the_answers_that_are_committed_are_those_of_the_settings_as_they_stand(tmp_path, Plan):
    """Settings lead to answers by a digest, so one that was changed would ask for its answers anew."""
    rows = pq.read_table(ANSWERED, columns=["experiment", "stage"]).to_pylist()
    committed = {row["stage"] for row in rows}
    plan, keys = Plan(DOCUMENT, tmp_path), set()
    for name in {row["experiment"] for row in rows}:
        told = DOCUMENT["experiments"][name]
        for arm, each in told["steps"].items():
            for steps, seed in product(each, range(told.get("seeds", DOCUMENT["seeds"]))):
                keys.add(plan.answers(name, arm, steps, seed).key[:16])
    assert committed and committed <= keys


def test_a_device_and_a_precision_are_in_no_key(tmp_path, Plan):
    asked = ("E1-systematic", "zero_gated", 120, 0)
    one, other = Plan(DOCUMENT, tmp_path), Plan(DOCUMENT, tmp_path, "cuda", "float32")
    assert one.answers(*asked).key == other.answers(*asked).key
