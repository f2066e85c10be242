"""A dataset's folder by its place: a local path, or an address in an object store such as s3://bucket/folder.

What takes a folder calls these with the place as it was given. A local path is used as it lies, at no cost; for an
address they work on its copy on this machine (`mirror`). A place is also what travels to workers: each process finds
its own copy.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from zero_engine.errors import OutputError, ZeroEngineError
from zero_engine.sections import is_store
from zero_engine.write.folder import LEDGER, MANIFEST, SHARD_FOLDERS
from zero_engine.write.mirror import mirror_at
from zero_engine.write.plain import plain_size, read_plain

Function = TypeVar("Function", bound=Callable)


@contextlib.contextmanager
def local_folder(
    path: str | Path, wants: Callable[[str], bool] = lambda name: True, fresh: bool = False
) -> Iterator[Path]:
    """A dataset's folder as plain files: a local path as it is, of a folder in a store its copy, up to date.

    Errors raised inside name the address, not the copy. Raises OutputError where the store cannot be read.
    """
    if "://" not in str(path):
        yield Path(path)
        return
    mirror = mirror_at(str(path))
    with named(path):
        if not mirror.is_lived_in():
            mirror.pull(wants, fresh)
            if wants is small and not any((mirror.out / name).exists() for name in (MANIFEST, LEDGER)):
                mirror.pull()  # nothing says what it is, but its files do
        yield mirror.out


def takes_store(
    wants: Callable[[str], bool] = lambda name: True,
    *,
    at: int = 0,
    fresh: bool = False,
    sends: str | None = None,
) -> Callable[[Function], Function]:
    """Lets a function that takes a dataset's folder (its argument number `at`) take an address in a store, too.

    It is called with the copy (`local_folder`); afterwards files whose names begin with `sends` are the same there.
    """

    def wrap(function: Function) -> Function:
        @wraps(function)
        def called(*args: Any, **options: Any) -> Any:
            path = args[at] if len(args) > at else None
            if not isinstance(path, str) or "://" not in path:
                return function(*args, **options)
            with local_folder(path, wants, fresh) as copy:
                result = function(*args[:at], copy, *args[at + 1 :], **options)
                if sends is not None:
                    mirror_at(path).push_names_like(sends)
                return result

        return cast(Function, called)

    return wrap


@contextlib.contextmanager
def named(path: str | Path) -> Iterator[None]:
    """Errors name the folder as the user does."""
    try:
        yield
    except ZeroEngineError as error:
        said = as_named(path, str(error))
        if said == str(error):
            raise
        raise type(error)(said) from error


def as_named(path: str | Path, text: str) -> str:
    """A text that names a folder's copy, with its address instead."""
    return text.replace(str(mirror_at(str(path)).out), str(path)) if is_store(path) else text


def place_of(path: str | Path) -> str:
    """A folder by a name that is good in every working folder: an address, or an absolute path."""
    return str(path) if is_store(path) else str(Path(path).absolute())


def tidy(path: str | Path) -> str:
    """A folder as it is shown: an address as it is, a path without what says nothing."""
    return str(path) if "://" in str(path) else str(Path(path))


def here(path: str | Path) -> Path:
    """Where a folder's files lie on this machine, fetched or not."""
    return mirror_at(str(path)).out if is_store(path) else Path(path)


def send(path: str | Path, *names: str) -> None:
    """Files of `.work`, written here, are in the store, too; they stay here where the driver works in this copy."""
    if is_store(path):
        mirror = mirror_at(str(path))
        for name in names:
            mirror.send(mirror.out / name)
            drop_copy(path, name)


def drop_copy(path: str | Path, name: str) -> None:
    """A file that this process has sent, or fetched and read, is needed here no more; a driver needs its own."""
    if is_store(path) and not mirror_at(str(path)).is_lived_in():
        (here(path) / name).unlink(missing_ok=True)


def discard(path: str | Path, *names: str) -> None:
    """Files of `.work` that nobody needs any more."""
    for name in names:
        (here(path) / name).unlink(missing_ok=True)
    if is_store(path):
        mirror_at(str(path)).remote.delete(names)


def bring(path: str | Path, name: str) -> Path | None:
    """A file of a folder as it is now; None where it is missing, or no plain file."""
    if is_store(path):
        return mirror_at(str(path)).bring(name)
    return Path(path, name) if plain_size(Path(path), name) is not None else None


def say_there(path: str | Path, name: str, text: str) -> None:
    """Write a small file of `.work` that others read; one in a store has no copy here."""
    if is_store(path):
        mirror_at(str(path)).remote.write(name, text.encode())
    else:
        Path(path, name).write_text(text, encoding="utf-8")


def said_there(path: str | Path, prefix: str) -> Iterator[str]:
    """The texts of small files of `.work` whose names begin so; what cannot be read is left out."""
    if is_store(path):
        for data in mirror_at(str(path)).remote.read_all(prefix):
            yield data.decode("utf-8", "replace")
        return
    for found in sorted(Path(path, prefix).parent.glob(f"{Path(prefix).name}*")):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            yield read_plain(found)


def is_there(path: str | Path, name: str) -> bool:
    """Whether this process sees a file of a folder, where it lies; not whether there is a copy."""
    if not is_store(path):
        return os.path.exists(Path(path, name))
    try:
        return mirror_at(str(path)).remote.stat(name) is not None
    except OutputError:  # no credentials, no library
        return False


def small(name: str) -> bool:
    """Whether a file says something of the folder, rather than being part of what it holds."""
    return name.split("/")[0] not in SHARD_FOLDERS
