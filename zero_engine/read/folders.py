"""Find the files of an input: folders by the hub's conventions, globs, archives, URLs, datasets on the hub.

Of a folder every data file is read, or named with the reason why not (`passed_over`). Which of them is as the hub has
it (the hub's documentation, "File names and splits", "Manual configuration"):

1. A folder saved by `datasets` (`dataset_dict.json`, `state.json`): the files that it lists, of the split.
2. `configs` in the front matter of README.md: the patterns of the configuration and the split.
3. Names: `train-00000-of-00003.parquet`; a word train, validation, test (training, valid, val, dev, testing, eval,
   evaluation) set off in the file's name or its folder's. Several folders with such shards are configurations.
4. No such name: all files are the split `train`.

Outputs of zero-engine inside the folder, or among what a glob matches, are passed over (`ours`).

Any other file that the user names, or matches by a glob, is read as it is.
"""

import glob
import json
import os
import re
import struct
import zipfile
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from zero_engine.errors import InputError
from zero_engine.pipeline import Input
from zero_engine.read.bystanders import DATA_SUFFIXES, has_data_suffix, no_data
from zero_engine.read.files import (
    INSIDE,
    InputFile,
    first_line,
    is_one_pass,
    is_remote,
    open_raw,
    tar_members,
)
from zero_engine.read.ours import fixed_part, outputs_inside, outputs_matched, without
from zero_engine.read.sniffing import check_encoding, sniff
from zero_engine.read.splits import configured, front_matter, no_split, of_config, of_split

HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(:[\w.-]+)?")


@dataclass(slots=True)
class Found:
    """Files of an input, and what was passed over, with the reason."""

    files: list[InputFile] = field(default_factory=list)
    passed_over: list[tuple[str, str]] = field(default_factory=list)


def find_inputs(spec: Input) -> list[InputFile]:
    """All files of an input in reading order: as listed, globs and folders sorted by name.

    Raises InputError for a path that is not there or is of no kind that can be read.
    """
    return look_for(spec).files


def look_for(spec: Input) -> Found:
    """The same, with the files that were passed over."""
    check_encoding(spec.encoding)
    found = Found()
    for path in [spec.path] if isinstance(spec.path, str) else spec.path:
        if is_hub_name(path):
            found.files.append(InputFile(path, "hub"))
            continue
        for name in _expand(path, spec, found):
            found.files += _opened(sniff(name, spec.encoding), spec, found)
    return found


def is_hub_name(path: str) -> bool:
    """`owner/name` or `owner/name:config`, where no such file lies on the disk."""
    return bool(HUB_NAME.fullmatch(path)) and not os.path.exists(path) and not has_data_suffix(path)


def roots(spec: Input) -> tuple[str, ...]:
    """Folders that the user named; pictures of their files may lie anywhere under them."""
    paths = [spec.path] if isinstance(spec.path, str) else spec.path
    return tuple(path for path in paths if not is_remote(path) and os.path.isdir(path))


def _opened(file: InputFile, spec: Input, found: Found) -> list[InputFile]:
    """The file itself, or the data files inside an archive."""
    if file.kind == "zip":
        names = _zip_names(file.path)
        if "xl/workbook.xml" in names:
            raise InputError(f"{file.path}: this is an Excel workbook. Save the sheet as CSV.")
    elif file.kind == "tar":
        names = [info.name for info, _ in tar_members(file.path)]
        if is_webdataset(names):
            return [InputFile(file.path, "webdataset")]
    else:
        return [file]
    inside = [f"{file.path}{INSIDE}{name}" for name in sorted(names)]
    wanted = of_split(file.path, _data_files(file.path + "!", inside, found, spec), spec, found.passed_over)
    if not wanted:
        raise InputError(f"{file.path}: no data file in this archive. Unpack it, and check input.path.")
    files = [sniff(name, spec.encoding) for name in wanted]
    inner = [one.path for one in files if one.kind in ("zip", "tar")]
    if len(inner) == len(files):
        raise InputError(
            f"{inner[0]}: this is an archive inside an archive. Unpack it, and name it by itself."
        )
    found.passed_over += [(name, "an archive inside an archive") for name in inner]
    return [one for one in files if one.path not in inner]


def is_webdataset(names: list[str]) -> bool:
    """Whether a tar's files are samples, `key.json key.png`, in the layout of webdataset, and no files of records."""
    stems: dict[str, int] = {}
    plain = [name for name in names if not _is_hidden(name, "")]
    for name in plain:
        stem, _ = sample_key(name)
        stems[stem] = stems.get(stem, 0) + 1
    if not plain or any(has_data_suffix(name) and not name.lower().endswith(".json") for name in plain):
        return False
    return max(stems.values()) > 1 or (len(plain) > 1 and all(name.endswith(".json") for name in plain))


def sample_key(name: str) -> tuple[str, str]:
    """Key and extension of a sample's file: the name up to its first dot, and what follows."""
    folder, _, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return (f"{folder}/{stem}" if folder else stem), extension.lower()


def _zip_names(path: str) -> list[str]:
    with open_raw(path) as raw:
        try:
            names = [info.filename for info in zipfile.ZipFile(raw).infolist()]
            return [name for name in names if name and not name.endswith("/")]
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
            raise InputError(
                f"{path}: the zip is cut or damaged: {first_line(error)}. Fetch the file again."
            ) from None


def _expand(path: str, spec: Input, found: Found) -> list[str]:
    if is_remote(path):
        return _expand_remote(path, spec, found)
    if is_one_pass(path):
        return [path]
    try:
        if os.path.isdir(path):
            walk = os.walk(path, onerror=_refuse)
            names = [os.path.join(folder, name) for folder, _, names in walk for name in names]
            return _folder(path, sorted(names), spec, found)
        if os.path.exists(path) or (INSIDE in path and os.path.exists(path.partition(INSIDE)[0])):
            return [path]
        if any(sign in path for sign in "*?["):
            names = sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name))
            if not names:
                raise InputError(f"{path}: no file matches this pattern. Check input.path.")
            return _strangers(path, names, outputs_matched(path, names, os.path.isfile), found)
    except ValueError as error:
        raise InputError(f"{path!r}: {first_line(error)}. Check input.path.") from None
    raise InputError(f"{path}: no such file or folder. Check input.path.")


def _refuse(error: OSError) -> None:
    """A folder inside that cannot be listed is an error: its records would be missing without a word."""
    raise InputError(f"{error.filename}: cannot be listed: {error.strerror}. Check its permissions.")


def _expand_remote(path: str, spec: Input, found: Found) -> list[str]:
    import fsspec

    try:
        files, plain = fsspec.core.url_to_fs(path)
        if any(sign in plain for sign in "*?[") and not files.exists(plain):
            names = sorted(files.unstrip_protocol(n) for n in files.glob(plain) if files.isfile(n))
            if not names:
                raise InputError(f"{path}: no file matches this pattern. Check input.path.")
            there = cache(lambda: {files.unstrip_protocol(n) for n in files.find(fixed_part(plain))})
            ours = outputs_matched(files.unstrip_protocol(plain), names, lambda name: name in there())
            return _strangers(path, names, ours, found)
        if files.isdir(plain):
            names = sorted(files.unstrip_protocol(name) for name in files.find(plain))
            return _folder(path.rstrip("/"), names, spec, found)
        if files.exists(plain):
            return [path]
    except InputError:
        raise
    except Exception as error:  # each store's library has errors of its own, for credentials and networks
        raise InputError(f"{path}: cannot be reached: {first_line(error)}. Check input.path.") from None
    raise InputError(f"{path}: no such file or folder. Check input.path.")


def _folder(folder: str, names: list[str], spec: Input, found: Found) -> list[str]:
    """The data files of a folder that belong to the wanted configuration and split."""
    base = folder.rstrip("/")
    if f"{base}/dataset_dict.json" in names:
        splits = _json_file(f"{base}/dataset_dict.json").get("splits", [])
        if spec.split not in splits:
            raise no_split(folder, spec.split, splits)
        base = f"{base}/{spec.split}"
    if (path := f"{base}/state.json") in names:
        return _saved(folder, base, _json_file(path))
    ours = outputs_inside(base, names)
    data = _data_files(base, _strangers(folder, names, ours, found), found, spec)
    if not data and ours:
        raise _nothing_else(folder, ours)
    if not data:
        raise InputError(
            f"{folder}: no data file in this folder ({', '.join(DATA_SUFFIXES)}). Check input.path."
        )
    configs = front_matter(f"{base}/README.md") if f"{base}/README.md" in names else []
    if configs:
        return configured(folder, base, data, configs, spec, found.passed_over)
    return of_split(folder, of_config(folder, base, data, spec, found.passed_over), spec, found.passed_over)


def _strangers(path: str, names: list[str], ours: list[str], found: Found) -> list[str]:
    """The files that lie in no output of ours; those are passed over. Raises InputError where there is nothing else."""
    found.passed_over += [(name, "an output of zero-engine; to read it, name it") for name in ours]
    rest = without(names, ours)
    if ours and not rest:
        raise _nothing_else(path, ours)
    return rest


def _nothing_else(path: str, ours: list[str]) -> InputError:
    return InputError(
        f"{path}: nothing but outputs of zero-engine. To read one, name it: input.path={ours[0]}."
    )


def _saved(folder: str, base: str, state: dict[str, Any]) -> list[str]:
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise InputError(f"{folder}: saved with an index file. Save it again with flatten_indices().")
    listed = state.get("_data_files")
    if not isinstance(listed, list) or not all(
        isinstance(part, dict) and "filename" in part for part in listed
    ):
        raise InputError(f"{base}/state.json: lists no data files. Save the dataset again.")
    return [f"{base}/{os.path.basename(str(part['filename']))}" for part in listed]


def _data_files(base: str, names: list[str], found: Found, spec: Input) -> list[str]:
    """The files that hold records; the others are passed over, each with its reason."""
    data = []
    for name in names:
        if _is_hidden(name, base):
            if has_data_suffix(name):
                found.passed_over.append((name, "hidden by its name"))
            continue
        if why := no_data(name, spec):
            found.passed_over.append((name, why))
        else:
            data.append(name)
    return data


def _is_hidden(name: str, base: str) -> bool:
    return any(part.startswith((".", "_")) for part in name[len(base) :].split("/") if part)


def _json_file(path: str) -> dict[str, Any]:
    with open_raw(path) as file:
        try:
            found = json.loads(file.read())
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: not JSON: {first_line(error)}. Save the dataset again.") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected an object. Save the dataset again.")
    return found
