"""A dataset in an object store: the bytes of a local run, read by everything that reads a folder."""

import json
import os
import shutil
import signal

import pytest

from tests.faults.conftest import hashes
from tests.store.conftest import forget, write_pipeline
from zero_engine import open_dataset
from zero_engine.errors import Interrupted, OutputError
from zero_engine.run import plan_run, run_pipeline
from zero_engine.run.ledger import Ledger
from zero_engine.run.recover import retry
from zero_engine.run.status import folder_status
from zero_engine.write.dataset import open_rows
from zero_engine.write.export import export_dataset
from zero_engine.write.unused import clean
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow

URL = "s3://corpus/sets/one"


@pytest.fixture
def make(server, make_run):
    """A pipeline that draws, into the store or into the folder `local`."""

    def make(path: str | None = URL, **sections):
        output = {"output": {"path": path}} if path else {}
        return make_run("local", **{"records": 6, **sections}, **output)

    return make


def read(store, tmp_path, name: str = "saved"):
    """Hashes of what lies in the store."""
    shutil.rmtree(tmp_path / name, ignore_errors=True)
    return hashes(store.save("sets/one", tmp_path / name))


def test_a_run_leaves_the_bytes_of_a_local_one_and_nothing_else(store, make, tmp_path, cache):
    run_pipeline(make(None))
    summary = run_pipeline(make())
    assert read(store, tmp_path) == hashes(tmp_path / "local") and summary.out == URL
    local = {
        p.relative_to(tmp_path / "local").as_posix() for p in (tmp_path / "local").rglob("*") if p.is_file()
    }
    assert {name.removeprefix("sets/one/") for name in store.names()} == local
    for name in ("data/state.json", "data/dataset_info.json", "README.md"):
        assert store.read(f"sets/one/{name}") == (tmp_path / "local" / name).read_bytes()
    assert store.uploads() == []
    assert not list(cache.rglob("*.tmp"))


@pytest.mark.slow
def test_ctrl_c_halts_shards_in_the_store_and_the_run_goes_on(store, make, tmp_path, monkeypatch):
    commits = []

    def commit(ledger, *what, honest=Ledger.commit):
        honest(ledger, *what)
        commits.append(what)
        os.kill(os.getpid(), signal.SIGINT)

    run_pipeline(make(None, records=16))
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "commit", commit)
        with pytest.raises(Interrupted, match="stopped with 1 shard .*s3://corpus/sets/one"):
            run_pipeline(make(records=16))
    assert len(commits) == 1, "what had not begun was not begun"
    assert run_pipeline(make(records=16)).plan.as_dict()["done"] == 1
    assert read(store, tmp_path) == hashes(tmp_path / "local")
    assert not [name for name in store.names("sets/one") if "halt-" in name]


@pytest.mark.slow
def test_everything_that_reads_a_folder_reads_an_address(store, make, tmp_path, call, cache):
    run_pipeline(make())
    shutil.rmtree(cache)  # another machine
    forget()
    assert len(open_rows(URL, ["id"])) == 6  # what a training reads
    assert not (next(cache.rglob("out")) / "candidates").exists(), "more was fetched than is read"
    assert open_dataset(URL)["id"] == [f"t{number}" for number in range(6)]
    assert len(open_dataset(URL, "candidates")) == 24
    assert all(check.ok for check in validate_dataset(URL))
    assert export_dataset(URL, "messages", tmp_path / "messages")["rows"] == 6
    for command in ("validate", "inspect", "status", "report"):
        code, out, err = call(command, URL)
        assert (code, err) == (0, ""), (command, out, err)
    assert "sets/one/report.html" in store.names()
    assert folder_status(URL)["state"] == "finished"
    assert plan_run(make()).plan.starts == {"done": 2}
    assert call("export", URL, "--to", "parquet", "--output", tmp_path / "parquet")[0] == 0


@pytest.mark.slow
def test_another_machine_goes_on_and_draws_nothing_again(store, make, tmp_path, cache):
    run_pipeline(make(None, gate={"min_pictures": 2}))
    run_pipeline(make())
    shutil.rmtree(cache)
    forget()
    summary = run_pipeline(make(gate={"min_pictures": 2}))
    assert summary.drawn == 0 and summary.plan.starts == {"gate": 2}
    assert read(store, tmp_path) == hashes(tmp_path / "local")


@pytest.mark.slow
def test_drawings_are_set_aside_in_the_store_found_again_and_cleaned(store, make, tmp_path, cache):
    run_pipeline(make())
    before = read(store, tmp_path)
    assert run_pipeline(make(render={"candidates": 1})).unused.drawings == 12
    assert store.names("sets/one/unused/")
    shutil.rmtree(cache)
    forget()
    assert run_pipeline(make()).drawn == 0
    assert read(store, tmp_path) == before and not store.names("sets/one/unused/")
    run_pipeline(make(render={"candidates": 1}))
    assert clean(URL).drawings == 12 and not store.names("sets/one/unused/")
    run_pipeline(make(records=3))  # an input that shrank
    assert [n for n in store.names("sets/one/data/") if n.endswith("arrow")] == [
        "sets/one/data/data-00000.arrow"
    ]
    assert run_pipeline(make("s3://corpus/sets/two", name="two"), reuse=[URL]).drawn == 6


@pytest.mark.slow
def test_what_is_damaged_or_lost_in_the_store_is_named_and_repaired(store, make, tmp_path):
    run_pipeline(make())
    before = read(store, tmp_path)
    for name in ("data/data-00001.arrow", "candidates/part-00000.arrow"):
        data = bytearray(store.read(f"sets/one/{name}"))
        data[len(data) // 2] ^= 1
        store.write(f"sets/one/{name}", bytes(data))
    store.write("sets/one/data/data-00099.arrow", b"stray")
    failed = {check.name: check.detail for check in validate_dataset(URL) if not check.ok}
    assert "and 1 more" in failed["sha256"] and "data-00099" in failed["files"]
    with pytest.raises(
        OutputError, match=r"s3://corpus/sets/one: data/data-00099.arrow is not in the manifest"
    ):
        open_dataset(URL)
    run_pipeline(make())
    assert read(store, tmp_path) == before and "sets/one/strays/data-data-00099.arrow" in store.names()
    for name in ("data/data-00000.arrow", "manifest.json"):
        store.client.delete_object(Bucket="corpus", Key=f"sets/one/{name}")
    assert run_pipeline(make()).drawn == 0
    assert read(store, tmp_path) == before and "sets/one/manifest.json" in store.names()


def test_a_damaged_copy_is_not_damage_of_the_store(store, make, tmp_path, cache):
    run_pipeline(make())
    copy = next(cache.rglob("data-00000.arrow"))
    data, times = bytearray(copy.read_bytes()), copy.stat()
    data[-200] ^= 1
    copy.write_bytes(data)
    os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert all(check.ok for check in validate_dataset(URL))


@pytest.mark.slow
def test_rejections_are_tried_again_in_the_store(store, make, tmp_path, monkeypatch):
    run_pipeline(make(poison={4: "POISON raises reading"}))
    assert store.names("sets/one/rejected/")
    monkeypatch.setenv("ZERO_ENGINE_ANTIDOTE", "1")
    done = retry(URL)
    assert (done.chosen, done.left) == (1, 0) and not store.names("sets/one/rejected/")
    assert store.names("sets/one/manifest.json")


@pytest.mark.slow
def test_a_place_that_holds_something_else_is_left_alone(store, make):
    store.write("sets/one/notes.txt", b"mine")
    with pytest.raises(OutputError, match=r"not empty and not a zero-engine dataset \(it holds notes.txt\)"):
        run_pipeline(make())
    assert store.names() == ["sets/one/notes.txt"]


@pytest.mark.slow
def test_names_in_the_store_stay_inside_the_copy(store, make, tmp_path):
    run_pipeline(make())
    for name in ("data/../../../evil", "../evil", "unused/..", "data/deep/er.arrow", "data"):
        store.write(f"sets/one/{name}", b"evil")
    assert all(check.ok for check in validate_dataset(URL))
    assert not [path for path in tmp_path.rglob("*") if path.name in ("evil", "er.arrow")]


def test_status_tells_of_a_run_on_another_machine(store, make, tmp_path, call):
    run_pipeline(make())
    store.write("sets/one/.work/lease.json", json.dumps({"owner": "x", "host": "far", "pid": 7}).encode())
    store.write(
        "sets/one/.work/run.json", json.dumps({"host": "far", "pid": 7, "total": 9, "workers": 3}).encode()
    )
    store.write("sets/one/.work/flight-00002-x.tmp", json.dumps({"shard": 2, "stage": "render"}).encode())
    facts = folder_status(URL)
    assert facts["state"] == "running" and facts["driver"] == {"host": "far", "pid": 7}
    assert facts["in_flight"] == [{"shard": 2, "stage": "render"}]


@pytest.mark.slow
def test_the_command_line_runs_into_a_store(store, make, tmp_path, call):
    file = write_pipeline(tmp_path / "p.yaml", make())
    code, out, err = call("run", file)
    assert code == 0 and f"{URL}/report.html" in out, err
    assert call("run", file, "--json")[0] == 0
    assert call("recover", URL)[0] == 0
    assert call("validate", URL, "--json")[0] == 0
