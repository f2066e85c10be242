"""A store that fails, drivers that die, two at once: the bytes of a local run, and nothing left behind."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.faults.conftest import cluster, hashes
from tests.store.conftest import forget, write_pipeline
from zero_engine.errors import OutputError
from zero_engine.run import lease, run_pipeline
from zero_engine.run.lease import LEASE, Lease
from zero_engine.write import remote
from zero_engine.write.mirror import mirror_at
from zero_engine.write.remote import Remote

pytestmark = pytest.mark.slow

URL = "s3://corpus/sets/one"
RUN = [sys.executable, "-c", "from zero_engine.cli import main; main()", "run"]


@pytest.fixture
def make(server, make_run):
    def make(path: str | None = URL, **sections):
        output = {"path": path, "rows_per_shard": 2} if path else {"rows_per_shard": 2}
        return make_run("local", **{"records": 16, **sections}, output=output)

    return make


@pytest.fixture
def hasty(monkeypatch):
    """Back-off is as it is, only shorter."""
    monkeypatch.setattr(remote, "FIRST_WAIT_S", 0.02)


@pytest.mark.slow
def test_failing_requests_change_no_byte(store, bad_day, make, tmp_path, monkeypatch, hasty):
    run_pipeline(make(None))
    monkeypatch.setenv("AWS_ENDPOINT_URL", bad_day.address)
    forget()
    run_pipeline(make())
    assert hashes(store.save("sets/one", tmp_path / "saved")) == hashes(tmp_path / "local")
    assert sum(bad_day.faults.values()) >= 5, (bad_day.requests, bad_day.faults)
    assert store.uploads() == [] and not store.names("sets/one/.work/")


@pytest.mark.slow
def test_a_driver_that_is_killed_three_times_changes_no_byte(store, bad_day, make, tmp_path, monkeypatch):
    run_pipeline(make(None))
    monkeypatch.setenv("AWS_ENDPOINT_URL", bad_day.address)
    monkeypatch.setenv("ZERO_ENGINE_SLOW", "0.05")
    file, draw, kills = write_pipeline(tmp_path / "p.yaml", make()), random.Random(3), 0
    while True:
        driver = subprocess.Popen([*RUN, str(file), "--no-report"], stderr=subprocess.PIPE, text=True)
        started = time.monotonic()
        while kills < 3 and driver.poll() is None and not store.names("sets/one/.work/ledger-00000.jsonl"):
            assert time.monotonic() - started < 60
            time.sleep(0.05)
        if kills < 3:
            time.sleep(draw.uniform(0.2, 1.0))
            driver.send_signal(signal.SIGKILL)
            kills += 1
        said = driver.communicate(timeout=120)[1]
        if driver.returncode == 0:
            break
        assert driver.returncode == -signal.SIGKILL, said
        assert not store.names("sets/one/manifest.json")
    assert kills == 3
    assert hashes(store.save("sets/one", tmp_path / "saved")) == hashes(tmp_path / "local")
    assert store.uploads() == [] and not store.names("sets/one/.work/")


@pytest.mark.slow
def test_workers_with_caches_and_folders_of_their_own_write_to_the_same_place(store, make, tmp_path):
    run_pipeline(make(None))
    (tmp_path / "elsewhere").mkdir()
    environment = {**os.environ, "ZERO_ENGINE_CACHE": str(tmp_path / "their cache")}
    with cluster(0, environment) as running:
        running.add_worker(folder=str(tmp_path / "elsewhere"))
        dask = {"scheduler": running.address, "workers_timeout_s": 60}
        run_pipeline(make(dask=dask, render={"candidates": 1}))
        summary = run_pipeline(make(dask=dask))
    assert summary.drawn == 32, "a worker has not found the drawings of the first run"
    assert hashes(store.save("sets/one", tmp_path / "saved")) == hashes(tmp_path / "local")
    assert not store.names("sets/one/.work/")
    assert not list((tmp_path / "their cache").rglob("*.tmp")), "a worker leaves files in its cache"


@pytest.mark.slow
def test_uploads_in_parts_that_a_killed_run_left_are_ended(store, make):
    for name in ("sets/one/data/data-00000.arrow", "sets/one-more/x", "other"):
        store.client.create_multipart_upload(Bucket="corpus", Key=name)
    run_pipeline(make(records=2))
    assert sorted(upload["Key"] for upload in store.uploads()) == ["other", "sets/one-more/x"]
    for upload in store.uploads():
        store.client.abort_multipart_upload(Bucket="corpus", Key=upload["Key"], UploadId=upload["UploadId"])


def test_a_large_file_goes_in_parts(store, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "SINGLE_PUT", 1 << 20)
    monkeypatch.setattr(remote, "PART", 5 << 20)
    data = os.urandom(11 << 20)
    (tmp_path / "large").write_bytes(data)
    there = Remote(URL)
    there.put(tmp_path / "large", "large")
    there.get("large", tmp_path / "back", len(data))
    assert (tmp_path / "back").read_bytes() == data and store.uploads() == []
    assert store.client.head_object(Bucket="corpus", Key="sets/one/large")["ETag"].endswith('-3"')


def other(store, **facts) -> None:
    """The lease of a driver on another machine."""
    told = {"owner": "other", "cache": "theirs", "host": "far", "pid": 7, **facts}
    store.write(f"sets/one/{LEASE}", json.dumps(told).encode())


def test_a_second_driver_is_refused_while_the_first_is_alive(store, make, monkeypatch):
    other(store)
    monkeypatch.setattr(lease, "POLL_S", 0.01)
    beats = iter(range(1, 100))
    monkeypatch.setattr(lease.time, "sleep", lambda s: other(store, beat=next(beats)))
    with pytest.raises(OutputError, match=r"s3://corpus/sets/one: another run is writing .*process 7 on far"):
        run_pipeline(make())
    assert [name for name in store.names() if LEASE not in name] == []


@pytest.mark.slow
def test_the_lease_of_a_silent_driver_is_taken_over(store, make, monkeypatch):
    other(store)
    monkeypatch.setattr(lease, "SILENT_S", 0.2)
    monkeypatch.setattr(lease, "POLL_S", 0.05)
    assert run_pipeline(make(records=2)).counts["rows"] == 2
    assert not store.names(f"sets/one/{LEASE}")


def test_a_driver_that_lost_its_lease_commits_no_more(store, make):
    mirror = mirror_at(URL)
    with Lease(mirror) as held:
        held.check()
        other(store)
        with pytest.raises(OutputError, match="process 7 on far"):
            held.check()
    assert store.names(f"sets/one/{LEASE}"), "the lease of another driver was deleted"


def test_of_two_that_come_at_once_one_gets_the_lease(store, monkeypatch):
    there = Remote(URL)
    there.create(LEASE, b"first")
    there.create(LEASE, b"second")
    assert there.read(LEASE) == b"first"


def test_two_drivers_on_one_machine_share_no_copy(store, make, monkeypatch):
    import fcntl

    with open(mirror_at(URL).home / "run.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        monkeypatch.setattr("zero_engine.run.twin.LOCK_WAIT_S", 0.0)
        with pytest.raises(OutputError, match="another run is writing"):
            run_pipeline(make())
