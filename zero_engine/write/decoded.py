"""Whether the codes of a dataset decode to its pictures: the one check of `validate` that needs the model.

    drawn            the picture is what its codes decode to
    painted, given   the picture, fitted to the model's size, is as far from what they decode to as `roundtrip` says

Another machine's decoder may differ by a level here and there, so both are compared in dB.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from zero_engine.images import decode_image, fit, psnr
from zero_engine.models import get_model
from zero_engine.models.base import UnifiedModel
from zero_engine.pipeline import Render
from zero_engine.records import Candidate
from zero_engine.write.manifest import read_manifest
from zero_engine.write.shards import read_candidates
from zero_engine.write.validate import Check

SAME_DB = 45.0
"""Pictures this close are the same: with every value one level off they are 48 dB apart."""
NEAR_DB = 0.2
"""How far apart two machines may be in `roundtrip`."""
AT_ONCE = 16


def check_codes(out: str | Path, on_file: Callable[[str], None] = lambda name: None) -> Check:
    """Decode the codes of every stored drawing again; `on_file` hears the name of each file before it is read.

    Raises OutputError where there is no manifest, ModelError where the model is not there.
    """
    manifest = read_manifest(Path(out))
    names = [shard.candidates.name for shard in manifest.shards if shard.candidates is not None]
    faults: list[str] = []
    seen = 0
    if names:
        render = Render.model_validate(manifest.pipeline.get("render", {}))
        model = get_model(render.model, device=render.device, dtype=render.dtype)
        for name in names:
            on_file(name)
            candidates = read_candidates(Path(out, name))
            seen += len(candidates)
            faults += [f"{name}: {fault}" for fault in bad_drawings(candidates, model)]
    more = f" (and {len(faults) - 1:,} more)" if len(faults) > 1 else ""
    return Check("decode", not faults, faults[0] + more if faults else f"{seen:,} checked")


def bad_drawings(candidates: Sequence[Candidate], model: UnifiedModel) -> Iterator[str]:
    """What is wrong between pictures and codes."""
    for start in range(0, len(candidates), AT_ONCE):
        some = candidates[start : start + AT_ONCE]
        decoded = model.decode(np.stack([candidate.codes for candidate in some]))
        for candidate, decoded_HW3 in zip(some, decoded, strict=True):
            if problem := _apart(candidate, decoded_HW3):
                where = f"trace {candidate.trace_id!r} step {candidate.step + 1} attempt {candidate.attempt}"
                yield f"{where}: {problem}"


def _apart(candidate: Candidate, decoded_HW3: np.ndarray) -> str | None:
    image_HW3 = decode_image(candidate.image)
    if candidate.origin == "drawn":
        if image_HW3.shape != decoded_HW3.shape:
            return f"the picture is {image_HW3.shape}, its codes decode to {decoded_HW3.shape}"
        found = psnr(image_HW3, decoded_HW3)
        return None if found >= SAME_DB else f"the picture is {found:.1f} dB from what its codes decode to"
    found = psnr(fit(image_HW3, len(decoded_HW3)), decoded_HW3)
    said = candidate.scores.get("roundtrip", 0.0)
    if abs(found - said) <= NEAR_DB or min(found, said) >= SAME_DB:
        return None
    return f"the picture is {found:.1f} dB from what its codes decode to, its roundtrip is {said:.1f}"
