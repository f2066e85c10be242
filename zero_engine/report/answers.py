"""One page of answers: each question with its pictures, then the model's texts and drawings, in their order.

Like every page of ours it is one file without a script and without a request; pictures are base64, data is escaped.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from zero_engine.report.pages import put_page
from zero_engine.report.pictures import Picture, shown_picture

MARK = "<image>"


def write_answers(path: Path, title: str, predictions: Sequence[dict[str, Any]], folder: Path) -> Path:
    """Write the page. `predictions` are the lines of `predictions.jsonl`, whose pictures lie in `folder`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("zero_engine.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    answers = [
        {**one, "given": _pictures(folder, one["given"]), "parts": _parts(folder, one)} for one in predictions
    ]
    text = environment.get_template("answers.html.j2").render(title=title, answers=answers)
    put_page(path, text)
    return path


def _parts(folder: Path, prediction: dict[str, Any]) -> list[str | Picture]:
    """Texts and pictures in turn; a mark without a picture (a broken drawing) stays text."""
    pictures = _pictures(folder, prediction["pictures"])
    texts = prediction["text"].split(MARK)
    parts: list[str | Picture] = [texts[0]]
    for place, text in enumerate(texts[1:]):
        parts += [pictures[place] if place < len(pictures) else MARK, text]
    return [part for part in parts if part != ""]


def _pictures(folder: Path, names: Sequence[str]) -> list[Picture]:
    return [shown_picture((folder / name).read_bytes()) for name in names]
