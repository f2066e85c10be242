"""A folder in an object store, through fsspec: list, read, write, copy, delete; nothing of what the folder means.

Contract: a put is one request and so is atomic (only a file of SINGLE_PUT bytes or more goes in parts); nothing is ever
renamed. A request that fails for a reason that may pass (a server's error, "slow down", a cut connection) is made
again with back-off; any other failure, and one that does not pass, is an OutputError of one line.

Credentials and endpoints are those that the store's own library finds: environment, its files, the machine's role.
"""

import builtins
import contextlib
import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

from zero_engine.errors import OutputError
from zero_engine.sections import OBJECT_STORES, is_store

SINGLE_PUT = 1 << 30
"""Bytes from which a file is sent in parts; S3 takes 5 GB in one request, which is held in memory."""
PART = 64 << 20
TRIES, TRIES_AT_FIRST = 8, 4
"""How often a request is made; fewer until the store has answered once."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 15.0
AT_ONCE = 8
"""Requests side by side."""
CONNECT_S = 10

_OURS = (TypeError, AttributeError, NameError, AssertionError)
"""Mistakes of code, not of a store."""
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5")
"""How the stores' libraries call the time of change, and what changes with the content."""
_NO_CREDENTIALS = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "DefaultCredentialsError",
    "TokenRetrievalError",
    "ProfileNotFound",
)
_DENIED = (
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "403",
)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Held:
    """An object as the store describes it."""

    size: int
    version: str
    """Changes with the content: an ETag, or else the time of change."""
    changed: float | None
    """Seconds since the epoch, where the store says."""


class Remote:
    """The folder at a URL such as s3://bucket/prefix. Names are relative to it, with `/`."""

    def __init__(self, url: str) -> None:
        """Raises OutputError where the scheme is not supported, or its library is not installed."""
        self.url = url.rstrip("/")
        self._fs, self._root = _connect(self.url)
        self._answered = False

    def list(self, prefix: str = "") -> dict[str, Held]:
        """Every object whose name begins so. Raises OutputError where there is no such bucket."""

        def find() -> dict[str, Held]:
            self._fs.invalidate_cache()
            top, _, begin = f"{self._root}/{prefix}".rpartition("/")
            found = self._fs.find(top, detail=True, **({"prefix": begin} if begin else {}))
            names = {self._name(path): held for path, info in found.items() if (held := _held(info))}
            return {name: held for name, held in names.items() if name.startswith(prefix)}

        return self._try(find)

    def stat(self, name: str) -> Held | None:
        """One object; None where there is none."""

        def info() -> Held | None:
            try:
                return _held(self._fs.info(self._path(name)))
            except FileNotFoundError:
                return None

        return self._try(info)

    def read(self, name: str) -> bytes | None:
        """An object's bytes; None where there is none."""

        def cat() -> bytes | None:
            try:
                return self._fs.cat_file(self._path(name))
            except FileNotFoundError:
                return None

        return self._try(cat)

    def read_all(self, prefix: str) -> builtins.list[bytes]:
        """The bytes of every object whose name begins so, in the order of the names; without those that are gone."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return [data for data in pool.map(self.read, sorted(self.list(prefix))) if data is not None]

    def write(self, name: str, data: bytes) -> None:
        self._try(lambda: self._fs.pipe_file(self._path(name), data))

    def create(self, name: str, data: bytes) -> None:
        """Write an object unless there is one, where the store can tell (S3's If-None-Match); read it back to know."""

        def create() -> None:
            try:
                self._fs.pipe_file(self._path(name), data, mode="create")
            except TypeError:  # a library that knows no such request
                if not self._fs.exists(self._path(name)):
                    self._fs.pipe_file(self._path(name), data)
            except Exception as error:
                if not isinstance(error, FileExistsError) and _code(error) not in (
                    "PreconditionFailed",
                    "ConditionalRequestConflict",
                ):
                    raise

        self._try(create)

    def put(self, path: Path, name: str) -> None:
        """Send a local file."""
        options: dict[str, Any] = {}
        if "s3" in self._protocols():
            large = path.stat().st_size >= SINGLE_PUT
            options = {"chunksize": PART if large else SINGLE_PUT, "max_concurrency": 4}
        self._try(lambda: self._fs.put_file(str(path), self._path(name), **options))

    def get(self, name: str, path: Path, size: int | None = None) -> None:
        """Fetch into exactly `path`. Raises FileNotFoundError where the object is gone."""

        def get() -> None:
            self._fs.get_file(self._path(name), str(path))
            if size is not None and path.stat().st_size != size:
                raise OSError(f"{path.stat().st_size} of {size} bytes came")

        self._try(get, missing_is_an_error=False)

    def copy(self, name: str, new_name: str) -> None:
        """Copy inside the store: the new name holds all of it or is as it was."""
        self._try(lambda: self._fs.cp_file(self._path(name), self._path(new_name)))

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; one that is not there is nobody's loss."""

        def delete(name: str) -> None:
            try:
                self._fs.rm_file(self._path(name))
            except FileNotFoundError:
                pass

        self.side_by_side(lambda name: self._try(lambda: delete(name)), names)

    def side_by_side(self, function: Callable[[str], object], names: Iterable[str]) -> None:
        """Call a function for each name, a few at once; raises what the first one raised."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(function, list(names)):
                pass

    def end_uploads(self) -> None:
        """Abort what a killed process left of files sent in parts: S3 keeps, and bills, the parts otherwise."""
        if "s3" not in self._protocols():
            return
        bucket, _, prefix = self._root.partition("/")
        while True:
            found = self._try(
                lambda: self._fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=f"{prefix}/")
            )
            uploads = found.get("Uploads", [])
            for upload in uploads:
                about = {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
                with contextlib.suppress(FileNotFoundError):  # ended since it was listed
                    end = partial(self._fs.call_s3, "abort_multipart_upload", **about)
                    self._try(end, missing_is_an_error=False)
            if not uploads or not found.get("IsTruncated"):
                return

    def _protocols(self) -> tuple[str, ...]:
        protocol = self._fs.protocol
        return (protocol,) if isinstance(protocol, str) else tuple(protocol)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _name(self, path: str) -> str:
        return path.lstrip("/")[len(self._root.lstrip("/")) + 1 :]

    def _try(self, request: Callable[[], Result], missing_is_an_error: bool = True) -> Result:
        """Make a request until it succeeds, its failure is final, or it has been made often enough."""
        tries = 0
        while True:
            tries += 1
            try:
                result = request()
            except FileNotFoundError as error:
                if not missing_is_an_error:
                    raise
                raise OutputError(
                    f"{self.url}: no such bucket, or an object is gone ({_short(error)}). "
                    "Make the bucket, or check the address."
                ) from error
            except _OURS:
                raise
            except Exception as error:
                if problem := _final(error):
                    raise OutputError(f"{self.url}: {problem} ({_short(error)}).") from error
                if tries >= (TRIES if self._answered else TRIES_AT_FIRST):
                    self._answered = False  # who cleans up after this need not wait as long again
                    raise OutputError(
                        f"{self.url}: the store does not answer, tried {tries} times ({_short(error)}). "
                        "Check the network and the address, then run the same command again."
                    ) from error
                wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (tries - 1))
                time.sleep(wait_s * random.uniform(0.5, 1.5))
            else:
                self._answered = True
                return result


@lru_cache(maxsize=64)
def remote_at(url: str) -> Remote:
    """One connection for each folder and process."""
    return Remote(url)


def _connect(url: str) -> tuple[Any, str]:
    import fsspec

    if not is_store(url):
        raise OutputError(
            f"{url}: no object store that can be written to. Known: {', '.join(sorted(OBJECT_STORES))}."
        )
    scheme = url.partition("://")[0]
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme in ("s3", "s3a"):
        timeouts = {"connect_timeout": CONNECT_S, "retries": {"max_attempts": 0, "mode": "standard"}}
        options["config_kwargs"] = timeouts
    try:
        fs, root = fsspec.url_to_fs(url, **options)
    except ImportError:
        package = OBJECT_STORES[scheme]
        extra = "'zero-engine[s3]'" if package == "s3fs" else package
        raise OutputError(f"{url}: needs {package}: pip install {extra}") from None
    except _OURS:
        raise
    except Exception as error:  # credentials that cannot even be looked for
        raise OutputError(f"{url}: {_final(error) or 'cannot be opened'} ({_short(error)}).") from error
    return fs, root.rstrip("/")


def _held(info: dict) -> Held | None:
    """What a store says of a file; None for what is no file."""
    if info.get("type") != "file" or info["name"].endswith("/"):
        return None
    changed = next((info[key] for key in _TIMES if info.get(key)), None)
    if isinstance(changed, str):
        try:
            changed = datetime.fromisoformat(changed)
        except ValueError:
            changed = None
    at = changed.timestamp() if isinstance(changed, datetime) else changed
    version = next((info[key] for key in _VERSIONS if info.get(key)), changed)
    return Held(int(info["size"] or 0), str(version), float(at) if at is not None else None)


def _code(error: BaseException) -> str:
    """The error code that S3 gave, if it did."""
    for told in (error, error.__cause__):
        response = getattr(told, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _final(error: Exception) -> str | None:
    """What is wrong, where trying again would not help."""
    if type(error).__name__ in _NO_CREDENTIALS:
        return "no credentials: log in, or set them in the environment as the store's own tools want them"
    if isinstance(error, PermissionError) or _code(error) in _DENIED:
        return "access denied: check the credentials and their rights to list, read, write and delete"
    if isinstance(error, NotImplementedError | ValueError):
        return "the store cannot do this"
    return None


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
