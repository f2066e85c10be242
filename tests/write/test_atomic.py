"""Files are complete or absent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zero_engine.errors import OutputError
from zero_engine.write.atomic import atomic_write, commit, durable_write, sweep


def test_a_file_appears_only_when_the_block_ends(tmp_path):
    path = tmp_path / "a.json"
    with atomic_write(path) as file:
        file.write(b"x")
        assert not path.exists()
    assert path.read_bytes() == b"x"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_an_error_leaves_the_old_file_and_no_temporary(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path, "w") as file:
        file.write("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_text_is_utf8_with_plain_line_ends(tmp_path):
    with atomic_write(tmp_path / "a.md", "w") as file:
        file.write("½\n")
    assert (tmp_path / "a.md").read_bytes() == b"\xc2\xbd\n"


def test_a_new_file_has_the_permissions_that_open_would_give(tmp_path):
    with atomic_write(tmp_path / "a") as file:
        file.write(b"")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_very_long_name_still_has_room_for_its_temporary(tmp_path):
    path = tmp_path / ("n" * 250)
    with atomic_write(path) as file:
        file.write(b"x")
    assert path.read_bytes() == b"x"


def test_commit_replaces_what_lies_under_the_name(tmp_path):
    with durable_write(tmp_path / "a.tmp") as file:
        file.write(b"new")
    (tmp_path / "a").write_bytes(b"old")
    commit(tmp_path / "a.tmp", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert not (tmp_path / "a.tmp").exists()


def test_a_missing_folder_is_not_hidden_as_a_full_disk(tmp_path):
    with (
        pytest.raises(OutputError, match="no: this folder is gone, or was never made"),
        durable_write(tmp_path / "no" / "a") as file,
    ):
        file.write(b"")


def killed_inside_a_write(path: Path) -> Path:
    """The temporary file that a process leaves which dies while it writes `path`, as if a minute ago."""
    before = set(path.parent.iterdir())
    if not (child := os.fork()):
        with atomic_write(path) as file:
            file.write(b"half")
            file.flush()
            os._exit(0)
    os.waitpid(child, 0)
    (left,) = set(path.parent.iterdir()) - before
    os.utime(left, (1, 1))
    return left


def test_what_killed_writers_left_is_swept_and_nothing_else(tmp_path):
    ours = [killed_inside_a_write(tmp_path / name) for name in ("a.html", "b.json")]
    others = [tmp_path / name for name in (".notes.tmp", "c.html", f"x.{'0' * 32}.tmp")]
    for other in others:
        other.write_text("somebody's")
    with atomic_write(tmp_path / "a.html") as file:
        file.write(b"whole")
        file.flush()
        os.utime(file.fileno(), (1, 1))
        sweep(tmp_path, "a.html")
        assert not ours[0].exists() and ours[1].exists()
        sweep(tmp_path)
    assert set(tmp_path.iterdir()) == {*others, tmp_path / "a.html"}
    assert (tmp_path / "a.html").read_bytes() == b"whole"


FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, ".")
from tests.write.sample_dataset import trajectory
from zero_engine.errors import OutputError
from zero_engine.write.atomic import atomic_write
from zero_engine.write.shards import write_trajectories

out = Path(sys.argv[1])
rows = [trajectory(f"t-{i}") for i in range(500)]
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))  # no file may grow beyond: errno EFBIG
for name in ("shard", "atomic"):
    try:
        if name == "shard":
            write_trajectories(out / "shard.tmp", rows, "p", "m")
        else:
            with atomic_write(out / "atomic.json") as file:
                file.write(b"x" * 100_000)
    except OutputError as error:
        print(error)
"""


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, repository):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    shard, atomic = done.stdout.splitlines()
    assert str(tmp_path / "shard.tmp") in shard and "run the same command again" in shard
    assert str(tmp_path / "atomic.json") in atomic
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_the_users_error(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(OutputError, match="permissions"), durable_write(tmp_path / "a"):
        pass
