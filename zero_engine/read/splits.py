"""Splits and configurations of a folder of data files, as the hub has them.

the hub's documentation, "File names and splits" and "Manual configuration": the front matter of README.md says which
files are which; without it, their names do (`train-00000-of-00003.parquet`, a word set off in a name or in a
folder's), and several folders of such shards are configurations.
"""

import os
import re
from typing import Any

from zero_engine.config import parse_yaml
from zero_engine.errors import InputError, PipelineError
from zero_engine.pipeline import Input
from zero_engine.read.files import open_raw

PassedOver = list[tuple[str, str]]
"""Files that are not read, with the reason."""
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
_CONVERTED = re.compile(r"[^/]+/(?:partial-)?(?:\w+)/\d{4}\.parquet")
"""The hub's own copies, `config/split/0000.parquet` (the hub's documentation, "List Parquet files")."""
README_LIMIT_BYTES = 1 << 20


def of_config(folder: str, base: str, data: list[str], spec: Input, passed_over: PassedOver) -> list[str]:
    """Where several folders hold shards of splits, each is a configuration; `data` is the default one."""
    held: dict[str, list[str]] = {}
    for name in data:
        if _SHARD.match(os.path.basename(name)) or _CONVERTED.fullmatch(name[len(base) :].lstrip("/")):
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
        raise _which_config(folder, sorted(held))
    passed_over += [(name, "another configuration") for name in data if name not in set(own)]
    return own


def _top(name: str, base: str) -> str:
    inner = name[len(base) :].lstrip("/")
    return inner.rpartition("/")[0].split("/")[0]


def of_split(folder: str, data: list[str], spec: Input, passed_over: PassedOver) -> list[str]:
    """The files of the wanted split, by their names; all of them where no name says a split."""
    splits = {name: split for name in data if (split := split_of(name[len(folder) :].lstrip("!/")))}
    there = sorted(set(splits.values()))
    if not splits:
        if spec.split != "train":
            raise no_split(folder, spec.split, ["train"])
        return data
    wanted = spec.split if spec.split in there else canonical(spec.split)
    if wanted not in there:
        raise no_split(folder, spec.split, there)
    for name in data:
        if splits.get(name) != wanted:
            passed_over.append(
                (name, f"split {splits[name]}" if name in splits else "its name says no split")
            )
    return [name for name in data if splits.get(name) == wanted]


def canonical(split: str) -> str:
    """The hub's name of a split that has several: dev is validation."""
    return next((name for name, words in SPLIT_WORDS.items() if split.lower() in words), split)


def split_of(name: str) -> str | None:
    """The split that a file's name, or that of its folders, says; None where they say none."""
    base = os.path.basename(name)
    if shard := _SHARD.match(base):
        said = shard.group("split")
        return canonical(said)
    for text in (base, os.path.dirname(name)):
        for split, pattern in _SPLIT_PATTERNS.items():
            if text and pattern.search(text):
                return split
    return None


def configured(
    folder: str,
    base: str,
    data: list[str],
    configs: list[dict[str, Any]],
    spec: Input,
    passed_over: PassedOver,
) -> list[str]:
    """Files by the patterns of a README's front matter."""
    names = [str(config["config_name"]) for config in configs]
    wanted = spec.config or next((str(c["config_name"]) for c in configs if c.get("default") is True), None)
    if wanted is None:
        wanted = "default" if "default" in names else names[0] if len(names) == 1 else None
    if wanted is None:
        raise _which_config(folder, names)
    config = next((config for config in configs if str(config["config_name"]) == wanted), None)
    if config is None:
        raise _no_config(folder, wanted, names)
    splits: dict[str, list[str]] = {}
    for split, patterns in _patterns(config["data_files"]):
        splits.setdefault(split, []).extend(
            f"{config.get('data_dir') or ''}/{pattern}".lstrip("/") for pattern in patterns
        )
    split = spec.split if spec.split in splits else canonical(spec.split)
    if split not in splits:
        raise no_split(folder, spec.split, list(splits))
    matchers = [_glob_pattern(pattern) for pattern in splits[split]]
    own = [name for name in data if any(matcher.fullmatch(name[len(base) + 1 :]) for matcher in matchers)]
    if not own:
        raise InputError(
            f"{folder}: README.md names no file that is there for the split {spec.split!r}. Fetch its files."
        )
    taken = set(own)
    passed_over += [
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


def front_matter(path: str) -> list[dict[str, Any]]:
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


def _which_config(folder: str, names: list[str]) -> "NoSuchPart":
    text = f"{folder}: holds the configurations {', '.join(names)}. Set input.config."
    return NoSuchPart(text, "config", names)


def no_split(folder: str, split: str, there: list[str]) -> "NoSuchPart":
    return NoSuchPart(
        f"{folder}: has no split {split!r}, only {', '.join(there)}. Set input.split.", "split", there
    )


def _no_config(folder: str, config: str, there: list[str]) -> "NoSuchPart":
    text = f"{folder}: has no configuration {config!r}, only {', '.join(there) or 'one'}. Set input.config."
    return NoSuchPart(text, "config", there)


class NoSuchPart(InputError):
    """A split or a configuration that is not there, or not named; with those that are."""

    def __init__(self, text: str, key: str, there: list[str]) -> None:
        super().__init__(text)
        self.key = key
        self.there = there
