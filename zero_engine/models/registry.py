"""Finds and loads models by name: `nano` is bundled, any other name is a folder or a hub name.

`model_fingerprint` reads files only and imports no torch: the driver of a run calls it to decide what to
redo. `get_model` keeps a loaded model for the life of the process, keyed by its fingerprint, device and dtype, so a
worker loads it once and no task graph carries it.
"""

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, cast

from zero_engine import model_files
from zero_engine.errors import ModelError
from zero_engine.model_blocks import refuse_more_blocks

if TYPE_CHECKING:
    from zero_engine.models.base import UnifiedModel
    from zero_engine.models.chameleon.model import Chameleon

NANO = Path(__file__).parent / "nano" / "weights"
FAMILIES = {
    "chameleon": "zero_engine.models.chameleon.loading",
    "janus": "zero_engine.families.janus",
    "emu3": "zero_engine.families.emu3",
    "gemma": "zero_engine.families.liquid",
}
"""`model_type` of config.json -> the module whose `load` reads such a checkpoint."""
SIGHTED = {"chameleon"}
"""Families whose prompts may hold pictures (`UnifiedModel.sees_pictures`), known before a model is loaded."""
_loaded: dict[tuple[str, str, str], "UnifiedModel"] = {}
_loading = Lock()


def get_model(name_or_path: str, *, device: str = "auto", dtype: str = "auto") -> "UnifiedModel":
    """The model, loaded once per process, device and dtype.

    Raises ModelError when it cannot be found or read.
    """
    key = (model_fingerprint(name_or_path), device, dtype)
    with _loading:
        if key not in _loaded:
            _loaded[key] = load_model(name_or_path, device=device, dtype=dtype)
        return _loaded[key]


def load_model(name_or_path: str, *, device: str = "auto", dtype: str = "auto") -> "UnifiedModel":
    """Load a model afresh. Devices: auto, cpu, cuda, cuda:1 ...; dtypes: auto, float32, bfloat16, float16.

    Raises ModelError when it cannot be found or read.
    """
    fingerprint = model_fingerprint(name_or_path)
    folder = model_folder(name_or_path)
    from zero_engine.models.soundness import try_out

    family = importlib.import_module(FAMILIES[_family(folder, str(name_or_path))])
    refuse_more_blocks(str(name_or_path), folder)
    try:
        model = family.load(
            folder, name=str(name_or_path), fingerprint=fingerprint, device=device, dtype=dtype
        )
        try_out(model)
    except ModelError:
        raise
    except Exception as error:  # a damaged checkpoint may raise anything, out of any library that reads it
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ModelError(
            f"{name_or_path}: the checkpoint in {folder} does not work ({reason}). Is it whole, and unchanged?"
        ) from error
    return model


def load_chameleon(name_or_path: str, *, device: str = "auto", dtype: str = "auto") -> "Chameleon":
    """`load_model` for training and evaluation, which need a checkpoint in the Chameleon layout.

    Raises ModelError for a model of another family, before any weight is read.
    """
    kind = _family(model_folder(name_or_path), str(name_or_path))
    if kind != "chameleon":
        raise ModelError(
            f"{name_or_path}: a checkpoint of the {kind} family can draw and score, but not be trained or evaluated. "
            "Give one in the Chameleon layout (Chameleon, Anole, Omni-R1)."
        )
    return cast("Chameleon", load_model(name_or_path, device=device, dtype=dtype))


def family_sees_pictures(name_or_path: str) -> bool:
    """Whether prompts of this model may hold pictures; reads its configuration alone.

    Raises ModelError when there is no such model.
    """
    return _family(model_folder(name_or_path), str(name_or_path)) in SIGHTED


def model_fingerprint(name_or_path: str) -> str:
    """sha256 over the names and bytes of the files that shape what it draws (`model_files`).

    Raises ModelError when there is no such model, or a file of it cannot be read.
    """
    return model_files.digest_checkpoint(model_folder(name_or_path))


def model_folder(name_or_path: str) -> Path:
    """The folder of a model. A hub name's files come from the local cache, or are fetched.

    Raises ModelError when there is no such model.
    """
    if str(name_or_path) == "nano":
        return NANO
    return fetched_folder(str(name_or_path), model_files.CHECKPOINT, "'nano', a checkpoint's folder,")


def fetched_folder(name_or_path: str, patterns: list[str], kinds: str, ignored: Sequence[str] = ()) -> Path:
    """The folder of that name, or the folder with a hub name's files, from the local cache or fetched.

    Of a hub name only files that match `patterns` and not `ignored` are fetched. Raises ModelError where the name is
    neither; the error lists `kinds`, the names that are possible.
    """
    folder = Path(name_or_path).expanduser()
    with model_files.readable(folder):
        if folder.is_dir():
            return folder
        there = folder.exists()
    if there or str(name_or_path).count("/") != 1 or str(name_or_path).startswith((".", "/", "~")):
        raise ModelError(f"{name_or_path}: no such folder. Give {kinds} or a hub name.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(
            snapshot_download(str(name_or_path), allow_patterns=patterns, ignore_patterns=list(ignored))
        )
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{name_or_path}: neither a folder nor a hub name that can be fetched ({reason}). "
            "Download the checkpoint and give its folder."
        ) from error


def _family(folder: Path, name: str) -> str:
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{name}: cannot read the checkpoint in {folder} (config.json: {error}). Is it complete?"
        ) from error
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise ModelError(
            f"{name}: model_type in config.json is {kind!r}, not one of {', '.join(FAMILIES)}. Give another model."
        )
    return kind
