"""The generators that `render.generator` can name: the bundled ones and those of plugins. Imports no torch.

    none        no generator: every step stays text-only
    unified     `render.model` itself, with its own image tokens
    diffusion   a pipeline of diffusers, `render.diffusion.model`; `render.model` encodes and scores
    http        a server of the OpenAI images API, `render.http.url`; `render.model` encodes and scores

A plugin is an entry point in the group `zero_engine.generators`: its name is what `render.generator` says, and it
leads to a module (or any object) with two functions, as `zero_engine.painters.diffusion` has them:

    load(render) -> Painter         see `painting`; called once a process
    fingerprint(render) -> str      a digest of everything that its pictures depend on; the driver calls it, so it must
                                    not import torch

`render.options` holds the settings of a plugin.
"""

import importlib
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from threading import Lock
from typing import TYPE_CHECKING, Any

from zero_engine.errors import ModelError, PipelineError
from zero_engine.hashing import digest
from zero_engine.models.registry import get_model, model_fingerprint
from zero_engine.pipeline import Render

if TYPE_CHECKING:
    from zero_engine.models.base import UnifiedModel
    from zero_engine.painters.answers import Answers
    from zero_engine.painters.painting import PaintedModel

GROUP = "zero_engine.generators"
PAINTERS = {"diffusion": "zero_engine.painters.diffusion", "http": "zero_engine.painters.http"}
_loaded: dict[tuple[str | None, str], "PaintedModel"] = {}
_loading = Lock()


def get_generator(
    render: Render, answers: "Callable[[], Answers] | None" = None, planned: str | None = None
) -> "UnifiedModel":
    """The generator, loaded once per process. A server's answers are kept in `answers()`, which outlive the process.

    Raises PipelineError or ModelError for what the user has to fix, and for a painter whose fingerprint is another than
    the `planned` one: its drawings would be taken for those of what was there when the run began.
    """
    reader = get_model(render.model, device=render.device, dtype=render.dtype)
    if render.generator == "unified":
        return reader
    from zero_engine.painters.painting import Asks, PaintedModel

    key = (generator_fingerprint(render), render.model_dump_json())
    if planned and key[0] != planned:
        raise ModelError(
            f"render.generator: {render.generator} has changed since the run began (another model of the server, or "
            "other files). Run the same command again."
        )
    with _loading:
        if key not in _loaded:
            _loaded[key] = PaintedModel(reader, _painter(render.generator).load(render))
        model = _loaded[key]
        if answers is not None and isinstance(model.painter, Asks):
            model.painter.keep_in(answers())
        return model


def generator_fingerprint(render: Render) -> str | None:
    """16 hex digits over the generator and the model that encodes; None for the generator `none`.

    Raises PipelineError for an unknown generator, ModelError for a model that is not there.
    """
    if render.generator == "none":
        return None
    if render.generator == "unified":
        return digest(model_fingerprint(render.model), render.generator)[:16]
    painter = _painter(render.generator).fingerprint(render)
    return digest(model_fingerprint(render.model), render.generator, painter)[:16]


def generator_names() -> Sequence[str]:
    """All names that `render.generator` may have, with the installed plugins'."""
    return ["none", "unified", *PAINTERS, *sorted(point.name for point in entry_points(group=GROUP))]


def _painter(name: str) -> Any:
    if name in PAINTERS:
        return importlib.import_module(PAINTERS[name])
    for point in entry_points(group=GROUP, name=name):
        try:
            return point.load()
        except Exception as error:
            raise PipelineError(
                f"render.generator: the plugin {name!r} ({point.value}) cannot be loaded: {error}. Reinstall it."
            ) from error
    raise PipelineError(
        f"render.generator: unknown generator {name!r}. Known: {', '.join(generator_names())}."
    )
