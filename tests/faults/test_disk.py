"""Disks that fill up, folders that cannot be written, locks of the dead, and two drivers at once."""

import ctypes
import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
import yaml

from tests.commits import Commits
from tests.faults.conftest import hashes
from zero_engine.errors import OutputError
from zero_engine.run import run_pipeline
from zero_engine.run.ledger import open_ledger
from zero_engine.run.recorded import is_locked
from zero_engine.run.status import folder_status
from zero_engine.write.atomic import disk_errors

pytestmark = pytest.mark.slow


def _can_mount(words: list[str]) -> bool:
    if shutil.which(words[0]) is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "small", folder]
        return subprocess.run([*words, *mount], capture_output=True).returncode == 0


RUN = f"{sys.executable} -c 'from zero_engine.cli import main; main()' run"
NAMESPACE = next((words for words in (["unshare", "-m"], ["unshare", "-Urm"]) if _can_mount(words)), None)
"""What starts a program that may mount: root's own mounts, or those of a namespace of the user."""


@pytest.mark.parametrize(
    ("means", "workers"),
    [
        *([("disk", 0), pytest.param("disk", 1, marks=pytest.mark.soak)] if NAMESPACE else []),
        ("limit", 0),
    ],
)
def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(
    poisonable, make_run, tmp_path, means, workers
):
    """A small disk where the machine lets us mount one; and a limit on the size of files, which is no room, too."""
    plain = hashes(run_pipeline(make_run("plain", records=24)).out)
    (tmp_path / "disk").mkdir()
    pipeline = make_run("plain", records=24, output={"path": str(tmp_path / "disk" / "out")})
    file = tmp_path / "pipeline.yaml"
    file.write_text(yaml.safe_dump(pipeline.model_dump(mode="json")))
    sizes = (8, 24, 48, 96, 140, 180, 220, 300) if means == "disk" and workers == 0 else (4, 12, 48, 180)
    command = [
        sys.executable,
        str(Path(__file__).with_name("small_disk.py")),
        means,
        str(tmp_path),
        str(workers),
    ]
    done = subprocess.run(
        [*(NAMESPACE if means == "disk" else []), *command, *map(str, sizes)],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    codes = json.loads(Path(tmp_path, "codes.json").read_text())
    for size, code in zip(sizes, codes, strict=True):
        said = Path(tmp_path, f"said-{size}").read_text()
        errors = [line for line in said.splitlines() if line.startswith("zero-engine:")]
        assert "Traceback" not in said, said
        assert code == 0 or (code == 2 and len(errors) == 1 and "space" in errors[0]), (size, code, said)
    assert codes[0] == 2
    assert hashes(tmp_path / "copy") == plain


@pytest.mark.parametrize("means", [*(["disk"] if NAMESPACE else []), "permissions"])
def test_a_read_only_folder_is_one_line(poisonable, make_run, tmp_path, means):
    disk = tmp_path / "disk"
    disk.mkdir()
    pipeline = make_run("plain", output={"path": str(disk / "out")})
    file = tmp_path / "pipeline.yaml"
    file.write_text(yaml.safe_dump(pipeline.model_dump(mode="json")))
    run = ["sh", "-c", f"{RUN} {file} --no-report"]
    if means == "disk":
        run = [*NAMESPACE, "sh", "-c", f"mount -t tmpfs -o ro small {disk}\n{run[-1]}"]
    else:
        disk.chmod(0o555)
    done = subprocess.run(run, capture_output=True, text=True, timeout=300, preexec_fn=_obey_permissions)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "cannot be written" in done.stderr


@pytest.mark.skipif(NAMESPACE is None, reason="needs a read-only mount")
def test_a_run_with_nothing_to_do_ends_well_on_a_read_only_disk(poisonable, make_run, tmp_path):
    pipeline = make_run("plain", output={"path": str(tmp_path / "disk" / "out")})
    out = Path(run_pipeline(pipeline).out)
    file = tmp_path / "pipeline.yaml"
    file.write_text(yaml.safe_dump(pipeline.model_dump(mode="json")))
    mount = f"mount --bind {out.parent} {out.parent}\nmount -o remount,ro,bind {out.parent}"
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", f"set -e\n{mount}\n{RUN} {file} --json"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["plan"]["done"] == 2
    assert "cannot be written" in done.stderr and "Nothing else was to be done." in done.stderr


def _obey_permissions() -> None:
    """Take from root, too, what it needs to write where nobody may (a user has nothing to lose)."""
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)


def test_a_second_driver_is_refused_and_a_lock_left_by_a_dead_one_is_taken(poisonable, make_run):
    pipeline = make_run()
    first = open_ledger(Path(pipeline.output.path), pipeline)
    first.begin(pipeline)
    with pytest.raises(OutputError, match="another run is writing") as caught:
        run_pipeline(pipeline)
    assert "\n" not in str(caught.value)
    first._lock.close()  # as the death of its process does
    assert (Path(pipeline.output.path) / ".work" / "lock").exists()
    assert run_pipeline(pipeline).counts["rows"] == 8


def test_who_looks_at_a_folder_is_no_second_driver(poisonable, make_run):
    """`status` holds the lock for a moment."""
    pipeline = make_run()
    out = Path(run_pipeline(pipeline).out)
    (out / "data" / "data-00001.arrow").unlink()
    (out / ".work").mkdir()
    with open(out / ".work" / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        threading.Timer(0.2, fcntl.flock, (lock, fcntl.LOCK_UN)).start()
        assert run_pipeline(pipeline).drawn == 0


def test_a_lock_that_an_ending_run_clears_away_is_not_held(poisonable, make_run, monkeypatch):
    """A run that ends removes `.work` between the opening of the lock and the locking, or before both."""
    pipeline, real, cleared = make_run(), fcntl.flock, []

    def cleared_away(*lock):
        if len(cleared) < 2:
            cleared.append(1)
            shutil.rmtree(Path(pipeline.output.path, ".work"))
        real(*lock)

    monkeypatch.setattr(fcntl, "flock", cleared_away)
    out = Path(pipeline.output.path)
    ledger = open_ledger(out, pipeline)
    ledger.begin(pipeline)
    assert is_locked(out)
    ledger._lock.close()
    assert run_pipeline(pipeline).counts["rows"] == 8


def test_a_run_that_came_between_comparing_and_writing_is_noticed(poisonable, make_run):
    """What was compared is not what lies there now: the manifest would tell of files that are gone."""
    pipeline = make_run()
    out = Path(run_pipeline(pipeline).out)
    later = open_ledger(out, pipeline)
    run_pipeline(pipeline.model_copy(update={"gate": pipeline.gate.model_copy(update={"min_pictures": 1})}))
    before = hashes(out)
    with pytest.raises(OutputError, match="another run wrote to this folder.* Run the same command again"):
        later.begin(pipeline)
    later._lock.close()
    assert hashes(out) == before and (out / "manifest.json").exists()
    assert run_pipeline(pipeline).drawn == 0


@pytest.mark.parametrize("what", ["out", "out/.work"])
def test_a_folder_that_goes_away_under_a_run_is_one_line(poisonable, make_run, tmp_path, what):
    pipeline = make_run("out", records=16)
    go = Commits(lambda: (tmp_path / what).rename(tmp_path / "away"))
    with pytest.raises(OutputError, match="this folder is gone.* run the same command again"):
        run_pipeline(pipeline, progress=go)
    plain = hashes(run_pipeline(make_run("out", records=16, output={"path": str(tmp_path / "plain")})).out)
    assert hashes(run_pipeline(pipeline).out) == plain


def test_a_disk_that_fails_is_one_line(tmp_path):
    with pytest.raises(OutputError, match="the disk fails .Input/output error."), disk_errors(tmp_path):
        raise OSError(errno.EIO, "Input/output error")
    with (
        pytest.raises(FileNotFoundError),
        disk_errors(tmp_path),
    ):  # a file that is not there is nothing of the disk's
        open(tmp_path / "nowhere")


def test_a_clock_set_back_changes_nothing(poisonable, make_run, monkeypatch):
    plain = hashes(run_pipeline(make_run("plain")).out)
    out = run_pipeline(make_run("plain", output={"path": f"{make_run().output.path}-later"})).out
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    Path(out, "data", "data-00001.arrow").unlink()
    again = run_pipeline(make_run("plain", output={"path": out}))
    assert again.drawn == 0 and hashes(out) == plain
    assert folder_status(Path(out))["last_commit_age_s"] >= 0


@pytest.mark.parametrize("scheme", ["ftp", "file", "nosuch"])
def test_an_address_instead_of_a_folder_is_one_line_and_writes_nothing(tmp_path, scheme, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pipeline.yaml").write_text("input: {path: nowhere.jsonl}\noutput: {path: out}\n")
    command = f"{RUN} pipeline.yaml --output {scheme}://bucket/x"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "cannot be written to" in done.stderr
    assert done.stderr.count("\n") == 1 and os.listdir() == ["pipeline.yaml"]


def test_an_input_that_shrinks_while_it_is_read_is_said_at_the_end(poisonable, make_run):
    pipeline = make_run(records=16)
    path = Path(pipeline.input.path)
    whole = path.read_text()
    notes = Commits(lambda: path.write_text(whole[: len(whole) // 2]))
    run_pipeline(pipeline, progress=notes)
    assert len(notes.messages) == 1 and "shrank" in notes.messages[0]
