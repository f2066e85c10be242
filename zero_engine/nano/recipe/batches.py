"""Batches: what the language model is trained on, as a function of (seed, step) alone.

The forms are the very ones that drawing and scoring use; [given] stands where a drawing starts from a picture, a
question's or the drawing before:

    drawing   <s> text [<racm3:break> 64 codes <eoss>] <racm3:break> 64 codes <eoss>
    caption   <s> [<racm3:break> 64 codes <eoss>] <racm3:break> 64 codes <eoss> text </s>

A drawing's given picture stands after its text, before it, or in it. Right before the drawing it is copied from one
distance, which is learnt first; elsewhere the distance depends on the text.

For guidance the model has to know what it draws without its text, and without the given picture: of the drawings from a
given picture, some leave out the text, some the picture. A caption's picture has no text before it, so it also is a
drawing without condition.

Sequences of like length share a batch: a pool of several batches is drawn at once and sorted by length.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial

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
"""The share of drawings; captions are the rest."""
_WITHOUT_TEXT, _WITHOUT_PICTURE = 0.1, 0.05
"""Of drawings from a given picture: those without their text, without the picture."""
_TEXT_FIRST, _PICTURE_FIRST = 0.5, 0.3
"""Of the others: those with the text before the picture, and after it; else the picture stands in the text."""
_CAPTION_WITHOUT_PICTURE = 0.5
_PROMPT_WEIGHT, _CAPTION_WEIGHT = 0.05, 0.5
_PROMPT_SHARE = 0.25
"""The share of a prompt's tokens that are targets, each of as much more weight: less work for the head."""


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
        id_of = partial(tokens.id_of, tokenizer)
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
        given = self._picture(sample.given, _PROMPT_WEIGHT) if sample.given is not None else []
        given = [(token, self._thinned(rng)) for token, _ in given]
        said = [(token, self._thinned(rng)) for token in text]
        drawing = self._picture(sample.image, 1.0)
        if rng.random() < _DRAWINGS:
            draw = rng.random() if given else 1.0
            if draw < _WITHOUT_TEXT:
                said = []
            elif draw < _WITHOUT_TEXT + _WITHOUT_PICTURE:
                given = []
            cut = self._cut(len(said), rng) if given else 0
            pieces = said[:cut] + given + said[cut:] + drawing
        else:
            if rng.random() < _CAPTION_WITHOUT_PICTURE:
                given = []
            caption = [(token, _CAPTION_WEIGHT) for token in (*text, self.eos)]
            pieces = given + drawing + caption
        ids, weights = zip((self.bos, 0.0), *pieces, strict=True)
        return list(ids), list(weights)

    def _cut(self, length: int, rng: random.Random) -> int:
        """How many of a text's tokens stand before the given picture."""
        place = rng.random()
        if place < _TEXT_FIRST:
            return length
        return 0 if place < _TEXT_FIRST + _PICTURE_FIRST else rng.randint(0, length)

    def _thinned(self, rng: random.Random) -> float:
        return _PROMPT_WEIGHT / _PROMPT_SHARE if rng.random() < _PROMPT_SHARE else 0.0

    def _picture(self, image: np.ndarray, weight: float) -> list[tuple[int, float]]:
        """Tokens of a picture with their weights; that one begins weighs as little as a prompt's text."""
        codes = self.code_ids[self.book.codes(image)].tolist()
        return [(self.boi, _PROMPT_WEIGHT), *((code, weight) for code in codes), (self.eoi, weight)]

    def _stack(self, rows: list[tuple[list[int], list[float]]]) -> Batch:
        longest = max(len(ids) for ids, _ in rows)
        ids_BT = torch.full((len(rows), longest), self.pad)
        weights_BT = torch.zeros(len(rows), longest)
        for row, (ids, weights) in enumerate(rows):
            ids_BT[row, : len(ids)] = torch.tensor(ids)
            weights_BT[row, : len(ids)] = torch.tensor(weights)
        return Batch(ids_BT, weights_BT)
