"""The card of a real run: whoever has only the card loads rows and turns codes into a picture."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zero_engine import load_pipeline, open_dataset, run_pipeline
from zero_engine.write.card_body import _example, named, public
from zero_engine.write.export import export_dataset
from zero_engine.write.export.rows import Row
from zero_engine.write.manifest import read_manifest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("card") / "out"
    said = [f"output.path={out}", f"input.path={ROOT / 'examples/data/gsm8k.jsonl'}", "input.limit=2"]
    run_pipeline(
        load_pipeline(ROOT / "pipelines/gsm8k_nano.yaml", [*said, "dask.workers=0", "render.candidates=2"])
    )
    return out


def test_the_snippets_of_the_card_run_and_decode_codes_to_the_picture(demo, tmp_path):
    for place, folder in enumerate((demo, _parquet(demo, tmp_path))):
        card = (folder / "README.md").read_text()
        blocks = re.findall(r"^```python\n(.*?)^```", card, re.MULTILINE | re.DOTALL)
        assert len(blocks) == 2
        code = (
            "\n".join(blocks).replace("THIS_FOLDER", str(folder))
            + f"\npicture.save({str(tmp_path / 'x.png')!r})"
        )
        environment = {
            "PYTHONPATH": str(ROOT),
            "HF_HOME": str(tmp_path / f"hf{place}"),
            "PATH": "/usr/bin:/bin",
        }
        run = {"env": environment, "capture_output": True, "text": True, "timeout": 240}
        done = subprocess.run([sys.executable, "-c", code], **run)
        assert done.returncode == 0, done.stderr
        first = next(s["image"] for row in open_dataset(demo) for s in row["steps"] if s["codes"])
        assert np.array_equal(np.asarray(Image.open(tmp_path / "x.png")), np.asarray(first.convert("RGB")))


def _parquet(demo: Path, tmp_path: Path) -> Path:
    export_dataset(demo, "parquet", tmp_path / "parquet")
    return tmp_path / "parquet"


def test_the_card_shows_a_row_a_strip_the_gate_and_counts_that_add_up(demo):
    card, counts = (demo / "README.md").read_text(), read_manifest(demo).counts
    row = json.loads(re.search(r"^```json\n(.*?)^```", card, re.MULTILINE | re.DOTALL)[1])
    assert row["question"] == next(iter(open_dataset(demo)))["question"] and row["steps"][0]["codes"]
    assert "![Drawings of the first rows](strip.png)" in card and Image.open(demo / "strip.png").height == 128
    assert f"{counts['traces']} traces = {counts['rows']} rows + {counts['rejected_traces']} rejected" in card
    assert "`blank` is at most" in card and "| `codes` |" in card and "2601.09536" in card and "MIT" in card


def test_the_card_names_no_path_and_no_address_of_the_machine(demo, tmp_path):
    for folder in (demo, _parquet(demo, tmp_path)):
        card = (folder / "README.md").read_text()
        assert str(demo) not in card and str(ROOT) not in card and str(Path.home()) not in card
        assert "tcp://" not in card and "scheduler" not in card
    told = public(
        {"dask": {"scheduler": "tcp://10.0.0.1:8786"}, "render": {"model": "/models/anole-7b"}, "limit": 3}
    )
    assert told == {"render": {"model": "anole-7b"}, "limit": 3}
    assert public({"input": {"path": ["/a/b.jsonl", "c/d.jsonl"]}}) == {
        "input": {"path": ["b.jsonl", "d.jsonl"]}
    }
    assert named("GAIR/Anole-7b") == "GAIR/Anole-7b" and named("Draw: {{ step }}") == "Draw: {{ step }}"
    assert named("s3://bucket/key/x.parquet") == "x.parquet"


def test_the_example_row_turns_no_text_around():
    row = Row("a", "b\u202ec\u0007", (), "d", (), (), "made", None)
    told = _example(row)
    assert (
        "\u202e" not in told and json.loads(told.strip("`").removeprefix("json"))["question"] == row.question
    )
