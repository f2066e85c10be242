"""The output folder: what its files are called, written nowhere else.

OUT/ README.md  strip.png  manifest.json  stats.json  report.html
     report/      pages of data of report.html
     data/        data-00000.arrow ...  dataset_info.json  state.json
     candidates/  part-00000.arrow ...   drawings that the pipeline asks for, kept or not
     rejected/    part-00000.jsonl ...
     unused/      <sha256>.arrow ...     drawings that it does not ask for now; only `clean` deletes them
     strays/      files that no shard lists, and damaged ones, moved out of the way
     events.jsonl                        what happened, one line each
     .work/       ledger, lock, index of drawings, temporary files
"""

from fnmatch import fnmatchcase
from pathlib import Path

DATA, CANDIDATES, REJECTED, UNUSED, WORK = "data", "candidates", "rejected", "unused", ".work"
STRAYS = "strays"
REPORT_PAGES = "report"
CARD, MANIFEST, STATS, REPORT, EVENTS = (
    "README.md",
    "manifest.json",
    "stats.json",
    "report.html",
    "events.jsonl",
)
STRIP = "strip.png"
"""Pictures of the first rows, beside the card."""
OURS = {
    *(DATA, CANDIDATES, REJECTED, UNUSED, STRAYS, WORK, REPORT_PAGES),
    *(CARD, MANIFEST, STATS, REPORT, EVENTS, STRIP),
}
"""All that may lie in an output folder."""
SHARD_FOLDERS = (DATA, CANDIDATES, REJECTED)

DATA_FILES, CANDIDATE_FILES, REJECTION_FILES = (
    "data/data-*.arrow",
    "candidates/part-*.arrow",
    "rejected/part-*.jsonl",
)
"""Globs of shard files. `datasets` writes `cache-*.arrow` beside them, which are nobody's rows."""

DATASET_INFO, STATE = "data/dataset_info.json", "data/state.json"
"""What `datasets.load_from_disk(OUT/data)` wants to see."""

ANSWERS = ".work/answers"
"""A folder of its own: what a server answered and no shard holds yet, a file a picture."""
LEDGER, LOCK, INDEX = ".work/ledger.jsonl", ".work/lock", ".work/drawings.sqlite"
RUN_FACTS = ".work/run.json"
"""How far the run is; only for those who watch."""


def data_name(shard: int) -> str:
    return f"{DATA}/data-{shard:05d}.arrow"


def candidates_name(shard: int) -> str:
    return f"{CANDIDATES}/part-{shard:05d}.arrow"


def rejections_name(shard: int) -> str:
    return f"{REJECTED}/part-{shard:05d}.jsonl"


def unused_name(sha256: str) -> str:
    """Drawings set aside are called by the content of their file, so no two get in each other's way."""
    return f"{UNUSED}/{sha256[:16]}.arrow"


def is_shard_file(name: str) -> bool:
    """Whether a path inside the folder is one that a reader of shards would take."""
    return any(fnmatchcase(name, glob) for glob in (DATA_FILES, CANDIDATE_FILES, REJECTION_FILES))


def shard_files(out: Path) -> list[str]:
    """Names of all shard files that lie in a folder, listed or not."""
    found = (
        path
        for folder in SHARD_FOLDERS
        if not (out / folder).is_symlink()
        for path in (out / folder).glob("*")
    )
    return sorted(name for path in found if is_shard_file(name := f"{path.parent.name}/{path.name}"))
