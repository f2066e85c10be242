"""The bundled model's gate against the truth: what it keeps, and how much of that is right, by the oracles.

    python benchmarks/calibration.py                # 100 held-out prompts of each kind, 4 candidates
    python benchmarks/claims/page.py                # its section in docs/claims.md

Three curves over a rising bound on likelihood: the shipped gate; the same without read-back, in rank and bounds;
and the best possible, which knows the truth: at each keep rate it keeps right drawings as long as there are any.
Writes benchmarks/results/calibration.json (with the AUC of every score by kind) and docs/pictures/calibration.svg.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from zero_engine.models import get_model
from zero_engine.nano import GATE
from zero_engine.nano.calibrate import gate_curve
from zero_engine.nano.evaluate import Drawing, Judged, aucs, gated, judge_kinds
from zero_engine.pipeline import Gate

ROOT = Path(__file__).resolve().parent.parent
RESULTS, FIGURE = ROOT / "benchmarks/results/calibration.json", ROOT / "docs/pictures/calibration.svg"
LEFT, TOP, WIDTH, HEIGHT, LEAST = 60, 20, 480, 260, 0.6
COLOURS = {"best possible": "#777", "with read-back": "#1a7f4b", "without read-back": "#b3541e"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=100, help="held-out prompts of each kind")
    asked = parser.parse_args()
    table = judge_kinds(get_model("nano", device="cpu"), asked.prompts, Drawing(seed=3), report=print)
    bare = GATE.model_copy(update={"rank": without(GATE.rank), "min": without(GATE.min)})
    facts = {
        "command": f"python benchmarks/calibration.py --prompts {asked.prompts}",
        "prompts": sum(len(judged.texts) for judged in table.values()),
        "a right candidate": round(
            float(np.mean(np.concatenate([judged.right.any(1) for judged in table.values()]))), 4
        ),
        "gates": {"with read-back": point(table, GATE), "without read-back": point(table, bare)},
        "curves": {"with read-back": gate_curve(table, GATE), "without read-back": gate_curve(table, bare)},
        "auc": {"all": rounded(aucs(table)["auc"])}
        | {kind: rounded(aucs({kind: judged})["auc"]) for kind, judged in table.items()},
    }
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    FIGURE.write_text(figure(facts), encoding="utf-8")
    print(json.dumps({name: facts[name] for name in ("prompts", "a right candidate", "gates")}))


def without(names: dict[str, float]) -> dict[str, float]:
    """A gate's weights or bounds without read-back."""
    return {name: value for name, value in names.items() if name != "readback"}


def point(table: dict[str, Judged], gate: Gate) -> dict[str, float]:
    """Keep rate and precision of a gate as it stands."""
    return {name: round(value, 4) for name, value in gated(table, gate).items() if name != "prompts"}


def rounded(found: dict[str, float | None]) -> dict[str, float | None]:
    """Areas under curves with three digits; None where a kind has right or wrong drawings only."""
    return {name: None if value is None else round(value, 3) for name, value in found.items()}


def figure(facts: dict[str, Any]) -> str:
    """Precision over keep rate: the three curves, and the shipped gates as dots; SVG."""
    ceiling = facts["a right candidate"]
    lines = {
        "best possible": [(0, 1), (ceiling, 1), (1, ceiling)],
        **{
            name: [(at["keep_rate"], at["precision"]) for at in curve]
            for name, curve in facts["curves"].items()
        },
    }
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {TOP + HEIGHT + 60}" '
        'font-family="sans-serif" font-size="12" role="img" aria-label="Precision over keep rate of the gates">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<path d="M{LEFT} {TOP}V{TOP + HEIGHT}H{LEFT + WIDTH}" stroke="#999" fill="none"/>',
    ]
    for tick in np.linspace(0, 1, 6):
        parts.append(f'<text x="{x(tick)}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{tick:.1f}</text>')
    for tick in np.linspace(LEAST, 1, 5):
        parts.append(f'<text x="{LEFT - 8}" y="{y(tick) + 4}" text-anchor="end">{tick:.1f}</text>')
    parts.append(
        f'<text x="{x(0.5)}" y="{TOP + HEIGHT + 38}" text-anchor="middle">prompts with a kept drawing</text>'
    )
    parts.append(f'<text x="12" y="{TOP - 6}">kept drawings that are right</text>')
    for row, (name, points) in enumerate(lines.items()):
        path = " ".join(f"{x(keep)},{y(right)}" for keep, right in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
        if name in facts["gates"]:
            gate = facts["gates"][name]
            parts.append(
                f'<circle cx="{x(gate["keep_rate"])}" cy="{y(gate["precision"])}" r="4" fill="{COLOURS[name]}"/>'
            )
        at = TOP + HEIGHT - 54 + 18 * row
        parts.append(f'<text x="{LEFT + 14}" y="{at}" fill="{COLOURS[name]}">{name}</text>')
    return "".join(parts) + "</svg>\n"


def x(keep: float) -> int:
    return round(LEFT + WIDTH * keep)


def y(right: float) -> int:
    return round(TOP + HEIGHT * (1 - (max(right, LEAST) - LEAST) / (1 - LEAST)))


if __name__ == "__main__":
    main()
