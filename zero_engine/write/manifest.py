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
from zero_engine.errors import OutputError, command
from zero_engine.hashing import digest_json
from zero_engine.write.atomic import atomic_write
from zero_engine.write.folder import MANIFEST
from zero_engine.write.place import takes_store
from zero_engine.write.plain import is_name, read_plain

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


@takes_store(lambda name: name == MANIFEST)
def read_manifest(out: str | Path) -> Manifest:
    """The manifest of a finished dataset. Raises OutputError where there is none, or it is not ours."""
    path = Path(out) / MANIFEST
    try:
        text = read_plain(path)
    except (FileNotFoundError, NotADirectoryError):
        raise OutputError(
            f"{out}: not a finished zero-engine dataset: no {MANIFEST}. "
            "Check the path. Is a run writing to it? Wait; else `zero-engine run ...` with this --output finishes it."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise OutputError(
            f"{path}: cannot be read ({why}). Run `{command('recover', out)}` to remake it."
        ) from None
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise OutputError(
            f"{path}: {key}: {' '.join(first['msg'].split())}. Damaged, or of another version: "
            f"run again, or `{command('recover', out)}`, to remake it."
        ) from None
    if problem := _problem(manifest):
        raise OutputError(
            f"{path}: damaged: {problem}. Run again, or `{command('recover', out)}`, to remake it."
        )
    return manifest


def _problem(manifest: Manifest) -> str | None:
    """What a manifest says that no run could have written."""
    for file in manifest.files():
        if not is_name(file.name):
            return f"{file.name[:200]!r} is no name of a shard's file"
    sections = [
        (name, manifest.pipeline.get(name)) for name in ("input", "render", "score", "gate", "output")
    ]
    gate = manifest.pipeline.get("gate")
    if isinstance(gate, dict):
        sections += [(f"gate.{name}", gate.get(name)) for name in ("rank", "min", "max")]
    for name, section in sections:
        if not isinstance(section, dict | None):
            return f"pipeline.{name} is no section"
    if manifest.checksum is not None and manifest.checksum != _checksum(manifest.model_dump(mode="json")):
        return "its content is not what its checksum says"
    return None


def _checksum(document: dict) -> str:
    return digest_json({key: value for key, value in document.items() if key != "checksum"})[:16]


def write_manifest(out: str | Path, manifest: Manifest) -> None:
    """Write it under its final name, atomically: from then on the folder is finished. A shard is one line."""
    document = manifest.model_dump(mode="json")
    document["checksum"] = _checksum(document)
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
