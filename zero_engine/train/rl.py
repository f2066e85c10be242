"""PeRPO: answer questions, judge the answers, and make the better ones of each group more likely.

    zero-engine train rl pipelines/train_rl.yaml

One optimiser step: sample a group of answers to each of some questions; keep the groups that differ in accuracy, with
up to `rounds` rounds of sampling to fill the step; advantages within groups; a clipped policy loss over all tokens that
the policy chose, with every normaliser counted before the first backward pass. With one update a step the policy is the
one that sampled, so the old log-probability is the new one, and its ratio exactly 1; with more, the old ones are taken
first, by the same arithmetic. What sampling itself computed is compared with that and logged.

Equal answers of a group run once, with the weight of all of them: a sure model often gives the same answer twice.
"""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from torch import Tensor

from zero_engine.images import encode_image
from zero_engine.models.chameleon.modules import ChameleonModule
from zero_engine.progress import Progress
from zero_engine.render.sequences import GIVEN, PICTURE, Example, Question
from zero_engine.train.advantage import advantages, differs
from zero_engine.train.config import Rl
from zero_engine.train.data import Batch, Batches, collate
from zero_engine.train.loop import Learner, Run, prepare, train, update
from zero_engine.train.losses import allowed_log_p, policy_loss, token_scales
from zero_engine.train.rollout import Answer, Sampler
from zero_engine.train.sft import reporter

Drawn = tuple[Batch, dict[str, Tensor]]
"""Sequences, and for every token that counts: state, scale, advantage, and log p when sampled."""


def train_rl(config: Rl, say: Callable[[str], None] = print, progress: Progress | None = None) -> Path:
    """Run or resume a PeRPO training; returns the folder of the trained model.

    Raises Interrupted when told to stop, InputError where no question can be asked.
    """
    run = prepare(config, "rl", projected=False)
    sampler = Sampler(run.model, config)
    masks = enumerate(sampler.rules.masks)
    allowed = {state: mask.nonzero()[:, 0].to(run.device) for state, mask in masks}
    reference = run.snapshot() if config.kl and config.lora is None else None
    if reference is not None:
        reference.release()
    questions = Batches(
        run.rows,
        lambda row: run.encoder.question(row, config.max_new_tokens),
        seed=config.seed,
        size=config.prompts,
        report=reporter(run, say),
        first=config.data.validation_rows,
    )

    def take_step(step: int) -> dict[str, Any]:
        began = time.perf_counter()
        groups, asked = _collect(run, sampler, questions, step)
        answers = [answer for group in asked for answer in group]
        sampled = time.perf_counter()
        figures = _outcome(answers, sampler)
        figures["groups"] = float(len(groups))
        if run.accelerator.is_main_process and step % config.samples_every == 0:
            save_samples(run, answers[: config.group], step)
        if groups:
            figures |= _learn(run, sampler, groups, step, allowed, reference)
        done = time.perf_counter()
        tokens = sum(len(answer.continuation.ids) for answer in answers)
        return {**figures, "rollout_s": sampled - began, "update_s": done - sampled, "tokens": float(tokens)}

    return train(run, take_step, say, _line, progress)


def _collect(
    run: Run[Rl], sampler: Sampler, questions: Batches[Question], step: int
) -> tuple[list[list[Answer]], list[list[Answer]]]:
    """Groups to learn from, at most `prompts` of them, and all groups that were sampled."""
    config, accelerator = run.config, run.accelerator
    model = run.snapshot()
    kept: list[list[Answer]] = []
    asked: list[list[Answer]] = []
    for round_ in range(config.rounds):
        batch = questions[step * config.rounds + round_]
        mine = batch[accelerator.process_index :: accelerator.num_processes]
        sampled = sampler.sample(model, mine, step, round_) if mine else []
        if accelerator.num_processes > 1:
            places = range(accelerator.process_index, len(batch), accelerator.num_processes)
            gathered = gather_object(list(zip(places, sampled, strict=True)))
            sampled = [group for _, group in sorted(gathered, key=lambda pair: pair[0])]
        asked += sampled
        kept += [group for group in sampled if differs([answer.reward.accuracy for answer in group])]
        if len(kept) >= config.prompts:
            break
    return kept[: config.prompts], asked


def _learn(
    run: Run[Rl],
    sampler: Sampler,
    groups: Sequence[Sequence[Answer]],
    step: int,
    allowed: dict[int, Tensor],
    reference: Any,
) -> dict[str, float]:
    """The step's updates on these groups; figures are means over the tokens that count."""
    config = run.config
    batches = prepare_batches(run, sampler, groups)

    def log_p(learner: Learner, batch: Batch, aside: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        at = batch.kinds[:, 1:] != GIVEN
        hidden_MD, ids_M = learner.hidden(batch)[:, :-1][at], batch.ids[:, 1:][at]
        return allowed_log_p(hidden_MD, learner.module.lm_head.weight, ids_M, aside["state"], allowed)

    @torch.no_grad()
    def fixed(learner: Learner, drawn: Drawn) -> Tensor:
        return log_p(learner, *drawn)[0]

    @torch.no_grad()
    def before(learner: Learner, drawn: Drawn) -> Tensor:
        """Log p under the model that the training began with."""
        if reference is not None:
            return log_p(Learner(reference.module, None, config), *drawn)[0]
        assert not isinstance(learner.policy, ChameleonModule), "without adapters there is a reference"
        with learner.policy.disable_adapter():
            return log_p(learner, *drawn)[0]

    def loss_of(learner: Learner, drawn: Drawn) -> tuple[Tensor, dict[str, Tensor]]:
        batch, aside = drawn
        new_M, entropy_M = log_p(learner, batch, aside)
        loss, figures = policy_loss(
            new_M,
            aside.get("old", new_M.detach()),
            aside["advantage"],
            aside["scale"],
            clip_low=config.clip_low,
            clip_high=config.clip_high,
            reference_M=aside.get("reference"),
            kl=config.kl,
            copies_M=aside["copies"],
        )
        chosen = aside["copies"] * (aside["scale"] > 0)
        off = ((new_M.detach() - aside["sampled"]).abs() * chosen).sum()
        return loss, {**figures, "entropy": (entropy_M * chosen).sum(), "sampler_gap": off}

    run.learner.train()
    for drawn in batches:
        if config.updates > 1:
            drawn[1]["old"] = run.learner(fixed, drawn)
        if config.kl:
            drawn[1]["reference"] = run.learner(before, drawn)
    for _ in range(config.updates):
        figures = update(run, step, batches, loss_of)
    tokens = max(1.0, figures.pop("tokens"))
    means = ("clip_high", "clip_low", "kl", "entropy", "sampler_gap")
    return {name: value / tokens if name in means else value for name, value in figures.items()}


def prepare_batches(run: Run[Rl], sampler: Sampler, groups: Sequence[Sequence[Answer]]) -> list[Drawn]:
    """This process's share of the groups as forward passes; normalisers are counted over all groups."""
    config, accelerator = run.config, run.accelerator
    answers = [answer for group in groups for answer in group]
    scores = [[answer.score for answer in group] for group in groups]
    gains = np.concatenate([advantages(each, scale_by_std=config.scale_by_std) for each in scores])
    kinds = [sampler.kinds(answer) for answer in answers]
    lengths = torch.tensor([int((kind != GIVEN).sum()) for kind in kinds])
    scales = token_scales(config.loss, lengths, config.max_new_tokens).numpy()
    weigh = np.array([0.0, config.text, config.picture], np.float32)
    states = sampler.states(answers)
    copies = copies_of(groups)
    if len(copies) < accelerator.num_processes:  # each process needs something to do
        copies = dict.fromkeys(range(len(answers)), 1)
    order = sorted(copies, key=lambda i: len(answers[i].question.prompt) + len(kinds[i]))
    mine = order[accelerator.process_index :: accelerator.num_processes]
    drawn = []
    for start in range(0, len(mine), config.micro_batch):
        chosen = mine[start : start + config.micro_batch]
        batch = collate([_example(answers[i]) for i in chosen], run.encoder.pad).to(run.device)
        aside = {
            "state": [states[i] for i in chosen],
            "scale": [(copies[i] * scales[i] * weigh[kinds[i]]).astype(np.float32) for i in chosen],
            "copies": [np.full(len(kinds[i]), copies[i], np.float32) for i in chosen],
            "advantage": [np.full(len(kinds[i]), gains[i], np.float32) for i in chosen],
            "sampled": [answers[i].continuation.logp for i in chosen],
        }
        tensors = {k: torch.from_numpy(np.concatenate(v)).to(run.device) for k, v in aside.items()}
        drawn.append((batch, tensors))
    return drawn


def copies_of(groups: Sequence[Sequence[Answer]]) -> dict[int, int]:
    """The first place of each answer among all answers, and how often its group holds it, with the same reward."""
    first: dict[tuple[int, bytes, float], int] = {}
    copies: dict[int, int] = {}
    answers = [(number, answer) for number, group in enumerate(groups) for answer in group]
    for place, (number, answer) in enumerate(answers):
        place = first.setdefault((number, answer.continuation.ids.tobytes(), answer.score), place)
        copies[place] = copies.get(place, 0) + 1
    return copies


def _example(answer: Answer) -> Example:
    """Prompt and answer; every token of the answer has a place in the loss, forced ones with scale 0."""
    ids = np.concatenate((answer.question.prompt, answer.continuation.ids))
    kinds = np.zeros(len(ids), np.uint8)
    kinds[len(answer.question.prompt) :] = PICTURE
    return Example(answer.question.id, ids, kinds, np.full(len(ids), -1))


def _outcome(answers: Sequence[Answer], sampler: Sampler) -> dict[str, float]:
    """Reward and its parts, and what the pictures are like: means over all answers that were sampled."""
    pictures = sum(len(answer.pictures) for answer in answers)

    def mean(of: Callable[[Answer], float]) -> float:
        return float(np.mean([of(answer) for answer in answers]))

    return {
        "reward": mean(lambda a: a.score),
        "accuracy": mean(lambda a: a.reward.accuracy),
        "format": mean(lambda a: a.reward.format),
        "perception": mean(lambda a: a.reward.perception),
        "pictures": pictures / len(answers),
        "blank": sum(map(sampler.blanks, answers)) / max(1, pictures),
        "length": mean(lambda a: len(a.continuation.ids)),
        "cut_off": mean(lambda a: a.continuation.finish == "length"),
    }


def save_samples(run: Run[Rl], answers: Sequence[Answer], step: int) -> None:
    """One group as it was answered: `samples/step-.../answers.jsonl` and its pictures."""
    folder = run.out / "samples" / f"step-{step + 1:06d}"
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for place, answer in enumerate(answers):
        names = [f"{place}-{number}.png" for number in range(len(answer.pictures))]
        pixels = run.model.decode(np.stack(answer.pictures)) if names else ()
        for name, image in zip(names, pixels, strict=True):
            (folder / name).write_bytes(encode_image(image))
        facts = {
            "id": answer.question.id,
            "text": answer.text,
            "truth": answer.question.answer,
            "reward": answer.reward.total,
            "accuracy": answer.reward.accuracy,
            "pictures": names,
        }
        lines.append(json.dumps(facts, ensure_ascii=False) + "\n")
    (folder / "answers.jsonl").write_text("".join(lines), encoding="utf-8")


def _line(figures: dict[str, Any], elapsed: float) -> str:
    names = ("reward", "accuracy", "format", "perception", "entropy", "clip_high", "pictures", "blank")
    shown = [f"{name} {figures[name]:.3f}" for name in names if name in figures]
    times = f"rollout {figures['rollout_s']:.1f} s, update {figures['update_s']:.1f} s"
    return " ".join([*shown, times, f"{figures['tokens'] / elapsed:,.0f} tokens/s"])
