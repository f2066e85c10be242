"""The identity of a drawing: the key by which a stored drawing is found again.

    settings   generator and its weights, sampling, dtype, batch size, version of the drawing code
    prompt     its text, and the pictures in it
    seed       a hash of the run's seed, the trace's key, step and attempt

A given picture is what it is by the model that encodes it and its bytes (`given_identity`).

The drawing's place (shard, row, file), its encoding, and the number of other drawings are not part of it. dtype and
batch size count with the value that `auto` stands for on a kind of device, because a drawing's bits depend on them.
"""

import hashlib
from collections.abc import Sequence

from zero_engine.contracts.manifest import ModelInfo
from zero_engine.hashing import digest, digest_json
from zero_engine.models.batching import table_batch_size
from zero_engine.models.devices import device_kind, dtype_name
from zero_engine.models.registry import model_fingerprint
from zero_engine.pipeline import Render

DRAWING_VERSION = 2
"""Raised by hand when the drawing code makes other codes from the same settings, prompt and seed."""


def settings_key(render: Render, generator: str, batch_size: int) -> str:
    """32 hex digits over the settings of a drawing. `generator` is its fingerprint, `batch_size` a number.

    A setting that changes nothing beside the others counts with its default.
    """
    render = _effective(render)
    sampling: dict[str, object] = {"negative_prompt": render.negative_prompt}
    if render.generator == "unified":  # a painter samples no codes, and its fingerprint covers its settings
        sampling |= {
            "guidance": render.guidance,
            "image_guidance": render.image_guidance,
            "unconditional": render.unconditional if render.unconditional != "nothing" else None,
            "temperature": render.temperature,
            "top_p": render.top_p,
            "top_k": render.top_k,
        }
    settings: dict[str, object] = {
        "version": DRAWING_VERSION,
        "generator": generator,
        "dtype": dtype_name(render.dtype, device_kind(render.device)),
        "batch_size": batch_size,
        "sampling": {name: value for name, value in sampling.items() if value is not None},
    }
    if render.generator != "unified":
        settings["pixels"] = "original"  # a painting without this is stored as its codes decode
    return digest_json(settings)[:32]


def _effective(render: Render) -> Render:
    """Greedy sampling takes the likeliest code whatever top_p and top_k say; without guidance there is no negative."""
    if render.generator != "unified":
        return render
    idle = []
    if render.temperature == 0:
        idle += ["top_p", "top_k"]
    if not render.image_guidance:
        idle += ["image_guidance"]
    if not render.negative_prompt or (render.guidance == 1 and not render.image_guidance):
        idle += ["negative_prompt"]
    return render.model_copy(update={key: Render.model_fields[key].default for key in idle})


def codec_key(render: Render) -> str:
    """32 hex digits over the model that encodes given pictures, and the precision in which it scores them."""
    dtype = dtype_name(render.dtype, device_kind(render.device))
    return digest_json(
        {"version": DRAWING_VERSION, "model": model_fingerprint(render.model), "dtype": dtype}
    )[:32]


def known_batch_size(render: Render, known: ModelInfo | None) -> int | None:
    """The batch size of drawings on this machine, or None where only the loaded model can tell.

    `known` is what a folder that the generator drew says of it.
    """
    if render.batch_size != "auto":
        return render.batch_size
    kind = device_kind(render.device)
    if known is None:
        return None
    if known.batch_size is not None and known.device == kind:
        return known.batch_size
    return (
        table_batch_size(kind, known.codes_per_picture) if kind == "cpu" and known.codes_per_picture else None
    )


def identity_of(settings: str, prompt: str, pictures: Sequence[str], seed: int) -> str:
    """The drawing's identity, 32 hex digits. `pictures` are the digests of the pictures in its prompt."""
    return digest(settings, prompt, *pictures, str(seed))[:32]


def given_identity(codec: str, image: bytes) -> str:
    """The identity of a given picture, 32 hex digits. `codec` is a `codec_key`."""
    return digest(codec, "given", hashlib.sha256(image).hexdigest())[:32]
