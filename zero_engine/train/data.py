"""From rows of a dataset to token sequences, and to batches that are a function of (seed, step) alone.

Nothing is tokenised before it is asked for: rows stay memory-mapped, and a training starts as fast on 100,000 of them
as on 1,000. Every `POOL` batches a pool of rows is read and sorted by length, so that like lengths share a batch;
each epoch is a permutation. A row that cannot be trained on is a `Rejection` with a reason: it is reported, and a
neighbour of its pool takes its place. `misfits` names them all beforehand.

Loss masks come from where a token stands, never from what it is: padding may well equal the end-of-sequence token.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from zero_engine.errors import InputError
from zero_engine.images import decode_image
from zero_engine.models import load_chameleon
from zero_engine.models.chameleon.model import Chameleon
from zero_engine.records import Rejection
from zero_engine.train.config import Data, Rl, Template, Training
from zero_engine.write.dataset import Rows, open_rows

POOL = 16
"""Batches drawn, sorted by length and shuffled together."""
GIVEN, TEXT, PICTURE = 0, 1, 2
"""What a token is to the loss: part of the prompt, text (brackets of pictures too), or a code."""
_PIECE = re.compile(r"(\{\w+\}|<[^<>\s]+>)")
COLUMNS = ["id", "question", "question_images", "answer", "choices", "steps"]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One row as tokens. `kinds` says of each token what it is to the loss; `codes` is -1 where there is none."""

    id: str
    ids: np.ndarray  # (T,) int64
    kinds: np.ndarray  # (T,) uint8
    codes: np.ndarray  # (T,) int64


@dataclass(frozen=True, slots=True)
class Question:
    """What a model is asked, and what is right."""

    id: str
    prompt: list[int]
    answer: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples in rows. `segments` (0 is padding) and `positions` are None where rows are just padded on the right."""

    ids: Tensor  # (B, T) int64
    kinds: Tensor  # (B, T) uint8
    codes: Tensor  # (B, T) int64
    positions: Tensor | None
    segments: Tensor | None

    def to(self, device: torch.device) -> "Batch":
        values = (getattr(self, name) for name in self.__slots__)
        return Batch(*(value if value is None else value.to(device) for value in values))


class Encoder:
    """Rows to examples and questions, for one model and one template."""

    def __init__(self, model: Chameleon, data: Data):
        self.model, self.data, self.layout = model, data, model.layout
        self.names = {**model.tokenizer.get_vocab(), **(model.module.config.vocabulary_map or {})}
        self.pad = model.tokenizer.pad_token_id if model.tokenizer.pad_token_id is not None else 0
        self.eos = model.tokenizer.eos_token_id
        if self.eos is None:
            raise InputError(
                f"{model.name}: the tokenizer has no end-of-sequence token. Add eos_token to tokenizer_config.json."
            )
        self._special = set(model.tokenizer.all_special_tokens) | set(model.tokenizer.get_added_vocab())
        self._picture = lru_cache(maxsize=4096)(self._encode_picture)
        self.pieces: Template = data.pieces

    def example(self, row: dict) -> Example | Rejection:
        """A row of a dataset as a sequence to learn."""
        if not row["answer"]:
            return _left_out(row, "no_answer", "the row has no answer to learn")
        tokens = _Tokens()
        try:
            tokens.add(self.prompt(row["question"], row["question_images"], row["choices"]), GIVEN)
            self._fill(tokens, self.pieces.open, {})
            for index, step in enumerate(row["steps"]):
                if index:
                    self._fill(tokens, self.pieces.between, {})
                codes = step["codes"] if self.data.pictures else None
                self._fill(tokens, self.pieces.step, {"step": step["text"], "picture": codes})
            self._fill(tokens, self.pieces.close, {})
            self._fill(tokens, self.pieces.answer, {"answer": row["answer"]})
        except ValueError as error:
            return _left_out(row, "codes_misfit", str(error))
        tokens.add([self.eos], TEXT)
        if len(tokens.ids) > self.data.max_length:
            return _left_out(
                row, "too_long", f"{len(tokens.ids)} ids > data.max_length {self.data.max_length}"
            )
        return Example(row["id"], *map(np.array, (tokens.ids, tokens.kinds, tokens.codes)))

    def question(self, row: dict, room: int) -> Question | Rejection:
        """A row as a question to be answered in `room` ids."""
        if not row["answer"]:
            return _left_out(row, "no_answer", "the row has no answer to compare with")
        try:
            prompt = self.prompt(row["question"], row["question_images"], row["choices"])
        except ValueError as error:
            return _left_out(row, "codes_misfit", str(error))
        if len(prompt) + room > self.data.max_length:
            detail = f"{len(prompt)} ids and {room} for the answer > data.max_length {self.data.max_length}"
            return _left_out(row, "too_long", detail)
        return Question(row["id"], prompt, row["answer"], tuple(row["choices"]))

    def prompt(self, question: str, images: Sequence[bytes] = (), choices: Sequence[str] = ()) -> list[int]:
        """BOS and the prompt piece; pictures stand at the question's `<image>` marks where there are as many."""
        lettered = [f"{chr(ord('A') + i)}. {choice}" for i, choice in enumerate(choices)]
        parts = "\n".join([question.strip(), *lettered]).split("<image>")
        pictures = [self._picture(bytes(image)) for image in images]
        inline = len(parts) == len(pictures) + 1 and len(pictures) > 0
        tokens = _Tokens()
        tokens.add([self.layout.bos], GIVEN)
        values = {"pictures": [] if inline else pictures, "question": question}
        for piece in _PIECE.split(self.pieces.prompt):
            if piece != "{question}":
                self._fill(tokens, piece, values)
                continue
            for index, part in enumerate(parts if inline else ["<image>".join(parts)]):
                tokens.add(self._text(part), GIVEN)
                if inline and index < len(pictures):
                    self._draw(tokens, pictures[index])
        return tokens.ids

    def _fill(self, tokens: "_Tokens", template: str, values: dict) -> None:
        plain = ""
        for piece in _PIECE.split(template):
            if not self._is_place(piece):
                plain += piece
                continue
            tokens.add(self._text(plain), TEXT)
            plain = ""
            if piece in ("{pictures}", "{picture}"):
                found = values[piece[1:-1]]
                for codes in found if piece == "{pictures}" else [found] if found is not None else []:
                    self._draw(tokens, codes)
            elif piece.startswith("{"):
                tokens.add(self._text(values[piece[1:-1]]), TEXT)
            else:
                tokens.add([self.names[piece]], TEXT)
        tokens.add(self._text(plain), TEXT)

    def _is_place(self, piece: str) -> bool:
        return bool(_PIECE.fullmatch(piece)) and (piece[0] == "{" or piece in self._special)

    def _draw(self, tokens: "_Tokens", codes: Sequence[int]) -> None:
        codes = np.asarray(codes, np.int64)
        if len(codes) != self.model.codes_per_picture or codes.max() >= self.model.codebook_size:
            have, need = (
                (len(codes), int(codes.max())),
                (self.model.codes_per_picture, self.model.codebook_size),
            )
            raise ValueError(
                f"a picture of {have[0]} codes up to {have[1]}, where {self.model.name} has {need[0]} below {need[1]}"
            )
        tokens.add([self.layout.boi], TEXT)
        tokens.add(self.layout.code_ids[codes].tolist(), PICTURE, codes.tolist())
        tokens.add([self.layout.eoi], TEXT)

    def _text(self, text: str) -> list[int]:
        if not text:
            return []
        return self.model.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]

    def _encode_picture(self, image: bytes) -> tuple[int, ...]:
        return tuple(self.model.encode([decode_image(image)])[0].tolist())


class Batches:
    """`batches[step]` is a list of `size` examples, a function of seed and step; what is left out is reported once."""

    def __init__(
        self,
        rows: Rows,
        read: Callable[[dict], object],
        *,
        seed: int,
        size: int,
        report: Callable[[Rejection], None] = lambda rejection: None,
        length: Callable[[object], int] | None = None,
        first: int = 0,
    ):
        self.rows, self.read, self.seed, self.size = rows, read, seed, size
        self.report, self.first = report, first
        self.count = len(rows) - first
        self.length = length
        self._reported: set[str] = set()
        self._held: tuple[int, list] = (-1, [])
        if self.count < 1:
            raise InputError(
                "the dataset has no rows to train on. Lower data.validation_rows or make more rows."
            )

    def __getitem__(self, step: int) -> list:
        pool, place = divmod(step, POOL)
        if pool != self._held[0]:
            self._held = (pool, self._pool(pool))
        return self._held[1][place]

    def _pool(self, pool: int) -> list[list]:
        positions = range(pool * POOL * self.size, (pool + 1) * POOL * self.size)
        order = [self._row(position) for position in positions]
        distinct = {}
        for index, row in zip(
            unique := list(dict.fromkeys(order)), read_rows(self.rows, unique), strict=True
        ):
            found = self.read(row)
            if isinstance(found, Rejection):
                if found.trace_id not in self._reported:
                    self._reported.add(found.trace_id)
                    self.report(found)
            else:
                distinct[index] = found
        if not distinct:
            raise InputError(
                f"none of {len(unique)} rows in turn can be trained on (first: {found.reason}: {found.detail}). "
                "zero-engine validate OUT --for sft names them all."
            )
        fit = list(distinct.values())
        chosen = [distinct.get(index, fit[place % len(fit)]) for place, index in enumerate(order)]
        if self.length is not None:
            chosen.sort(key=self.length)  # stable, so equal lengths keep their drawn order
        batches = [chosen[start : start + self.size] for start in range(0, len(chosen), self.size)]
        turns = np.random.default_rng((self.seed, 1, pool)).permutation(POOL)
        return [batches[turn] for turn in turns]

    def _row(self, position: int) -> int:
        epoch, place = divmod(position, self.count)
        return self.first + int(_permutation(self.seed, epoch, self.count)[place])


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng((seed, 0, epoch)).permutation(count)


def training_rows(data: Data) -> Rows:
    """The rows that a training reads. Raises OutputError where the folder is no finished dataset."""
    return open_rows(data.path, COLUMNS, data.limit)


def read_rows(rows: Rows, positions: Sequence[int]) -> Iterator[dict]:
    """Rows by position, straight from the memory-mapped columns: no picture of a step is touched."""
    for position in positions:
        batch, at = rows.at(position)
        row = {name: batch.column(name)[at].as_py() for name in COLUMNS if name != "steps"}
        row["question_images"] = [image["bytes"] for image in row["question_images"]]
        row["steps"] = _steps(batch.column("steps"), at)
        yield row


def _steps(steps, at: int) -> list[dict]:
    """The steps of one row of an Arrow list array, of which nothing but texts and codes is read."""
    words, codes = steps.values.field("text"), steps.values.field("codes")
    start, end = (bound.as_py() for bound in steps.offsets[at : at + 2])
    return [
        {"text": words[i].as_py(), "codes": codes[i].values.to_numpy() if codes[i].is_valid else None}
        for i in range(start, end)
    ]


def misfits(rows: Rows, read: Callable[[dict], object], at_once: int = 256) -> Iterator[Rejection]:
    """Every row that `read` refuses, in the order of the rows."""
    for start in range(0, len(rows), at_once):
        for row in read_rows(rows, range(start, min(start + at_once, len(rows)))):
            if isinstance(found := read(row), Rejection):
                yield found


def left_out(config: Training) -> tuple[int, list[Rejection]]:
    """How many rows the dataset of a training has, and those that it would leave out, with the reasons."""
    encoder = Encoder(load_chameleon(config.model, device="cpu"), config.data)
    rows = training_rows(config.data)
    if isinstance(config, Rl):
        return len(rows), list(misfits(rows, lambda row: encoder.question(row, config.max_new_tokens)))
    return len(rows), list(misfits(rows, encoder.example))


def collate(examples: Sequence[Example], pad: int, *, left: bool = False) -> Batch:
    """One example a row, padded on the right (or left, which changes no number that counts)."""
    return _stack([[example] for example in examples], pad, left)


def collate_packed(examples: Sequence[Example], pad: int, width: int) -> list[Batch]:
    """As few rows of at most `width` ids as first fit finds, each example a segment of its own; one row a batch."""
    bins: list[list[Example]] = []
    for example in sorted(examples, key=lambda e: -len(e.ids)):
        room = next((b for b in bins if sum(len(e.ids) for e in b) + len(example.ids) <= width), None)
        if room is None:
            bins.append([example])
        else:
            room.append(example)
    return [_stack([row], pad, left=False) for row in bins]


def _stack(rows: list[list[Example]], pad: int, left: bool) -> Batch:
    width = max(sum(len(example.ids) for example in row) for row in rows)
    shape = (len(rows), width)
    ids, codes = np.full(shape, pad, np.int64), np.full(shape, -1, np.int64)
    kinds, segments, positions = (
        np.zeros(shape, np.uint8),
        np.zeros(shape, np.int64),
        np.zeros(shape, np.int64),
    )
    for place, row in enumerate(rows):
        start = width - sum(len(example.ids) for example in row) if left else 0
        for segment, example in enumerate(row, 1):
            span = (place, slice(start, start + len(example.ids)))
            ids[span], kinds[span], codes[span] = example.ids, example.kinds, example.codes
            segments[span], positions[span] = segment, np.arange(len(example.ids))
            start += len(example.ids)
    plain = not left and all(len(row) == 1 for row in rows)
    ids, kinds, codes, positions, segments = map(torch.from_numpy, (ids, kinds, codes, positions, segments))
    return Batch(ids, kinds, codes, *((None, None) if plain else (positions, segments)))


class _Tokens:
    """A sequence as it grows."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.kinds: list[int] = []
        self.codes: list[int] = []

    def add(self, ids: list[int], kind: int, codes: list[int] | None = None) -> None:
        self.ids += ids
        self.kinds += [kind] * len(ids)
        self.codes += [-1] * len(ids) if codes is None else codes


def _left_out(row: dict, reason: str, detail: str) -> Rejection:
    return Rejection(row["id"], "train", reason, detail, record=row["question"])
