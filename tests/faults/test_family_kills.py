"""Seeded SIGKILLs in the middle of runs of Janus, Emu3 and Liquid: the bytes are those of an undisturbed run."""

import contextlib
import json
import random
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import yaml
from tiny_models import tiny_emu3, tiny_janus, tiny_liquid

from tests.faults.conftest import hashes
from tests.faults.killing import RUN, family_of
from zero_engine.pipeline import Pipeline
from zero_engine.run import run_pipeline
from zero_engine.write.validate import validate_dataset

pytestmark = [pytest.mark.slow, pytest.mark.soak]

SEED = 17
RECORDS = 24
KILLS = 4
FAMILIES = {"janus": tiny_janus, "emu3": tiny_emu3, "liquid": tiny_liquid}


@pytest.fixture(scope="module", params=FAMILIES)
def undisturbed(request, data, tmp_path_factory):
    """The pipeline of a family, and what a run of it in one process wrote."""
    place = tmp_path_factory.mktemp(request.param)
    anole = [data / "goldens" / "tiny-anole"] if request.param == "liquid" else []
    traces = [
        {"id": f"t{at}", "question": "?", "answer": "1", "rationale": f"A dog runs {at} times.\nIt is tired."}
        for at in range(RECORDS)
    ]
    (place / "traces.jsonl").write_text("\n".join(map(json.dumps, traces)))
    document = {
        "input": {"path": str(place / "traces.jsonl")},
        "parse": {"rule": "lines"},
        "render": {
            "model": str(FAMILIES[request.param](place, *anole)), "candidates": 2, "batch_size": 4, "device": "cpu",
            "guidance": 2.0,
        },
        "score": {"names": ["blank", "caption", "likelihood"]},
        "gate": {"min": {}, "rank": {"likelihood": 1.0}},
        "output": {"path": str(place / "plain"), "rows_per_shard": 1},
        "dask": {"workers": 0, "max_attempts": 3},
    }  # fmt: skip
    plain = run_pipeline(Pipeline.model_validate(document))
    assert plain.drawn == RECORDS * 4
    return document, hashes(plain.out)


def shards_of(out: Path) -> int:
    ledger = out / ".work" / "ledger.jsonl"
    return ledger.read_bytes().count(b"\n") if ledger.exists() else 0


@pytest.mark.parametrize("workers", [0, 2])
def test_kills_in_the_middle_change_no_byte_of_a_family(workers, undisturbed, tmp_path):
    document, expected = undisturbed
    out, file, said = tmp_path / "out", tmp_path / "pipeline.yaml", tmp_path / "said"
    document = {**document, "output": {**document["output"], "path": str(out)}}
    file.write_text(yaml.safe_dump(document))
    chance = random.Random(f"{SEED} {workers}")
    victims = ["driver", "child", "driver", "worker" if workers else "child"]
    chance.shuffle(victims)
    drivers, seen = 0, 0
    while True:
        with open(said, "a") as words:
            driver = subprocess.Popen(
                [*RUN, str(file), "--no-report", "--workers", str(workers)],
                stdout=words, stderr=words, start_new_session=True,
            )  # fmt: skip
        drivers += 1
        while driver.poll() is None:
            if victims and shards_of(out) > seen + 1:
                time.sleep(chance.uniform(0, 0.1))
                seen = shards_of(out)
                with contextlib.suppress(psutil.NoSuchProcess):
                    kind = victims[-1]
                    found = [
                        p
                        for k, p in [("driver", psutil.Process(driver.pid)), *family_of(driver.pid)]
                        if k == kind
                    ]
                    if found:
                        chance.choice(found).kill()
                        victims.pop()
            time.sleep(0.005)
        if not victims and driver.returncode == 0:
            break
        assert driver.returncode == -9, said.read_text()[-2000:]
    assert drivers == 3 and "Traceback" not in said.read_text(), said.read_text()[-3000:]
    assert hashes(out) == expected
    assert all(check.ok for check in validate_dataset(out))
