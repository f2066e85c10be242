"""Find the files of an input: folders by the hub's conventions, globs, archives, URLs, datasets on the hub.

Of a folder every data file is read, or named with the reason why not (`passed_over`). Which of them is as the hub has it
(huggingface.co/docs/hub, "File names and splits", "Manual configuration"):

1. A folder saved by `datasets` (`dataset_dict.json`, `state.json`): the files that it lists, of the split.
2. `configs` in the front matter of README.md: the patterns of the configuration and the split.
3. Names: `train-00000-of-00003.parquet`; a word train, validation, test (training, valid, val, dev, testing, eval,
   evaluation) set off in the file's name or its folder's. Several folders with such shards are configurations.
4. No such name: all files are the split `train`.

A file that the user names, or matches by a glob, is read as it is.
"""

import glob
import json
import os
import re
import zipfile
from dataclasses import dataclass, field
from typing import Any

from zero_engine.config import parse_yaml
from zero_engine.errors import InputError, PipelineError
from zero_engine.pipeline import Input
from zero_engine.read.files import (
    INSIDE,
    InputFile,
    check_encoding,
    first_line,
    is_one_pass,
    is_remote,
    open_raw,
    sniff,
    tar_members,
)

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
HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(:[\w.-]+)?")
SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SET_OFF = r"(?:^|[-._ 0-9/])(?:{})(?:$|[-._ 0-9/])"
_SPLIT_PATTERNS = {
    split: re.compile(_SET_OFF.format("|".join(words)), re.IGNORECASE) for split, words in SPLIT_WORDS.items()
}
_SHARD = re.compile(r"(?P<split>\w+(?:[.-]\w+)*?)-\d{5,6}-of-\d{5,6}(?:-[0-9a-f]+)?\.")
README_LIMIT_BYTES = 1 << 20


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
    return bool(HUB_NAME.fullmatch(path)) and not os.path.exists(path) and not _has_data_suffix(path)


def roots(spec: Input) -> tuple[str, ...]:
    """Folders that the user named; pictures of their files may lie anywhere under them."""
    paths = [spec.path] if isinstance(spec.path, str) else spec.path
    return tuple(path for path in paths if not is_remote(path) and os.path.isdir(path))


def _opened(file: InputFile, spec: Input, found: Found) -> list[InputFile]:
    """The file itself, or the data files inside an archive."""
    if file.kind == "zip":
        names = _zip_names(file.path)
    elif file.kind == "tar":
        names = [info.name for info, _ in tar_members(file.path)]
        if is_webdataset(names):
            return [InputFile(file.path, "webdataset")]
    else:
        return [file]
    inside = [f"{file.path}{INSIDE}{name}" for name in sorted(names)]
    wanted = _of_split(file.path, _data_files(file.path + "!", inside, found, spec), spec, found)
    if not wanted:
        raise InputError(f"{file.path}: no data file in this archive. Unpack it, and check input.path.")
    return [sniff(name, spec.encoding) for name in wanted]


def is_webdataset(names: list[str]) -> bool:
    """Whether a tar's files are samples, `key.json key.png`, in the layout of webdataset, and no files of records."""
    stems: dict[str, int] = {}
    plain = [name for name in names if not _is_hidden(name, "")]
    for name in plain:
        stem, _ = sample_key(name)
        stems[stem] = stems.get(stem, 0) + 1
    if not plain or any(_has_data_suffix(name) and not name.lower().endswith(".json") for name in plain):
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
            return [info.filename for info in zipfile.ZipFile(raw).infolist() if not info.is_dir()]
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
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
            names = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
            return _folder(path, sorted(names), spec, found)
        if os.path.exists(path) or (INSIDE in path and os.path.exists(path.partition(INSIDE)[0])):
            return [path]
        if any(sign in path for sign in "*?["):
            names = sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name))
            if not names:
                raise InputError(f"{path}: no file matches this pattern. Check input.path.")
            return names
    except ValueError as error:
        raise InputError(f"{path!r}: {first_line(error)}. Check input.path.") from None
    raise InputError(f"{path}: no such file or folder. Check input.path.")


def _expand_remote(path: str, spec: Input, found: Found) -> list[str]:
    import fsspec

    try:
        files, plain = fsspec.core.url_to_fs(path)
        if any(sign in plain for sign in "*?[") and not files.exists(plain):
            names = sorted(name for name in files.glob(plain) if files.isfile(name))
            if not names:
                raise InputError(f"{path}: no file matches this pattern. Check input.path.")
            return [files.unstrip_protocol(name) for name in names]
        if files.isdir(plain):
            names = sorted(files.unstrip_protocol(name) for name in files.find(plain))
            return _folder(path.rstrip("/"), names, spec, found)
        if files.exists(plain):
            return [path]
    except (OSError, ValueError, ImportError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: cannot be reached: {first_line(error)}. Check input.path.") from None
    raise InputError(f"{path}: no such file or folder. Check input.path.")


def _folder(folder: str, names: list[str], spec: Input, found: Found) -> list[str]:
    """The data files of a folder that belong to the wanted configuration and split."""
    base = folder.rstrip("/")
    if f"{base}/dataset_dict.json" in names:
        splits = _json_file(f"{base}/dataset_dict.json").get("splits", [])
        if spec.split not in splits:
            raise _no_split(folder, spec.split, splits)
        base = f"{base}/{spec.split}"
    if (path := f"{base}/state.json") in names:
        return _saved(folder, base, _json_file(path))
    data = _data_files(base, names, found, spec)
    if not data:
        raise InputError(
            f"{folder}: no data file in this folder ({', '.join(DATA_SUFFIXES)}). Check input.path."
        )
    configs = _front_matter(f"{base}/README.md") if f"{base}/README.md" in names else []
    if configs:
        return _configured(folder, base, data, configs, spec, found)
    return _of_split(folder, _of_config(folder, base, data, spec, found), spec, found)


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
            continue
        if why := _no_data(name, spec):
            found.passed_over.append((name, why))
        else:
            data.append(name)
    return data


def _no_data(name: str, spec: Input) -> str | None:
    """Why a file of a folder holds no records; None where it does. Names that say nothing are decided by content."""
    low = os.path.basename(name).lower()
    if low in NO_DATA_NAMES:
        return "describes a dataset"
    if low.startswith(("readme", "license", "licence", "citation", "changelog")):
        return "documentation"
    if _has_data_suffix(name) or low.endswith(ARCHIVE_SUFFIXES):
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
    from zero_engine.read.files import open_unpacked

    with open_unpacked(name) as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))


def _has_data_suffix(name: str) -> bool:
    stem = name.lower()
    for suffix in PACKED_SUFFIXES:
        stem = stem.removesuffix(suffix)
    return stem.endswith(DATA_SUFFIXES)


def _is_hidden(name: str, base: str) -> bool:
    return any(part.startswith((".", "_")) for part in name[len(base) :].split("/") if part)


def _of_config(folder: str, base: str, data: list[str], spec: Input, found: Found) -> list[str]:
    """Where several folders hold shards of splits, each is a configuration; `data` is the default one."""
    held: dict[str, list[str]] = {}
    for name in data:
        if _SHARD.match(os.path.basename(name)):
            held.setdefault(_top(name, base), []).append(name)
    if spec.config is not None:
        own = [name for name in data if _top(name, base) == spec.config]
        if not own:
            there = sorted({top for name in data if (top := _top(name, base))})
            raise _no_config(folder, spec.config, there)
    elif len(held) < 2:
        return data
    elif "data" in held:
        own = held["data"]
    else:
        raise InputError(f"{folder}: holds the configurations {', '.join(sorted(held))}. Set input.config.")
    found.passed_over += [(name, "another configuration") for name in data if name not in set(own)]
    return own


def _top(name: str, base: str) -> str:
    inner = name[len(base) :].lstrip("/")
    return inner.rpartition("/")[0].split("/")[0]


def _of_split(folder: str, data: list[str], spec: Input, found: Found) -> list[str]:
    """The files of the wanted split, by their names; all of them where no name says a split."""
    splits = {name: split for name in data if (split := split_of(name[len(folder) :].lstrip("!/")))}
    there = sorted(set(splits.values()))
    if not splits:
        if spec.split != "train":
            raise _no_split(folder, spec.split, ["train"])
        return data
    if spec.split not in there:
        raise _no_split(folder, spec.split, there)
    for name in data:
        if splits.get(name) != spec.split:
            found.passed_over.append(
                (name, f"split {splits[name]}" if name in splits else "its name says no split")
            )
    return [name for name in data if splits.get(name) == spec.split]


def split_of(name: str) -> str | None:
    """The split that a file's name, or that of its folders, says; None where they say none."""
    base = os.path.basename(name)
    if shard := _SHARD.match(base):
        said = shard.group("split")
        return next((split for split, words in SPLIT_WORDS.items() if said.lower() in words), said)
    for text in (base, os.path.dirname(name)):
        for split, pattern in _SPLIT_PATTERNS.items():
            if text and pattern.search(text):
                return split
    return None


def _configured(
    folder: str, base: str, data: list[str], configs: list[dict[str, Any]], spec: Input, found: Found
) -> list[str]:
    """Files by the patterns of a README's front matter."""
    names = [str(config["config_name"]) for config in configs]
    wanted = spec.config or next((str(c["config_name"]) for c in configs if c.get("default") is True), None)
    if wanted is None:
        wanted = "default" if "default" in names else names[0] if len(names) == 1 else None
    if wanted is None:
        raise InputError(f"{folder}: holds the configurations {', '.join(names)}. Set input.config.")
    config = next((config for config in configs if str(config["config_name"]) == wanted), None)
    if config is None:
        raise _no_config(folder, wanted, names)
    splits: dict[str, list[str]] = {}
    for split, patterns in _patterns(config["data_files"]):
        splits.setdefault(split, []).extend(
            f"{config.get('data_dir') or ''}/{pattern}".lstrip("/") for pattern in patterns
        )
    if spec.split not in splits:
        raise _no_split(folder, spec.split, list(splits))
    matchers = [_glob_pattern(pattern) for pattern in splits[spec.split]]
    own = [name for name in data if any(matcher.fullmatch(name[len(base) + 1 :]) for matcher in matchers)]
    if not own:
        raise InputError(
            f"{folder}: README.md names no file that is there for the split {spec.split!r}. Fetch its files."
        )
    taken = set(own)
    found.passed_over += [
        (name, f"not in the split {spec.split} of the configuration {wanted}")
        for name in data
        if name not in taken
    ]
    return own


def _patterns(data_files: Any) -> list[tuple[str, list[str]]]:
    if isinstance(data_files, str):
        return [("train", [data_files])]
    if isinstance(data_files, dict):
        return [(str(split), _listed(paths)) for split, paths in data_files.items()]
    if isinstance(data_files, list) and data_files and all(isinstance(entry, dict) for entry in data_files):
        return [(str(entry.get("split", "train")), _listed(entry.get("path"))) for entry in data_files]
    return [("train", _listed(data_files))]


def _listed(paths: Any) -> list[str]:
    return [paths] if isinstance(paths, str) else [path for path in paths or [] if isinstance(path, str)]


def _glob_pattern(pattern: str) -> re.Pattern[str]:
    """A glob of the hub: `**` crosses folders, `*` and `?` do not."""
    out = []
    for piece in re.split(r"(\*\*/?|\*|\?|\[[^\]]*\])", pattern.removeprefix("./")):
        if piece.startswith("**"):
            out.append("(?:.*/)?" if piece.endswith("/") else ".*")
        elif piece == "*":
            out.append("[^/]*")
        elif piece == "?":
            out.append("[^/]")
        elif piece.startswith("[") and piece.endswith("]") and len(piece) > 2:
            out.append("[" + re.escape(piece[1:-1]).replace(r"\-", "-").replace(r"\!", "^") + "]")
        else:
            out.append(re.escape(piece))
    try:
        return re.compile("".join(out))
    except re.error:
        return re.compile(re.escape(pattern))


def _front_matter(path: str) -> list[dict[str, Any]]:
    """`configs` of a README's front matter that name data files; none where there is no such thing."""
    with open_raw(path) as file:
        text = file.read(README_LIMIT_BYTES).decode("utf-8", "replace")
    lines = text.removeprefix("\ufeff").splitlines()
    if (
        not lines
        or lines[0].rstrip() != "---"
        or "---" not in (rest := [line.rstrip() for line in lines[1:]])
    ):
        return []
    try:
        document = parse_yaml("\n".join(rest[: rest.index("---")]), path)
    except PipelineError as error:
        raise InputError(f"front matter of {error}") from None
    configs = document.get("configs") if isinstance(document, dict) else None
    return (
        [
            config
            for config in configs or []
            if isinstance(config, dict) and "config_name" in config and config.get("data_files")
        ]
        if isinstance(configs, list)
        else []
    )


def _no_split(folder: str, split: str, there: list[str]) -> InputError:
    return InputError(f"{folder}: has no split {split!r}, only {', '.join(there)}. Set input.split.")


def _no_config(folder: str, config: str, there: list[str]) -> InputError:
    return InputError(
        f"{folder}: has no configuration {config!r}, only {', '.join(there) or 'one'}. Set input.config."
    )


def _json_file(path: str) -> dict[str, Any]:
    with open_raw(path) as file:
        try:
            found = json.loads(file.read())
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: not JSON: {first_line(error)}. Save the dataset again.") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected an object. Save the dataset again.")
    return found
