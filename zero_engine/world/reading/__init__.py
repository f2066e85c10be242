"""Reading: what a nano picture shows, and whether that is what a step says.

cells.py      a picture to what stands in each of its 64 cells
figures.py    cells to a figure: a rectangle with its numbers, a row of shapes with an arrow, a board, ..
said.py       a step's text to what it names: things, cells, moves, letters, numbers
agreement.py  the one against the other

The text is all that a figure is held against; the specification that an oracle knows is not used here. By program,
with numpy only: no model, no OCR.
"""

from zero_engine.world.reading.agreement import agrees
from zero_engine.world.reading.figures import read_figure

__all__ = ["agrees", "read_figure"]
