"""Runs with five classes of diffusers, Emu3 and Liquid: a kill, and any number of workers, change no byte."""

import json
import signal
import subprocess
import sys

import pytest
from distributed import LocalCluster
from tiny_models import tiny_emu3, tiny_liquid
from tiny_pipelines import CLASSES, tiny_pipeline
from typer.testing import CliRunner

from tests.faults.conftest import hashes
from zero_engine.cli.app import app
from zero_engine.errors import PipelineError
from zero_engine.pipeline import Pipeline
from zero_engine.run import run_pipeline
from zero_engine.write.dataset import open_dataset
from zero_engine.write.decoded import check_codes
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow

TRACES = 4
FAMILIES = ("emu3", "liquid")
KINDS = (*CLASSES, *FAMILIES)
DIES = """
import json, os, signal, sys
from zero_engine.pipeline import Pipeline
from zero_engine.run import run_pipeline
from zero_engine.run.ledger import Ledger

def commit(ledger, entry, temporary, commit=Ledger.commit):
    commit(ledger, entry, temporary)
    if len(ledger.entries) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

Ledger.commit = commit
drivers = []
for document in json.loads(sys.argv[1]):
    drivers.append(os.fork())
    if not drivers[-1]:
        run_pipeline(Pipeline.model_validate(document), progress=False)
        os._exit(0)
print([os.waitpid(driver, 0)[1] for driver in drivers])
"""
"""Drivers that end themselves at their second shard: all at once, because most of a run's time is waiting."""


@pytest.fixture(scope="module")
def place(tmp_path_factory, tiny_anole):
    place = tmp_path_factory.mktemp("painted")
    traces = [
        {"id": f"t{at}", "question": "?", "answer": "1", "rationale": f"A dog runs {at} times."}
        for at in range(TRACES)
    ]
    (place / "traces.jsonl").write_text("\n".join(map(json.dumps, traces)))
    for kind in CLASSES:
        tiny_pipeline(kind, place / kind)
    tiny_emu3(place)
    tiny_liquid(place, tiny_anole)
    return place


@pytest.fixture(scope="module")
def pipeline(place, tiny_anole):
    def of(kind: str, out: str, **dask: object) -> Pipeline:
        draws = {"candidates": 1, "batch_size": 1, "device": "cpu", "model": str(place / kind)}
        if kind in CLASSES:
            paints = {"model": str(place / kind), "steps": 1, "size": 32, **CLASSES[kind][1]}
            draws |= {"generator": "diffusion", "model": str(tiny_anole), "diffusion": paints}
        return Pipeline.model_validate(
            {
                "input": {"path": str(place / "traces.jsonl")},
                "parse": {"rule": "lines"},
                "render": draws,
                "score": {"names": ["blank", "roundtrip" if kind in CLASSES else "caption"]},
                "gate": {"rank": {"blank": -1.0}},
                "output": {"path": str(place / f"{kind}-{out}"), "rows_per_shard": 1},
                "dask": {"workers": 0, **dask},
            }
        )

    return of


@pytest.fixture(scope="module")
def alone(pipeline):
    """Each class's run without workers: these come first, because they share one process with its libraries."""
    return {kind: hashes(run_pipeline(pipeline(kind, "alone")).out) for kind in KINDS}


@pytest.fixture(scope="module")
def cluster(alone):
    """Two workers, which load diffusers once for all classes."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as two:
        yield two


@pytest.fixture(scope="module")
def killed(pipeline, cluster, repository):
    """Each class's run on two workers, of which two shards are there."""
    runs = {kind: pipeline(kind, "two", scheduler=cluster.scheduler_address) for kind in KINDS}
    documents = json.dumps([run.model_dump(mode="json") for run in runs.values()])
    done = subprocess.run(
        [sys.executable, "-c", DIES, documents], cwd=repository, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip() == str([signal.SIGKILL.value] * len(KINDS)), done.stderr
    return runs


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_has_its_picture_and_its_codes(kind, alone, place):
    rows = list(open_dataset(place / f"{kind}-alone"))
    steps = [step for row in rows for step in row["steps"]]
    assert len(rows) == TRACES and {step["origin"] for step in steps} == {
        "painted" if kind in CLASSES else "drawn"
    }
    assert all(step["image"].size == (32, 32) and len(step["codes"]) == 16 for step in steps)
    checks = [*validate_dataset(place / f"{kind}-alone"), check_codes(place / f"{kind}-alone")]
    assert all(check.ok for check in checks)


@pytest.fixture(scope="module")
def resumed(killed, cluster):
    """The same runs, ended by one worker."""
    cluster.scale(1)
    return {kind: run_pipeline(run) for kind, run in killed.items()}


@pytest.mark.soak  # over a minute, which is the time that two workers take to load diffusers
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_killed_on_two_workers_and_ended_on_one_has_the_bytes_of_one_without(kind, alone, resumed):
    assert resumed[kind].drawn == TRACES - 2 and hashes(resumed[kind].out) == alone[kind]


@pytest.mark.parametrize("kind", CLASSES)
def test_models_check_paints_one_picture_with_each_class(kind, place, tiny_anole, tmp_path):
    said = {"steps": 2, "size": 32, **CLASSES[kind][1]}
    sets = [f"render.diffusion.{key}={json.dumps(value)}" for key, value in said.items()]
    options = [word for one in [*sets, f"render.model={tiny_anole}"] for word in ("--set", one)]
    command = ["models", "check", str(place / kind), "--picture", str(tmp_path / "p.png"), "--json", *options]
    done = CliRunner().invoke(app, [*command, "--device", "cpu"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert (facts["family"], facts["pixels"]) == (kind, "32x32")
    assert "num_inference_steps=2" in facts["call"] and facts["weights_mb"] > 0 and facts["roundtrip"] > 0
    assert (tmp_path / "p.png").is_file()


@pytest.mark.parametrize("kind", FAMILIES)
def test_models_check_draws_one_picture_with_each_family(kind, place, tmp_path):
    command = ["models", "check", str(place / kind), "--picture", str(tmp_path / "p.png"), "--json"]
    done = CliRunner().invoke(app, [*command, "--device", "cpu"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert (facts["family"], facts["pixels"]) == (kind.capitalize(), "32x32")
    assert facts["pictures_per_s"] > 0 and (tmp_path / "p.png").is_file()


def test_what_paints_without_diffusers_is_not_checked(place):
    done = CliRunner().invoke(app, ["models", "check", "nano", "--set", "render.generator=unified"])
    assert isinstance(done.exception, PipelineError) and "for a pipeline of diffusers alone" in str(
        done.exception
    )
