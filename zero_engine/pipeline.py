"""The pipeline file: one YAML document that says all of a run.

What a section *means* is documented on its fields; `zero-engine schema pipeline` prints it, and
`schemas/pipeline.schema.json` is generated. How a file is read, overridden and refused is `config`.

The fingerprint of a stage covers just the parameters that can change its bytes, so editing
`gate.min` never redraws, and editing `dask.workers` never does anything.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from zero_engine.config import Section, parse_config, read_yaml
from zero_engine.hashing import digest_json
from zero_engine.painter_sections import Diffusion, Http
from zero_engine.sections import Dask, Gate, Input, Output, Parse, Render, Score

_YOUNG_KEYS = {
    "diffusion": None,
    "http": None,
    "options": None,
    "image_guidance": None,
    "negative_prompt": None,
    "context": "text",
    "given": "keep",
    "unconditional": "nothing",
}
"""Keys of `render` that came later, with the value that switches each off."""


_YOUNG_INPUT_KEYS = (
    "where",
    "duplicates",
    "config",
    "field",
    "encoding",
    "think_tags",
    "pictures",
    "picture_hosts",
    "max_picture_pixels",
    "max_record_bytes",
    "language",
)
"""Keys of `input` that came later; at their default they change no fingerprint."""


class Pipeline(Section):
    """All of a run, as frozen sections. Only `input.path` and `output.path` have no default.

    `load_pipeline` makes one from a file or a dictionary. `zero-engine schema pipeline` lists every key.
    """

    name: str = Field("zero-engine", pattern=r"^[\w.-]+$")
    """Name of the dataset."""
    seed: int = Field(0, ge=0)
    """Seed of the run; every drawing's own seed derives from it."""
    input: Input
    parse: Parse = Parse()
    render: Render = Render()
    score: Score = Score()
    gate: Gate = Gate()
    output: Output
    dask: Dask = Dask()

    @model_validator(mode="after")
    def _gate_uses_known_scores(self) -> "Pipeline":
        for key, scores in (("rank", self.gate.rank), ("min", self.gate.min), ("max", self.gate.max)):
            for name in scores:
                if name not in self.score.names:
                    raise ValueError(
                        f"gate.{key} names the score {name!r}, which score.names does not compute "
                        f"({', '.join(self.score.names) or 'none'}). Add it there, or name one of these"
                    )
        return self

    @model_validator(mode="after")
    def _http_has_a_server(self) -> "Pipeline":
        if self.render.generator == "http" and self.render.http is None:
            raise ValueError("render.generator: http needs render.http.url, e.g. http://localhost:8000/v1")
        return self

    @model_validator(mode="after")
    def _diffusion_has_a_model(self) -> "Pipeline":
        if self.render.generator == "diffusion" and self.render.diffusion is None:
            raise ValueError(
                "render.generator: diffusion needs render.diffusion.model, a folder or a hub name"
            )
        return self

    def stage_parameters(self) -> dict[str, dict[str, Any]]:
        """Parameters that can change a stage's bytes, by stage, in the order of the stages."""
        everything = self.model_dump(mode="json")
        # what is off is left out, so that drawings made before a key existed stay good
        off = {key for key, value in _YOUNG_KEYS.items() if everything["render"][key] == value}
        render = {k: v for k, v in everything["render"].items() if k != "device" and k not in off}
        for name, section in (("http", Http), ("diffusion", Diffusion)):
            if name in render:
                render[name] = {k: v for k, v in render[name].items() if k not in section.SHAPES_NO_PICTURE}
        if self.render.context == "pictures":  # what the gate keeps stands in later prompts
            render["gate"] = everything["gate"]
        gate = everything["gate"]
        if self.render.generator not in ("none", "unified"):
            render["pixels"] = (
                "original"  # a painting's, where candidates/ once held what its codes decode to
            )
        if self.output.pixels != "original":
            gate = {**gate, "pixels": self.output.pixels}
        return {
            "read": {
                k: v
                for k, v in everything["input"].items()
                if k not in ("path", "limit", "strict")
                and not (
                    k in _YOUNG_INPUT_KEYS
                    and v == Input.model_fields[k].get_default(call_default_factory=True)
                )
            },
            "parse": everything["parse"],
            "render": {"seed": self.seed, "image_format": self.output.image_format, **render},
            "score": {k: v for k, v in everything["score"].items() if v is not None},
            "gate": gate,
        }

    def __repr__(self) -> str:
        """`Pipeline(gsm8k-nano: gsm8k.jsonl -> out/gsm8k_nano, 4 drawings a step by nano)`."""
        paths = self.input.path if isinstance(self.input.path, str) else ", ".join(self.input.path)
        how = f"{self.render.candidates} drawings a step by {self.render.model}"
        drawn = "no drawings" if self.render.generator == "none" else how
        return f"Pipeline({self.name}: {paths} -> {self.output.path}, {drawn})"

    __str__ = __repr__

    @property
    def fingerprint(self) -> str:
        """16 hex digits over all that shapes the rows; not over paths, workers or limits.

        `render.given` counts where pictures compete: a row says itself, by `origin`, which of them were given.
        """
        parameters = self.stage_parameters()
        if self.render.given == "redraw":  # so that these rows are those of versions that always drew anew
            del parameters["render"]["given"]
        return digest_json({"name": self.name, **parameters})[:16]


def load_pipeline(source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Pipeline:
    """Read a pipeline file, or a dictionary with the same keys, and apply `key.sub=value` overrides.

        load_pipeline("pipeline.yaml", ["render.guidance=2"])
        load_pipeline({"input": {"path": "my.jsonl", "format": "gsm8k"}, "output": {"path": "out/mine"}})

    Raises PipelineError (one line: key, value, what is allowed, file) for anything wrong with either.
    """
    if isinstance(source, Mapping):
        return parse_config(Pipeline, copy.deepcopy(dict(source)), where="pipeline", overrides=overrides)
    return parse_config(Pipeline, read_yaml(source), where=str(source), overrides=overrides)
