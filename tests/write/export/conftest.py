"""A small dataset of all that a row can be: drawings, answers, choices, given pictures or none, marks in texts."""

from pathlib import Path

import numpy as np
import pytest

from tests.write.sample_dataset import parsed_trace, tally
from zero_engine import open_dataset
from zero_engine.contracts.manifest import InputInfo, Manifest, ModelInfo, ShardEntry
from zero_engine.images import encode_image
from zero_engine.records import Candidate, Trajectory, Verdict
from zero_engine.write.finish import finish_dataset
from zero_engine.write.manifest import versions
from zero_engine.write.shards import write_candidates, write_trajectories

TINY = str(Path(__file__).parents[2] / "data" / "goldens" / "tiny-anole")


def picture(seed: int, size: int = 32) -> bytes:
    return encode_image(np.random.default_rng(seed).integers(0, 255, (size, size, 3)).astype(np.uint8))


def trajectory(row: int, given: bool) -> Trajectory:
    trace_id = f"t-{row:03d}"
    steps = tuple(f"Step {i} of row {row}: {row} + {i} = {row + i}" for i in range(1 + row % 4))
    changes: dict = {"question": f"What is {row}?", "answer": str(row)}
    if row % 5 == 1:
        changes["choices"] = ("red", "green", str(row))
    if row % 7 == 3:
        changes["answer"] = None
    if row % 6 == 4:
        steps = (*steps, "a text that quotes <image>, </s> and <image_start>[image_1]<image_end>")
    if given and row % 4 == 2:
        changes |= {
            "question_images": (picture(1000 + row, 40),),
            "question": f"Look at <image>: what is {row}?",
        }
    if given and row % 8 == 5:
        changes["question_images"] = (picture(2000 + row, 24), picture(3000 + row, 48))
    parsed = parsed_trace(trace_id, steps, **changes)
    verdicts = []
    for step in parsed.steps:
        codes = np.random.default_rng((row, step.index)).integers(0, 64, 16).astype(np.uint16)
        image = picture(row * 10 + step.index)
        drawing = Candidate(trace_id, step.index, 0, 1, step.text, codes, image, {"likelihood": -0.5})
        kept = (row + step.index) % 3 < 2
        verdicts.append(
            Verdict(step.index, "kept", None, drawing)
            if kept
            else Verdict(step.index, "text_only", "blank_high")
        )
    return Trajectory(parsed, tuple(verdicts))


def build(out: Path, rows: int = 24, per_shard: int = 7, given: bool = True) -> Path:
    for folder in ("data", "candidates"):
        (out / folder).mkdir(parents=True)
    entries = []
    for index, start in enumerate(range(0, max(rows, 1), per_shard)):
        kept = [trajectory(row, given) for row in range(start, min(start + per_shard, rows))]
        drawings = [v.candidate for row in kept for v in row.verdicts if v.candidate]
        texts = {(row.parsed.trace.id, step.index): step.text for row in kept for step in row.parsed.steps}
        data = write_trajectories(out / f"data/data-{index:05d}.arrow", kept, "p" * 16, "m" * 16)
        part = write_candidates(out / f"candidates/part-{index:05d}.arrow", drawings, texts)
        entry = {"index": index, "first_row": start, "records": len(kept), "digest": f"{index:064x}"}
        files = {
            "data": data.renamed(f"data/{data.name}"),
            "candidates": part.renamed(f"candidates/{part.name}"),
        }
        entries.append(ShardEntry(**entry, **files, keys={"gate": "0" * 16}, counts=tally(len(kept), 0)))
    manifest = Manifest(
        name="tiny",
        created="2026-01-01T00:00:00Z",
        versions=versions(),
        pipeline={"name": "tiny", "input": {"path": "test.jsonl", "license": "MIT"}},
        fingerprints={"pipeline": "p" * 16, "model": "m" * 16},
        model=ModelInfo(name="tiny", fingerprint="m" * 16, codebook_size=64, codes_per_picture=16),
        input=InputInfo(paths=["test.jsonl"], records=rows, digest="d"),
        shards=entries,
        counts=tally(rows, 0),
    )
    finish_dataset(out, manifest, {"counts": manifest.counts})
    return out


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 rows in four shards; some questions have pictures."""
    return build(tmp_path_factory.mktemp("export") / "with pictures")


@pytest.fixture(scope="session")
def texts_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same rows with questions of text alone, as a text corpus gives them."""
    return build(tmp_path_factory.mktemp("export") / "plain", given=False)


@pytest.fixture(scope="session")
def rows(source: Path) -> list[dict]:
    """The rows as `datasets` gives them, pictures decoded."""
    return list(open_dataset(source))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
