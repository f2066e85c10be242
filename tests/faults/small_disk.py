"""Runs the command again and again while the room for its output grows: a program for `test_disk.py`.

    python small_disk.py (disk | limit) FOLDER WORKERS SIZE_KB...

`disk` mounts a disk of that size on FOLDER/disk; `limit` lets no file grow beyond the size. Writes FOLDER/said-SIZE,
FOLDER/codes.json, and, after a last run with room, FOLDER/copy.
"""

import contextlib
import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from zero_engine.cli import main
from zero_engine.run.chamber import close_chamber


def run(folder: Path, workers: str, said: Path) -> int:
    """One run of the command in this process; its exit code."""
    sys.argv = ["zero-engine", "run", str(folder / "pipeline.yaml"), "--no-report", "--workers", workers]
    with open(said, "w") as errors, contextlib.redirect_stderr(errors):
        try:
            main()
        except SystemExit as exit:
            return int(exit.code or 0)
    return 0


def make_room(means: str, disk: Path, size_bytes: int) -> None:
    if means == "disk":
        subprocess.run(["mount", "-o", f"remount,size={size_bytes}", str(disk)], check=True)
    else:
        close_chamber()  # its child keeps the limit that it was started with
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


if __name__ == "__main__":
    means, folder, workers, *sizes = sys.argv[1:]
    place = Path(folder)
    if means == "disk":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "small", str(place / "disk")], check=True)
    codes = []
    for size in sizes:
        make_room(means, place / "disk", int(size) << 10)
        codes.append(run(place, workers, place / f"said-{size}"))
    make_room(means, place / "disk", 100 << 20)
    if run(place, workers, place / "last"):
        sys.exit((place / "last").read_text())
    (place / "codes.json").write_text(json.dumps(codes))
    shutil.copytree(place / "disk" / "out", place / "copy")
