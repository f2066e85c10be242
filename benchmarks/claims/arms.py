"""From claims.yaml to stages: the drawings, the training set of an arm, a warm start, a training, its answers."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import worlds
from rounds import NO_GATE, judged, trained
from stages import Stage, beside, call, command
from swap import shares, swaps

from zero_engine.config import parse_config
from zero_engine.images import decode_image
from zero_engine.models import model_fingerprint
from zero_engine.train.evaluate import Evaluation, respond
from zero_engine.train.rewards import same_answer
from zero_engine.write.dataset import open_dataset

_TOKENS_OF_TEXT, _TOKENS_OF_PICTURE = 24, 66
_TEMPLATE = "{{ step }}{{ picture }}"


class Plan:
    """The stages of the experiments in a document (claims.yaml).

    `device` and `precision`, in place of the document's, are how a machine computes: no stage has them in its key.
    """

    def __init__(
        self, document: dict[str, Any], out: Path, device: str = "cpu", precision: str | None = None
    ):
        self.document, self.out, self.device, self.precision = document, out, device, precision
        self.stages: dict[str, Stage] = {}

    def answers(self, experiment: str, arm: str, steps: int, seed: int) -> Stage:
        """The answers of an arm's training after so many steps, `answers.json`: a list of records by question.

        `omni_r1 w=0.05` is the arm omni_r1 after PeRPO with that weight of perception, `zero_gated r=2` is zero_gated
        after two rounds of so many steps.
        """
        setting = self.task(experiment)
        arm, _, weight = arm.partition(" w=")
        arm, _, rounds = arm.partition(" r=")
        if rounds:
            model = trained(self, experiment, arm, steps, seed, int(rounds))
        else:
            model = self._training(experiment, arm, steps, seed)
        pictures = self.document["arms"][arm]["pictures"] != "none"
        room = self._room(setting, pictures)
        if weight:
            model = self._perpo(experiment, arm, model, seed, float(weight), room)
        settings = {
            "task": setting,
            "mode": "interleaved-text-image" if pictures else "text-only",
            "max_new_tokens": room,
        }
        return self.stage(
            f"answers {arm} {steps} {seed}", settings, self._answer(settings, model), "answers.json", model
        )

    def drawings(self, experiment: str, arm: str, steps: int, seed: int) -> Stage:
        """What the model of an arm after its rounds draws, judged, `drawings.json`: see rounds.py."""
        arm, _, rounds = arm.partition(" r=")
        return judged(self, experiment, arm, steps, seed, int(rounds))

    def swaps(self, experiment: str, arm: str, steps: int, seed: int) -> Stage:
        """What the answers of an arm go on from where a picture in them was swapped, `swaps.json`: see swap.py."""
        setting = self.task(experiment)
        model = self._training(experiment, arm, steps, seed)

        def make(folder: Path) -> None:
            asked = worlds.tasks(setting, "test", setting["questions"])
            found = swaps(model.folder(self.out) / "model", asked, self._room(setting, True), self.device)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "swaps.json").write_text(json.dumps(shares(found)))

        return self.stage(f"swaps {arm} {steps} {seed}", {"task": setting}, make, "swaps.json", model)

    def _room(self, setting: dict, pictures: bool) -> int:
        """The longest answer, in tokens: a model that has not learnt to stop costs no more than that."""
        longest = int(setting.get("moves", "2-2")[-1])
        return (longest + 1) * (_TOKENS_OF_TEXT + pictures * _TOKENS_OF_PICTURE)

    def _answer(self, settings: dict, model: Stage) -> Callable[[Path], None]:
        """The questions answered, and judged here: `eval` would also ask whether each text follows its pictures."""

        def make(folder: Path) -> None:
            asked = worlds.tasks(settings["task"], "test", settings["task"]["questions"])
            file = beside(folder, ".jsonl")
            worlds.write(file, asked, "none")
            document = {
                "model": str(model.folder(self.out) / "model"),
                "data": str(file),
                "output": str(folder / "asked"),
                "mode": settings["mode"],
                "max_new_tokens": settings["max_new_tokens"],
                "template": "bare",
                "dtype": "float32",
                "device": self.device,
                "batch_size": 256,
            }
            config = parse_config(Evaluation, document, folder.name)
            with beside(folder, ".log").open("a", encoding="utf-8") as log:
                found, _ = respond(config, lambda text: print(text, file=log), judged=False)
            of_task = {row["id"]: row for row in found}
            records = [_record(folder / "asked", task, of_task[task.id]) for task in asked]
            (folder / "answers.json").write_text(json.dumps(records))

        return make

    def _training(self, experiment: str, arm: str, steps: int, seed: int) -> Stage:
        """A PeSFT of an arm from the seed's warm start."""
        warm = self._warm_start(experiment, seed)
        text = self.document["arms"][arm]["pictures"] == "none"
        data = self._data(experiment, "omni_r1" if text or "loss" in self.document["arms"][arm] else arm)
        settings = self.sft(seed, steps) | {"pictures": not text}
        settings["loss"] = {"perception": 0.0 if text else 0.1, **self.document["arms"][arm].get("loss", {})}
        return self.stage(
            f"train {arm} {steps} {seed}", settings, self.train(settings, warm, [data]), "model", warm, data
        )

    def _perpo(self, experiment: str, arm: str, start: Stage, seed: int, weight: float, room: int) -> Stage:
        """A PeRPO of a trained arm, on the questions that it was trained on."""
        settings = {"seed": seed, "perception": weight, "max_new_tokens": room, **self.document["perpo"]}
        data = self._data(experiment, arm)

        def make(folder: Path) -> None:
            command(
                folder,
                {
                    "seed": seed,
                    "model": str(start.folder(self.out) / "model"),
                    "output": str(folder),
                    "data": {
                        "path": str(data.folder(self.out)),
                        "template": "bare",
                        "max_length": 1024 + room,
                    },
                    "rewards": {"perception": weight},
                    "optimiser": {
                        "learning_rate": settings["learning_rate"],
                        "schedule": "cosine",
                        "warmup": 10,
                    },
                    "steps": settings["steps"],
                    "prompts": settings["prompts"],
                    "group": settings["group"],
                    "rounds": 1,
                    "sample_batch": 256,
                    "max_new_tokens": room,
                    "precision": self.precision or settings["precision"],
                    "save_every": 10,
                    "device": self.device,
                },
                "train",
                "rl",
            )

        return self.stage(f"perpo {arm} {weight} {seed}", settings, make, "model", start, data)

    def _warm_start(self, experiment: str, seed: int) -> Stage:
        """The bundled model after a few steps on rows with the oracle's pictures and on rows without, half and half.

        Its tasks are other ones than the arms'.
        """
        data = [self.warm_rows(experiment, kind) for kind in ("oracle", "none")]
        steps = self.document["warm_up"]["steps"]
        settings = self.sft(seed, steps) | {"pictures": True, "loss": {"perception": 0.1}}
        return self.stage(f"warm {seed}", settings, self.train(settings, None, data), "model", *data)

    def warm_rows(self, experiment: str, pictures: str) -> Stage:
        """Rows of other tasks than the arms', with the oracle's pictures or with none."""
        setting, count = self.task(experiment), self.document["warm_up"]["tasks"]
        return self.run(
            f"warm {pictures}",
            {"task": setting, "pictures": pictures, "tasks": count},
            {"given": "keep"} if pictures == "oracle" else {"generator": "none"},
            lambda path: worlds.write(path, worlds.tasks(setting, "train", count, seed=1), pictures),
        )

    def sft(self, seed: int, steps: int) -> dict[str, Any]:
        """The settings of a PeSFT that all have."""
        return {"seed": seed, "steps": steps, **self.document["training"]}

    def train(self, settings: dict, start: Stage | None, data: Sequence[Stage]) -> Callable[[Path], None]:
        """What makes the folder of a PeSFT on `data`, in equal parts, from a trained model or the bundled one."""

        def make(folder: Path) -> None:
            rows = {"template": "bare", "max_length": 1024, "pictures": settings["pictures"]}
            paths = [str(one.folder(self.out)) for one in data]
            model = self.document["model"] if start is None else str(start.folder(self.out) / "model")
            command(
                folder,
                {
                    "seed": settings["seed"],
                    "model": model,
                    "output": str(folder),
                    "data": [{"path": path, "weight": 1, **rows} for path in paths]
                    if len(paths) > 1
                    else {"path": paths[0], **rows},
                    "loss": settings["loss"],
                    "optimiser": {
                        "learning_rate": settings["learning_rate"],
                        "schedule": "cosine",
                        "warmup": 10,
                    },
                    "steps": settings["steps"],
                    "batch_size": settings["batch_size"],
                    "micro_batch": settings["batch_size"],
                    "precision": self.precision or settings["precision"],
                    "device": self.device,
                },
                "train",
                "sft",
            )

        return make

    def _data(self, experiment: str, arm: str) -> Stage:
        """The training set of an arm: the traces that `_chosen` names, with the arm's pictures."""
        setting, how = self.task(experiment), self.document["arms"][arm]
        chosen = self._chosen(experiment)
        ids = "random" if how.get("gate") == "random" else "kept"

        def write(path: Path) -> None:
            numbers = set(json.loads((chosen.folder(self.out) / "chosen.json").read_text())[ids])
            worlds.write(
                path, self.pool(setting), "none" if how["pictures"] == "drawn" else how["pictures"], numbers
            )

        settings = {"task": setting, **how}
        if how["pictures"] != "drawn":
            return self.run(f"data {arm}", settings, {"given": "keep"}, write, after=(chosen,))
        generator = self.generator(experiment)
        gate = self.gate(experiment) if how["gate"] == "likelihood" else NO_GATE
        return self.run(
            f"data {arm}",
            settings | {"generator": generator},
            self.drawing(generator),
            write,
            gate=gate,
            after=(chosen,),
            seed=1 if ids == "random" else 0,
            reuse=() if ids == "random" else (self.gated_pool(experiment),),
        )

    def gated_pool(self, experiment: str) -> Stage:
        """All traces that there are to choose from, drawn and gated."""
        setting, generator = self.task(experiment), self.generator(experiment)
        return self.run(
            "pool",
            {"task": setting, "generator": generator},
            self.drawing(generator),
            lambda path: worlds.write(path, self.pool(setting), "none"),
            gate=self.gate(experiment),
        )

    def _chosen(self, experiment: str) -> Stage:
        """Which traces the arms have: of those that the gate kept, as many of each length as there are of the rarest.

        `random` names as many of each length from all traces, for the random gate.
        """
        setting, drawn = self.task(experiment), self.gated_pool(experiment)

        def make(folder: Path) -> None:
            pool = self.pool(setting)
            kept = {row["id"] for row in open_dataset(drawn.folder(self.out)).select_columns("id")}
            of_length, quota = worlds.by_length(pool, kept, setting["train"])
            random_ = random.Random("random gate")
            folder.mkdir(parents=True, exist_ok=True)
            facts = {
                "kept": [one for ids in of_length.values() for one in [i for i in ids if i in kept][:quota]],
                "random": [one for ids in of_length.values() for one in random_.sample(ids, quota)],
                "keep_rate": len(kept) / len(pool),
            }
            (folder / "chosen.json").write_text(json.dumps(facts))

        return self.stage("chosen", {"task": setting}, make, "chosen.json", drawn)

    def run(
        self,
        name: str,
        settings: dict,
        render: dict,
        write: Callable[[Path], None],
        *,
        gate: dict | None = None,
        after: tuple[Stage, ...] = (),
        reuse: tuple[Stage, ...] = (),
        seed: int = 0,
        drawer: Stage | None = None,
    ) -> Stage:
        """A `zero-engine run` on a task file that `write` makes; `drawer` is the training whose model draws.

        Where the file has no task, there is nothing to run: the manifest says nothing.
        """
        gate = gate or NO_GATE

        def make(folder: Path) -> None:
            tasks = beside(folder, ".jsonl")
            write(tasks)
            if not tasks.stat().st_size:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "manifest.json").write_text("{}")
                return
            document = {
                "name": "claims",
                "seed": seed,
                "input": {"path": str(tasks), "format": "generic"},
                "render": {
                    "model": self.document["model"]
                    if drawer is None
                    else str(drawer.folder(self.out) / "model"),
                    "device": self.device,
                    "dtype": "float32",
                    **render,
                },
                "score": {"names": ["likelihood"]},
                "gate": {**gate, "on_reject": "drop_trace"},
                "output": {"path": str(folder)},
                "dask": {"workers": 1 if self.device == "cpu" else 0},
            }
            there = [part for one in reuse for part in ("--reuse", str(one.folder(self.out)))]
            file = beside(folder, ".yaml")
            file.write_text(json.dumps(document))
            try:
                call(folder, ["run", str(file), "--no-report", *there])
            except RuntimeError:
                if not (folder / "manifest.json").exists():  # else all was drawn, and the gate kept nothing
                    raise

        settings = {**settings, "render": render, "gate": gate, "seed": seed}
        drawn_by = () if drawer is None else (drawer,)
        return self.stage(name, settings, make, "manifest.json", *after, *reuse, *drawn_by)

    def stage(
        self, name: str, settings: dict, make: Callable[[Path], None], mark: str, *after: Stage
    ) -> Stage:
        settings = {**settings, "model": model_fingerprint(self.document["model"])} if not after else settings
        stage = Stage(name, settings, make, mark, after)
        return self.stages.setdefault(stage.key, stage)

    def task(self, experiment: str) -> dict:
        return self.document["tasks"][self.document["experiments"][experiment]["task"]]

    def generator(self, experiment: str) -> dict:
        return self.document["generators"][self.document["experiments"][experiment]["generator"]]

    def gate(self, experiment: str) -> dict:
        return {
            "rank": {"likelihood": 1.0},
            "min": {"likelihood": self.generator(experiment)["least_likelihood"]},
            "max": {},
        }

    def drawing(self, generator: dict) -> dict:
        return {
            "context": "pictures",
            "template": _TEMPLATE,
            "candidates": 4,
            "temperature": generator["temperature"],
            "guidance": generator["guidance"],
        }

    def pool(self, setting: dict) -> list[worlds.Task]:
        return worlds.tasks(setting, "train", setting["train"] * 7 // 5)


def _record(folder: Path, task: worlds.Task, row: dict) -> dict[str, Any]:
    """What is kept of an answer: whether it is right, and how many of its pictures are."""
    shown: list[np.ndarray] = [decode_image((folder / name).read_bytes()) for name in row["pictures"]]
    right, wanted = worlds.right_pictures(task, shown)
    correct = same_answer(row["answer"], task.answer)
    return {"question": task.id, "right": correct, "pictures_right": right, "pictures": wanted}
