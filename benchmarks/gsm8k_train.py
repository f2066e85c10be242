"""How many steps of real solutions the bundled model draws: 150 lines of GSM8K's train split, which no recipe ever saw.

    python benchmarks/gsm8k_train.py train.jsonl    # openai/grade-school-math, grade_school_math/data/train.jsonl

Counts the steps that hold an equation of numbers (an equation with a letter or a time of day in it cannot be drawn) and
those of them that have a kept drawing, and lays 60 kept drawings beside their steps, drawn by seed, to be looked at one
by one. Writes benchmarks/results/gsm8k_train.json and docs/pictures/gsm8k_train.png.
"""

import argparse
import json
import random
import re
import tempfile
import textwrap
from pathlib import Path

from datasets import load_from_disk
from PIL import Image, ImageDraw, ImageFont

from zero_engine.parse import parse_trace
from zero_engine.pipeline import load_pipeline
from zero_engine.read import iter_chunks, read_chunk
from zero_engine.records import ParsedTrace, Trace
from zero_engine.run import run_pipeline

ROOT = Path(__file__).resolve().parent.parent
SEED, LINES, SHOWN = 16, 150, 60
EQUATION = re.compile(r"\d[^=]*=\s*\$?\.?\d")
UNDRAWABLE = re.compile(r"\d:\d\d|\b\d*[b-zA-HJ-Z]\b\s*[-+*=]|[-+*=]\s*\d*[b-zA-HJ-Z]\b|\d&\d")
WIDTH, HEIGHT, COLUMNS = 250, 205, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    lines = parser.parse_args().train.read_text(encoding="utf-8").splitlines()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "lines.jsonl"
        corpus.write_text("\n".join(random.Random(SEED).sample(lines, LINES)) + "\n", encoding="utf-8")
        settings = {"input.path": str(corpus), "output.path": str(Path(folder) / "out"), "dask.workers": 0}
        pipeline = load_pipeline(
            ROOT / "pipelines/gsm8k_nano.yaml", [f"{k}={v}" for k, v in settings.items()]
        )
        rows = load_from_disk(Path(run_pipeline(pipeline).out) / "data")
        kept = [
            (row["id"], number, step["text"], step["image"])
            for row in rows
            for number, step in enumerate(row["steps"])
            if step["image"] is not None
        ]
        equations = [
            (trace.trace.id, step.text) for trace in _parsed(pipeline) for step in trace.steps
            if EQUATION.search(step.text) and not UNDRAWABLE.search(step.text)
        ]  # fmt: skip
        drawn = {(row_id, text) for row_id, _, text, _ in kept}
        shown = random.Random(SEED).sample(kept, SHOWN)
        facts = {
            "command": "python benchmarks/gsm8k_train.py train.jsonl",
            "lines": LINES,
            "rows": len(rows),
            "kept drawings": len(kept),
            "steps with an equation of numbers": len(equations),
            "of them with a kept drawing": sum(step in drawn for step in equations),
            "without": [text for row_id, text in equations if (row_id, text) not in drawn],
            "shown": [text for _, _, text, _ in shown],
        }
        _sheet(shown).save(ROOT / "docs/pictures/gsm8k_train.png", optimize=True)
    result = ROOT / "benchmarks/results/gsm8k_train.json"
    result.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps({name: value for name, value in facts.items() if isinstance(value, int)}))


def _parsed(pipeline):
    for chunk in iter_chunks(pipeline.input, pipeline.output.rows_per_shard):
        for trace in read_chunk(chunk, pipeline.input):
            found = parse_trace(trace, pipeline.parse) if isinstance(trace, Trace) else None
            if isinstance(found, ParsedTrace):
                yield found


def _sheet(shown: list) -> Image.Image:
    """Drawings, twice as large, with the ends of their steps under them."""
    sheet = Image.new("RGB", (COLUMNS * WIDTH, -(-len(shown) // COLUMNS) * HEIGHT), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, (_, _, text, picture) in enumerate(shown):
        left, top = number % COLUMNS * WIDTH + 6, number // COLUMNS * HEIGHT + 6
        sheet.paste(picture.convert("RGB").resize((128, 128), Image.Resampling.NEAREST), (left, top))
        pen.rectangle((left - 1, top - 1, left + 128, top + 128), outline="lightgrey")
        pen.text((left + 134, top), str(number + 1), fill="grey", font=font)
        pen.text((left, top + 132), "\n".join(textwrap.wrap(text, 40)[-4:]), fill="black", font=font)
    return sheet.quantize(255, Image.Quantize.FASTOCTREE)


if __name__ == "__main__":
    main()
