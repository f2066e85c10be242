"""What a server of pictures answered, where the output folder is in a store: there too, the moment it comes."""

import json
import os
import signal
import time

import pytest

from tests.painters.images_server import ImagesServer
from tests.painters.test_http_runs import command
from tests.store.conftest import forget
from zero_engine.run.served import answers_of
from zero_engine.run.twin import held_folder

pytestmark = pytest.mark.slow

URL = "s3://corpus/sets/one"
ONE, OTHER = "a" * 32, "b" * 32


def test_another_machine_finds_what_was_answered_and_a_commit_deletes_it_there(store, cache, monkeypatch):
    answers = answers_of(URL)
    answers.put(ONE, b"paid for")
    monkeypatch.setenv("ZERO_ENGINE_CACHE", str(cache.with_name("another")))
    forget()
    there = answers_of(URL)
    assert there.folder != answers.folder and there.get(ONE) is None
    there.bring([ONE, OTHER])
    assert there.get(ONE) == b"paid for" and there.get(OTHER) is None
    there.forget([ONE, OTHER])
    assert there.get(ONE) is None and store.names() == []


def test_a_run_that_begins_leaves_what_was_answered(store):
    answers_of(URL).put(ONE, b"paid for")
    with held_folder(URL) as (_, twin):
        twin.begin([])
        assert f"sets/one/.work/answers/{ONE}" in store.names()
        twin.clear_work()
        assert store.names("sets/one/.work/answers") == []


@pytest.mark.soak
@pytest.mark.parametrize("cache_is_lost", [False, True])
def test_a_run_into_a_store_that_is_killed_asks_nothing_twice(
    repository, store, cache, tmp_path, monkeypatch, cache_is_lost
):
    """Three kills; the copy on this machine may be gone each time, as on a machine that is rented anew."""
    monkeypatch.delenv("ZERO_ENGINE_POISON")
    monkeypatch.delenv("PYTHONPATH")
    traces = [
        {
            "id": f"t{at}",
            "question": "?",
            "answer": "1",
            "rationale": "\n".join(f"Step {step} of {at} is here." for step in range(5)),
        }
        for at in range(24)
    ]
    (tmp_path / "traces.jsonl").write_text("\n".join(map(json.dumps, traces)))
    more = [f"output.path={URL}", "output.rows_per_shard=12"]
    with ImagesServer() as server:
        run = command(repository, tmp_path, server, "calm", "output.rows_per_shard=12")
        assert run.communicate(timeout=900)[1] is None and run.returncode == 0
        server.painted.clear()
        server.pause_s = 0.1
        for kill_at in (20, 50, 80):
            run = command(repository, tmp_path, server, "out", *more)
            while sum(server.painted.values()) < kill_at:
                time.sleep(0.02)
                assert run.poll() is None, run.communicate()[0]
            run.send_signal(signal.SIGKILL)
            run.communicate(timeout=60)
            while server.at_once:
                time.sleep(0.02)
            time.sleep(0.5)
            if cache_is_lost:
                os.rename(cache, cache.with_name(f"lost-{kill_at}"))
        run = command(repository, tmp_path, server, "out", *more)
        said = run.communicate(timeout=900)[0]
        assert run.returncode == 0, said
        repeated = sum(server.painted.values()) - 120
    assert len(server.painted) == 120 and repeated <= 3 * 4, (
        "more than what was under way was asked for twice"
    )
    saved = store.save("sets/one", tmp_path / "saved")
    for name in ("data/data-00000.arrow", "data/data-00001.arrow"):
        assert (saved / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()
    assert store.names("sets/one/.work/") == []
