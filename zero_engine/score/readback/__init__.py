"""Read-back: what is written in the drawing, against what the step says.

A wrong drawing can be confident, and no likelihood says "I don't know". But a nano picture can be read, and what
the step does not say was invented.

    a figure is drawn                1 if it is whole and all of it is what the step names, else 0: also where the step
                                     names no figure at all
    an equation is drawn             1 if it is whole, its drawing fits its numbers, and the step says it, else 0
    numbers are drawn, no equation   1 if each of them is in the step, else 0
    something broken is drawn        0
    nothing that can be read         absent; 0 where the step surely names a figure

Figures are those of the nano world (`world.reading`): counted shapes, two shapes and their relation, a row with an
arrow, boards, rectangles, circles, triangles, dots, quarters drawn large, shapes in boxes. A figure that fits one of
several readings of a text agrees with it. Equations are compared as whole expressions, with brackets, percentages,
signs and letters (`expressions`), with what the step says in signs or in words (`statements`).

spelling.py      many spellings of an equation to one        runs.py         what of a text belongs to one equation
expressions.py   equations of a text as trees                statements.py   whether a step says an equation
drawn.py         what can be read in a nano picture

Reading is exact for the nano model's ink, on pictures of nano's size; `read` makes room for an OCR of others.
"""

import re
from collections.abc import Callable

import numpy as np

from zero_engine.score.readback.drawn import is_nano_size, is_nothing, is_readable, read_nano
from zero_engine.score.readback.expressions import operators, parse
from zero_engine.score.readback.spelling import written
from zero_engine.score.readback.statements import named_numbers, says

__all__ = ["Reader", "is_nothing", "read_nano", "readback", "says_equation"]

_FRACTION = re.compile(r"(^|\*)\((\d+/\d+)\)")
"""A fraction in brackets that change nothing."""
Reader = Callable[[np.ndarray], tuple[str | None, list[str]]]
"""A picture to its equation (None where there is none) and the numbers in it."""


def readback(image_HW3: np.ndarray, text: str, read: Reader | None = None) -> float | None:
    """1 where what is drawn agrees with the step, 0 where it does not, None where nothing can be read."""
    if read is not None:
        equation, drawn = read(image_HW3)
    elif not is_nano_size(image_HW3):
        return None
    else:
        figure, verdict = _figure_agrees(image_HW3, text)
        if verdict is not None or figure is None:
            return None if verdict is None else float(verdict)
        equation, drawn = read_nano(image_HW3, figure)
    if equation is not None:
        return float(says_equation(text, equation))
    if drawn:
        named = named_numbers(text)
        return float(all(written(number) in named for number in drawn))
    return 0.0 if equation is None and read is None and _has_letters(figure) else None


def says_equation(text: str, equation: str) -> bool:
    """Whether a step says an equation, `48/2=24`, as a whole. False for one that is not well made."""
    one_line = _FRACTION.sub(r"\1\2", equation)
    if one_line != equation and says_equation(text, one_line):
        return True
    sides = parse(equation)
    if not sides or len(sides) != 2 or not operators(sides[0]) or sides[1] == ("minus", ("number", "0")):
        return False
    return says(text, sides)


def _figure_agrees(image_HW3: np.ndarray, text: str) -> tuple[object, bool | None]:
    """The figure and the verdict on it; None where an equation is to be compared, or there is nothing."""
    from zero_engine.world.reading import agrees, figures, read_figure

    figure = read_figure(image_HW3)
    verdict = agrees(figure, text)
    if (verdict is None and figure is None and is_readable(image_HW3)) or (
        verdict is None and not isinstance(figure, figures.Equation | figures.Amount | figures.Nothing | None)
    ):
        verdict = False
    return figure, verdict


def _has_letters(figure: object) -> bool:
    """Whether a figure is of glyphs that are neither an equation nor a number."""
    return bool(getattr(figure, "text", ""))
