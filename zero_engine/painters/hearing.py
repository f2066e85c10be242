"""What transformers and diffusers say while they load and paint: kept for us to judge, and printed nowhere.

Some of it is damage that they take for a warning: weights that are missing are drawn at random, LoRA weights of another
model are left out.
"""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from zero_engine.models.quiet import quiet

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(" ".join(_COLOURS.sub("", record.getMessage()).split()))


@contextmanager
def heard() -> Iterator[list[str]]:
    """The warnings and errors that the two libraries log inside, one line each."""
    ear, loggers = _Ear(), [logging.getLogger(name) for name in ("transformers", "diffusers")]
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
        try:
            for logger in loggers:
                logger.handlers, logger.propagate = [ear], False
                logger.setLevel(logging.WARNING)
            yield ear.said
        finally:
            for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
                logger.handlers, logger.propagate = handlers, propagate
                logger.setLevel(level)
