"""What both trainings share: setting up, one optimiser step, and the loop that logs, saves, stops and resumes.

A step is a function of (training file, model, dataset, step): batches and seeds follow from its number, and nothing
else is carried over but weights and optimiser. Killed at any instant and started again, a training goes on from its
last state and ends with the same weights and the same journal (float32 on a CPU). SIGINT and SIGTERM finish the step,
save, and say how to go on.

Under `accelerate launch` every process takes its share of a step's rows; the loss of each is scaled by counts over
all of them, so two processes compute what one would.
"""

import contextlib
import copy
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from zero_engine.errors import CheckFailed, Interrupted, PipelineError, install_extra
from zero_engine.identity import check_identity
from zero_engine.models import load_chameleon, model_fingerprint, model_folder
from zero_engine.models.chameleon.model import Chameleon
from zero_engine.models.chameleon.modules import ChameleonModule
from zero_engine.models.chameleon.training_forward import hidden_states
from zero_engine.progress import Progress, Silent
from zero_engine.render.sequences import Encoder
from zero_engine.train import checkpoint
from zero_engine.train.config import Lora, Sft, Training
from zero_engine.train.data import Batch, training_rows
from zero_engine.train.mixture import Mixture
from zero_engine.train.stopping import stop_signal
from zero_engine.write.atomic import atomic_write
from zero_engine.write.dataset import Rows

if TYPE_CHECKING:
    from peft import PeftModel

OPERATIONAL = {
    "output",
    "device",
    "save_every",
    "eval_every",
    "tensorboard",
    "micro_batch",
    "sample_batch",
    "samples_every",
}
"""Keys that change no number: a training may go on under others. (Sums of parts differ in their last bits.)"""


Policy: TypeAlias = "ChameleonModule | PeftModel"
Config = TypeVar("Config", bound=Training)


class Learner(nn.Module):
    """The language model and what is trained with it. Everything goes through `forward`, for accelerate to wrap."""

    def __init__(self, policy: Policy, projection: nn.Linear | None, config: Training):
        super().__init__()
        self.policy, self.projection = policy, projection
        self._checkpointing, self._half = config.gradient_checkpointing, config.precision == "bfloat16"

    def forward(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """`function(self, *arguments)`, under autocast where the training runs in bfloat16."""
        device = self.module.lm_head.weight.device.type
        with torch.autocast(device, torch.bfloat16, enabled=self._half):
            return function(self, *arguments)

    @property
    def module(self) -> ChameleonModule:
        """The Chameleon module, adapters in their places."""
        return self.policy if isinstance(self.policy, ChameleonModule) else self.policy.get_base_model()

    def hidden(self, batch: Batch) -> Tensor:
        return hidden_states(
            self.module,
            batch.ids,
            positions_BT=batch.positions,
            segments_BT=batch.segments,
            checkpointing=self._checkpointing,
        )


@dataclass
class Run(Generic[Config]):
    """A training that is set up."""

    config: Config
    accelerator: Accelerator
    model: Chameleon
    learner: nn.Module
    """As accelerate wraps it; `bare` is what is inside."""
    optimizer: torch.optim.Optimizer
    rows: Rows | Mixture
    encoder: Encoder
    out: Path
    identity: dict[str, Any]

    @property
    def bare(self) -> Learner:
        return self.accelerator.unwrap_model(self.learner)

    @property
    def device(self) -> torch.device:
        return self.accelerator.device

    def snapshot(self) -> Chameleon:
        """The model as it is now, adapters merged, to draw and answer with. It shares nothing that is trained."""
        shared = {id(self.model.vqmodel): self.model.vqmodel}
        return _merged(copy.deepcopy(self.bare.policy, shared), self.model)


def prepare(config: Config, kind: str, *, projected: bool) -> Run[Config]:
    """Load model and rows, put adapters in, hand all to accelerate. Raises what its parts raise, one line each."""
    accelerator = Accelerator(cpu=config.device == "cpu")
    folder = model_folder(config.model)
    half = config.lora is not None and config.precision == "bfloat16"
    dtype = "bfloat16" if half else "float32"
    model = load_chameleon(config.model, device=str(accelerator.device), dtype=dtype)
    encoder = Encoder(model, config.data)
    rows = training_rows(config.data)
    policy = trainable(model, config.lora, config.seed)
    projection = (
        checkpoint.load_projection(model, folder, config.seed).to(accelerator.device) if projected else None
    )
    learner = Learner(policy, projection, config)
    settings = config.optimiser
    weights = [weight for weight in learner.parameters() if weight.requires_grad]
    groups = [
        {"params": [w for w in weights if w.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [w for w in weights if w.dim() < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas, fused=True)
    learner, optimizer = accelerator.prepare(learner, optimizer)
    file = {k: v for k, v in config.model_dump(mode="json").items() if k not in OPERATIONAL | {"model"}}
    file["data"].pop("path")
    for source in file["data"].pop("sources"):
        file["data"].setdefault("mixed", []).append({k: v for k, v in source.items() if k != "path"})
    facts = {
        "kind": kind,
        "file": file,
        "model": model_fingerprint(config.model),
        "dataset": rows.fingerprint,
    }
    identity = json.loads(json.dumps(facts))  # as a saved one comes back
    return Run(config, accelerator, model, learner, optimizer, rows, encoder, Path(config.output), identity)


def trainable(model: Chameleon, lora: Lora | None, seed: int) -> Policy:
    """The model's module with gradients on: everywhere but in the VQ model, or in adapters alone."""
    module = model.module
    model.release()
    if lora is None:
        module.requires_grad_(True)
        module.model.vqmodel.requires_grad_(False)
        return module
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise PipelineError(f"lora needs the extra: {install_extra('train')}, or drop the key.") from None

    linear = (name for name, layer in module.model.layers.named_modules() if type(layer) is nn.Linear)
    names = {name.rpartition(".")[2] for name in linear}
    if unknown := sorted(set(lora.targets) - names):
        raise PipelineError(
            f"lora.targets: no linear layer is called {unknown[0]!r}. There are: {', '.join(sorted(names))}."
        )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        settings = LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=rf"model\.layers\..*\.({'|'.join(lora.targets)})",
        )
        return get_peft_model(module, settings)


def update(
    run: Run, step: int, batches: Sequence[Any], loss_of: Callable[..., tuple[Tensor, dict[str, Tensor]]]
) -> dict[str, float]:
    """One optimiser step on this process's share of batches; figures of all are summed over all processes.

    `loss_of(learner, batch)` is this batch's share of the loss, scaled by counts over the whole step.
    """
    sums: dict[str, Tensor] = {}
    run.learner.train()
    run.optimizer.zero_grad(set_to_none=True)
    for place, batch in enumerate(batches):
        waits = place + 1 < len(batches)
        with run.accelerator.no_sync(run.learner) if waits else contextlib.nullcontext():
            loss, figures = run.learner(loss_of, batch)
            run.accelerator.backward(loss * run.accelerator.num_processes)  # accelerate takes the mean
        for name, value in {"loss": loss.detach(), **figures}.items():
            sums[name] = sums.get(name, 0) + value.float()
    weights = [weight for group in run.optimizer.param_groups for weight in group["params"]]
    norm = run.accelerator.clip_grad_norm_(weights, run.config.optimiser.clip)
    rate = learning_rate(run.config, step)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    run.optimizer.step()
    return {**total(run, sums), "gradient_norm": float(norm), "learning_rate": rate}


def total(run: Run, sums: dict[str, Tensor]) -> dict[str, float]:
    """Figures summed over all processes."""
    mine = torch.stack([value.to(run.device) for value in sums.values()])
    flat = run.accelerator.reduce(mine, reduction="sum")
    return dict(zip(sums, flat.tolist(), strict=True))


def learning_rate(config: Training, step: int) -> float:
    """The rate of a step, from 0: a linear rise, then constant, or half a cosine down to `final`."""
    settings = config.optimiser
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    if settings.schedule == "constant":
        return settings.learning_rate
    done = (step - settings.warmup) / max(1, config.steps - settings.warmup)
    share = settings.final + (1 - settings.final) * 0.5 * (1 + float(np.cos(np.pi * done)))
    return settings.learning_rate * share


def train(
    run: Run,
    take_step: Callable[[int], dict[str, Any]],
    say: Callable[[str], None],
    line: Callable[[dict[str, Any], float], str],
    progress: Progress | None = None,
) -> Path:
    """Take every step that is not done yet; returns the folder of the trained model.

    `take_step(step)` returns figures without a clock in them, or with one under a name that ends in `_s`: those go to
    the console and tensorboard alone. Raises Interrupted when told to stop, with all that is done saved, CheckFailed
    where a loss or a gradient is no number: nothing of that step is saved.
    """
    config, out, first = run.config, run.out, run.accelerator.is_main_process
    progress, say = progress or Silent(), say if first else _silent
    finished = out / "result.json"
    if finished.exists():
        check_identity(finished, json.loads(finished.read_text())["identity"], run.identity)
        say(f"{out}: finished already; the model is in {out / 'model'}")
        return out / "model"
    states = out / "states"
    done = checkpoint.resume(states, run.identity, run.learner, run.optimizer)
    if done:
        say(f"resumed at step {done} of {config.steps}")
    journal = checkpoint.Journal(out / "log.jsonl", done)
    curves = _curves(out, done) if config.tensorboard and first else None
    figures: dict[str, Any] = {}
    progress.stage("training", config.steps, "steps", done)
    with stop_signal(progress) as asked:
        for step in range(done, config.steps):
            seed = np.random.SeedSequence((config.seed, step)).generate_state(1)[0]
            torch.manual_seed(int(seed))  # for dropout
            began = time.perf_counter()
            figures = take_step(step)
            elapsed = time.perf_counter() - began
            _check_finite(out, step + 1, figures)
            journal.write({"step": step + 1, **{k: v for k, v in figures.items() if not k.endswith("_s")}})
            say(f"{step + 1:>6}/{config.steps} {line(figures, elapsed)}")
            progress.update(step + 1)
            if curves is not None:
                for name, value in figures.items():
                    curves.add_scalar(name, value, step + 1)
            last = step + 1 == config.steps
            stop = bool(total(run, {"stop": torch.tensor(float(bool(asked)))})["stop"])
            if last or stop or (step + 1) % config.save_every == 0:
                checkpoint.save_state(states, step + 1, run.identity, run.learner, run.optimizer)
            if stop and not last:
                raise Interrupted(
                    f"{out}: stopped after step {step + 1} of {config.steps}, saved. The same command goes on."
                )
    if curves is not None:
        curves.close()
    weights = checkpoint.trained_weights(run.learner)
    progress.stage(f"writing {out / 'model'}")
    if first:
        export(run, weights)
        facts = {"steps": config.steps, "last": figures, "identity": run.identity}
        with atomic_write(finished, "w") as file:
            file.write(json.dumps(facts, indent=2))
    run.accelerator.wait_for_everyone()
    return out / "model"


def _check_finite(out: Path, step: int, figures: dict[str, Any]) -> None:
    for name in ("loss", "gradient_norm"):
        if not np.isfinite(value := figures.get(name, 0.0)):
            raise CheckFailed(
                f"{out}: {name} is {value} at step {step}: the training diverged, and no model is written. Lower "
                "optimiser.learning_rate, under another output."
            )


def export(run: Run, weights: dict[str, Tensor]) -> None:
    """Write the model with these trained weights, from a fresh copy of the one that the training began with."""
    model = load_chameleon(run.config.model, device="cpu", dtype="float32")
    policy = trainable(model, run.config.lora, run.config.seed)
    inside = {name.removeprefix("policy."): w for name, w in weights.items() if name.startswith("policy.")}
    policy.load_state_dict(inside, strict=False)
    projection, shift = None, 1
    if run.bare.projection is not None:
        assert isinstance(run.config, Sft), "PeSFT alone trains a projection"
        shift = run.config.loss.shift
        projection = checkpoint.load_projection(model, model_folder(run.config.model), run.config.seed)
        projection.load_state_dict({k: weights[f"projection.{k}"] for k in ("weight", "bias")})
    checkpoint.save_model(_merged(policy, model), projection, run.out / "model", shift)


def _merged(policy: Policy, model: Chameleon) -> Chameleon:
    module = policy if isinstance(policy, ChameleonModule) else policy.merge_and_unload()
    return Chameleon(module, model.tokenizer, model.preprocessor, name=model.name)


def _curves(out: Path, done: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        told = f"tensorboard: true needs the extra: {install_extra('train')}, or set it to false."
        raise PipelineError(told) from None
    return SummaryWriter(str(out / "tensorboard"), purge_step=done + 1)


def _silent(text: str) -> None: ...
