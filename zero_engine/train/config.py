"""Training files: one YAML document that says all of a training, closed and frozen like a pipeline file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from zero_engine.config import HomePath, LocalPath, Section, parse_config, read_yaml
from zero_engine.errors import PipelineError
from zero_engine.render.sequences import TEMPLATES, Template, pieces_of


class Source(Section):
    """One dataset of several."""

    path: HomePath
    weight: float | None = Field(None, gt=0)
    """Its share of the batches, against the other weights, and no less than one row in about a thousand; without any,
    every row counts alike."""
    validation_rows: int = Field(0, ge=0)
    """Rows kept from training, also where another dataset of the mixture has them."""
    limit: int | None = Field(None, ge=1)


class Data(Section):
    path: HomePath
    """Folder of a dataset that a run wrote."""
    sources: list[Source] = []
    """Several datasets. In a file: `data: [{path: a, weight: 2}, {path: b, weight: 1}]`, other keys in any of them."""
    template: str | Template = "omni_r1"
    """omni_r1, plain, bare, or the pieces of one's own."""
    pictures: bool = True
    """Whether drawings are trained on; without, the same rows are text only."""
    max_length: int = Field(4096, ge=16)
    """Longest sequence in ids; a longer row is left out, counted and named."""
    validation_rows: int = Field(0, ge=0)
    """Rows kept from training, for the evaluation loss."""
    limit: int | None = Field(None, ge=1)
    """Use only the first rows of the dataset."""

    @field_validator("template")
    @classmethod
    def _known(cls, value: str | Template) -> str | Template:
        if isinstance(value, str) and value not in TEMPLATES:
            raise ValueError(f"must be one of {', '.join(TEMPLATES)}, or a mapping of pieces")
        return value

    @model_validator(mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        """A list of datasets as one section: what is not a dataset's own is said once, or alike."""
        if not isinstance(value, list):
            return value
        if not value or not all(isinstance(entry, dict) and entry.get("path") for entry in value):
            raise ValueError("must have a path in each dataset: [{path: a}, {path: b}]")
        shared: dict[str, Any] = {}
        for entry in value:
            for key in set(entry) - set(Source.model_fields):
                if shared.setdefault(key, entry[key]) != entry[key]:
                    raise ValueError(
                        f"must have {key} the same for all datasets, not {shared[key]!r} and {entry[key]!r}"
                    )
        sources = [{key: entry[key] for key in entry if key in Source.model_fields} for entry in value]
        return {"path": value[0]["path"], **shared, "sources": sources}

    @model_validator(mode="after")
    def _alike(self) -> "Data":
        """Of several datasets each has a weight or none has, and each says its own rows."""
        if len({source.weight is None for source in self.sources}) > 1:
            raise ValueError("must have a weight for every dataset or for none")
        for key in ("validation_rows", "limit"):
            if self.sources and getattr(self, key) != Data.model_fields[key].default:
                raise ValueError(f"must have {key} in each of its sources, not beside them")
        return self

    @property
    def parts(self) -> list[Source]:
        """The datasets, one or several."""
        one = Source(path=self.path, validation_rows=self.validation_rows, limit=self.limit)
        return self.sources or [one]

    @property
    def pieces(self) -> Template:
        return pieces_of(self.template)


class Lora(Section):
    rank: int = Field(16, ge=1)
    alpha: float = Field(32.0, gt=0)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    targets: list[str] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    """Linear layers that get an adapter."""


class Optimiser(Section):
    learning_rate: float = Field(1e-5, gt=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: int = Field(0, ge=0)
    """Steps over which the learning rate rises from 0."""
    final: float = Field(0.1, ge=0, le=1)
    """Share of the learning rate that a cosine ends at."""
    weight_decay: float = Field(0.0, ge=0)
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = Field(1.0, gt=0)
    """Largest norm of a gradient."""


class Training(Section):
    """What SFT and RL have in common."""

    name: str = Field("zero-engine", pattern=r"^[\w.-]+$")
    seed: int = Field(0, ge=0)
    model: str = "nano"
    """`nano`, a checkpoint folder, or a hub name."""
    output: LocalPath
    """Folder of the training: states, logs, and the trained model in `model/`."""
    data: Data
    lora: Lora | None = None
    """Adapters instead of full weights."""
    optimiser: Optimiser = Optimiser()
    steps: int = Field(ge=1)
    """Optimiser steps."""
    micro_batch: int = Field(8, ge=1)
    """Sequences in one forward pass; a memory setting, never a change of result."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16 runs the layers under autocast; weights and optimiser stay float32. On a CPU that multiplies bfloat16
    itself (AVX-512 BF16, AMX) a step takes less than half the time; on another up to ten times as long."""
    gradient_checkpointing: bool = False
    """Compute a layer again in the backward pass instead of keeping what it computed."""
    device: str = "auto"
    save_every: int = Field(200, ge=1)
    """Steps between states to resume from; the last two are kept."""
    tensorboard: bool = True


class SftLoss(Section):
    perception: float = Field(0.1, ge=0)
    """Lambda of L_Pe; 0 leaves it out."""
    shift: Literal[0, 1] = 1
    """1 projects the hidden state that predicts the code, 0 the one at the code (the reference's)."""
    text: float = Field(1.0, ge=0)
    """Weight of the mean over text tokens."""
    picture: float = Field(1.0, ge=0)
    """Weight of the mean over codes."""
    reduction: Literal["modalities", "tokens"] = "modalities"
    """Means by modality, or one mean over all tokens (the reference's)."""


class Sft(Training):
    loss: SftLoss = SftLoss()
    batch_size: int = Field(32, ge=1)
    """Sequences in one optimiser step, over all processes."""
    pack: bool = False
    """Several sequences in one row, each attending to itself alone."""
    eval_every: int = Field(100, ge=1)


class Rewards(Section):
    perception: float = Field(0.05, ge=0, le=1)
    """w in (1 - w) (0.9 accuracy + 0.1 format) + w perception; counts only where pictures are asked for."""
    min_pictures: int = Field(1, ge=0)
    """Answers with fewer pictures get no reward for perception."""
    by: Literal["codes", "hidden"] = "codes"
    """What a picture is judged by: the smoothness of its codes, or L_Pe of the hidden states at it, with the projection
    that PeSFT left beside the checkpoint."""
    over: Literal["mean", "min"] = "mean"
    """Over the pictures of an answer: their mean, or the worst one (the reference's)."""
    tau: float = Field(3.0, gt=0)
    """Scale: 1 / (1 + energy / tau)."""
    blank: float = Field(0.98, gt=0, le=1)
    """A picture with at least this share of one code is blank."""


class Rl(Training):
    rewards: Rewards = Rewards()
    mode: Literal["text-only", "interleaved-text-image", "unrestricted"] = "interleaved-text-image"
    prompts: int = Field(8, ge=1)
    """Questions in one optimiser step."""
    group: int = Field(8, ge=2)
    """Answers sampled to each question."""
    rounds: int = Field(2, ge=1)
    """Rounds of sampling until enough groups differ in accuracy; then the step goes on with what there is."""
    max_new_tokens: int = Field(1024, ge=8)
    temperature: float = Field(1.0, gt=0)
    sample_batch: int = Field(64, ge=1)
    """Answers sampled at once."""
    loss: Literal["dapo", "grpo", "dr_grpo"] = "dapo"
    clip_low: float = Field(0.2, gt=0, lt=1)
    clip_high: float = Field(0.28, gt=0)
    scale_by_std: bool = False
    """Divide advantages by the group's standard deviation."""
    kl: float = Field(0.0, ge=0)
    """Weight of the divergence from the model that the training began with."""
    text: float = Field(1.0, ge=0)
    """Weight of a text token in the loss."""
    picture: float = Field(1.0, ge=0)
    """Weight of a code in the loss."""
    updates: int = Field(1, ge=1)
    """Optimiser updates on one batch of answers."""
    overlong: int = Field(0, ge=0)
    """Ids before `max_new_tokens` from which the reward falls, by up to 1; 0 leaves it out."""
    samples_every: int = Field(10, ge=1)
    """Steps between answers saved with their pictures."""


def load_training(path: str | Path, kind: str, overrides: Sequence[str] = ()) -> Any:
    """Read an `sft` or `rl` file with `key=value` overrides. Raises PipelineError, one line."""
    return parse_config(class_of(kind, str(path)), read_yaml(path), where=str(path), overrides=overrides)


def class_of(kind: str, where: str) -> type[Training]:
    """The settings of an `sft` or an `rl`. Raises PipelineError for another kind."""
    if kind not in TRAININGS:
        raise PipelineError(f"{where}: a training is one of {', '.join(TRAININGS)}, not {kind!r}.")
    return TRAININGS[kind]


TRAININGS: dict[str, type[Training]] = {"sft": Sft, "rl": Rl}
