"""Training: codebook, codec and language model in one resumable folder, then a checkpoint.

    OUT/recipe.json        what this folder trains: seed, steps, sizes (a folder keeps its recipe)
    OUT/codebook.npz, tokenizer.json, codec.pt    finished parts, made once
    OUT/language.pt        the language model's state, every few minutes: weights, their average, optimiser, step
    OUT/tensorboard/       curves
    OUT/checkpoint/        the finished model, in the public layout

A killed run goes on from `language.pt` and ends with the same weights as an unbroken one: a batch is a function of
(seed, step), and so is the learning rate. What is exported is the moving average of the weights.

    zero-engine models train-nano --out work/nano --steps 6000
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from zero_engine.models.nano.recipe import batches, checkpoint, codebook, codec, language, tokens
from zero_engine.models.nano.recipe.optimizer import MuonAdamW

LEARNING_RATE = 3e-3
WARM_UP = 60
COOL_DOWN = 0.35
"""The last share of the steps, over which the learning rate falls to nothing."""
AVERAGE = 0.998
SAVE_EVERY_S = 120.0


@dataclass(frozen=True)
class Recipe:
    """All that a run depends on."""

    seed: int = 0
    steps: int = 4000
    batch: int = 32
    codec_steps: int = 1200
    hidden: int = language.HIDDEN
    layers: int = language.LAYERS
    heads: int = language.HEADS
    feed_forward: int = language.FEED_FORWARD


def train(out: Path, recipe: Recipe, report: Callable[[str], None] = print, minutes: float | None = None) -> dict:
    """Train or go on training in `out`; returns the facts of the run.

    `minutes` stops early, keeping the state, and exports what there is. Raises nothing of its own: an unwritable
    folder is an OSError.
    """
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out / "recipe.json", asdict(recipe))
    deadline = time.monotonic() + 60 * minutes if minutes else float("inf")
    book, tokenizer = _codebook(out, report), None
    tokenizer = _tokenizer(out, len(book), recipe.seed, report)
    vqmodel = _codec(out, book, recipe, report)
    model, facts = _language(out, book, tokenizer, recipe, vqmodel.config, report, deadline)
    facts |= codec.codec_report(vqmodel, book)
    checkpoint.write_checkpoint(out / "checkpoint", model, vqmodel, tokenizer)
    facts["checkpoint"] = str(out / "checkpoint")
    _write_json(out / "facts.json", facts)
    return facts


def load_parts(out: Path) -> tuple[codebook.Codebook, Tokenizer]:
    """The codebook and the tokenizer of a training folder."""
    with np.load(out / "codebook.npz") as saved:
        book = codebook.Codebook(saved["patches"], saved["vectors"])
    return book, Tokenizer.from_file(str(out / "tokenizer.json"))


def learning_rate(step: int, steps: int) -> float:
    """Warm-up, flat, then linear to zero."""
    return LEARNING_RATE * min(1.0, (step + 1) / WARM_UP, (steps - step) / max(1.0, COOL_DOWN * steps))


def export(out: Path) -> Path:
    """Write OUT/checkpoint from a run that is still going on."""
    recipe = Recipe(**json.loads((out / "recipe.json").read_text()))
    book, tokenizer = load_parts(out)
    vqmodel = _codec(out, book, recipe, print)
    state = torch.load(out / "language.pt", map_location="cpu", weights_only=True)
    model = _new_model(tokenizer, vqmodel.config, recipe)
    _load_average(model, state["average"])
    checkpoint.write_checkpoint(out / "checkpoint", model, vqmodel, tokenizer)
    return out / "checkpoint"


def _language(out, book, tokenizer, recipe, vq_config, report, deadline):  # noqa: ANN001, ANN202 - the parts of `train`
    model = _new_model(tokenizer, vq_config, recipe)
    optimizer = MuonAdamW(model)
    trained = {name: weight for name, weight in model.named_parameters() if "vqmodel" not in name}
    average = {name: weight.detach().clone() for name, weight in trained.items()}
    start = 0
    if (out / "language.pt").exists():
        state = torch.load(out / "language.pt", map_location="cpu", weights_only=True)
        start, average = state["step"], state["average"]
        for name, weight in trained.items():
            weight.data.copy_(state["weights"][name])
        optimizer.load_state_dict(state["optimizer"])
        report(f"language model: resumed at step {start}")
    data = batches.Batches(tokenizer, book, recipe.seed, recipe.batch)
    curves = _curves(out)
    began = saved = time.monotonic()
    recent: list[float] = []
    step = start
    while step < recipe.steps and time.monotonic() < deadline:
        batch = data[step]
        loss, metrics = language.sequence_loss(model, batch.ids, batch.weights)
        loss.backward()
        norm = optimizer.step(learning_rate(step, recipe.steps))
        step += 1
        with torch.no_grad():
            keep = min(AVERAGE, 1 - 1 / (1 + step / 4))
            for name, weight in trained.items():
                average[name].lerp_(weight, 1 - keep)
        recent.append(metrics["code_nats"].item())
        if step % 20 == 0 or step == recipe.steps:
            pace = (time.monotonic() - began) / (step - start)
            curves.add_scalar("language/code_nats", np.mean(recent[-20:]), step)
            curves.add_scalar("language/text_nats", metrics["text_nats"].item(), step)
            curves.add_scalar("language/gradient_norm", norm, step)
            report(
                f"language model: step {step}/{recipe.steps}, {np.mean(recent[-20:]):.4f} nats a code, "
                f"{metrics['text_nats'].item():.2f} a text token, {pace:.2f} s a step, "
                f"{pace * (recipe.steps - step) / 60:.0f} min left"
            )
        if time.monotonic() - saved > SAVE_EVERY_S or step == recipe.steps or time.monotonic() >= deadline:
            _save(out / "language.pt", {
                "step": step, "average": average, "optimizer": optimizer.state_dict(),
                "weights": {name: weight.detach() for name, weight in trained.items()},
            })  # fmt: skip
            saved = time.monotonic()
    curves.close()
    _load_average(model, average)
    return model, {"steps": step, "code_nats": float(np.mean(recent[-50:])) if recent else None}


def _new_model(tokenizer: Tokenizer, vq_config, recipe: Recipe):  # noqa: ANN001, ANN202 - transformers' own types
    sizes = {name: getattr(recipe, name) for name in ("hidden", "layers", "heads", "feed_forward")}
    return language.new_model(language.language_config(tokenizer.get_vocab(), vq_config, **sizes), recipe.seed)


def _load_average(model: torch.nn.Module, average: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name in average:
                weight.copy_(average[name])


def _codebook(out: Path, report: Callable[[str], None]) -> codebook.Codebook:
    if not (out / "codebook.npz").exists():
        book = codebook.build()
        with open(out / "codebook.npz.part", "wb") as file:
            np.savez_compressed(file, patches=book.patches, vectors=book.vectors)
        os.replace(out / "codebook.npz.part", out / "codebook.npz")
        report(f"codebook: {len(book)} codes")
    with np.load(out / "codebook.npz") as saved:
        return codebook.Codebook(saved["patches"], saved["vectors"])


def _tokenizer(out: Path, codes: int, seed: int, report: Callable[[str], None]) -> Tokenizer:
    path = out / "tokenizer.json"
    if not path.exists():
        tokenizer = tokens.train_tokenizer(codes, seed=seed)
        tokenizer.save(str(path) + ".part")
        os.replace(str(path) + ".part", path)
        report(f"tokenizer: {tokenizer.get_vocab_size()} tokens")
    return Tokenizer.from_file(str(path))


def _codec(out: Path, book: codebook.Codebook, recipe: Recipe, report: Callable[[str], None]):  # noqa: ANN202
    if (out / "codec.pt").exists():
        vqmodel = codec.attach_decoder(codec.ChameleonVQVAE(codec.codec_config(len(book))))
        vqmodel.load_state_dict(torch.load(out / "codec.pt", weights_only=True))
        return vqmodel.eval()

    def log(step: int, metrics: dict[str, float]) -> None:
        report(f"codec: step {step}/{recipe.codec_steps}, " + ", ".join(f"{k} {v:.5f}" for k, v in metrics.items()))

    vqmodel = codec.train_codec(book, recipe.codec_steps, recipe.seed, log)
    _save(out / "codec.pt", vqmodel.state_dict())
    report("codec: " + ", ".join(f"{k} {v:.4f}" for k, v in codec.codec_report(vqmodel, book).items()))
    return vqmodel


def _curves(out: Path):  # noqa: ANN202 - tensorboard is optional
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return _NoCurves()
    return SummaryWriter(str(out / "tensorboard"))


class _NoCurves:
    def add_scalar(self, name: str, value: float, step: int) -> None: ...

    def close(self) -> None: ...


def _save(path: Path, state: dict) -> None:
    torch.save(state, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


def _write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
