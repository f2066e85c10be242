"""Outputs of zero-engine that lie inside a folder of input, or among the files that a pattern matches.

`run --input .` puts its output beside the records that it is made from, so the next run finds both. Runs, exports,
evaluations, trainings and rounds each leave a file by which their folder is known, runs also while they are under way.
No record is read from such a folder, unless it is what the user named.
"""

import os
from collections.abc import Callable, Sequence

from zero_engine.errors import InputError
from zero_engine.read.files import open_raw

SIGNS = {
    "manifest.json": b'"zero-engine"',
    "events.jsonl": b'"event": "began"',
    "ledger.jsonl": b"",
    "export.json": b'"identity"',
    "evaluation.json": b'"judged"',
    "log.jsonl": b'{"step": 1,',
    "result.json": b'"identity"',
    "rounds.json": b'"rounds"',
}
"""Names of the files that tell, with what stands near their beginning."""
HEAD_BYTES = 4096


def outputs_inside(base: str, names: Sequence[str]) -> list[str]:
    """Folders under `base` that zero-engine wrote, the outermost ones, among these files of it."""
    found: set[str] = set()
    for name in names:
        folder = _folder_told_by(name)
        if folder is not None and folder != base and folder not in found and _says(name):
            found.add(folder)
    return sorted(one for one in found if not any(one.startswith(f"{other}/") for other in found))


def outputs_matched(pattern: str, names: Sequence[str], exists: Callable[[str], bool]) -> list[str]:
    """Folders that zero-engine wrote around these files, below the part of the pattern that matches only itself.

    The file that tells of such a folder may not match the pattern.
    """
    base = fixed_part(pattern)
    folders = {name[:end] for name in names for end in _slashes(name, len(base))}
    told = [f"{folder}/{'.work/' * (sign == 'ledger.jsonl')}{sign}" for folder in folders for sign in SIGNS]
    return outputs_inside(base.rstrip("/"), [name for name in told if exists(name)])


def fixed_part(pattern: str) -> str:
    """The folder, with its slash, under which all that a pattern matches lies."""
    wild = min(place for place in map(pattern.find, "*?[") if place >= 0)
    return pattern[: pattern.rfind("/", 0, wild) + 1]


def _slashes(name: str, start: int) -> list[int]:
    return [place for place in range(start, len(name)) if name[place] == "/"]


def without(names: Sequence[str], folders: Sequence[str]) -> list[str]:
    """The files that lie in none of the folders."""
    heads = tuple(f"{folder}/" for folder in folders)
    return [name for name in names if not name.startswith(heads)]


def _folder_told_by(name: str) -> str | None:
    """The folder that a file of this name would tell of; None for any other name."""
    folder, base = os.path.split(name)
    if base not in SIGNS:
        return None
    if base == "ledger.jsonl":
        outer, work = os.path.split(folder)
        return outer if work == ".work" else None
    return folder


def _says(name: str) -> bool:
    sign = SIGNS[os.path.basename(name)]
    if not sign:
        return True
    try:
        with open_raw(name) as file:
            return sign in file.read(HEAD_BYTES)
    except (InputError, OSError):
        return False
