"""Whether a worker is fit for a run: the same code, the same folders, the same model.

A worker of another version makes rows that look right and are not. So the driver compares a digest of every source
file of the package, and asks the worker to find a file that it has just written and the model's files. Workers that
come later are asked the same; one that does not fit is sent away and named.
"""

import os
from functools import lru_cache
from pathlib import Path

from zero_engine import __version__
from zero_engine.hashing import digest
from zero_engine.sections import Render, is_store
from zero_engine.write.place import is_there


@lru_cache(maxsize=1)
def code_digest() -> str:
    """16 hex digits over the names and bytes of the package's own sources."""
    package = Path(__file__).resolve().parent.parent
    files = sorted(package.rglob("*.py"))
    return digest(*(part for f in files for part in (f.relative_to(package).as_posix(), f.read_bytes())))[:16]


def look_around(out: str, token: str, folder: str, render: Render) -> dict:
    """What a worker says of itself: its code, whether it sees the file `token` of the folder, and the model's files."""
    try:
        os.chdir(folder)
        sees_folder = True
    except OSError:
        sees_folder = False
    return {
        "version": __version__,
        "code": code_digest(),
        "token": is_there(out, token),
        "folder": sees_folder,
        "model": model_files(render),
    }


def model_files(render: Render) -> dict[str, int] | str | None:
    """Bytes by name of the files that draw; a text where they are not to be found, None where nothing is drawn."""
    if render.generator == "none":
        return None
    from zero_engine.errors import ModelError
    from zero_engine.models.registry import model_folder

    try:
        folder = model_folder(render.model)
    except ModelError as error:
        return str(error)
    return {
        f.name: f.stat().st_size
        for f in sorted(folder.glob("*.json*")) + sorted(folder.glob("*.safetensors"))
    }


def misfit(said: object, render: Render, out: str, folder: str) -> str | None:
    """What is wrong with a worker that said this of itself; None where it fits."""
    if not isinstance(said, dict):
        problem = " ".join(str(said).split())[:200] or type(said).__name__
        return (
            f"has no zero-engine that knows this run ({problem}); install version {__version__} of here there"
        )
    if said["version"] != __version__ or said["code"] != code_digest():
        return (
            f"runs zero-engine {said['version']} (code {said['code']}), this is {__version__} (code {code_digest()}); "
            "install the same there"
        )
    if not said["token"]:
        how = (
            "give it the store's library and credentials" if is_store(out) else "share it under the same path"
        )
        return f"does not see the output folder {out}; {how}"
    if render.generator != "none" and said["model"] != model_files(render):
        what = said["model"] if isinstance(said["model"], str) else "its files differ from those here"
        return (
            f"does not see render.model {render.model} as it is here ({what}); share it under the same path"
        )
    if (
        not said["folder"]
        and not os.path.isabs(os.path.expanduser(render.model))
        and os.path.isdir(render.model)
    ):
        return f"does not see the working folder {folder}; name render.model by its whole path"
    return None
