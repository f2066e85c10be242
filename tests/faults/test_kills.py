"""Forty seeded SIGKILLs: nothing lost, nothing twice, the same bytes, and never a traceback."""

from pathlib import Path

import pytest
import yaml

from tests.faults.conftest import hashes
from tests.faults.killing import Hunt
from zero_engine.run import run_pipeline

pytestmark = pytest.mark.slow

SEED = 19


@pytest.fixture
def hunt(poisonable, make_run, tmp_path):
    plain = run_pipeline(make_run("plain", records=24, output={"rows_per_shard": 1}))
    dask = {"max_attempts": 3}
    pipeline = make_run(
        "plain", records=24, dask=dask, output={"path": str(tmp_path / "out"), "rows_per_shard": 1}
    )
    file = tmp_path / "pipeline.yaml"
    file.write_text(yaml.safe_dump(pipeline.model_dump(mode="json")))
    return Hunt(file, Path(tmp_path / "out"), hashes(plain.out), poisonable, SEED)


@pytest.mark.parametrize(("setting", "kills"), [("alone", 22), ("two workers", 9), ("external", 9)])
def test_kills_change_no_byte(hunt, setting, kills):
    if setting == "external":
        account = hunt.external(kills)
    else:
        account = hunt.local(0 if setting == "alone" else 2, kills)
    assert account.differences == []
    assert sum(account.kills.values()) == kills and account.finished >= 1
