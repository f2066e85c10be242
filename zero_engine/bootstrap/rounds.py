"""The loop of rounds: draw, gate, judge, train; then draw with what was trained.

    OUT/rounds/01/data           what the first model drew: a dataset as `run` writes it
        rounds/01/train-3f2a91bc PeSFT on it; named by what goes in: settings, model, data
        rounds/02/data           what that training's model drew, and so on; the last round has data alone
        rounds.json              the table of rounds

Contract: a stage is a function of what goes into it. A run finds its drawings by their identity, a training its folder
by its name, so the same command goes on after a kill at any instant, ends with the same bytes, and does nothing twice;
a round whose settings changed is made again, and those after it, which stand on its model. A training under other
settings lies beside the old one and is found again when they come back.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zero_engine.bootstrap.config import Bootstrap
from zero_engine.bootstrap.oracle import judge_dataset
from zero_engine.errors import InputError
from zero_engine.hashing import digest, digest_json
from zero_engine.models import model_fingerprint
from zero_engine.pipeline import Pipeline
from zero_engine.progress import Progress
from zero_engine.run import run_pipeline
from zero_engine.statistics import wilson
from zero_engine.train.config import Sft
from zero_engine.write.atomic import atomic_write, make_folder
from zero_engine.write.dataset import open_rows
from zero_engine.write.manifest import read_manifest

Facts = dict[str, Any]


def bootstrap(
    config: Bootstrap,
    say: Callable[[str], None] = print,
    progress: Progress | None = None,
) -> Facts:
    """Make or resume all rounds; returns what is in `rounds.json`.

    Raises what a run and a training raise: Interrupted when told to stop, InputError where a round has no row to
    train on, OutputError where a given folder is no finished dataset.
    """
    for given in config.mix.given:  # a wrong path is told before anything is drawn
        open_rows(given.path, ["id"])
    model, rounds, worse = config.model, list[Facts](), None
    for number in range(1, config.rounds + 2):
        last = number > config.rounds
        say(f"round {number}{', the result' if last else f' of {config.rounds}'}: {model} draws")
        facts = draw(config, number, model, progress)
        if rounds and fell(rounds[-1], facts) > config.worse_by:
            facts["worse"], worse = True, f"round {number} is worse: {_how(rounds[-1], facts)}"
            say(worse)
        rounds.append(facts)
        if facts["worse"] and config.stop_when_worse:
            model = rounds[-2]["model"]
            say(f"stopped; the model before is {model}")
            break
        if not last:
            facts["training"] = train(config, number, model, say)
            model = facts["training"]["model"]
    stopped = bool(rounds[-1]["worse"] and config.stop_when_worse)
    found = {"name": config.name, "rounds": rounds, "stopped": stopped, "worse": worse, "model": model}
    with atomic_write(Path(config.output) / "rounds.json", "w") as file:
        file.write(json.dumps(found, indent=2) + "\n")
    return found


def draw(config: Bootstrap, number: int, model: str, progress: Progress | None = None) -> Facts:
    """A round's data, drawn and gated, and their rates."""
    pipeline = config.pipeline(number, model)
    make_folder(config.folder(number))
    counts = run_pipeline(pipeline, progress=progress).counts
    facts = {
        "round": number,
        "model": model,
        "data": pipeline.output.path,
        **{key: counts[key] for key in ("traces", "rows", "steps", "steps_drawn", "pictures")},
        "pictures_kept": counts["pictures_kept"],
        "keep_rate": counts["pictures_kept"] / max(1, counts["steps_drawn"]),
        **_rights(judged(pipeline, config.folder(number) / "judged.json")),
        "worse": False,
        "training": None,
    }
    return facts


def judged(pipeline: Pipeline, cache: Path) -> dict[str, int] | None:
    """What the oracle says of a round's drawings; kept in a file, under the content that it judged."""
    out = Path(pipeline.output.path)
    files = [file.sha256 for shard in read_manifest(out).shards for file in shard.files()]
    content = digest(digest_json(pipeline.stage_parameters()["parse"]), *files)
    if cache.exists() and (known := json.loads(cache.read_text(encoding="utf-8")))["of"] == content:
        return known["counts"]
    rows = open_rows(out, ["id", "steps"])
    kept = set()
    for position in range(len(rows)):
        batch, at = rows.at(position)
        steps = batch.column("steps")[at].values
        for step, attempt in zip(
            steps.field("index").to_pylist(), steps.field("attempt").to_pylist(), strict=True
        ):
            if attempt is not None:
                kept.add((batch.column("id")[at].as_py(), step, attempt))
    counts = judge_dataset(pipeline, kept)
    with atomic_write(cache, "w") as file:
        file.write(json.dumps({"of": content, "counts": counts}) + "\n")
    return counts


def train(config: Bootstrap, number: int, model: str, say: Callable[[str], None]) -> Facts:
    """A round's training, in a folder that is named by what goes in."""
    from zero_engine.train.data import training_rows
    from zero_engine.train.sft import train_sft

    settings = config.training(number, model, str(config.folder(number)))
    if not len(open_rows(config.data(number), ["id"])):
        raise InputError(
            f"{config.data(number)}: no row to train on: the gate kept nothing. See its report, and `gate`."
        )
    rows = training_rows(settings.data)
    folder = config.folder(number) / f"train-{training_key(settings, rows.fingerprint)}"
    if not (folder / "result.json").exists():
        say(f"round {number} of {config.rounds}: PeSFT in {folder}")
        train_sft(settings.model_copy(update={"output": str(folder)}), say)
    shutil.rmtree(folder / "states", ignore_errors=True)  # a finished training is not resumed
    last = json.loads((folder / "result.json").read_text(encoding="utf-8"))["last"]
    figures = {key: value for key, value in last.items() if not key.endswith("_s")}
    mixed = [{"path": part.path, "weight": part.weight} for part in settings.data.parts]
    return {
        "folder": str(folder),
        "model": str(folder / "model"),
        "steps": settings.steps,
        "data": mixed,
        "last": figures,
    }


def training_key(settings: Sft, rows: str) -> str:
    """8 hex digits over all that shapes a training: its keys, the model's bytes, the rows' content."""
    from zero_engine.train.loop import OPERATIONAL

    said = {k: v for k, v in settings.model_dump(mode="json").items() if k not in OPERATIONAL | {"model"}}
    said["data"] = {k: v for k, v in said["data"].items() if k not in ("path", "sources")}
    parts = [{**part.model_dump(), "path": None} for part in settings.data.parts]
    return digest_json([said, parts, model_fingerprint(settings.model), rows])[:8]


def rate(facts: Facts) -> float:
    """What rounds are compared by: the share of right drawings where it is known, else of steps with a kept one."""
    return facts["keep_rate"] if facts["right_rate"] is None else facts["right_rate"]


def fell(before: Facts, now: Facts) -> float:
    """How far the rate fell; of the keep rate where either round has no oracle."""
    if before["right_rate"] is None or now["right_rate"] is None:
        return before["keep_rate"] - now["keep_rate"]
    return rate(before) - rate(now)


def _how(before: Facts, now: Facts) -> str:
    known = before["right_rate"] is not None and now["right_rate"] is not None
    key, what = ("right_rate", "drawings are right") if known else ("keep_rate", "steps keep a drawing")
    return (
        f"{100 * now[key]:.1f} % of its {what}, after {100 * before[key]:.1f} % in round {before['round']}."
    )


def _rights(counts: dict[str, int] | None) -> Facts:
    """Shares of right drawings; the interval is Wilson's at 95 %. Null without an oracle."""
    names = ("judged", "right_rate", "right_low", "right_high", "kept_right_rate")
    if not counts or not counts["judged"]:
        return dict.fromkeys(names)
    low, high = wilson(counts["right"], counts["judged"])
    kept = counts["kept_right"] / counts["kept_judged"] if counts["kept_judged"] else None
    return dict(
        zip(names, (counts["judged"], counts["right"] / counts["judged"], low, high, kept), strict=True)
    )
