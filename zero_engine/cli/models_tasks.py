"""`models make-tasks`: reasoning tasks of the nano world as JSON Lines, with pictures where a family has them.

    zero-engine models make-tasks --family zoom -n 200 --split test --output work/zoom.jsonl

Without a family the tasks are text alone. With one, a row has `image`, the question's picture, and `steps`; with
`--pictures oracle` also `step_images`, aligned with the steps, null where a step draws nothing. Pictures are PNG files
in a folder beside the rows, named relative to it, or base64 in the rows. In every row `spec` says by what each step's
drawing is judged: a kind of the nano world and its specification, null where a step draws nothing.
"""

import base64
import json as json_module
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from zero_engine.cli.options import AsJson, file_to_write, print_json, say
from zero_engine.errors import InputError, OutputError
from zero_engine.write.atomic import atomic_write

OWN_PICTURE = re.compile(r"[a-z]+-(?:train|validation|test)-\d{6,}(?:-\d+)?\.png")
"""Names of the pictures that tasks have in a folder of theirs."""


def make_tasks(
    output: Annotated[Path, typer.Option("--output", metavar="PATH", help="Write to this JSON Lines file.")],
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, metavar="N", help="How many tasks to make.")
    ] = 1000,
    split: Annotated[
        str, typer.Option(metavar="NAME", help="train, validation or test; they share no task.")
    ] = "train",
    family: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Tasks with a question's picture: zoom, mark, line, predict or silent (walks).",
        ),
    ] = None,
    pictures: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="oracle writes pictures of the steps (step_images), none does not."
        ),
    ] = "oracle",
    images: Annotated[
        str,
        typer.Option(metavar="NAME", help="files: PNG files in a folder beside PATH; base64: in the rows."),
    ] = "files",
    moves: Annotated[
        str, typer.Option(metavar="A-B", help="Fewest and most moves of a walk of --family silent.")
    ] = "2-4",
    seed: Annotated[int, typer.Option(metavar="N", help="Seed.")] = 0,
    json: AsJson = False,
) -> None:
    """Write reasoning tasks of the nano world (question, trace, answer) that run and train read."""
    from zero_engine.world.sight_tasks import FAMILIES
    from zero_engine.world.tasks import SPLITS
    from zero_engine.world.tasks import make_tasks as text_tasks

    _one_of("--split", split, SPLITS)
    _one_of("--pictures", pictures, ("oracle", "none"))
    _one_of("--images", images, ("files", "base64"))
    if family is None and (pictures, images) != ("oracle", "files"):
        raise InputError(
            "--pictures and --images are for tasks with pictures. Add --family, or leave them out."
        )
    if family != "silent" and moves != "2-4":
        raise InputError("--moves is for --family silent. Leave it out.")
    if family is None:
        rows = text_tasks(count, split, seed)
    else:
        _one_of("--family", family, FAMILIES)
        rows = _with_pictures(
            output, family, count, split, seed, _moves(moves), pictures == "oracle", images == "files"
        )
    file_to_write(output, ".jsonl")
    with _pictures_of(output), atomic_write(output, "w") as file:
        for row in rows:
            file.write(json_module.dumps(row, ensure_ascii=False) + "\n")
    if json:
        facts = {"tasks": count, "split": split, "path": str(output)}
        print_json(facts | ({"family": family} if family else {}))
    else:
        say(f"{count} {split} tasks{f' of {family}' if family else ''}: {output}")


def _with_pictures(
    out: Path,
    family: str,
    n: int,
    split: str,
    seed: int,
    moves: tuple[int, int],
    annotated: bool,
    files: bool,
) -> Iterator[dict]:
    from zero_engine.world.sight_tasks import sight_tasks

    store = _files(out) if files else _inline
    for task in sight_tasks(family, n, split, seed, moves):
        row: dict[str, object] = {
            "id": task.id,
            "question": task.question,
            "image": store(task.image, task.id),
            "steps": list(task.steps),
            "answer": task.answer,
            "spec": list(task.drawn),
        }
        if annotated:
            row["step_images"] = [
                None if image is None else store(image, f"{task.id}-{step}")
                for step, image in enumerate(task.step_images)
            ]
        yield row


def _files(out: Path) -> Callable[[np.ndarray, str], str]:
    """Pictures as files in `OUT-pictures`, which is made anew; returns their names relative to OUT's folder."""
    from zero_engine.images import encode_image

    final, aside = _folders(out)
    _check_own(final)
    aside.mkdir(parents=True)

    def store(image: np.ndarray, name: str) -> str:
        (aside / f"{name}.png").write_bytes(encode_image(image))
        return f"{final.name}/{name}.png"

    return store


def _check_own(folder: Path) -> None:
    """Raises OutputError where a folder that is to be made anew holds anything but pictures of tasks."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputError(f"{folder}: is no folder, and pictures would go there. Choose another --output.")
    if others := sorted(path.name for path in folder.glob("*") if not OWN_PICTURE.fullmatch(path.name)):
        raise OutputError(
            f"{folder}: holds {others[0]}, which is no picture of such tasks; the folder would be made anew. "
            "Choose another --output."
        )


def _folders(out: Path) -> tuple[Path, Path]:
    """Where the pictures of OUT lie, and where they are written until all are there."""
    final = out.with_name(out.name.removesuffix(".jsonl") + "-pictures")
    return final, final.with_name(f".{final.name}.part")


@contextmanager
def _pictures_of(out: Path) -> Iterator[None]:
    """Pictures that are written inside become OUT's if all goes well, else they go."""
    final, aside = _folders(out)
    shutil.rmtree(aside, ignore_errors=True)
    try:
        yield
        if aside.exists():
            shutil.rmtree(final, ignore_errors=True)
            aside.replace(final)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _inline(image: np.ndarray, name: str) -> str:
    from zero_engine.images import encode_image

    return base64.b64encode(encode_image(image)).decode("ascii")


def _moves(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,2})-(\d{1,2})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]) <= 12:
        raise InputError(f"--moves must be like 2-4, from 1 to 12 moves, got {text!r}.")
    return int(found[1]), int(found[2])


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{option} must be one of {', '.join(allowed)}, got {value!r}.")
