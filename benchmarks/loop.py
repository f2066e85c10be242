"""The whole loop: tasks -> run -> train sft -> train rl -> eval, and what each adds to accuracy on held-out tasks.

    make loop                                       # or: python benchmarks/loop.py --out out/loop
    python benchmarks/loop.py --out out/try --tasks 32 --questions 8 --seeds 1 --sft-steps 4 --rl-steps 1

Every stage is a `zero-engine` command on a file that is written beside its results, so each can be run by hand. A
stage's folder is named by what goes into it (settings, model, data, stages before): what is done is not done again,
what was stopped goes on, and a changed setting redoes the stage and what follows. Independent stages run side by side,
one thread each.

Ends with `results.json`: for the base model, training on text only, on interleaved data, and by reward, the accuracy
(mean over seeds) with a 95 % interval for the number of questions; the same by task; and, unless told otherwise,
without L_Pe and without the gate. `minutes` are those of this call. No test question is a training question.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from zero_engine.hashing import digest_file, digest_json
from zero_engine.models import model_fingerprint
from zero_engine.nano import GATE
from zero_engine.nano.recipe.language import has_bfloat16
from zero_engine.statistics import wilson
from zero_engine.world.tasks import make_tasks

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("base", "text_sft", "interleaved_sft", "rl", "without_perception", "without_gate")
MODES = {"text_sft": "text-only"}
PRECISION = "bfloat16" if has_bfloat16() else "float32"
NO_GATE = {"rank": {}, "min": {}, "max": {}}
"""The first drawing of a step, whatever it shows."""


def main() -> None:
    options = _arguments()
    began = time.perf_counter()
    results = run_loop(options)
    results["minutes"] = round((time.perf_counter() - began) / 60, 1)
    (options.out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    for task, found in {"all": results, **results["by_task"]}.items():
        for name in (name for name in NAMES if name in found):
            rate, low, high = (100 * found[name][key] for key in ("accuracy", "low", "high"))
            print(f"{task:<10} {name:<20} {rate:5.1f} %  ({low:.1f} to {high:.1f})")
    print(f"{results['minutes']} minutes; {options.out / 'results.json'}")


def run_loop(options: argparse.Namespace) -> dict[str, Any]:
    """All stages; the content of `results.json`."""
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    train_tasks, test_tasks = write_tasks(out, options)
    gated = draw(out, train_tasks, GATE.model_dump(mode="json"), options)
    datasets = {"interleaved_sft": gated, "text_sft": gated}
    if options.ablations:
        ungated = draw(out, train_tasks, NO_GATE, options, gated)
        datasets |= {"without_perception": gated, "without_gate": ungated}

    def lineage(name: str, seed: int) -> list[tuple[str, Path]]:
        """A training, what is trained on from there, and the answers of each."""
        model = train_sft(out, name, seed, datasets[name], options)
        found = [(name, evaluate(out, model, name, test_tasks, options))]
        if name == "interleaved_sft":
            model = train_rl(out, seed, gated, model, options)
            found.append(("rl", evaluate(out, model, "rl", test_tasks, options)))
        return found

    with ThreadPoolExecutor(options.jobs) as pool:
        base = pool.submit(evaluate, out, options.model, "base", test_tasks, options)
        jobs = [pool.submit(lineage, name, seed) for name in datasets for seed in range(options.seeds)]
        found = [("base", base.result()), *(pair for job in jobs for pair in job.result())]
    return collect(found, options)


def write_tasks(out: Path, options: argparse.Namespace) -> tuple[Path, Path]:
    """Task files; a test question that is also a training question is left out."""
    train = list(make_tasks(options.tasks, "train"))
    known = {task["question"] for task in train}
    test = [task for task in make_tasks(2 * options.questions, "test") if task["question"] not in known]
    paths = out / "train.jsonl", out / "test.jsonl"
    for path, tasks in zip(paths, (train, test[: options.questions]), strict=True):
        rows = [{**task, "task": task["id"].partition("-")[0]} for task in tasks]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return paths


def draw(out: Path, tasks: Path, gate: dict, options: argparse.Namespace, like: Path | None = None) -> Path:
    """The dataset of the training tasks. With `like`, its drawings are gated anew and none is made."""
    document = {
        "name": "loop",
        "input": {"path": str(tasks), "format": "generic"},
        "parse": {"rule": "lines"},
        "render": {"model": options.model, "candidates": options.candidates},
        "gate": gate,
        "dask": {"workers": options.workers},
    }
    folder = _stage(out, "data", document, digest_file(tasks), model_fingerprint(options.model))
    if like is not None and not folder.exists():
        shutil.copytree(like, folder)
    _command(folder, document | {"output": {"path": str(folder)}}, "run", "--no-report")
    return folder


def train_sft(out: Path, name: str, seed: int, data: Path, options: argparse.Namespace) -> Path:
    """A PeSFT training; returns its model."""
    document = {
        "seed": seed,
        "model": options.model,
        "data": {
            "path": str(data),
            "template": "bare",
            "pictures": name != "text_sft",
            "max_length": 1024,
            "validation_rows": min(64, options.tasks // 8),
        },
        "loss": {"perception": 0.0 if name in ("text_sft", "without_perception") else 0.1},
        "optimiser": {"learning_rate": 2e-3, "schedule": "cosine", "warmup": 20},
        "steps": options.sft_steps,
        "batch_size": 8,
        "micro_batch": 8,
        "precision": PRECISION,
        "device": "cpu",
    }
    folder = _stage(out, f"train-{name}-{seed}", document, digest_file(data / "manifest.json"))
    _command(folder, document | {"output": str(folder)}, "train", "sft")
    return folder / "model"


def train_rl(out: Path, seed: int, data: Path, model: Path, options: argparse.Namespace) -> Path:
    """A PeRPO training from a model; returns its model."""
    document = {
        "seed": seed,
        "model": str(model),
        "data": {"path": str(data), "template": "bare", "max_length": 1024},
        "optimiser": {"learning_rate": 3e-4, "schedule": "cosine", "warmup": 10},
        "steps": options.rl_steps,
        "prompts": 32,
        "group": 8,
        "rounds": 1,
        "sample_batch": 256,
        "max_new_tokens": options.max_new_tokens,
        "micro_batch": 8,
        "precision": PRECISION,
        "save_every": 10,
        "device": "cpu",
    }
    folder = _stage(out, f"train-rl-{seed}", document, digest_file(data / "manifest.json"))
    _command(folder, document | {"output": str(folder)}, "train", "rl")
    return folder / "model"


def evaluate(out: Path, model: str | Path, name: str, questions: Path, options: argparse.Namespace) -> Path:
    """Answers to the test questions; returns the summary's path."""
    settings = {
        "template": "bare",
        "mode": MODES.get(name, "interleaved-text-image"),
        "max_new_tokens": options.max_new_tokens,
    }
    folder = _stage(out, f"eval-{name}", settings, digest_file(questions), model_fingerprint(str(model)))
    said = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    _run(folder, ["eval", str(model), str(questions), "--output", str(folder), *said, "--set", "device=cpu"])
    return folder / "summary.json"


def collect(found: list[tuple[str, Path]], options: argparse.Namespace) -> dict[str, Any]:
    """Mean accuracies over seeds, with intervals for the number of questions."""
    summaries: dict[str, list[dict]] = {}
    for name, path in found:
        summaries.setdefault(name, []).append(json.loads(path.read_text()))
    results: dict[str, Any] = {"tasks": options.tasks, "questions": options.questions, "seeds": options.seeds}
    results |= {name: _mean(rows) for name, rows in summaries.items()}
    tasks = sorted({task for rows in summaries.values() for row in rows for task in row["by_task"]})
    results["by_task"] = {
        task: {name: _mean([row["by_task"][task] for row in rows]) for name, rows in summaries.items()}
        for task in tasks
    }
    return results


def _mean(rows: list[dict]) -> dict[str, Any]:
    asked = rows[0]["questions"]
    rate = sum(row["accuracy"] for row in rows) / len(rows)
    low, high = wilson(rate * asked, asked)
    return {
        "accuracy": rate,
        "low": low,
        "high": high,
        "seeds": [row["accuracy"] for row in rows],
        "format": sum(row["format"] for row in rows) / len(rows),
        "pictures": sum(row["pictures"] for row in rows) / len(rows),
    }


def _stage(out: Path, name: str, settings: dict, *inputs: str) -> Path:
    """A stage's folder, named by what goes into it. Paths in settings lie under stages' names, which say it too."""
    return out / f"{name}-{digest_json([settings, *inputs])[:8]}"


def _command(folder: Path, document: dict, *words: str) -> None:
    """Run a command on its file, which is written beside the folder."""
    file = folder.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    options = [word for word in words if word.startswith("--")]
    _run(folder, [*(word for word in words if not word.startswith("--")), str(file), *options])


def _run(folder: Path, arguments: list[str]) -> None:
    began = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    with open(folder.with_suffix(".log"), "a", encoding="utf-8") as log:
        command = [sys.executable, "-c", "from zero_engine.cli import main; main()", *arguments]
        done = subprocess.run(command, env=environment, stdout=log, stderr=log)
    print(f"{folder.name:<32} {time.perf_counter() - began:7.1f} s", flush=True)
    if done.returncode:
        lines = folder.with_suffix(".log").read_text(encoding="utf-8").splitlines()
        sys.exit(f"{folder.name}: {lines[-1] if lines else 'failed'} (all in {folder.with_suffix('.log')})")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "loop")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--tasks", type=int, default=2000, help="training traces")
    parser.add_argument("--questions", type=int, default=400, help="held-out questions")
    parser.add_argument("--candidates", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sft-steps", type=int, default=400)
    parser.add_argument("--rl-steps", type=int, default=160)
    parser.add_argument("--max-new-tokens", type=int, default=480)
    parser.add_argument("--jobs", type=int, default=2, help="stages at a time, one thread each")
    parser.add_argument("--workers", type=int, default=2, help="processes that draw")
    parser.add_argument("--no-ablations", dest="ablations", action="store_false")
    return parser.parse_args()


if __name__ == "__main__":
    main()
