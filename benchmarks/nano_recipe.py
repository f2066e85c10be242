"""What a training step of the bundled model costs, by part, and how many fit in a given time.

    python benchmarks/nano_recipe.py                       # the recipe's sizes
    python benchmarks/nano_recipe.py --hidden 224 --heads 4 --feed-forward 608 --hours 3

One process with one thread does half a batch, as each of the recipe's two does. Processor time, so that other programs
on the machine count little; the all-reduce between the two is left out. Codebook and tokenizer are made on the way
(15 s). The estimate is for two quiet cores, with a fifth on top for what this leaves out.
"""

import argparse
import json
import time

import torch

from zero_engine.nano.recipe import batches, checkpoint, codebook, codec, language, loop, tokens
from zero_engine.nano.recipe.optimizer import MuonAdamW

OVERHEAD = 1.2


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hidden", type=int, default=language.HIDDEN)
    parser.add_argument("--layers", type=int, default=language.LAYERS)
    parser.add_argument("--heads", type=int, default=language.HEADS)
    parser.add_argument("--feed-forward", type=int, default=language.FEED_FORWARD)
    parser.add_argument("--batch", type=int, default=loop.Recipe().batch)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    sizes = {"hidden": chosen.hidden, "layers": chosen.layers, "heads": chosen.heads,
             "feed_forward": chosen.feed_forward}  # fmt: skip
    facts = measure(loop.Recipe(batch=chosen.batch, **sizes), chosen.hours)
    if chosen.json:
        print(json.dumps(facts, indent=2))
    else:
        for name, value in facts.items():
            print(f"{name:28} {value:,.3f}" if isinstance(value, float) else f"{name:28} {value}")


def measure(recipe: loop.Recipe, hours: float) -> dict[str, float]:
    """Seconds of one core a step, by part, over one pool of batches."""
    book = codebook.build(samples=5000)
    tokenizer = tokens.train_tokenizer(len(book), texts=20_000)
    model = loop.new_model(tokenizer, len(book), recipe)
    model.model.vqmodel.requires_grad_(False)
    bfloat16 = language.has_bfloat16()
    optimizer = MuonAdamW(model, bfloat16=bfloat16)
    data = batches.Batches(tokenizer, book, 0, recipe.batch, recipe.steps)
    began = time.process_time()
    pool = [data[step] for step in range(batches.POOL)]
    spent = {
        "data": (time.process_time() - began) / batches.POOL,
        "forward": 0.0,
        "backward": 0.0,
        "optimizer": 0.0,
    }
    language.sequence_loss(model, pool[0].ids, pool[0].weights, bfloat16=bfloat16)[0].backward()  # warm up
    optimizer.step(1e-4)
    for batch in pool:
        marks = [time.process_time()]
        loss, _ = language.sequence_loss(model, batch.ids[::2], batch.weights[::2], bfloat16=bfloat16)
        marks.append(time.process_time())
        loss.backward()
        marks.append(time.process_time())
        optimizer.step(1e-4)
        marks.append(time.process_time())
        for name, start, end in zip(("forward", "backward", "optimizer"), marks, marks[1:], strict=False):
            spent[name] += (end - start) / len(pool)
    spent["optimizer"] /= 2  # the two processes share it
    weights = sum(w.numel() for name, w in model.named_parameters() if "vqmodel" not in name)
    step_s = sum(spent.values()) * OVERHEAD
    return {
        **{f"{name}_s": value for name, value in spent.items()},
        "step_s": step_s,
        "tokens_per_row": sum(batch.ids.shape[1] for batch in pool) / len(pool),
        "codes": len(book),
        "language_model_weights": weights,
        "checkpoint_mb": _megabytes(model, book, tokenizer),
        "hours": hours,
        "steps_in_that_time": int(hours * 3600 / step_s),
    }


def _megabytes(model, book, tokenizer) -> float:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        checkpoint.write_checkpoint(Path(folder) / "nano", model, codec.new_codec(book), tokenizer)
        return sum(path.stat().st_size for path in (Path(folder) / "nano").iterdir()) / 1e6


if __name__ == "__main__":
    main()
