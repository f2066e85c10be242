"""The language model's training loop: data parallel over processes of one thread each, resumable, deterministic.

Two processes that meet once a step (one all-reduce of the gradient) beat two threads that meet at every operator,
more so when something else wants the cores: a busy machine gave 13 samples/s with threads, 33 with processes. Rank
0 is the caller's process; it reports and saves. A batch and the learning rate are functions of the step, so a
killed run ends with the weights of an unbroken one.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as distributed
from tokenizers import Tokenizer
from transformers import ChameleonForConditionalGeneration

from zero_engine.errors import ModelError
from zero_engine.nano.recipe import batches, codebook, codec, language
from zero_engine.nano.recipe.optimizer import MuonAdamW
from zero_engine.signals import stop_signals

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
    steps: int = 20_000
    batch: int = 48
    hidden: int = language.HIDDEN
    layers: int = language.LAYERS
    heads: int = language.HEADS
    feed_forward: int = language.FEED_FORWARD


def train_language(
    out: Path, recipe: Recipe, report: Callable[[str], None], deadline: float, processes: int = 2
) -> dict:
    """Train in `out` up to `recipe.steps`, until `time.time()` passes `deadline`, or until SIGINT or SIGTERM.

    Returns facts. To be called from the main thread, for the signals' sake.

    The state is OUT/language.pt: weights, their moving average (which is what is exported), optimiser, step.
    """
    with tempfile.TemporaryDirectory() as meeting:
        address = f"file://{meeting}/meet"
        context = multiprocessing.get_context("spawn")
        helpers = [
            context.Process(
                target=_join, args=(rank, processes, address, out, asdict(recipe), deadline), daemon=True
            )
            for rank in range(1, processes)
        ]
        for helper in helpers:
            helper.start()
        _wait_for(helpers, Path(meeting))
        asked = threading.Event()
        try:
            with stop_signals(lambda *_: asked.set()):
                return _join(0, processes, address, out, asdict(recipe), deadline, report, asked)
        finally:
            for helper in helpers:
                helper.join(timeout=20)
                helper.kill()


def learning_rate(step: int, steps: int) -> float:
    """Warm-up, flat, then linear to zero."""
    return LEARNING_RATE * min(1.0, (step + 1) / WARM_UP, (steps - step) / max(1.0, COOL_DOWN * steps))


def new_model(tokenizer: Tokenizer, codes: int, recipe: Recipe) -> ChameleonForConditionalGeneration:
    """The model of a recipe, freshly initialised."""
    sizes = {name: getattr(recipe, name) for name in ("hidden", "layers", "heads", "feed_forward")}
    config = language.language_config(tokenizer.get_vocab(), codec.codec_config(codes), **sizes)
    return language.new_model(config, recipe.seed)


def load_average(model: torch.nn.Module, out: Path) -> int:
    """Put the averaged weights of OUT/language.pt into a model; returns the step."""
    state = torch.load(out / "language.pt", map_location="cpu", weights_only=True)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name in state["average"]:
                weight.copy_(state["average"][name])
    return state["step"]


def load_parts(out: Path) -> tuple[codebook.Codebook, Tokenizer]:
    """The codebook and the tokenizer of a training folder."""
    with np.load(out / "codebook.npz") as saved:
        book = codebook.Codebook(saved["patches"], saved["vectors"])
    return book, Tokenizer.from_file(str(out / "tokenizer.json"))


def save(path: Path, state: dict) -> None:
    """torch.save under a temporary name first."""
    torch.save(state, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


def _join(rank, processes, address, out, recipe, deadline, report=None, asked=None):
    threads = torch.get_num_threads()
    if rank > 0:  # rank 0 decides when to stop
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        Path(address.removeprefix("file://")).with_name(f"here-{rank}").touch()
    torch.set_num_threads(max(1, threads // processes) if rank == 0 else 1)
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=processes)
    try:
        return _loop(
            rank,
            processes,
            out,
            Recipe(**recipe),
            deadline,
            report or (lambda line: None),
            asked or threading.Event(),
        )
    finally:
        distributed.destroy_process_group()
        torch.set_num_threads(threads)


def _loop(
    rank: int,
    processes: int,
    out: Path,
    recipe: Recipe,
    deadline: float,
    report: Callable[[str], None],
    asked: threading.Event,
) -> dict:
    book, tokenizer = load_parts(out)
    model = new_model(tokenizer, len(book), recipe)
    model.model.vqmodel.requires_grad_(False)
    bfloat16 = language.has_bfloat16()
    optimizer = MuonAdamW(model, bfloat16=bfloat16, rank=rank, processes=processes)
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
    data = batches.Batches(tokenizer, book, recipe.seed, recipe.batch, recipe.steps)
    curves = _curves(out) if rank == 0 else _NoCurves()
    began = saved = time.time()
    recent: list[float] = []
    step, stop = start, start >= recipe.steps
    while not stop:
        batch = data[step]
        loss, metrics = language.sequence_loss(
            model, batch.ids[rank::processes], batch.weights[rank::processes], bfloat16=bfloat16
        )
        loss.backward()
        _average_gradients(trained.values(), processes)
        norm = optimizer.step(learning_rate(step, recipe.steps))
        step += 1
        recent.append(metrics["code_nats"].item())
        if rank == 0:
            _follow(average, trained, step)
        stop = _agree(step >= recipe.steps or time.time() >= deadline or asked.is_set())
        if rank == 0 and (step % 20 == 0 or stop):
            pace = (time.time() - began) / (step - start)
            nats, text_nats = float(np.mean(recent[-20:])), metrics["text_nats"].item()
            curves.add_scalar("language/code_nats", nats, step)
            curves.add_scalar("language/text_nats", text_nats, step)
            curves.add_scalar("language/gradient_norm", norm, step)
            report(
                f"language model: step {step}/{recipe.steps}, {nats:.4f} nats a code, {text_nats:.2f} a text token, "
                f"{pace:.2f} s a step, {pace * (recipe.steps - step) / 60:.0f} min left"
            )
        if rank == 0 and (stop or time.time() - saved > SAVE_EVERY_S):
            weights = {name: weight.detach() for name, weight in trained.items()}
            state = {
                "step": step,
                "average": average,
                "optimizer": optimizer.state_dict(),
                "weights": weights,
            }
            save(out / "language.pt", state)
            saved = time.time()
    curves.close()
    return {"steps": step, "code_nats": float(np.mean(recent[-50:])) if recent else None}


def _wait_for(helpers: list, meeting: Path) -> None:
    """Until every helper has come up: a rank that never joins would leave the others waiting in the rendezvous."""
    while len(list(meeting.glob("here-*"))) < len(helpers):
        if any(helper.exitcode is not None for helper in helpers):
            raise ModelError(
                "train-nano: a training process died as it started (its own message is above). From your own code, "
                "call train under `if __name__ == '__main__':` in a file."
            )
        time.sleep(0.05)


def _average_gradients(weights, processes: int) -> None:
    if processes == 1:
        return
    weights = list(weights)
    flat = torch.cat([weight.grad.reshape(-1) for weight in weights])
    distributed.all_reduce(flat)
    for weight, part in zip(weights, flat.div_(processes).split([w.numel() for w in weights]), strict=True):
        weight.grad = part.view_as(weight)


def _agree(stop: bool) -> bool:
    """Whether any rank wants to stop: all of them then do, after the same step."""
    flag = torch.tensor(float(stop))
    distributed.all_reduce(flag)
    return bool(flag > 0)


@torch.no_grad()
def _follow(average: dict[str, torch.Tensor], trained: dict[str, torch.nn.Parameter], step: int) -> None:
    keep = min(AVERAGE, 1 - 1 / (1 + step / 4))
    for name, weight in trained.items():
        average[name].lerp_(weight, 1 - keep)


def _curves(out: Path):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return _NoCurves()
    return SummaryWriter(str(out / "tensorboard"))


class _NoCurves:
    def add_scalar(self, name: str, value: float, step: int) -> None: ...

    def close(self) -> None: ...
