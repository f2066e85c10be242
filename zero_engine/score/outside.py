"""Scores with a model or code of their own: `clip`, and those of plugins. Importing this imports no torch.

A plugin is an entry point in the group `zero_engine.scores`: its name is the score's name in `score.names`, and it
leads to a module (or any object) with two functions, as `zero_engine.score.clip` has them:

    load(score, device) -> function     called once a process. The function maps RGB uint8 pictures (H, W, 3) and as
                                        many step texts, batched across traces, to a value each: a float, or None
                                        where the score does not apply
    fingerprint(score) -> str           a digest of everything that its values depend on; the driver calls it, so it
                                        must not import torch

`score.options` holds the settings of plugins. Their values go into the column `plugin_scores`, and the gate may name
them; a drawing without such a value passes.
"""

import importlib
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from threading import Lock
from typing import Any

import numpy as np

from zero_engine.batches import BatchFailure, run_batched
from zero_engine.contracts.scores import SCORES
from zero_engine.errors import PipelineError
from zero_engine.hashing import digest
from zero_engine.images import decode_image
from zero_engine.pipeline import Score

GROUP = "zero_engine.scores"
BUNDLED = {"clip": "zero_engine.score.clip", "ocr": "zero_engine.score.ocr"}
BATCH = 32
"""Drawings scored at once; fixed, so that a drawing's batch has the same shapes in any shard."""

Values = list[float | BatchFailure | None]
Function = Callable[[Sequence[np.ndarray], Sequence[str]], Sequence[float | None]]
_loaded: dict[tuple[str, str, str], Function] = {}
_loading = Lock()


def outside_scores(score: Score) -> list[str]:
    """The names in `score.names` of `BUNDLED` or of plugins; `check_scores` checks that the plugins are there."""
    return [name for name in score.names if name in BUNDLED or name not in SCORES]


def plugin_names() -> list[str]:
    """The names of the scores of installed plugins."""
    return sorted(point.name for point in entry_points(group=GROUP))


def outside_fingerprint(score: Score) -> str:
    """A digest of everything that the outside scores in `score.names` depend on; empty where there are none.

    Raises PipelineError or ModelError for a score that cannot be loaded.
    """
    names = outside_scores(score)
    return digest(*(part for n in names for part in (n, _module(n).fingerprint(score)))) if names else ""


def score_outside(
    name: str, images: Sequence[bytes], texts: Sequence[str], score: Score, device: str
) -> Values:
    """The values of one score for encoded drawings and the texts of their steps, in their order."""
    key = (name, digest(_module(name).fingerprint(score), score.model_dump_json()), device)
    with _loading:
        if key not in _loaded:
            _loaded[key] = _module(name).load(score, device)
        function = _loaded[key]

    def batch(items: list[tuple[bytes, str]]) -> list[float | None]:
        values = function([decode_image(image) for image, _ in items], [text for _, text in items])
        return [None if value is None else float(value) for value in values]

    items = list(zip(images, texts, strict=True))
    return run_batched(items, batch, BATCH, items[0]) if items else []


def _module(name: str) -> Any:
    if name in BUNDLED:
        return importlib.import_module(BUNDLED[name])
    (point, *_) = entry_points(group=GROUP, name=name)
    try:
        return point.load()
    except Exception as error:
        raise PipelineError(
            f"score.names: the plugin {name!r} ({point.value}) cannot be loaded: {error}. Reinstall it."
        ) from error
