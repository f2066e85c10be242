"""Training: codebook, codec and language model in one resumable folder, then a checkpoint.

    OUT/recipe.json        what this folder trains: seed, steps, sizes
    OUT/codebook.npz, tokenizer.json, codec.pt    finished parts, made once
    OUT/language.pt        the language model's state, every two minutes
    OUT/tensorboard/       curves
    OUT/checkpoint/        the finished model, in the public layout

A killed run goes on where its last state was saved.

    zero-engine models train-nano --output work/nano
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from transformers import ChameleonVQVAE

from zero_engine.nano.recipe import checkpoint, codebook, codec, loop, tokens
from zero_engine.nano.recipe.loop import Recipe


def train(
    out: Path, recipe: Recipe, report: Callable[[str], None] = print, minutes: float | None = None
) -> dict:
    """Train or go on training in `out`; returns the facts of the run.

    `minutes` stops early, keeping the state, and exports what there is. Raises nothing of its own: an unwritable
    folder is an OSError.
    """
    out.mkdir(parents=True, exist_ok=True)
    deadline = time.time() + 60 * minutes if minutes else float("inf")
    _write_json(out / "recipe.json", asdict(recipe))
    book = _codebook(out, report)
    _tokenizer(out, len(book), recipe.seed, report)
    vqmodel = _codec(out, book, recipe, report)
    facts = loop.train_language(out, recipe, report, deadline)
    facts |= codec.codec_report(vqmodel, book)
    facts["checkpoint"] = str(export(out))
    _write_json(out / "facts.json", facts)
    return facts


def export(out: Path) -> Path:
    """Write OUT/checkpoint from the last saved state, also of a run that is still going on."""
    recipe = Recipe(**json.loads((out / "recipe.json").read_text()))
    book, tokenizer = loop.load_parts(out)
    model = loop.new_model(tokenizer, len(book), recipe)
    loop.load_average(model, out)
    checkpoint.write_checkpoint(out / "checkpoint", model, _codec(out, book, recipe, print), tokenizer)
    return out / "checkpoint"


def _codebook(out: Path, report: Callable[[str], None]) -> codebook.Codebook:
    if not (out / "codebook.npz").exists():
        book = codebook.build()
        with open(out / "codebook.npz.part", "wb") as file:
            np.savez_compressed(file, patches=book.patches, vectors=book.vectors)
        os.replace(out / "codebook.npz.part", out / "codebook.npz")
        report(f"codebook: {len(book)} codes")
    with np.load(out / "codebook.npz") as saved:
        return codebook.Codebook(saved["patches"], saved["vectors"])


def _tokenizer(out: Path, codes: int, seed: int, report: Callable[[str], None]) -> None:
    path = out / "tokenizer.json"
    if not path.exists():
        tokenizer = tokens.train_tokenizer(codes, seed=seed)
        tokenizer.save(str(path) + ".part")
        os.replace(str(path) + ".part", path)
        report(f"tokenizer: {tokenizer.get_vocab_size()} tokens")


def _codec(
    out: Path, book: codebook.Codebook, recipe: Recipe, report: Callable[[str], None]
) -> ChameleonVQVAE:
    if (out / "codec.pt").exists():
        vqmodel = codec.new_codec(book)
        vqmodel.load_state_dict(torch.load(out / "codec.pt", weights_only=True))
        return vqmodel.eval()

    vqmodel = codec.solve_codec(book, recipe.seed)
    loop.save(out / "codec.pt", vqmodel.state_dict())
    report("codec: " + ", ".join(f"{k} {v:.4f}" for k, v in codec.codec_report(vqmodel, book).items()))
    return vqmodel


def _write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
