"""Training tokens per second against transformers' Trainer, same model, same batches, same loss; and start-up by rows.

    python benchmarks/sft.py --json

Both sides run full fine-tuning with AdamW in float32: cross-entropy over text and codes, and L_Pe. The Trainer gets a
forward without the mask that forbids pictures, its own attention kernels and pre-tokenised rows; it makes logits at
all positions, as every Trainer does. It is measured with L_Pe from the same pass, and with L_Pe from a second pass, as
the reference has it. Tokens are those of sequences, padding not counted. Seconds are CPU seconds of one thread, so
that other work on the machine does not count; the best of `--repeats`, taken in turn. Start-up is measured in a
fresh process: CPU seconds until the first batch is there, and peak memory, for datasets of different sizes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from transformers import ChameleonForConditionalGeneration, Trainer, TrainingArguments
from transformers.modeling_outputs import CausalLMOutput

from zero_engine.contracts.manifest import InputInfo, Manifest, ModelInfo, ShardEntry
from zero_engine.models.nano.tasks import make_tasks
from zero_engine.models.nano.world import canvas
from zero_engine.pipeline import parse_config
from zero_engine.records import Candidate, ParsedTrace, Source, Step, Trace, Trajectory, Verdict
from zero_engine.render.images import encode_image
from zero_engine.train.config import Sft
from zero_engine.train.data import GIVEN, PICTURE, Batches, collate
from zero_engine.train.loop import Run, prepare, update
from zero_engine.train.losses import pesft_counts, pesft_loss
from zero_engine.write.finish import finish_dataset
from zero_engine.write.manifest import versions
from zero_engine.write.shards import write_candidates, write_rejections, write_trajectories

ROWS_PER_SHARD = 1000


def main() -> None:
    arguments = _arguments()
    if arguments.startup_of:
        print(json.dumps(startup(arguments.startup_of)))
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        figures = speed(Path(folder), arguments.batch, arguments.steps, arguments.repeats)
        for rows in arguments.rows:
            build(Path(folder) / str(rows), rows)
            command = [sys.executable, __file__, "--startup-of", str(Path(folder) / str(rows))]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            figures |= {f"{name}_at_{rows}_rows": value for name, value in json.loads(done.stdout).items()}
    if arguments.json:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name}: {value:,.2f}" for name, value in figures.items()))


def speed(folder: Path, batch: int, steps: int, repeats: int) -> dict[str, float]:
    """Tokens per second of both sides on the same `steps` batches."""
    build(folder / "speed", 256)
    run = prepare(_config(folder / "speed", batch), "sft", projected=True)
    batches = Batches(
        run.rows, run.encoder.example, seed=0, size=batch, length=lambda example: len(example.ids)
    )
    examples = [batches[step] for step in range(steps)]
    tokens = sum(len(example.ids) for step in examples for example in step)
    opponent = _Opponent(run, examples, folder)
    ours, once, twice = float("inf"), float("inf"), float("inf")
    for _ in range(repeats):
        ours = min(ours, _seconds_of_ours(run, batches, steps))
        once, twice = min(once, opponent.seconds(1)), min(twice, opponent.seconds(2))
    return {
        "ratio_one_pass": once / ours,
        "ratio_two_passes": twice / ours,
        "tokens_per_s": tokens / ours,
        "trainer_tokens_per_s_one_pass": tokens / once,
        "trainer_tokens_per_s_two_passes": tokens / twice,
        "tokens_in_a_step": tokens / steps,
    }


def _seconds_of_ours(run: Run, batches: Batches, steps: int) -> float:
    codebook = torch.from_numpy(run.model.codebook())

    def step(number: int) -> None:
        parts = [collate(batches[number], run.encoder.pad)]
        counts = sum(pesft_counts(part, 1) for part in parts)

        def loss_of(learner, part):
            head = learner.module.lm_head.weight
            return pesft_loss(
                learner.hidden(part), head, learner.projection, codebook, part, counts, run.config.loss
            )

        update(run, number, parts, loss_of)

    step(0)
    began = time.process_time()
    for number in range(steps):
        step(number)
    return time.process_time() - began


class Unmasked(ChameleonForConditionalGeneration):
    """Transformers' model with a forward that can learn pictures, and L_Pe."""

    passes = 1

    def forward(self, input_ids=None, attention_mask=None, labels=None, kinds=None, codes=None, **kwargs):
        hidden = self.model(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=False
        ).last_hidden_state
        logits = self.lm_head(hidden)[:, :-1].float()
        nats = functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), reduction="none")
        kinds = kinds[:, 1:].flatten()
        loss = sum(nats[kinds == kind].mean() for kind in (1, 2) if (kinds == kind).any())
        if self.passes == 2:
            hidden = self.model(
                input_ids=input_ids, attention_mask=attention_mask, use_cache=False
            ).last_hidden_state
        at = codes[:, 1:] >= 0
        gap = self.projection(hidden[:, :-1][at]) - self.codebook[codes[:, 1:][at]]
        return CausalLMOutput(loss=loss + 0.1 * gap.square().mean(), logits=logits)


class _Opponent:
    def __init__(self, run: Run, examples: list, folder: Path):
        self.run, self.steps, self.folder = run, len(examples), folder
        self.rows = [
            {"ids": example.ids, "kinds": example.kinds, "codes": example.codes}
            for step in examples
            for example in step
        ]
        self.batch = len(examples[0])
        self.module = Unmasked(run.model.module.config)
        self.module.load_state_dict(run.model.module.state_dict(), strict=False)
        self.module.model.vqmodel.requires_grad_(False)
        self.module.projection = torch.nn.Linear(*reversed(run.bare.projection.weight.shape))
        self.module.codebook = torch.from_numpy(run.model.codebook())

    def seconds(self, passes: int) -> float:
        """Of all steps, each on the batch that ours has; one step beforehand to warm up."""
        rows = [*self.rows[: self.batch], *self.rows]
        self.module.passes = passes
        marks: list[float] = []
        settings = TrainingArguments(
            output_dir=str(self.folder / "trainer"),
            per_device_train_batch_size=self.batch,
            max_steps=self.steps + 1,
            learning_rate=1e-4,
            optim="adamw_torch",
            train_sampling_strategy="sequential",
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            use_cpu=not torch.cuda.is_available(),
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
        )

        class Timed(Trainer):
            def training_step(self, *args, **kwargs):
                marks.append(time.process_time())
                return super().training_step(*args, **kwargs)

        Timed(model=self.module, args=settings, train_dataset=rows, data_collator=self._collate).train()
        return time.process_time() - marks[1]

    def _collate(self, rows: list[dict]) -> dict[str, torch.Tensor]:
        width = max(len(row["ids"]) for row in rows)

        def padded(name: str, filler: int) -> torch.Tensor:
            array = np.full((len(rows), width), filler, np.int64)
            for place, row in enumerate(rows):
                array[place, : len(row[name])] = row[name]
            return torch.from_numpy(array)

        ids, kinds = padded("ids", self.run.encoder.pad), padded("kinds", GIVEN)
        mask = torch.arange(width)[None] < torch.tensor([len(row["ids"]) for row in rows])[:, None]
        labels = torch.where(kinds == GIVEN, -100, ids)
        return {
            "input_ids": ids,
            "attention_mask": mask.long(),
            "labels": labels,
            "kinds": kinds,
            "codes": torch.where(kinds == PICTURE, padded("codes", -1), -1),
        }


def startup(folder: str) -> dict[str, float]:
    """Seconds from a loaded library to the first batch, and the process's peak memory."""
    began = time.process_time()
    run = prepare(_config(Path(folder), 16), "sft", projected=True)
    Batches(run.rows, run.encoder.example, seed=0, size=16, length=lambda example: len(example.ids))[0]
    status = Path(
        "/proc/self/status"
    ).read_text()  # getrusage's peak is inherited from whoever started this process
    peak_kb = int(status.split("VmHWM:")[1].split()[0])
    return {"startup_s": time.process_time() - began, "peak_mb": peak_kb / 1024}


def build(out: Path, rows: int) -> None:
    """A dataset folder of task traces with random codes for drawings, written as a run writes it."""
    for folder in ("data", "candidates", "rejected"):
        (out / folder).mkdir(parents=True)
    picture = encode_image(canvas.blank())
    rng = np.random.default_rng(0)
    entries, tasks = [], make_tasks(rows)
    for shard in range(-(-rows // ROWS_PER_SHARD)):
        count = min(ROWS_PER_SHARD, rows - shard * ROWS_PER_SHARD)
        trajectories = [_trajectory(next(tasks), picture, rng) for _ in range(count)]
        name = f"{shard:05d}"
        data = write_trajectories(out / f"data/data-{name}.arrow", trajectories, "p" * 16, "m" * 16)
        candidates = write_candidates(out / f"candidates/part-{name}.arrow", [], {})
        rejections = write_rejections(out / f"rejected/part-{name}.jsonl", [])
        entries.append(
            ShardEntry(
                index=shard,
                first_row=shard * ROWS_PER_SHARD,
                records=count,
                digest=f"{shard:064x}",
                keys={"gate": "0" * 16},
                counts=_counts(count),
                data=data.renamed(f"data/{data.name}"),
                candidates=candidates.renamed(f"candidates/{candidates.name}"),
                rejections=rejections.renamed(f"rejected/{rejections.name}"),
            )
        )
    manifest = Manifest(
        name="benchmark",
        created="2026-01-01T00:00:00Z",
        versions=versions(),
        pipeline={"name": "benchmark", "input": {"path": "tasks.jsonl", "license": None}},
        fingerprints={"pipeline": "p" * 16, "model": "m" * 16},
        model=ModelInfo(name="nano", fingerprint="m" * 16, codebook_size=1 << 15, codes_per_picture=64),
        input=InputInfo(paths=["tasks.jsonl"], records=rows, digest="d"),
        shards=entries,
        counts=_counts(rows),
    )
    finish_dataset(out, manifest, {"counts": manifest.counts})


def _trajectory(task: dict, picture: bytes, rng: np.random.Generator) -> Trajectory:
    source = Source("tasks", "tasks.jsonl", 0, None)
    trace = Trace(task["id"], task["question"], task["rationale"], task["answer"], source)
    steps = tuple(Step(index, text) for index, text in enumerate(task["rationale"].split("\n")))
    verdicts = []
    for step in steps:
        codes = rng.integers(0, 256, 64).astype(np.uint16)
        drawing = Candidate(trace.id, step.index, 0, 0, step.text, codes, picture, {})
        verdicts.append(Verdict(step.index, "kept", None, drawing))
    return Trajectory(ParsedTrace(trace, steps, task["answer"], "lines"), tuple(verdicts))


def _counts(rows: int) -> dict[str, int]:
    return {"records": rows, "traces": rows, "rows": rows, "rejected_traces": 0}


def _config(data: Path, batch: int) -> Sft:
    document = {
        "output": str(data / "training"),
        "data": {"path": str(data), "template": "bare"},
        "optimiser": {"learning_rate": 1e-4},
        "steps": 1000,
        "batch_size": batch,
        "tensorboard": False,
    }
    return parse_config(Sft, document, "benchmark")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=int, nargs="*", default=[1000, 100_000])
    parser.add_argument("--startup-of", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


if __name__ == "__main__":
    main()
