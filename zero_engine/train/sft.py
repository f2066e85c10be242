"""PeSFT: learn to write and to draw what the rows of a dataset write and draw.

zero-engine train sft pipelines/train_sft.yaml
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zero_engine.errors import PipelineError
from zero_engine.progress import Progress
from zero_engine.records import Rejection
from zero_engine.render.sequences import Example
from zero_engine.train.config import Sft
from zero_engine.train.data import Batch, Batches, collate, collate_packed, held_out, rows_at
from zero_engine.train.loop import Learner, Run, prepare, total, train, update
from zero_engine.train.losses import pesft_counts, pesft_loss
from zero_engine.train.mixture import Mixture


def train_sft(config: Sft, say: Callable[[str], None] = print, progress: Progress | None = None) -> Path:
    """Run or resume a PeSFT training; returns the folder of the trained model.

    Raises Interrupted when told to stop, PipelineError or InputError where the file and the data do not fit.
    """
    run = prepare(config, "sft", projected=config.loss.perception > 0)
    processes = run.accelerator.num_processes
    if config.batch_size < processes:
        raise PipelineError(
            f"batch_size {config.batch_size} is less than the number of processes, {processes}. Raise it."
        )
    if config.data.validation_rows >= len(run.rows):
        raise PipelineError(
            f"data.validation_rows {config.data.validation_rows} leaves none of {len(run.rows)} rows."
        )
    codebook = torch.from_numpy(run.model.codebook()).to(run.device)
    report = reporter(run, say)
    batches = Batches(
        run.rows,
        run.encoder.example,
        seed=config.seed,
        size=config.batch_size,
        report=report,
        length=lambda example: len(example.ids),
        first=config.data.validation_rows,
    )
    held_out = _validation(run, report)

    def take_step(step: int) -> dict[str, Any]:
        figures = learn(run, step, batches[step], codebook)
        if held_out and ((step + 1) % config.eval_every == 0 or step + 1 == config.steps):
            found = evaluate(run, held_out, codebook)
            figures |= {f"validation_{name}": value for name, value in found.items()}
        return figures

    say(f"{len(run.rows)} rows, {config.steps} steps of {config.batch_size} on {processes} x {run.device}")
    for line in run.rows.described() if isinstance(run.rows, Mixture) else ():
        say(f"  {line}")
    return train(run, take_step, say, _line, progress)


def learn(run: Run[Sft], step: int, examples: Sequence[Example], codebook: Tensor) -> dict[str, float]:
    """One optimiser step on these examples, of which every process takes its share."""
    parts = cut(run, examples)
    counts = _counts(run, parts)
    return _means(run, update(run, step, parts, _loss_of(run, codebook, counts)), counts)


def cut(run: Run[Sft], examples: Sequence[Example]) -> list[Batch]:
    """This process's share of a step's examples, in forward passes of at most `micro_batch` rows."""
    config = run.config
    mine = examples[run.accelerator.process_index :: run.accelerator.num_processes]
    if config.pack:
        batches = collate_packed(mine, run.encoder.pad, config.data.max_length)
    else:
        starts = range(0, len(mine), config.micro_batch)
        batches = [collate(mine[at : at + config.micro_batch], run.encoder.pad) for at in starts]
    return [batch.to(run.device) for batch in batches]


@torch.no_grad()
def evaluate(run: Run[Sft], examples: Sequence[Example], codebook: Tensor) -> dict[str, float]:
    """The loss on held-out examples and its parts."""
    parts = cut(run, examples)
    counts = _counts(run, parts)
    sums: dict[str, Tensor] = {}
    run.learner.eval()
    for batch in parts:
        loss, figures = run.learner(_loss_of(run, codebook, counts), batch)
        for name, value in {"loss": loss, **figures}.items():
            sums[name] = sums.get(name, 0) + value
    found = _means(run, total(run, sums), counts)
    return {name: found[name] for name in ("loss", "text_nats", "code_nats", "perception") if name in found}


def _loss_of(
    run: Run[Sft], codebook: Tensor, counts: Tensor
) -> Callable[..., tuple[Tensor, dict[str, Tensor]]]:
    def loss_of(learner: Learner, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        head, projection = learner.module.lm_head.weight, learner.projection
        return pesft_loss(learner.hidden(batch), head, projection, codebook, batch, counts, run.config.loss)

    return loss_of


def _counts(run: Run[Sft], parts: Sequence[Batch]) -> Tensor:
    """Counts over the whole step: all parts of all processes, before the first backward pass."""
    mine = torch.stack([pesft_counts(batch, run.config.loss.shift) for batch in parts]).sum(0)
    return run.accelerator.reduce(mine, reduction="sum")


def _means(run: Run[Sft], figures: dict[str, float], counts: Tensor) -> dict[str, float]:
    """Sums turned into means by the step's counts."""
    text, codes, pictures = counts.tolist()
    found = {name: value for name, value in figures.items() if name not in ("text", "code", "perception")}
    found["text_nats"] = figures["text"] / max(1, text)
    found["code_nats"] = figures["code"] / max(1, codes)
    if run.config.loss.perception > 0:
        found["perception"] = figures["perception"] / max(1, pictures)
    return {**found, "text_tokens": text, "codes": codes}


def _validation(run: Run[Sft], report: Callable[[Rejection], None]) -> list[Example]:
    found = [run.encoder.example(row) for row in rows_at(run.rows, held_out(run.rows, run.config.data))]
    for rejection in found:
        if isinstance(rejection, Rejection):
            report(rejection)
    examples = [example for example in found if isinstance(example, Example)]
    return sorted(examples, key=lambda example: len(example.ids))


def reporter(run: Run, say: Callable[[str], None]) -> Callable[[Rejection], None]:
    """Rows that are left out go to `left_out.jsonl`, once each, and the first of each reason to the console."""
    path, reasons = run.out / "left_out.jsonl", set()
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    known = {(one["id"], one["detail"]) for one in map(json.loads, filter(None, lines))}

    def report(rejection: Rejection) -> None:
        key = (rejection.trace_id, rejection.detail)
        if not run.accelerator.is_main_process or key in known:
            return
        known.add(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            facts = {"id": rejection.trace_id, "reason": rejection.reason, "detail": rejection.detail}
            file.write(json.dumps(facts, ensure_ascii=False) + "\n")
        if rejection.reason not in reasons:
            reasons.add(rejection.reason)
            say(f"left out: {rejection.trace_id}: {rejection.reason}: {rejection.detail} (all in {path})")

    return report


def _line(figures: dict[str, Any], elapsed: float) -> str:
    speed = (figures["text_tokens"] + figures["codes"]) / elapsed
    names = [n for n in ("loss", "text_nats", "code_nats", "perception", "validation_loss") if n in figures]
    return " ".join([*(f"{name} {figures[name]:.4f}" for name in names), f"{speed:,.0f} tokens/s"])
