"""The file of rounds: one YAML document with a pipeline, a training, and what changes from round to round.

    rounds: 2
    draw: {input: .., render: .., gate: ..}      as in a pipeline file, without render.model and output.path
    train: {steps: 100, data: {..}, ..}          as in an sft file, without model, output and data.path
    mix: {earlier: 0.5, given: [{path: out/annotated, weight: 1}]}
    change: {3: {train: {steps: 200}}}           keys that round 3 alone has

The rounds say what is left out: who draws, where the data lie, what is trained.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from zero_engine.config import HomePath, LocalPath, Section, parse_config, read_yaml
from zero_engine.errors import PipelineError
from zero_engine.pipeline import Pipeline
from zero_engine.train.config import Sft, Source

SAID_BY_ROUNDS = {
    "draw": ("render.model", "output.path", "name"),
    "train": ("model", "output", "data.path", "data.sources", "name"),
}
"""Keys that the loop says itself."""


class Given(Section):
    path: HomePath
    """Folder of a dataset that a run wrote, e.g. one with given pictures."""
    weight: float = Field(1.0, gt=0)


class Mix(Section):
    """What each training reads beside its own round's data, whose weight is 1."""

    earlier: float = Field(0.0, ge=0)
    """Weight of each earlier round's data; 0 leaves them out."""
    given: list[Given] = []


class Bootstrap(Section):
    name: str = Field("rounds", pattern=r"^[\w.-]+$")
    model: str = "nano"
    """Who draws the first round: `nano`, a checkpoint folder, or a hub name."""
    output: LocalPath
    """Folder of all rounds: rounds/01/data, rounds/01/train-..., and rounds.json."""
    rounds: int = Field(2, ge=1, le=99)
    """Rounds of drawing and training. What the last model draws is one more folder of data."""
    draw: dict[str, Any]
    """A pipeline: input, parse, render, score, gate, output, dask."""
    train: dict[str, Any]
    """A PeSFT training: data, loss, optimiser, steps, ..."""
    mix: Mix = Mix()
    change: dict[int, dict[str, Any]] = {}
    """By round: keys of `draw` and `train` that this round alone has."""
    stop_when_worse: bool = False
    """Stop before training on drawings that are worse than the round's before."""
    worse_by: float = Field(0.02, ge=0, le=1)
    """A round is worse where its rate fell by more than this: of right drawings, or of kept ones without an oracle."""

    def folder(self, number: int) -> Path:
        return Path(self.output) / "rounds" / f"{number:02d}"

    def data(self, number: int) -> Path:
        return self.folder(number) / "data"

    def pipeline(self, number: int, model: str) -> Pipeline:
        """What a round draws. Raises PipelineError, one line."""
        document = self._section("draw", number)
        document["name"] = f"{self.name}-{number:02d}"
        for section, key, value in (("render", "model", model), ("output", "path", str(self.data(number)))):
            inside = document.get(section, {})
            document[section] = {**inside, key: value} if isinstance(inside, dict) else inside
        return parse_config(Pipeline, document, where=f"draw of round {number}")

    def training(self, number: int, model: str, output: str) -> Sft:
        """What a round trains: on its own data, and on what is mixed in. Raises PipelineError, one line."""
        document = self._section("train", number)
        section = document.get("data", {})
        if not isinstance(section, dict):
            raise PipelineError(
                f"train of round {number}: data must be a mapping; other datasets stand in mix.given."
            )
        before = range(1, number) if self.mix.earlier else ()
        earlier = [Given(path=str(self.data(n)), weight=self.mix.earlier) for n in before]
        others = [*earlier, *self.mix.given]
        own = {"path": str(self.data(number))}
        if others:
            shared = {key: value for key, value in section.items() if key not in Source.model_fields}
            first = {**section, **own, "weight": 1.0}
            document["data"] = [first, *({**shared, **other.model_dump()} for other in others)]
        else:
            document["data"] = {**section, **own}
        document |= {"name": f"{self.name}-{number:02d}", "model": model, "output": output}
        return parse_config(Sft, document, where=f"train of round {number}")

    def _section(self, name: str, number: int) -> dict[str, Any]:
        return merged(getattr(self, name), self.change.get(number, {}).get(name, {}))


def load_bootstrap(path: str | Path, overrides: Sequence[str] = ()) -> Bootstrap:
    """Read a file of rounds with `key=value` overrides, and try every round of it. Raises PipelineError, one line."""
    config: Bootstrap = parse_config(Bootstrap, read_yaml(path), where=str(path), overrides=overrides)
    for number, sections in config.change.items():
        if not 1 <= number <= config.rounds + 1:
            raise PipelineError(f"{path}: change.{number}: there are rounds 1 to {config.rounds + 1}.")
        for name, keys in sections.items():
            if name not in SAID_BY_ROUNDS:
                raise PipelineError(f"{path}: change.{number}.{name}: a round changes draw or train.")
            if not isinstance(keys, dict):
                raise PipelineError(
                    f"{path}: change.{number}.{name} must be keys with values, as {{key: value}}, got {keys!r}."
                )
        if number > config.rounds and "train" in sections:
            raise PipelineError(
                f"{path}: change.{number}.train: round {number} only draws, with what round {config.rounds} trained. "
                "Take it out, or raise rounds."
            )
    try:
        for number in range(1, config.rounds + 2):
            for name, keys in SAID_BY_ROUNDS.items():
                _refuse(config._section(name, number), name, keys)
            config.pipeline(number, config.model)
            config.training(number, config.model, config.output)
    except PipelineError as error:
        raise PipelineError(f"{path}: {error}") from None
    return config


def merged(section: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A copy of a document with the keys of another over it, section by section."""
    result = copy.deepcopy(section)
    for key, value in change.items():
        deeper = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if deeper else copy.deepcopy(value)
    return result


def _refuse(document: dict[str, Any], name: str, keys: Sequence[str]) -> None:
    for key in keys:
        node: Any = document
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if node is not None:
            raise PipelineError(
                f"{name}.{key}: the rounds say it. Take it out; model and output stand above."
            )
