"""The data of a report as its script sees it, and the script itself, run without a browser."""

import base64
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from py_mini_racer import MiniRacer

from zero_engine.pipeline import Gate
from zero_engine.records import ParsedTrace, Rejection, Source, Step, Trace, Trajectory
from zero_engine.report.folder import open_folder, traces_of
from zero_engine.report.pages import asset
from zero_engine.score.gate import judge

WHOLE = ("steps", "index", "length", "drawings", "attempt", "wall", "page", "item")


def about(page: Path) -> dict[str, Any]:
    """What stands on the page itself."""
    found = re.search(r'<script type="application/json" id="about">(.*?)</script>', page.read_text(), re.S)
    assert found
    return json.loads(found[1])


def data_pages(page: Path, group: str) -> list[dict[str, Any]]:
    """The data pages of a group, in order."""
    told = about(page)
    files = sorted((page.parent / told["folder"]).glob(f"{told['edition']}-{group}-*.html"))
    found = [re.search(r'id="data">(.*?)</script>', file.read_text(), re.S) for file in files]
    return [json.loads(match[1]) for match in found if match]


def items(page: Path, group: str) -> list[dict[str, Any]]:
    return [item for data in data_pages(page, group) for item in data["items"]]


def wall(page: Path, key: str) -> list[dict[str, Any]]:
    """The drawings of a wall."""
    number = [one["key"] for one in about(page)["walls"]].index(key)
    return items(page, f"wall{number}")


def by_python(out: Path, gates: Sequence[Gate]) -> list[dict]:
    """What a run with each of these gates would count."""
    found: list[dict] = [
        {"rows": 0, "kept": 0, "rejected": Counter(), "reasons": Counter()} for _ in range(len(gates))
    ]
    for told in traces_of(open_folder(out)):
        if told.whole is not None and told.whole.stage != "gate":
            continue
        steps = tuple(Step(step.index, step.text) for step in told.steps)
        parsed = ParsedTrace(Trace(told.id, "", "", None, Source("", "", 0)), steps, None, "lines")
        drawings = [candidate for step in told.steps for candidate in step.drawings]
        for gate, counts in zip(gates, found, strict=True):
            outcome, refused = judge(parsed, drawings, gate)
            counts["reasons"].update(r.reason for r in refused if r.attempt is not None)
            if isinstance(outcome, Rejection):
                counts["rejected"][outcome.reason] += 1
            else:
                assert isinstance(outcome, Trajectory)
                counts["rows"] += 1
                counts["kept"] += sum(v.verdict == "kept" for v in outcome.verdicts)
    return [{**c, "rejected": dict(c["rejected"]), "reasons": dict(c["reasons"])} for c in found]


class Script:
    """`gate.js` over the columns of a report. Close it: an engine left open keeps Python from ending."""

    def __enter__(self) -> "Script":
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def __init__(self, page: Path) -> None:
        told = about(page)
        parts = items(page, "columns")

        def column(name: str, kind: str) -> list:
            raw = [part["scores"][name] if kind == "<f4" else part[name] for part in parts]
            values = np.concatenate([np.frombuffer(base64.b64decode(text), kind) for text in raw])
            return [None if value != value else value for value in values.tolist()]

        names = [score["name"] for score in told["scores"]]
        self._engine = MiniRacer()
        self._engine.eval(asset("gate.js"))
        data = {
            **{name: column(name, "<u4") for name in WHOLE},
            "scores": {name: column(name, "<f4") for name in names},
            "required": told["required"],
        }
        self._engine.eval(
            f"const told = {json.dumps(data)};"
            "const data = {...told, scores: {}};"
            "for (const [name, values] of Object.entries(told.scores))"
            "  data.scores[name] = Float32Array.from(values, (value) => (value === null ? NaN : value));"
        )

    def judge(self, gate: dict[str, Any]) -> dict[str, Any]:
        """Counts under a gate: traces, rows, rejected, kept, passing, reasons."""
        told = f"const {{chosen, passes, ...counts}} = judge(data, gateOf({json.dumps(gate)})); return counts"
        return self.run(told)

    def run(self, body: str) -> Any:
        return json.loads(self._engine.eval(f"JSON.stringify((() => {{ {body} }})())"))
