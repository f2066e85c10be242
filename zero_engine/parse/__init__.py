"""Parse: a trace into steps and an answer, without a model.

`parse_trace` is the stage; `segment`, `extract_answer` and `answers_equal` are its parts, pure
functions over text that rewards and tests use too.
"""

from zero_engine.parse.answers import extract_answer
from zero_engine.parse.equality import answers_differ, answers_equal
from zero_engine.parse.steps import segment
from zero_engine.parse.trace import parse_trace

__all__ = ["answers_differ", "answers_equal", "extract_answer", "parse_trace", "segment"]
