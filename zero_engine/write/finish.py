"""Committed shards -> a dataset: what `datasets` needs to load it, the card, and last the manifest.

    OUT/ README.md  stats.json  manifest.json
         data/        data-00000.arrow ...  dataset_info.json  state.json
         candidates/  part-00000.arrow ...      (absent where nothing was drawn)
         rejected/    part-00000.jsonl ...

Three ways to load it are kept working, each with a trap of its own in datasets 5.2:
`load_from_disk(OUT/data)` wants dataset_info.json and state.json beside the files; `load_dataset(OUT)`
refuses a folder with a state.json in its root, wants one file format in all configs, reads the configs from
the card's front matter, and refuses a dataset of 0 rows (`load_from_disk` and `open_dataset` do not).

A kill at any instant leaves a folder without a manifest, so never one that looks finished.
"""

import json
from pathlib import Path

from zero_engine.contracts.manifest import Manifest
from zero_engine.contracts.rows import TRAJECTORY, features
from zero_engine.errors import OutputError
from zero_engine.hashing import digest
from zero_engine.write.atomic import atomic_write, disk_errors, sync_folder
from zero_engine.write.card import dataset_card
from zero_engine.write.card_body import write_strip
from zero_engine.write.folder import (
    CARD,
    DATA,
    DATASET_INFO,
    MANIFEST,
    SHARD_FOLDERS,
    STATE,
    STATS,
    shard_files,
)
from zero_engine.write.manifest import write_manifest
from zero_engine.write.plain import plain_size, put_aside, read_plain


def finish_dataset(out: str | Path, manifest: Manifest, stats: dict) -> list[str]:
    """Turn a folder whose shards are all committed into a finished dataset; says which files were in the way.

    Files that the manifest does not list are moved to `strays/`; drawings among them have been set aside before.
    Raises OutputError where a listed file is missing or of the wrong size, or the disk is full.
    """
    out = Path(out)
    unfinish(out)
    _check_present(out, manifest)
    with disk_errors(out):
        strays = _move_unlisted(out, manifest)
    _write_json(out / DATASET_INFO, _info(manifest))
    _write_json(out / STATE, _state(manifest))
    _write_json(out / STATS, stats)
    write_strip(out, manifest)
    with atomic_write(out / CARD, "w") as file:
        file.write(dataset_card(manifest, stats, out))
    write_manifest(out, manifest)
    return strays


def unfinish(out: str | Path) -> None:
    """Withdraw the manifest, durably: from here on the folder is a run under way."""
    out = Path(out)
    with disk_errors(out):
        if (out / MANIFEST).is_dir() and not (out / MANIFEST).is_symlink():
            put_aside(out, MANIFEST)
        (out / MANIFEST).unlink(missing_ok=True)
        if out.is_dir():
            sync_folder(out)


def unlisted_files(out: str | Path, manifest: Manifest) -> list[str]:
    """Names of shard files that lie in the folder and are not in the manifest; caches of `datasets` are no such."""
    listed = {file.name for file in manifest.files()}
    return [name for name in shard_files(Path(out)) if name not in listed]


def _check_present(out: Path, manifest: Manifest) -> None:
    for file in manifest.files():
        path = out / file.name
        size = plain_size(out, file.name)
        if size != file.bytes:
            found = "is missing" if size is None else f"has {size:,} bytes, not {file.bytes:,}"
            raise OutputError(f"{path}: {found}. Something else changed the folder; run again to remake it.")


def side_files(out: Path, manifest: Manifest) -> list[str]:
    """What is wrong with the files beside the shards, without which others cannot load the folder."""
    wanted = {DATASET_INFO: _info(manifest), STATE: _state(manifest)}
    problems = []
    for name, value in wanted.items():
        try:
            found = json.loads(read_plain(out / name))
        except (OSError, ValueError):
            problems.append(f"{name}: missing or damaged")
            continue
        if found != json.loads(json.dumps(value)):
            problems.append(f"{name}: not what the manifest says")
    for name in (CARD, STATS):
        if plain_size(out, name) is None:
            problems.append(f"{name}: missing, or no plain file")
    return problems


def _move_unlisted(out: Path, manifest: Manifest) -> list[str]:
    strays = unlisted_files(out, manifest)
    for name in strays:
        put_aside(out, name)
    for folder in SHARD_FOLDERS:
        path = out / folder
        if folder != DATA and path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.is_dir():
            sync_folder(path)
    return strays


def _info(manifest: Manifest) -> dict:
    return {"features": features(TRAJECTORY), **_about(manifest)}


def _about(manifest: Manifest) -> dict:
    licenses = manifest.pipeline.get("input", {}).get("license")
    return {"dataset_name": manifest.name, "license": licenses or "", "version": {"version_str": "1.0.0"}}


def _state(manifest: Manifest) -> dict:
    """What `Dataset.save_to_disk` leaves; the fingerprint follows the content."""
    names = [shard.data.name.removeprefix("data/") for shard in manifest.shards]
    return {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": digest(*(shard.data.sha256 for shard in manifest.shards))[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": "train",
    }


def _write_json(path: Path, value: dict) -> None:
    with atomic_write(path, "w") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.write("\n")
