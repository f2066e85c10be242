"""An external cluster whose workers do not fit, leave, or come late; and a scheduler that goes away."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from distributed import Client

from tests.commits import Commits
from tests.faults.conftest import cluster, hashes
from zero_engine.errors import InputError
from zero_engine.run import run_pipeline

pytestmark = pytest.mark.slow


class Said(Commits):
    """Remembers what was said, and does something after so many commits."""

    def __init__(self, after: int = 0, act=lambda: None) -> None:
        super().__init__(self.count)
        self.left, self.act = after, act

    def count(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.act()


@pytest.fixture
def other_code(tmp_path, repository, poisonable) -> dict[str, str]:
    """An environment in which the package is one comment longer."""
    place = tmp_path / "other"
    shutil.copytree(
        repository / "zero_engine", place / "zero_engine", ignore=shutil.ignore_patterns("*.safetensors")
    )
    with open(place / "zero_engine" / "errors.py", "a") as file:
        file.write("# a change\n")
    return {"PYTHONPATH": os.pathsep.join([str(place), poisonable["PYTHONPATH"]])}


def test_a_worker_with_other_code_is_refused_by_name(poisonable, make_run, other_code):
    with cluster(0, poisonable) as running:
        running.add_worker(**other_code)
        with pytest.raises(
            InputError, match="worker tcp.* runs zero-engine .*install the same there"
        ) as caught:
            run_pipeline(make_run(dask={"scheduler": running.address}))
    assert "\n" not in str(caught.value)


@pytest.mark.soak
def test_a_late_worker_with_other_code_is_sent_away_and_one_that_fits_is_used(
    poisonable, make_run, other_code
):
    plain = run_pipeline(make_run("plain", records=60, output={"rows_per_shard": 1}))
    with cluster(1, {**poisonable, "ZERO_ENGINE_SLOW": "0.1"}) as running:
        said = Said(2, lambda: (running.add_worker(**other_code), running.add_worker()))
        pipeline = make_run(
            "plain", records=60, dask={"scheduler": running.address}, output={"rows_per_shard": 1}
        )
        out = str(Path(pipeline.output.path).with_name("there"))
        pipeline = pipeline.model_copy(update={"output": pipeline.output.model_copy(update={"path": out})})
        summary = run_pipeline(pipeline, progress=said)
    assert any("is sent away" in message for message in said.messages)
    assert summary.workers == 2 and hashes(out) == hashes(plain.out)


@pytest.mark.soak
def test_a_worker_in_another_folder_finds_relative_paths(poisonable, make_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    pipeline = make_run("plain", output={"path": "relative"}, input={"path": "plain.jsonl"})
    with cluster(0, poisonable) as running:
        running.add_worker(folder=str(tmp_path / "elsewhere"))
        dask = pipeline.dask.model_copy(update={"scheduler": running.address})
        there = run_pipeline(pipeline.model_copy(update={"dask": dask}))
    before = hashes(there.out)
    shutil.rmtree("relative")
    assert hashes(run_pipeline(pipeline).out) == before


@pytest.mark.parametrize("who", ["workers", pytest.param("scheduler", marks=pytest.mark.soak)])
def test_when_nobody_is_left_one_line_says_so_and_the_run_resumes(poisonable, make_run, who):
    sections = {"records": 40, "output": {"rows_per_shard": 1}}
    with cluster(1, {**poisonable, "ZERO_ENGINE_SLOW": "0.1"}) as running:

        def leave() -> None:
            for process in running.workers if who == "workers" else [running.scheduler]:
                os.killpg(process.pid, signal.SIGKILL)

        dask = {"scheduler": running.address, "workers_timeout_s": 60}
        pipeline = make_run("out", dask=dask, **sections)
        short = pipeline.dask.model_copy(update={"workers_timeout_s": 8})
        with Client(running.address) as client:
            client.wait_for_workers(
                1, timeout=60
            )  # on a busy machine the limit would end before one is there
        with pytest.raises(InputError, match="no worker is left|is gone") as caught:
            run_pipeline(pipeline.model_copy(update={"dask": short}), progress=Said(3, leave))
    assert "run the same command again" in str(caught.value) and "\n" not in str(caught.value)
    resumed = run_pipeline(make_run("out", **sections))
    assert resumed.plan.as_dict()["done"] >= 3
