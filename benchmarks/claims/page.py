"""docs/claims.md, its figure, and the README's section on efficacy: all from claims.json, none by hand.

python benchmarks/claims/page.py
"""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "claims" / "claims.json"
CALIBRATION = ROOT / "benchmarks" / "results" / "calibration.json"
DOCS, FIGURE = ROOT / "docs" / "claims.md", ROOT / "docs" / "pictures" / "claims.svg"
_SECTION = re.compile(r"(<!-- claims: begin -->\n).*?(<!-- claims: end -->)", re.DOTALL)
_LEFT, _RIGHT, _ROW, _LEAST, _MOST = 300, 330, 26, -30.0, 60.0


def main() -> None:
    facts = json.loads(RESULTS.read_text(encoding="utf-8"))
    FIGURE.write_text(figure(facts), encoding="utf-8")
    DOCS.write_text(page(facts), encoding="utf-8")
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(
        _SECTION.sub(lambda found: found[1] + sentences(facts) + found[2], text), encoding="utf-8"
    )


def page(facts: dict[str, Any]) -> str:
    """The whole of docs/claims.md."""
    lines = [
        "# What is claimed, and what came out",
        "",
        "The arms, the seeds, the contrasts and what is predicted of each stand in `benchmarks/claims/claims.yaml` and",
        "were written before anything was run. `make claims` runs them. A difference is paired by seed and question;",
        "its interval is a two-way cluster bootstrap over both, its p an exact sign-flip test over seeds, adjusted by",
        "Holm within a family. What is predicted to be at most so much holds where its interval ends below that, give",
        "or take the margin; two arms are called equal where their difference is surely within it.",
        "Stated walks and predictions were trained and answered on an H100 (`--device cuda --jobs 15`), all else on",
        "CPUs; no contrast mixes the two.",
        "",
        "![Differences with their intervals](pictures/claims.svg)",
        "",
        "| claim | points | 95 % | Holm's p | predicted | came out |",
        "|---|---|---|---|---|---|",
    ]
    for name, said in facts["contrasts"].items():
        lines.append(
            f"| {name} | {_points(said)} | {_interval(said)} | {_p(said)} | {said['predicted']} | {said['verdict']} |"
        )
    lines += [
        "",
        "## Every arm",
        "",
        "| experiment | arm | steps | right, % | pictures right, % | right by seed |",
    ]
    lines.append("|---|---|---|---|---|---|")
    for cell in facts["cells"]:
        pictures = "" if cell["pictures_right"] is None else f"{cell['pictures_right']:.1f}"
        seeds = " ".join(f"{value:.1f}" for value in cell["by_seed"])
        row = (
            cell["experiment"],
            cell["arm"],
            str(cell["steps"]),
            f"{cell['accuracy']:.1f}",
            pictures,
            seeds,
        )
        lines.append(f"| {' | '.join(row)} |")
    lines += rounds(facts["rounds"]) if facts.get("rounds") else []
    if facts["swaps"]:
        lines += [
            "",
            "## A swapped picture inside an answer",
            "",
            "| walk | what follows | picture | text | neither |",
        ]
        lines.append("|---|---|---|---|---|")
    for name, seeds in facts["swaps"].items():
        for what in ("next_picture", "answer"):
            means = [
                100 * sum(seed[what][to] for seed in seeds) / len(seeds)
                for to in ("picture", "text", "neither")
            ]
            lines.append(f"| {name} | {what} | {' | '.join(f'{mean:.1f}' for mean in means)} |")
    if CALIBRATION.exists():
        lines += calibration(json.loads(CALIBRATION.read_text(encoding="utf-8")))
    return "\n".join(lines) + "\n"


def rounds(rates: list[dict[str, Any]]) -> list[str]:
    """A row for each model of the rounds: what it draws, what the gate keeps of that, what it answers."""
    lines = [
        "",
        "## Rounds of drawing and training",
        "",
        "Each row is a model: the bundled one (0), or an arm after so many rounds. Right, %: of the drawings that it",
        "makes, all candidates, by the oracle. Kept, %: of the traces, by the arm's gate. Repaired, %: right, of its",
        "drawings of the steps that the bundled model never drew right. Answers, %: right, of the held-out questions.",
        "",
        "| experiment | arm | rounds | steps each | right | kept | right in the kept | repaired | answers |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rates:
        figures = (row[name] for name in ("right", "kept", "kept_right", "repaired", "accuracy"))
        said = ("" if value is None else f"{value:.1f}" for value in figures)
        names = (row["experiment"], row["arm"], str(row["round"]), str(row["steps"]))
        lines.append(f"| {' | '.join((*names, *said))} |")
    return lines


def calibration(facts: dict[str, Any]) -> list[str]:
    """The gate against the truth, and the AUC of every score by kind."""

    def said(name: str) -> str:
        gate = facts["gates"][name]
        return f"{100 * gate['precision']:.1f} % right, of {100 * gate['keep_rate']:.1f} % of prompts"

    scores = list(facts["auc"]["all"])
    lines = [
        "",
        "## The gate against the truth",
        "",
        f"`{facts['command']}`: {facts['prompts']:,} held-out prompts, four drawings each, judged by the oracles.",
        f"What the shipped gate keeps is {said('with read-back')}; without read-back {said('without read-back')}.",
        f"{100 * facts['a right candidate']:.1f} % of the prompts have a right drawing among four, which the best",
        "possible gate would keep. The curves are over a rising bound on likelihood; the dots are the gates as they",
        "stand.",
        "",
        "![Precision over keep rate](pictures/calibration.svg)",
        "",
        "By kind, the chance that a right drawing has the higher value of a score (0.5 says nothing; empty where all",
        "are right):",
        "",
        f"| kind | {' | '.join(scores)} |",
        f"|---{'|---' * len(scores)}|",
    ]
    for kind, found in facts["auc"].items():
        values = ("" if found[name] is None else f"{found[name]:.2f}" for name in scores)
        lines.append(f"| {kind} | {' | '.join(values)} |")
    return lines


def sentences(facts: dict[str, Any]) -> str:
    """The figure, and a sentence for each claim that is marked as a headline."""
    said = [
        f"{name[0].upper()}{name[1:]}: {_words(found)}"
        for name, found in facts["contrasts"].items()
        if found.get("headline")
    ]
    return "\n".join(["![Differences with their intervals](docs/pictures/claims.svg)", "", *said]) + "\n"


def figure(facts: dict[str, Any]) -> str:
    """Every contrast as a dot with its interval, one row each, in points; SVG."""
    rows = list(facts["contrasts"].items())
    height = _ROW * (len(rows) + 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _RIGHT + 20} {height}" '
        'font-family="sans-serif" font-size="12" role="img" aria-label="Differences with their intervals">',
        f'<rect width="100%" height="100%" fill="#fff"/><path d="M{_x(0)} 8V{height - 2 * _ROW + 14}" stroke="#999"/>',
    ]
    for at, (name, said) in enumerate(rows):
        y = _ROW * (at + 1)
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        if "points" not in said:
            parts.append(f'<text x="{_x(0) + 6}" y="{y + 4}" fill="#999">not run yet</text>')
            continue
        color = "#1a7f4b" if said["verdict"] == "held" else "#b3541e"
        parts.append(
            f'<path d="M{_x(said["low"])} {y}H{_x(said["high"])}" stroke="{color}" stroke-width="2"/>'
            f'<circle cx="{_x(said["points"])}" cy="{y}" r="4" fill="{color}"/>'
        )
    foot = height - _ROW // 2
    for points in (-20, 0, 20, 40, 60):
        parts.append(f'<text x="{_x(points)}" y="{foot}" text-anchor="middle" fill="#555">{points}</text>')
    return "".join(parts) + "</svg>\n"


def _x(points: float) -> int:
    return round(_LEFT + (min(max(points, _LEAST), _MOST) - _LEAST) / (_MOST - _LEAST) * _RIGHT)


def _points(said: dict[str, Any]) -> str:
    return f"{said['points']:+.1f}" if "points" in said else ""


def _interval(said: dict[str, Any]) -> str:
    return f"{said['low']:+.1f} to {said['high']:+.1f}" if "low" in said else ""


def _p(said: dict[str, Any]) -> str:
    return f"{said['holm']:.3f}" if "holm" in said else ""


def _words(said: dict[str, Any]) -> str:
    if "points" not in said:
        return f"not run yet; predicted is {said['predicted']}."
    return (
        f"{_points(said)} points (95 % {_interval(said)}, Holm's p {_p(said)}); predicted was {said['predicted']}: "
        f"{said['verdict']}."
    )


if __name__ == "__main__":
    main()
