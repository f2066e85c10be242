"""A small dataset as a run writes it, for the tiny checkpoint: 16 codes of 64 a picture."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.write.sample_dataset import parsed_trace, png, tally
from zero_engine.contracts.manifest import InputInfo, Manifest, ModelInfo, ShardEntry
from zero_engine.models import load_model
from zero_engine.models.chameleon.model import Chameleon
from zero_engine.records import Candidate, Trajectory, Verdict
from zero_engine.render.sequences import Encoder
from zero_engine.train.config import Data
from zero_engine.write.finish import finish_dataset
from zero_engine.write.manifest import versions
from zero_engine.write.shards import write_candidates, write_rejections, write_trajectories

TINY = Path(__file__).parent.parent / "data" / "goldens" / "tiny-anole"
WORDS = "one two three four five six seven eight nine ten".split()


@pytest.fixture(scope="session")
def tiny() -> Chameleon:
    torch.set_num_threads(1)
    return load_model(str(TINY), device="cpu")


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 rows of one to four steps; every third step has no drawing."""
    return build(tmp_path_factory.mktemp("train") / "data", rows=24)


@pytest.fixture(scope="session")
def encoder(tiny: Chameleon, dataset: Path) -> Encoder:
    return Encoder(tiny, Data(path=str(dataset), template="bare", max_length=512))


def build(out: Path, rows: int, answers: list[str | None] | None = None, steps: tuple[str, ...] = ()) -> Path:
    for folder in ("data", "candidates", "rejected"):
        (out / folder).mkdir(parents=True)
    trajectories, drawings, texts = [], [], {}
    for row in range(rows):
        words = steps or tuple(f"{WORDS[row % 10]} and {WORDS[(row + i) % 10]}" for i in range(1 + row % 4))
        answer = answers[row] if answers else WORDS[row % 10]
        parsed = parsed_trace(f"t-{row:03d}", words, answer=answer)
        verdicts = []
        for step in parsed.steps:
            texts[parsed.trace.id, step.index] = step.text
            codes = np.random.default_rng((row, step.index)).integers(0, 64, 16).astype(np.uint16)
            drawing = Candidate(parsed.trace.id, step.index, 0, 1, step.text, codes, png(row), {})
            drawn = (row + step.index) % 3 < 2
            verdicts.append(
                Verdict(step.index, "kept", None, drawing)
                if drawn
                else Verdict(step.index, "text_only", "blank_high")
            )
            drawings += [drawing] * drawn
        trajectories.append(Trajectory(parsed, tuple(verdicts)))
    data = write_trajectories(out / "data/data-00000.arrow", trajectories, "p" * 16, "m" * 16)
    candidates = write_candidates(out / "candidates/part-00000.arrow", drawings, texts)
    rejections = write_rejections(out / "rejected/part-00000.jsonl", [])
    entry = ShardEntry(
        index=0,
        first_row=0,
        records=rows,
        digest="0" * 64,
        keys={"gate": "0" * 16},
        counts=tally(rows, 0),
        data=data.renamed("data/data-00000.arrow"),
        candidates=candidates.renamed("candidates/part-00000.arrow"),
        rejections=rejections.renamed("rejected/part-00000.jsonl"),
    )
    manifest = Manifest(
        name="tiny",
        created="2026-01-01T00:00:00Z",
        versions=versions(),
        pipeline={"name": "tiny", "input": {"path": "test.jsonl", "license": "MIT"}},
        fingerprints={"pipeline": "p" * 16, "model": "m" * 16},
        model=ModelInfo(name="tiny", fingerprint="m" * 16, codebook_size=64, codes_per_picture=16),
        input=InputInfo(paths=["test.jsonl"], records=rows, digest="d"),
        shards=[entry],
        counts=tally(rows, 0),
    )
    finish_dataset(out, manifest, {"counts": manifest.counts})
    return out


def two_processes(kind: str, file: Path) -> None:
    """Run a training file in two processes that talk over gloo, as accelerate launch would."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from zero_engine.train.config import load_training\n"
        f"from zero_engine.train.{kind} import train_{kind}\n"
        f"train_{kind}(load_training(sys.argv[1], '{kind}'))"
    )
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(file)],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [rank.communicate(timeout=240)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], outputs
