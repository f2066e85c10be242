"""Which files of a folder hold no records, and why: by name, by suffix, and by content where the name says nothing."""

import os

from zero_engine.errors import InputError
from zero_engine.pipeline import Input
from zero_engine.read.files import open_unpacked
from zero_engine.read.sniffing import sniff

DATA_SUFFIXES = (
    ".jsonl",
    ".ndjson",
    ".jsonlines",
    ".jl",
    ".json",
    ".csv",
    ".tsv",
    ".parquet",
    ".pq",
    ".arrow",
    ".feather",
)
PACKED_SUFFIXES = (".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz")
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2")
NO_DATA_NAMES = (
    "dataset_info.json",
    "dataset_infos.json",
    "dataset_dict.json",
    "state.json",
    "manifest.json",
    "stats.json",
)
UNFINISHED_SUFFIXES = (
    "~",
    ".bak",
    ".orig",
    ".old",
    ".tmp",
    ".temp",
    ".part",
    ".partial",
    ".incomplete",
    ".crdownload",
)
"""What editors and downloads leave beside a file; read with it, its records would be there twice."""
NO_DATA_SUFFIXES = {
    ".md": "documentation",
    ".rst": "documentation",
    ".pdf": "documentation",
    ".html": "documentation",
    ".py": "code",
    ".ipynb": "code",
    ".sh": "code",
    ".yaml": "settings",
    ".yml": "settings",
    ".toml": "settings",
    ".lock": "settings",
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".svg"), "a picture"),
    **dict.fromkeys((".safetensors", ".bin", ".pt", ".npy", ".npz", ".pkl", ".pickle"), "weights or arrays"),
}


def no_data(name: str, spec: Input) -> str | None:
    """Why a file of a folder holds no records; None where it does. Names that say nothing are decided by content."""
    low = os.path.basename(name).lower()
    if low.endswith(UNFINISHED_SUFFIXES):
        return "a backup or an unfinished file"
    if low in NO_DATA_NAMES:
        return "describes a dataset"
    if low.startswith(("readme", "license", "licence", "citation", "changelog")):
        return "documentation"
    if has_data_suffix(name) or low.endswith(ARCHIVE_SUFFIXES):
        return None
    if why := NO_DATA_SUFFIXES.get(os.path.splitext(low)[1]):
        return why
    try:
        kind = sniff(name, spec.encoding).kind
    except InputError as error:
        return str(error).removeprefix(f"{name}: ").split(". ")[0]
    return None if kind not in ("csv", "empty") and _looks_like_json(name, kind) else "no records in it"


def _looks_like_json(name: str, kind: str) -> bool:
    if kind != "json_lines":
        return True
    with open_unpacked(name) as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))


def has_data_suffix(name: str) -> bool:
    stem = name.lower()
    for suffix in PACKED_SUFFIXES:
        stem = stem.removesuffix(suffix)
    return stem.endswith(DATA_SUFFIXES)
