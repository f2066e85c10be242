"""Reading and writing manifest.json; what it holds is `contracts.manifest`.

A folder with a manifest is finished. A folder without one is a run that was cut short, or not ours.
"""

import json
import platform
from importlib import metadata
from pathlib import Path

from pydantic import ValidationError

from zero_engine import __version__
from zero_engine.contracts.manifest import Manifest
from zero_engine.errors import OutputError
from zero_engine.write.atomic import atomic_write
from zero_engine.write.folder import MANIFEST

LIBRARIES = (
    "torch",
    "transformers",
    "datasets",
    "pyarrow",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "distributed",
)


def read_manifest(out: str | Path) -> Manifest:
    """The manifest of a finished dataset. Raises OutputError where there is none, or it is not ours."""
    path = Path(out) / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise OutputError(
            f"{out}: not a finished zero-engine dataset: no {MANIFEST}. "
            "Check the path, or run `zero-engine run ...` with this --output to finish it."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise OutputError(f"{path}: cannot be read ({error}). Check the file.") from None
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise OutputError(
            f"{path}: {key}: {first['msg']}. Damaged, or of another version: run again to remake it."
        ) from None


def write_manifest(out: str | Path, manifest: Manifest) -> None:
    """Write it under its final name, atomically: from then on the folder is finished. A shard is one line."""
    document = manifest.model_dump(mode="json")
    shards = ",\n  ".join(json.dumps(shard, ensure_ascii=False) for shard in document.pop("shards"))
    head = json.dumps(document, indent=1, ensure_ascii=False).removesuffix("\n}")
    with atomic_write(Path(out) / MANIFEST, "w") as file:
        file.write(f'{head},\n "shards": [\n  {shards}\n ]\n}}\n')


def versions() -> dict[str, str]:
    """Versions of what shapes the bytes, without importing any of it."""
    found = {"zero-engine": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
