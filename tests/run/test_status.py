"""What `status` says of a folder: running, stalled, stopped, finished, damaged."""

import gc
import json
import time
from pathlib import Path

import pytest

from tests.commits import Commits
from tests.faults.conftest import pipeline_in
from zero_engine.contracts.manifest import ShardEntry
from zero_engine.errors import OutputError
from zero_engine.run import run_pipeline, status, tally
from zero_engine.run.flights import Flight, flights
from zero_engine.run.launch import Launcher
from zero_engine.run.ledger import open_ledger
from zero_engine.run.recorded import Recorded, ledger_line, recorded
from zero_engine.run.status import folder_status


class Look(Commits):
    """Asks for the status at every commit."""

    def __init__(self, out: Path) -> None:
        super().__init__(self.look)
        self.out, self.seen = out, []

    def look(self) -> None:
        time.sleep(1.1)  # run.json is written at most once a second
        self.seen.append(folder_status(self.out))


@pytest.fixture
def pipeline(tmp_path):
    return pipeline_in(tmp_path, records=12, render={"generator": "none"})


@pytest.mark.slow
def test_a_run_under_way_says_share_pace_and_time_left(pipeline):
    look = Look(Path(pipeline.output.path))
    run_pipeline(pipeline, progress=look)
    first, second, third = look.seen
    assert {facts["state"] for facts in look.seen} == {"running"}
    assert [facts["total"] for facts in look.seen] == [12] * 3
    assert (first["share"], second["share"], third["share"]) == (0.3333, 0.6667, 1.0)
    assert second["records_per_s"] > 0 and second["eta_s"] > 0 and second["last_commit_age_s"] >= 0
    assert second["driver"]["pid"] and second["workers"] == 1
    done = folder_status(look.out)
    assert (done["state"], done["share"], done["in_flight"], done["workers"]) == ("finished", 1.0, [], 0)


def test_a_run_in_which_nothing_moves_is_stalled_and_a_sign_of_life_ends_that(pipeline, monkeypatch):
    out = Path(pipeline.output.path)
    ledger = open_ledger(out, pipeline)
    ledger.begin(pipeline)
    monkeypatch.setattr(status, "STALLED_S", -1.0)
    assert folder_status(out)["state"] == "stalled"
    monkeypatch.setattr(status, "STALLED_S", 60.0)
    with Flight(str(out), 7) as flight:
        flight.say("render", 1)
        facts = folder_status(out)
        assert facts["state"] == "running" and facts["in_flight"][0]["shard"] == 7
    assert list(flights(out)) == []
    ledger._lock.close()
    assert folder_status(out)["state"].startswith("stopped")


def test_a_folder_that_lost_its_record_says_what_to_do(pipeline, tmp_path):
    out = Path(run_pipeline(pipeline).out)
    (out / "manifest.json").write_text("{}")
    assert "zero-engine recover" in folder_status(out)["state"]
    (out / "manifest.json").unlink()
    assert "record is lost" in folder_status(out)["state"]
    with pytest.raises(OutputError, match="no run has written here"):
        folder_status(tmp_path)


def test_a_run_that_stopped_before_its_first_shard_is_no_stranger(pipeline, tmp_path, monkeypatch):
    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    out = Path(pipeline.output.path)
    monkeypatch.setattr(Launcher, "launch", stop)
    with pytest.raises(Stop):
        run_pipeline(pipeline)
    facts = folder_status(out)
    assert (facts["pipeline"]["name"], facts["shards"]) == ("faults", 0)
    assert facts["state"] == "stopped before its first shard was done; run again to begin"
    (out / "events.jsonl").unlink()
    with pytest.raises(OutputError, match="no run has written here"):
        folder_status(out)
    (out / ".work").mkdir()
    (out / ".work" / "lock").touch()  # killed before its ledger stood
    assert folder_status(out)["state"].startswith("stopped before its first shard")


def test_ten_thousand_shards_are_read_without_a_search_for_cycles(pipeline):
    """It made `status` of ten million records take a third longer."""
    out = Path(run_pipeline(pipeline).out)
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").unlink()
    entry = manifest["shards"][0]
    lines = [{"name": "faults"}, *({**entry, "index": index} for index in range(1000))]
    (out / ".work").mkdir()
    (out / ".work" / "ledger.jsonl").write_text("".join(map(ledger_line, lines)))
    begun: list[str] = []

    def watch(phase: str, facts: dict) -> None:
        begun.append(phase)

    gc.collect()
    gc.callbacks.append(watch)
    try:
        entries = recorded(out).entries
    finally:
        gc.callbacks.remove(watch)
    assert len(entries) == 1000 and begun.count("start") <= 1  # one when it is on again
    assert gc.isenabled()


def test_what_was_committed_is_gathered_once_for_all_files(monkeypatch, tmp_path):
    """Gathered for each file of drawings, it made a folder cost the square of its shards."""
    gathered: list[int] = []
    digests = Recorded.digests
    monkeypatch.setattr(Recorded, "digests", lambda held: gathered.append(1) or digests(held))
    held = Recorded(out=tmp_path)
    for shard in range(3):
        held.put(entry_with_drawings(shard, f"{shard}" * 64))
    assert held.trusts("candidates/part-00001.arrow", "2" * 64)
    held.put(entry_with_drawings(1, "a" * 64))
    assert held.trusts("candidates/part-00001.arrow", "a" * 64)
    assert not held.trusts("candidates/part-00001.arrow", "b" * 64)
    held.give_up()
    assert held.trusts("candidates/part-00002.arrow", "0" * 64) and not held.entries
    assert len(gathered) <= 3  # before and after it was given up, and for giving up


def entry_with_drawings(index: int, sha256: str) -> ShardEntry:
    file = {"rows": 1, "bytes": 1, "sha256": sha256}
    return ShardEntry.model_validate(
        {
            "index": index, "first_row": index, "records": 1, "digest": "", "keys": {}, "counts": tally.empty(),
            "data": {"name": f"data/data-{index:05d}.arrow", **file},
            "candidates": {"name": f"candidates/part-{index:05d}.arrow", **file},
        }
    )  # fmt: skip


def test_events_tell_what_happened(pipeline):
    out = Path(run_pipeline(pipeline).out)
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["began", *["committed"] * 3, "finished"]
    assert events[0]["pipeline"]["name"] == "faults" and events[-1]["rows"] == 12
