"""E2: rounds of bootstrapping, as `zero-engine bootstrap` makes them, in stages.

    pool r=0 -> chosen -> data -> train r=1 -> pool r=1 -> chosen -> data -> train r=2 -> ...

A pool is what the model after so many rounds draws of the task's traces, all of it gated; r=0 is the bundled model. A
round's training starts from the model that drew its pictures. Of every pool, `drawings.json` says which drawings are
right by the oracle, and which the gate kept.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import worlds
from stages import Stage

from zero_engine import world
from zero_engine.images import decode_image
from zero_engine.models import model_folder
from zero_engine.write.atomic import atomic_write
from zero_engine.write.dataset import open_dataset

if TYPE_CHECKING:
    from arms import Plan

_TEMPLATE = "{{ question }}{{ question_pictures }}{% if history %}{{ history }}\n{% endif %}{{ step }}"
"""What a trained model draws from: the row that it was trained on, up to the drawing."""
NO_GATE: dict[str, dict] = {"rank": {}, "min": {}, "max": {}}
"""The first drawing of a step, whatever it shows."""


def drawers(experiment: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Whose drawings are judged, (arm, steps): each arm after rounds, and each before its first one."""
    said: set[tuple[str, int]] = set()
    for arm, each in experiment["steps"].items():
        name, rounds, _ = arm.partition(" r=")
        for one, steps in product((f"{name} r=0", arm), each if rounds else ()):
            if (one, steps) not in said:
                yield one, steps
            said.add((one, steps))


def trained(plan: Plan, experiment: str, arm: str, steps: int, seed: int, number: int) -> Stage:
    """The model of an arm after `number` rounds, 1 or more, of so many steps each."""
    assert number >= 1, f"{experiment}: {arm} r={number}: the bundled model is trained by no round"
    start = trained(plan, experiment, arm, steps, seed, number - 1) if number > 1 else None
    redraws = plan.document["arms"][arm].get("redraw", True)
    data = _data(plan, experiment, arm, steps, seed, number - 1 if redraws else 0)
    settings = plan.sft(seed, steps) | {"pictures": True, "loss": {"perception": 0.1}}
    text = plan.warm_rows(experiment, "none")
    train = plan.train(settings, start, [data, text])

    def make(folder: Path) -> None:
        if json.loads((data.folder(plan.out) / data.mark).read_text()):
            train(folder)
        else:  # the gate kept nothing: the model stays
            before = start.folder(plan.out) / "model" if start else model_folder(plan.document["model"])
            shutil.copytree(before, folder / "part", dirs_exist_ok=True)
            (folder / "part").rename(folder / "model")

    after = (data, text) if start is None else (start, data, text)
    return plan.stage(f"train {arm} r={number} {steps} {seed}", settings, make, "model", *after)


def drawn(plan: Plan, experiment: str, arm: str, steps: int, seed: int, number: int) -> Stage:
    """All traces of the task, drawn by the model after `number` rounds, 0 or more, and gated as the arm says."""
    setting = plan.task(experiment)
    return plan.run(
        f"pool {arm} r={number} {seed}" if number else "pool",
        {"task": setting, "generator": plan.generator(experiment)},
        _drawing(plan, experiment, arm, number),
        lambda path: worlds.write(path, plan.pool(setting), "none"),
        gate=_gate(plan, experiment, arm, number),
        drawer=trained(plan, experiment, arm, steps, seed, number) if number else None,
    )


def judged(plan: Plan, experiment: str, arm: str, steps: int, seed: int, number: int) -> Stage:
    """What the oracle says of those drawings, `drawings.json`: a list of records by trace and step."""
    setting, pool = plan.task(experiment), drawn(plan, experiment, arm, steps, seed, number)

    def make(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / "drawings.json", "w") as file:
            json.dump(_judge(pool.folder(plan.out), plan.pool(setting)), file)

    return plan.stage(f"drawings {arm} r={number} {seed}", {"task": setting}, make, "drawings.json", pool)


def _data(plan: Plan, experiment: str, arm: str, steps: int, seed: int, number: int) -> Stage:
    """What a round trains on: the seed's choice of the traces that were kept, with their drawings."""
    setting, pool = plan.task(experiment), drawn(plan, experiment, arm, steps, seed, number)
    chosen = _chosen(plan, setting, pool, seed)

    def write(path: Path) -> None:
        numbers = set(json.loads((chosen.folder(plan.out) / chosen.mark).read_text()))
        worlds.write(path, plan.pool(setting), "none", numbers)

    return plan.run(
        f"data {arm} r={number + 1} {seed}",
        {"task": setting},
        _drawing(plan, experiment, arm, number),
        write,
        gate=_gate(plan, experiment, arm, number),
        after=(chosen,),
        reuse=(pool,),
        drawer=trained(plan, experiment, arm, steps, seed, number) if number else None,
    )


def _chosen(plan: Plan, setting: dict, pool: Stage, seed: int) -> Stage:
    """The names of the traces to train on: as many of each length as were kept of the rarest, drawn by the seed."""

    def make(folder: Path) -> None:
        kept = {row["id"] for row in open_dataset(pool.folder(plan.out)).select_columns("id")}
        of_length, quota = worlds.by_length(plan.pool(setting), kept, setting["train"])
        random_ = random.Random(f"rounds {seed}")
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / "chosen.json", "w") as file:
            chosen = (
                random_.sample([one for one in ids if one in kept], quota) for ids in of_length.values()
            )
            json.dump([*chain.from_iterable(chosen)], file)

    return plan.stage("chosen", {"task": setting, "seed": seed}, make, "chosen.json", pool)


def _drawing(plan: Plan, experiment: str, arm: str, number: int) -> dict:
    """Without a gate a trained model draws each step once: the first drawing is the one that is kept."""
    drawing = plan.drawing(_generator(plan, experiment, number))
    if not number:
        return drawing
    gated = plan.document["arms"][arm]["gate"] == "likelihood"
    return drawing | {"template": _TEMPLATE, "candidates": 4 if gated else 1}


def _gate(plan: Plan, experiment: str, arm: str, number: int) -> dict:
    if plan.document["arms"][arm]["gate"] != "likelihood":
        return NO_GATE
    return plan.gate(experiment) | {
        "min": {"likelihood": _generator(plan, experiment, number)["least_likelihood"]}
    }


def _generator(plan: Plan, experiment: str, number: int) -> dict:
    """The settings of the bundled model, or those of a trained one."""
    name = plan.document["experiments"][experiment]["generator"]
    return plan.document["redrawn" if number else "generators"][name]


def _judge(folder: Path, pool: list[worlds.Task]) -> list[dict[str, Any]]:
    """Of each trace and step: how many drawings there are, how many right, which one is kept, whether it is right.

    `kept` is false where the gate left the whole trace out.
    """
    specs = {task.id: [one for one in task.drawn if one] for task in pool}
    kept = {
        (row["id"], step["index"]): step["attempt"]
        for batch in open_dataset(folder).with_format("arrow").iter(256)
        for row in batch.select(["id", "steps"]).to_pylist()
        for step in row["steps"]
    }
    found: dict[tuple[str, int], dict[int, bool]] = defaultdict(dict)
    known: dict[tuple[str, int, bytes], bool] = {}
    for batch in open_dataset(folder, "candidates").with_format("arrow").iter(256):
        for row in batch.select(["trace_id", "step", "attempt", "image"]).to_pylist():
            place = row["trace_id"], row["step"]
            seen = (*place, row["image"]["bytes"])
            if seen not in known:
                kind, spec = specs[row["trace_id"]][row["step"]]
                known[seen] = bool(world.judge(kind, spec, decode_image(row["image"]["bytes"])))
            found[place][row["attempt"]] = known[seen]
    return [
        {
            "question": trace,
            "step": step,
            "drawn": len(found[trace, step]),
            "right": sum(found[trace, step].values()),
            "kept": (trace, step) in kept,
            "kept_right": found[trace, step].get(kept.get((trace, step), -1), False),
        }
        for trace, steps in specs.items()
        for step in range(len(steps))
    ]
