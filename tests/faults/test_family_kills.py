"""Seeded SIGKILLs in the middle of runs of Janus, Emu3 and Liquid: the bytes are those of an undisturbed run."""

import json

import pytest
import yaml
from tiny_models import tiny_emu3, tiny_janus, tiny_liquid

from tests.faults.conftest import hashes
from tests.faults.killing import Hunt
from zero_engine.pipeline import Pipeline
from zero_engine.run import run_pipeline

pytestmark = [pytest.mark.slow, pytest.mark.soak]

SEED = 17
RECORDS = 24
KILLS = {0: 4, 2: 5}
FAMILIES = {"janus": tiny_janus, "emu3": tiny_emu3, "liquid": tiny_liquid}


@pytest.mark.parametrize("workers", KILLS)
@pytest.mark.parametrize("family", FAMILIES)
def test_kills_change_no_byte_of_a_family(family, workers, data, tmp_path):
    anole = [data / "goldens" / "tiny-anole"] if family == "liquid" else []
    traces = [
        {"id": f"t{at}", "question": "?", "answer": "1", "rationale": f"A dog runs {at} times.\nIt is tired."}
        for at in range(RECORDS)
    ]
    (tmp_path / "traces.jsonl").write_text("\n".join(map(json.dumps, traces)))
    document = {
        "input": {"path": str(tmp_path / "traces.jsonl")},
        "parse": {"rule": "lines"},
        "render": {
            "model": str(FAMILIES[family](tmp_path, *anole)), "candidates": 2, "batch_size": 4, "device": "cpu",
            "guidance": 2.0,
        },
        "score": {"names": ["blank", "caption", "likelihood"]},
        "gate": {"min": {}, "rank": {"likelihood": 1.0}},
        "output": {"path": str(tmp_path / "plain"), "rows_per_shard": 1},
        "dask": {"workers": 0, "max_attempts": 3},
    }  # fmt: skip
    plain = run_pipeline(Pipeline.model_validate(document))
    assert plain.drawn == RECORDS * 4
    document["output"]["path"] = str(tmp_path / "out")
    file = tmp_path / "pipeline.yaml"
    file.write_text(yaml.safe_dump(document))
    account = Hunt(file, tmp_path / "out", hashes(plain.out), {}, SEED).local(workers, KILLS[workers])
    assert account.differences == [] and account.finished >= 1
    assert sum(account.kills.values()) == KILLS[workers]
