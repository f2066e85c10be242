"""How long PeRPO's update takes where answers of a group are equal: each run by itself, and equal ones once.

    python benchmarks/perpo_update.py --distinct 3     # of 8 answers in each of 2 groups; nano, one thread

Both in turn, in one run, on the same answers; the least time of each.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch

from zero_engine.config import parse_config
from zero_engine.run import run_pipeline
from zero_engine.train import rl
from zero_engine.train.config import Rl
from zero_engine.train.loop import prepare
from zero_engine.train.rollout import Sampler
from zero_engine.write.dataset import read_rows

GROUPS, GROUP, LONGEST = 2, 8, 160
GSM8K = Path(__file__).resolve().parent.parent / "examples/data/gsm8k.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--distinct", type=int, default=3, help="different answers in a group of 8")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        run, sampler = prepared(Path(folder))
        rows = read_rows(run.rows, range(GROUPS))
        questions = [run.encoder.question(row, LONGEST) for row in rows]
        sampled = sampler.sample(run.snapshot(), questions, 0, 0)
        groups = [[group[place % asked.distinct] for place in range(GROUP)] for group in sampled]
        masks = sampler.rules.masks
        allowed = {state: masks[state].nonzero()[:, 0] for state in range(len(masks))}
        each, once = "each by itself", "equal ones once"
        merged, took = rl.copies_of, {each: [], once: []}
        for _ in range(asked.rounds):
            for name, copies in ((each, lambda _: dict.fromkeys(range(GROUPS * GROUP), 1)), (once, merged)):
                rl.copies_of = copies
                began = time.perf_counter()
                rl._learn(run, sampler, groups, 0, allowed, None)
                took[name].append(time.perf_counter() - began)
        for name, seconds in took.items():
            print(f"{name}: {min(seconds):.2f} s ({min(took[each]) / min(seconds):.2f} x)")


def prepared(folder: Path) -> tuple[rl.Run, Sampler]:
    """A training on two drawn rows, set up."""
    run_pipeline(
        {
            "input": {"path": str(GSM8K), "format": "gsm8k", "limit": GROUPS},
            "render": {"candidates": 1, "batch_size": 4},
            "score": {"names": ["blank"]},
            "gate": {"rank": {"blank": -1.0}},
            "output": {"path": str(folder / "data")},
            "dask": {"workers": 0},
        }
    )
    document = {
        "model": "nano", "output": str(folder / "rl"), "data": {"path": str(folder / "data"), "template": "bare"},
        "steps": 1, "prompts": GROUPS, "group": GROUP, "max_new_tokens": LONGEST, "device": "cpu", "tensorboard": False,
    }  # fmt: skip
    run = prepare(parse_config(Rl, document, "this benchmark"), "rl", projected=False)
    return run, Sampler(run.model, run.config)


if __name__ == "__main__":
    main()
