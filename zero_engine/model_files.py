"""The files of a model that shape what it makes, and a digest of their names and bytes. Imports no torch.

Of a checkpoint, transformers passes over some files where others say the same:

    special_tokens_map.json, added_tokens.json    read where tokenizer_config.json has no added_tokens_decoder
    vocab.*, merges.txt, *.model, tekken.json ..  read where there is no tokenizer.json
    processor_config.json                         read where it holds the settings of the image processor

One that is passed over does not count, so that a change of it draws nothing again. Chat templates and
generation_config.json change no drawing: prompts are laid out, and codes sampled, by our own code.
"""

import errno
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from zero_engine.errors import ModelError, message_of
from zero_engine.hashing import digest, digest_file

_ALWAYS = [
    "config.json",
    "preprocessor_config.json",
    "tokenizer*",
    "*.safetensors",
    "*.safetensors.index.json",
    "codec/*.json",
    "codec/*.safetensors",
]
_TOKENS = ["special_tokens_map.json", "added_tokens.json"]
_VOCABULARY = ["vocab.*", "merges.txt", "*.model", "*.tiktoken", "tekken.json"]
PROCESSOR, NESTED = "processor_config.json", "image_processor"
"""A file that newer versions write, and its key under which they put what preprocessor_config.json held."""
ADAPTER = "adapter_config.json"
CHECKPOINT = [*_ALWAYS, *_TOKENS, *_VOCABULARY, PROCESSOR, ADAPTER]
"""Patterns of the files that a checkpoint is read from: those that a hub name's are fetched by."""
_MENDS = {
    errno.EACCES: "Make it readable",
    errno.EPERM: "Make it readable",
    errno.ENOENT: "It was there a moment ago: put it back",
    **dict.fromkeys((errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR), "Check the path"),
}


def files_of_checkpoint(folder: Path) -> list[Path]:
    """The files of a checkpoint that shape what it draws, in order. Raises ModelError where the folder holds none."""
    with readable(folder):
        found = _matching(folder, _ALWAYS)
        names = {file.name for file in found}
        if "config.json" not in names or not any(name.endswith(".safetensors") for name in names):
            raise ModelError(
                f"{folder}: no config.json with *.safetensors beside it. Give the folder of a checkpoint."
            )
        if (folder / ADAPTER).is_file():
            raise ModelError(
                f"{folder}: holds an adapter ({ADAPTER}) beside the weights, which some installations read and others "
                "pass over. Merge it into the weights, or take its files out of the folder."
            )
        if "added_tokens_decoder" not in said_in(folder / "tokenizer_config.json"):
            found |= _matching(folder, _TOKENS)
        if "tokenizer.json" not in names:
            found |= _matching(folder, _VOCABULARY)
        if NESTED in said_in(folder / PROCESSOR):
            found.add(folder / PROCESSOR)
        return sorted(found)


def digest_checkpoint(folder: Path) -> str:
    """The digest of the files of a checkpoint; the folder's own name and place do not count. Raises ModelError."""
    return digest_files((file.name, file) for file in files_of_checkpoint(folder))


def digest_files(files: Iterable[tuple[str, Path]]) -> str:
    """sha256 over names and bytes of (name, file); a process reads a file again only where it has changed.

    Raises ModelError, naming the file, for one that cannot be read.
    """
    parts = []
    for name, file in files:
        with readable(file):
            stat = os.stat(file)
            parts += [name, _digest(str(file), stat.st_size, stat.st_mtime_ns)]
    return digest(*parts)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """What the system raises of a file or folder of a model inside becomes a ModelError of one line."""
    try:
        yield
    except OSError as error:
        where = error.filename or path
        mend = _MENDS.get(error.errno or 0, "Mend its disk or mount, or fetch the model again")
        reason = os.strerror(error.errno) if error.errno else message_of(error)
        raise ModelError(f"{where}: cannot read this file of the model ({reason}). {mend}.") from error


def said_in(file: Path) -> dict[str, object]:
    """The object in a JSON file; an empty one where there is none, or no such file.

    Raises ModelError for a file that cannot be read.
    """
    try:
        with readable(file):
            said = json.loads(file.read_text(encoding="utf-8") if file.is_file() else "{}")
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _matching(folder: Path, patterns: Iterable[str]) -> set[Path]:
    return {file for pattern in patterns for file in folder.glob(pattern) if file.is_file()}


@lru_cache(maxsize=4096)
def _digest(path: str, size: int, mtime_ns: int) -> str:
    return digest_file(path)
