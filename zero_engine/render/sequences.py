"""A row of a dataset as one token sequence: templates, and the encoder for one model and one template.

A template has six pieces of plain text. `{question}`, `{step}` and `{answer}` insert data; `{pictures}` and `{picture}`
insert the codes of the question's pictures and of the step's drawing, each between BOI and EOI; a `<name>` that is in
the vocabulary inserts that token. There is no other syntax. Data never becomes a special token: a `</s>` that a
question quotes is split into ordinary tokens.

The place of a token, not its id, decides whether it has a loss. A row that does not fit is a `Rejection` with a reason.
Training and exports share this module, so `--to tokens` writes the sequences that `train sft` learns.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from pydantic import model_validator

from zero_engine.config import Section
from zero_engine.errors import InputError
from zero_engine.records import PICTURE as PLACED
from zero_engine.records import Rejection

if TYPE_CHECKING:
    from zero_engine.models.chameleon.model import Chameleon

GIVEN, TEXT, PICTURE = 0, 1, 2
"""The kind of a token, for the loss: part of the prompt, text (with BOI and EOI), or a code."""
_PIECE = re.compile(r"(\{\w+\}|<[^<>\s]+>)")

PLACES = {
    "prompt": {"question", "pictures"},
    "step": {"step", "picture"},
    "answer": {"answer"},
    "open": set(),
    "between": set(),
    "close": set(),
}


class Template(Section):
    """The pieces of a row, in their order; a piece that is not given is that of `omni_r1`."""

    prompt: str = (
        "You are a helpful assistant.\nUser: {question}{pictures} Think with images first. The image reasoning process "
        "and the final answer are enclosed within <reserved12856> <reserved12857> and <reserved12866> "
        "<reserved12867> XML tags, respectively.\nAssistant:"
    )
    """The prompt; it has no loss."""
    open: str = "<reserved12856>"
    """Before the first step."""
    step: str = "{step}{picture}"
    """One step; `{picture}` is empty where it has no drawing."""
    between: str = "\n"
    """Between two steps."""
    close: str = "<reserved12857>"
    """After the last step."""
    answer: str = "<reserved12866>{answer}<reserved12867>"
    """The answer; the end-of-sequence token follows."""

    @model_validator(mode="after")
    def _places_are_known(self) -> "Template":
        for piece, known in PLACES.items():
            for name in re.findall(r"\{(\w*)\}", getattr(self, piece)):
                if name not in known:
                    allowed = ", ".join(f"{{{place}}}" for place in sorted(known)) or "no place"
                    raise ValueError(f"template.{piece} has {{{name}}}; it may have {allowed}")
        for piece, place in (("prompt", "question"), ("step", "step"), ("answer", "answer")):
            if f"{{{place}}}" not in getattr(self, piece):
                raise ValueError(f"template.{piece} must have {{{place}}} in it")
        return self


TEMPLATES = {
    "omni_r1": Template(),
    "plain": Template(prompt="{question}{pictures}\n", open="", close="\n", answer="Final Answer: {answer}"),
    "bare": Template(prompt="{question}{pictures}"),
}
"""`bare` is `omni_r1` without its instruction: for models trained here from the start."""


def pieces_of(template: str | Template) -> Template:
    """The template of that name, or the one given. Raises InputError, one line, for an unknown name."""
    if isinstance(template, Template):
        return template
    if template not in TEMPLATES:
        raise InputError(
            f"template: must be one of {', '.join(TEMPLATES)}, or a mapping of pieces; got {template!r}."
        )
    return TEMPLATES[template]


class Shape(Protocol):
    """The settings of an encoder; a training's `data` section has them."""

    @property
    def pieces(self) -> Template: ...

    @property
    def pictures(self) -> bool: ...

    @property
    def max_length(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Plain:
    """A `Shape` by its three values."""

    pieces: Template
    pictures: bool = True
    max_length: int = 1 << 30


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One row as tokens. `kinds` holds each token's kind for the loss; `codes` is -1 where the token is no code."""

    id: str
    ids: np.ndarray  # (T,) int64
    kinds: np.ndarray  # (T,) uint8
    codes: np.ndarray  # (T,) int64


@dataclass(frozen=True, slots=True)
class Question:
    """A question for a model, and its right answer."""

    id: str
    prompt: list[int]
    answer: str
    choices: tuple[str, ...] = ()


class Encoder:
    """Encodes rows as examples and questions, for one model and one template."""

    def __init__(self, model: "Chameleon | Any", data: Shape):
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
        """A row of a dataset as a training sequence."""
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
        """BOS and the prompt piece. Pictures replace the marks of the question where there are as many marks."""
        lettered = [f"{chr(ord('A') + i)}. {choice}" for i, choice in enumerate(choices)]
        parts = around_pictures("\n".join([question.strip(), *lettered]), len(images))
        pictures = [self._picture(bytes(image)) for image in images]
        inline = len(parts) > 1
        tokens = _Tokens()
        tokens.add([self.layout.bos], GIVEN)
        values = {"pictures": [] if inline else pictures, "question": question}
        for piece in _PIECE.split(self.pieces.prompt):
            if piece != "{question}":
                self._fill(tokens, piece, values)
                continue
            for index, part in enumerate(parts):
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
        codes_N = np.asarray(codes, np.int64)
        if len(codes_N) != self.model.codes_per_picture or codes_N.max() >= self.model.codebook_size:
            have, need = (
                (len(codes_N), int(codes_N.max())),
                (self.model.codes_per_picture, self.model.codebook_size),
            )
            raise ValueError(
                f"a picture of {have[0]} codes up to {have[1]}, where {self.model.name} has {need[0]} below {need[1]}"
            )
        tokens.add([self.layout.boi], TEXT)
        tokens.add(self.layout.code_ids[codes_N].tolist(), PICTURE, codes_N.tolist())
        tokens.add([self.layout.eoi], TEXT)

    def _text(self, text: str) -> list[int]:
        if not text:
            return []
        return self.model.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]

    def _encode_picture(self, image: bytes) -> tuple[int, ...]:
        from zero_engine.images import decode_image

        return tuple(self.model.encode([decode_image(image)])[0].tolist())


def around_pictures(question: str, pictures: int) -> list[str]:
    """The texts before, between and behind a question's pictures; the whole question where it does not place them.

    The mark is `PICTURE`; in folders of earlier versions `<image>`.
    """
    if pictures:
        for sign in (PLACED, "<image>"):
            parts = question.split(sign)
            if len(parts) == pictures + 1:
                return parts
    return [question.replace(PLACED, "") if pictures else question]


class _Tokens:
    """A sequence under construction."""

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
