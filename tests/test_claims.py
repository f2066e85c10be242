"""The runner of the claims: what is answered is found again, however a machine computes."""

import sys
from itertools import product
from pathlib import Path

import pyarrow.parquet as pq
import yaml

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks" / "claims"))

from arms import Plan  # noqa: E402

DOCUMENT = yaml.safe_load((ROOT / "benchmarks" / "claims" / "claims.yaml").read_text(encoding="utf-8"))
ANSWERED = ROOT / "benchmarks" / "results" / "claims" / "answers.parquet"


def test_the_answers_that_are_committed_are_those_of_the_settings_as_they_stand(tmp_path):
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


def test_a_device_and_a_precision_are_in_no_key(tmp_path):
    asked = ("E1-systematic", "zero_gated", 120, 0)
    one, other = Plan(DOCUMENT, tmp_path), Plan(DOCUMENT, tmp_path, "cuda", "float32")
    assert one.answers(*asked).key == other.answers(*asked).key
