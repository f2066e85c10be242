"""Where the grid walks of a finished `make loop` go wrong: a move not copied, or a position that does not follow.

    python benchmarks/walks.py                      # after make loop

Prints, for each evaluation, the share of moves that differ from the question's, and the share of positions that do not
follow from the position and move before them as the answer itself states them.
"""

import argparse
import json
import re
from pathlib import Path

from zero_engine.world.grid import MOVES

ROOT = Path(__file__).resolve().parent.parent
STEP = re.compile(r"row (\d+), column (\d+)\. It moves (\d+) (\w+)")
PLACE = re.compile(r"row (\d+), column (\d+)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "loop")
    out = parser.parse_args().out
    tasks = map(json.loads, (out / "test.jsonl").read_text(encoding="utf-8").splitlines())
    questions = {task["id"]: task["question"] for task in tasks if task["task"] == "walk"}
    for predictions in sorted(out.glob("eval-*/predictions.jsonl")):
        answers = map(json.loads, predictions.read_text(encoding="utf-8").splitlines())
        counts = [count(questions[a["id"]], a["text"]) for a in answers if a["id"] in questions]
        moves, miscopied, places, astray = map(sum, zip(*counts, strict=True))
        shares = (
            f"{miscopied / moves:6.1%} of moves miscopied, {astray / max(1, places):6.1%} of positions astray"
        )
        print(f"{predictions.parent.name:<36} {shares}")


def count(question: str, answer: str) -> tuple[int, int, int, int]:
    """Moves asked for, those not copied; positions stated after a move, those that do not follow."""
    asked = re.findall(rf"(\d+) ({'|'.join(MOVES)})", question)
    steps = STEP.findall(answer)
    told = [(size, name) for _, _, size, name in steps]
    miscopied = sum(told[place : place + 1] != [move] for place, move in enumerate(asked))
    stated = [tuple(map(int, place)) for place in PLACE.findall(answer)]
    follows = [_after(step) for step in steps[: len(stated) - 1]]
    return len(asked), miscopied, len(follows), sum(a != b for a, b in zip(stated[1:], follows, strict=False))


def _after(step: tuple[str, str, str, str]) -> tuple[int, int] | None:
    row, column, size, name = step
    down, right = MOVES.get(name, (None, None))
    return None if down is None else (int(row) + down * int(size), int(column) + right * int(size))


if __name__ == "__main__":
    main()
