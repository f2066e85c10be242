"""Generated ids back to text and pictures, and text to its answer: the inverse of `sequences`.

Special tokens come by name, a whole picture as `<image>` and its codes. Text that merely spells a token's name is
broken up (`< reserved...`), so it cannot pass for the token. `Vocabulary` does it for a tokenizer alone, whose model
is another program's: its codes are then known by their names, and no codebook is.

The answer is what stands in the one answer bracket, or after the one `Final Answer:`; an answer in the thought, a
second one, or text behind it is no answer, so hedging earns nothing.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np

from zero_engine.render.prompts import plain_text
from zero_engine.render.sequences import TEMPLATES, Template

NAME = re.compile(r"<[^<>\s]+>")
"""The name of a special token."""


class Marks(Protocol):
    """The ids around a picture: `models.chameleon.layout.TokenLayout`, or what a tokenizer's names say."""

    @property
    def boi(self) -> int: ...
    @property
    def eoi(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Parsed:
    """A completion taken apart."""

    answer: str | None
    """None where there is not exactly one, in its place."""
    well_formed: bool


def read_answer(
    ids: np.ndarray,
    code_of: np.ndarray,
    layout: Marks,
    tokenizer: Any,
    count: int | None,
    spelled: Callable[[str], str] = plain_text,
) -> tuple[str, tuple[np.ndarray, ...]]:
    """The text of generated ids, (T,), and the codes of their whole pictures, (N,) each.

    `code_of` (V,) is the code of an id or -1. A picture has `count` codes or, with None, any number. `spelled` breaks
    up the names of tokens in plain text.
    """
    special = set(tokenizer.get_added_vocab().values())
    pieces: list[str] = []
    pictures: list[np.ndarray] = []
    run: list[int] = []
    tokens, at = ids.tolist(), 0

    def flush() -> None:
        pieces.append(spelled(tokenizer.decode(run, skip_special_tokens=False)))
        run.clear()

    while at < len(tokens):
        end = at + 1
        while tokens[at] == layout.boi and end < len(tokens) and _code(code_of, tokens[end]) >= 0:
            end += 1
        if end - at - 1 == (count or end - at - 1) > 0 and tokens[end : end + 1] == [layout.eoi]:
            flush()
            pictures.append(code_of[tokens[at + 1 : end]])
            pieces.append("<image>")
            at = end + 1
            continue
        if tokens[at] in special:
            flush()
            pieces.append(tokenizer.convert_ids_to_tokens(tokens[at]))
        else:
            run.append(tokens[at])
        at += 1
    flush()
    return "".join(pieces), tuple(pictures)


def _code(code_of: np.ndarray, token: int) -> int:
    """The code of an id, or -1; a model may know ids beyond its tokenizer's."""
    return code_of[token] if token < len(code_of) else -1


def parse_completion(text: str, template: Template | None = None) -> Parsed:
    """Answer and form of a completion. Without a template: of `omni_r1` where it has brackets, else of `plain`."""
    text = text.strip().removesuffix("</s>").rstrip()
    if template is None:
        bracket = TEMPLATES["omni_r1"].answer.partition("{answer}")[0]
        template = TEMPLATES["omni_r1" if bracket in text else "plain"]
    before, _, after = (piece.strip() for piece in template.answer.partition("{answer}"))
    if not before:  # the answer is the last line
        thought, found, answer = text.rpartition("\n")
        return Parsed(answer.strip() or None, bool(found and answer.strip()))
    if text.count(before) != 1 or (after and text.count(after) != 1):
        return Parsed(None, False)
    thought, _, rest = text.partition(before)
    answer, closed, tail = rest.partition(after) if after else (rest, True, "")
    if not closed or tail.strip() or not answer.strip():
        return Parsed(None, False)
    opening, closing, thought = template.open.strip(), template.close.strip(), thought.strip()
    if opening and thought.count(opening) > thought.count(closing):
        return Parsed(None, False)  # the answer stands in the thought
    whole = bool(thought) and thought.startswith(opening) and thought.endswith(closing)
    once = all(not mark or thought.count(mark) == 1 for mark in (opening, closing))
    inside = thought.removeprefix(opening).removesuffix(closing).strip()
    return Parsed(answer.strip(), whole and once and bool(inside))


@lru_cache(maxsize=16)
def token_names(pieces: Template) -> frozenset[str]:
    """Names of tokens that a template writes around what is judged."""
    return frozenset(
        name
        for piece in (pieces.open, pieces.close, pieces.answer, pieces.between)
        for name in NAME.findall(piece)
    )


class Vocabulary:
    """Ids to text and pictures, with what is known of the model behind them.

    `source` is a tokenizer, a processor, a model of ours, or a model's name or folder; raises ModelError for an unknown
    one. `codebook` is None where the model is not ours.
    """

    def __init__(self, source: Any, pieces: Template):
        if isinstance(source, str) or hasattr(source, "__fspath__"):
            from zero_engine.models import load_model

            source = load_model(str(source), device="cpu")
        ours = hasattr(source, "codebook") and hasattr(source, "layout")
        self.tokenizer = getattr(source, "tokenizer", source)
        self.codebook: np.ndarray | None = source.codebook() if ours else None
        self.grid: tuple[int, int] = source.grid if ours else (0, 0)
        self.count = source.codes_per_picture if ours else None
        names = self.tokenizer.get_vocab()
        size = max(names.values(), default=0) + 1
        self.layout: Marks
        if ours:
            self.layout = source.layout
            self.code_of = source.layout.code_of(max(size, int(source.layout.code_ids.max()) + 1))
        else:
            from zero_engine.models.chameleon.layout import BOI_NAME, EOI_NAME, code_of_name

            self.layout = SimpleNamespace(boi=names.get(BOI_NAME, -1), eoi=names.get(EOI_NAME, -1))
            self.code_of = np.full(size, -1, np.int64)
            for name, token in names.items():
                self.code_of[token] = code_of_name(name)
        self._tokens = sorted(token_names(pieces) & set(names), key=len, reverse=True)

    def read(self, ids: Sequence[int]) -> tuple[str, tuple[np.ndarray, ...]]:
        """Text up to the end token, brackets by name, and the pictures' codes."""
        ids_T = np.asarray(ids, np.int64)
        ends = np.flatnonzero(ids_T == self.tokenizer.eos_token_id)
        ids_T = ids_T[: ends[0]] if len(ends) else ids_T
        return read_answer(ids_T, self.code_of, self.layout, self.tokenizer, self.count, self._spelled)

    def _spelled(self, text: str) -> str:
        """Text that merely spells a bracket's name is no bracket."""
        for name in self._tokens:
            text = text.replace(name, f"{name[0]} {name[1:]}")
        return text
