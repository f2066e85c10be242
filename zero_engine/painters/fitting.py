"""Whether the weights of a pipeline's components fit their classes, from what the two libraries say as they load.

They take it for a warning when a file holds blocks that the configuration does not name, or lacks weights: both paint
noise. Weights of what the class has no row of blocks for (a tower that it does not use) are left out by right.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zero_engine.errors import ModelError, printable
from zero_engine.families.checkpoints import refuse_whole_numbers
from zero_engine.model_files import said_in
from zero_engine.models.soundness import of_rows

log = logging.getLogger(__name__)

_REPORT = re.compile(r"LOAD REPORT from: (?P<path>.+?) Key \| Status(?P<rows>.*)")
_ROW = re.compile(r"((?:[^|{}\s]|\{[^{}]*\})+) *\| (MISSING|UNEXPECTED|MISMATCH) ")
"""A row of transformers' table; `layers.{0, 1}.bias` stands for two weights."""
_OF_DIFFUSERS = re.compile(
    r"Some weights of .*?checkpoint at (?P<path>.+?) (?P<what>were not used|and are newly)[^\[]*\[(?P<names>.*?)\]"
)
_SHAPES = re.compile(
    r"Cannot load because (\S+) expected shape torch\.Size\(\[(.*?)\]\), but got torch\.Size\(\[(.*?)\]\)"
)
_BRACES = re.compile(r"\{(\d+)[^{}]*\}")


def refuse_damage(name: str, said: Sequence[str], error: Exception | None = None) -> None:
    """Raises ModelError, one line, for weights that are missing or of another shape."""
    for path, kind, names in _judged(said):
        if kind == "missing":
            raise ModelError(
                f"{name}: weights are missing in {path} (first: {names[0]}). Give a whole checkpoint."
            )
        if kind == "mismatch":
            raise _other_shape(name, path, names[0])
    if found := _SHAPES.search(" ".join(str(error or "").split())):
        wanted, held = (f"({sides})" if "," in sides else f"({sides},)" for sides in found.groups()[1:])
        raise _other_shape(name, name, f"{found[1]} (file: {held}, model: {wanted})")


def refuse_left_out(name: str, folder: Path, pipe: Any, said: Sequence[str]) -> None:
    """Raises ModelError, one line, for weights that the pipeline of a folder passed over, or took wrongly.

    What it may do without is told in a warning of one line.
    """
    for path, kind, names in _judged(said):
        if kind != "unexpected":
            continue
        held: dict[str, Any] = getattr(getattr(pipe, Path(path).name, None), "state_dict", dict)()
        if left := of_rows(names, held):
            raise ModelError(
                f"{name}: weights in {path} have no place in the model of config.json (first: {left[0]}). Give the "
                "configuration that belongs to the weights."
            )
        log.warning("%s: weights in %s are not used (first: %s)", name, path, printable(names[0], True))
    for part in sorted(folder.glob("*/config.json")):
        if "quantization_config" not in said_in(part):
            refuse_whole_numbers(name, part.parent)


def _judged(said: Sequence[str]) -> Iterator[tuple[str, str, list[str]]]:
    """(path, missing or unexpected or mismatch, names) of what the libraries said of weights."""
    for line in said:
        if report := _REPORT.search(line):
            rows = [
                (_BRACES.sub(r"\1", weight), kind.lower()) for weight, kind in _ROW.findall(report["rows"])
            ]
            for kind in ("missing", "mismatch", "unexpected"):
                if names := sorted(weight for weight, of in rows if of == kind):
                    yield report["path"], kind, names
        elif found := _OF_DIFFUSERS.search(line):
            kind = "unexpected" if found["what"] == "were not used" else "missing"
            yield found["path"], kind, sorted(re.findall(r"[^\s',]+", found["names"]))


def _other_shape(name: str, path: str, weight: str) -> ModelError:
    return ModelError(
        f"{name}: weights in {path} have another shape than config.json says (first: {weight}). Give the "
        "configuration that belongs to the weights."
    )
