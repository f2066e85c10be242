"""Which rows of a dataset a training would leave out, and why: `validate --for sft`. Nothing is trained."""

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import Field

from zero_engine.config import Section, parse_config
from zero_engine.models import load_chameleon
from zero_engine.records import Rejection
from zero_engine.render.sequences import Encoder, Example, Question
from zero_engine.train.config import Data, Rl, class_of
from zero_engine.write.dataset import COLUMNS, Rows, open_rows, read_rows


class Fit(Section):
    """What of a training decides which rows fit; `Fit.of` takes it from a training file, whole or in part."""

    model: str = "nano"
    data: Data
    max_new_tokens: int | None = Field(None, ge=8)
    """Room for an answer after a question; None where rows are learnt whole."""

    @classmethod
    def of(cls, document: dict[str, Any], kind: str, where: str) -> "Fit":
        """Raises PipelineError, one line, also for a key that no training of this kind has."""
        others = set(class_of(kind, where).model_fields) - set(cls.model_fields)
        found = parse_config(cls, {k: v for k, v in document.items() if k not in others}, where=where)
        room = found.max_new_tokens or Rl.model_fields["max_new_tokens"].default
        return found.model_copy(update={"max_new_tokens": room if kind == "rl" else None})


def misfits(rows: Rows, read: Callable[[dict], object], at_once: int = 256) -> Iterator[Rejection]:
    """Every row that `read` refuses, in the order of the rows."""
    for start in range(0, len(rows), at_once):
        for row in read_rows(rows, range(start, min(start + at_once, len(rows)))):
            if isinstance(found := read(row), Rejection):
                yield found


def left_out(config: Fit) -> Iterator[tuple[str, int, list[Rejection]]]:
    """Of each dataset: its folder, its rows, and those that would be left out, with the reasons."""
    encoder, room = Encoder(load_chameleon(config.model, device="cpu"), config.data), config.max_new_tokens

    def as_it_is_learnt(row: dict) -> Example | Question | Rejection:
        return encoder.example(row) if room is None else encoder.question(row, room)

    for source in config.data.parts:
        rows = open_rows(source.path, COLUMNS, source.limit)
        found = misfits(rows, as_it_is_learnt)
        yield source.path, len(rows), list(found)
