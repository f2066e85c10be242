"""What a generator draws, by the oracle: to choose its settings before any arm of claims.yaml is run.

    python benchmarks/claims/generators.py --task short --traces 100 --temperature 0.5 --guidance 3 4

Draws the first traces of a task's pool as the arms have them, four candidates a step, and goes on from the likeliest.
Says how many of the first candidates are right, and of the likeliest; how often all four are wrong where the first one
is (systematic errors: always; independent ones: rarely); and for each bound on likelihood, how many traces a gate
would keep whole and how many of their drawings are right.
"""

from __future__ import annotations

import argparse
import shutil
from collections import defaultdict
from itertools import product
from pathlib import Path

import numpy as np
import yaml
from arms import Plan

from zero_engine import world
from zero_engine.images import decode_image
from zero_engine.write.dataset import open_dataset

HERE = Path(__file__).resolve().parent
BOUNDS = (-0.05, -0.1, -0.2, -0.3, -0.5, -0.75, -1.0, -1.5, -2.0, -3.0)
KEEP_ALL = -1000.0
"""A bound on likelihood that every drawing passes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", default="short", help="a task of claims.yaml")
    parser.add_argument("--traces", type=int, default=100)
    parser.add_argument("--temperature", type=float, nargs="+", default=[1.0])
    parser.add_argument("--guidance", type=float, nargs="+", default=[1.5])
    parser.add_argument("--out", type=Path, default=HERE.parent.parent / "out" / "generators")
    asked = parser.parse_args()
    for temperature, guidance in product(asked.temperature, asked.guidance):
        drawn, right = draw(asked.task, asked.traces, temperature, guidance, asked.out)
        print(f"temperature {temperature:g}, guidance {guidance:g}: {said(drawn, right)}", flush=True)


def draw(
    task: str, traces: int, temperature: float, guidance: float, out: Path
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """By trace: the likelihoods of its drawings, and whether they are right; (steps, candidates) each."""
    document = yaml.safe_load((HERE / "claims.yaml").read_text(encoding="utf-8"))
    document["tasks"][task]["train"] = -(-traces * 5 // 7)
    settings = {"temperature": temperature, "guidance": guidance, "least_likelihood": KEEP_ALL}
    document["generators"] = {"pilot": settings}
    document["experiments"] = {"pilot": {"task": task, "generator": "pilot"}}
    plan = Plan(document, out)
    stage = plan.gated_pool("pilot")
    folder = stage.folder(out)
    if not stage.done(out):
        shutil.rmtree(folder, ignore_errors=True)
        stage.make(folder)
    specs = {one.id: [each for each in one.drawn if each] for one in plan.pool(document["tasks"][task])}
    found: dict[str, dict[int, list[tuple[float, bool]]]] = defaultdict(lambda: defaultdict(list))
    rows = open_dataset(folder, "candidates").with_format("arrow")
    for batch in rows.iter(256):
        for row in batch.select(["trace_id", "step", "image", "likelihood"]).to_pylist():
            kind, spec = specs[row["trace_id"]][row["step"]]
            judged = world.judge(kind, spec, decode_image(row["image"]["bytes"]))
            found[row["trace_id"]][row["step"]].append((row["likelihood"], bool(judged)))
    table = {name: np.array([steps[at] for at in sorted(steps)]) for name, steps in found.items()}
    likelihood = {name: each[..., 0] for name, each in table.items()}
    return likelihood, {name: each[..., 1] > 0 for name, each in table.items()}


def said(likelihood: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> str:
    """The figures of a generator, as text."""
    steps = np.concatenate(list(right.values()))
    best = {name: each.argmax(1)[:, None] for name, each in likelihood.items()}
    kept = {name: np.take_along_axis(right[name], best[name], 1)[:, 0] for name in best}
    least = {name: np.take_along_axis(likelihood[name], best[name], 1).min() for name in best}
    wrong = steps[~steps[:, 0]]
    spread = np.quantile(np.concatenate(list(likelihood.values())), [0.1, 0.5, 0.9])
    lines = [
        f"{len(steps)} steps of {len(right)} traces; right: first {steps[:, 0].mean():.1%}, "
        f"likeliest {np.concatenate(list(kept.values())).mean():.1%}; "
        f"all four wrong where the first is: {(~wrong).all(1).mean():.1%}; "
        f"likelihood, 10, 50 and 90 %: {', '.join(f'{value:.2f}' for value in spread)}"
    ]
    for bound in BOUNDS:
        names = [name for name in least if least[name] >= bound]
        if names:
            firsts = np.concatenate([right[name][:, 0] for name in names]).mean()
            likeliest = np.concatenate([kept[name] for name in names]).mean()
            lines.append(
                f"    at least {bound:g}: keeps {len(names) / len(right):.0%} of traces; in them right: "
                f"first {firsts:.1%}, likeliest {likeliest:.1%}"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
