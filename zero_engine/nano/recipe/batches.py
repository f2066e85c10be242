"""Batches: what the language model is trained on, as a function of (seed, step) alone.

Two forms, the very ones that drawing and scoring use:

    drawing   <s> text <racm3:break> 64 codes <eoss>          76 %
    caption   <s>      <racm3:break> 64 codes <eoss> text </s>   24 %

The picture of a caption has no text before it: from it the model learns to draw unconditionally, for guidance.

Sequences of like length share a batch: a pool of several batches is drawn at once and sorted by length.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer

from zero_engine import world
from zero_engine.nano.recipe import tokens
from zero_engine.nano.recipe.codebook import Codebook

POOL = 16
"""Batches drawn, sorted and shuffled together."""
LONGEST_TEXT = 120
_DRAWINGS = 0.76
_PROMPT_WEIGHT, _CAPTION_WEIGHT = 0.05, 0.5


@dataclass(frozen=True)
class Batch:
    """Token ids (B, T) and the loss weight of each as a target (B, T); padding weighs nothing."""

    ids: torch.Tensor
    weights: torch.Tensor


class Batches:
    """`batches[step]` is a function of seed and step alone: a resumed run sees what an unbroken one would.

    `steps`, the length of the whole run, says where the mix of kinds changes.
    """

    def __init__(self, tokenizer: Tokenizer, book: Codebook, seed: int, size: int, steps: int):
        self.tokenizer, self.book, self.seed, self.size = tokenizer, book, seed, size
        self.steps = steps
        id_of = tokenizer.token_to_id
        self.bos, self.pad, self.eos = id_of(tokens.BOS), id_of(tokens.PAD), id_of(tokens.EOS)
        self.boi, self.eoi = id_of(tokens.BOI), id_of(tokens.EOI)
        self._held: tuple[int, list[Batch]] = (-1, [])
        self.code_ids = np.array([id_of(tokens.code_token(code)) for code in range(len(book))])

    def __getitem__(self, step: int) -> Batch:
        index = step // POOL
        if index != self._held[0]:
            self._held = (index, self._pool(index))
        return self._held[1][step % POOL]

    def _pool(self, index: int) -> list[Batch]:
        rng = random.Random(f"batches-{self.seed}-{index}")
        progress = min(1.0, index * POOL / self.steps)
        samples = [world.sample(rng, progress=progress) for _ in range(POOL * self.size)]
        texts = [
            encoding.ids
            for encoding in self.tokenizer.encode_batch([s.text for s in samples], add_special_tokens=False)
        ]
        rows = [self._sequence(s, ids[:LONGEST_TEXT], rng) for s, ids in zip(samples, texts, strict=True)]
        rows.sort(key=lambda row: len(row[0]))
        batches = [self._stack(rows[i : i + self.size]) for i in range(0, len(rows), self.size)]
        rng.shuffle(batches)
        return batches

    def _sequence(
        self, sample: world.Sample, text: list[int], rng: random.Random
    ) -> tuple[list[int], list[float]]:
        codes = self.code_ids[self.book.codes(sample.image)].tolist()
        if rng.random() < _DRAWINGS:
            ids = [self.bos, *text, self.boi, *codes, self.eoi]
            weights = [0.0] + [_PROMPT_WEIGHT] * (len(text) + 1) + [1.0] * (len(codes) + 1)
        else:
            ids = [self.bos, self.boi, *codes, self.eoi, *text, self.eos]
            weights = [0.0, _PROMPT_WEIGHT] + [1.0] * (len(codes) + 1) + [_CAPTION_WEIGHT] * (len(text) + 1)
        return ids, weights

    def _stack(self, rows: list[tuple[list[int], list[float]]]) -> Batch:
        longest = max(len(ids) for ids, _ in rows)
        ids_BT = torch.full((len(rows), longest), self.pad)
        weights_BT = torch.zeros(len(rows), longest)
        for row, (ids, weights) in enumerate(rows):
            ids_BT[row, : len(ids)] = torch.tensor(ids)
            weights_BT[row, : len(ids)] = torch.tensor(weights)
        return Batch(ids_BT, weights_BT)
