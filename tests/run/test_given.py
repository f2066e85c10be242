"""Pictures that a corpus gives: kept in their own pixels, competing with drawings, or left aside; and trained on."""

import io
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.run.given_corpus import BROKEN, REASONS, given, records, write
from tests.run.test_kill import start, wait_for_commits
from zero_engine.images import fit, on_white, psnr
from zero_engine.models import load_model
from zero_engine.pipeline import Pipeline
from zero_engine.records import Candidate
from zero_engine.run import plan_run, run_pipeline
from zero_engine.write.dataset import open_dataset
from zero_engine.write.decoded import check_codes
from zero_engine.write.shards import read_candidates
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow

TINY = Path(__file__).parent.parent / "data" / "goldens" / "tiny-anole"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """z.jsonl, 40 records with pictures; few.jsonl, their first four; plain.jsonl, the same without pictures."""
    folder = tmp_path_factory.mktemp("given")
    write(folder / "z.jsonl", records())
    write(folder / "few.jsonl", records(3))
    write(folder / "plain.jsonl", records(3, with_pictures=False))
    return folder


@pytest.fixture(scope="module")
def make(folder: Path):
    def pipeline(out: str, corpus: str = "z", **sections: dict) -> Pipeline:
        document = {
            "name": "given",
            "input": {"path": str(folder / f"{corpus}.jsonl"), "format": "zebra_cot"},
            "render": {"model": str(TINY), "candidates": 0, "guidance": 1.0, "batch_size": 8},
            "score": {"names": ["likelihood"]},
            "gate": {"rank": {"likelihood": 1.0}, "max": {}, "min_pictures": 0},
            "output": {"path": str(folder / out), "rows_per_shard": 16},
            "dask": {"workers": 0},
        }
        for name, section in sections.items():
            document[name] = {**document[name], **section}
        return Pipeline.model_validate(document)

    return pipeline


@pytest.fixture(scope="module")
def kept(make) -> Path:
    """The folder of a run that keeps what is given and draws nothing."""
    return Path(run_pipeline(make("kept")).out)


def candidates_of(out: Path) -> list[Candidate]:
    return [c for path in sorted(Path(out, "candidates").glob("*.arrow")) for c in read_candidates(path)]


def as_people_see(image: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(image)) as picture:
        return np.asarray(on_white(ImageOps.exif_transpose(picture)))


def test_every_record_is_a_row_with_its_pictures_as_they_came(kept):
    rows = list(open_dataset(kept))
    assert [row["id"] for row in rows] == [f"zebra-{number}" for number in range(40)]
    came, steps = [], []
    for number, row in enumerate(rows):
        assert row["question"] == f"Where is square {number}? \ufffc Say it."
        assert [step["text"][:10] for step in row["steps"]] == ["THOUGHT 0:", "THOUGHT 1:", "THOUGHT 2:"]
        assert row["steps"][2]["verdict"] == "text_only" and row["steps"][2]["origin"] is None
        for at, step in enumerate(row["steps"][:2]):
            if f"reasoning_image_{at + 1}" in BROKEN.get(number, {}):
                assert step["verdict"] == "text_only" and step["image"] is None
                continue
            assert step["origin"] == "given" and step["verdict"] == "kept"
            assert np.array_equal(np.asarray(step["image"].convert("RGBA")), rgba(given(number, at + 1)))
            came.append(as_people_see(given(number, at + 1)))
            steps.append(step)
    assert len(steps) == 76
    model = load_model(str(TINY), device="cpu")
    codes_BN = model.encode(came)
    assert [step["codes"] for step in steps] == codes_BN.tolist()
    for step, image_HW3, decoded_HW3 in zip(steps, came, model.decode(codes_BN), strict=True):
        expected = psnr(fit(image_HW3, model.image_size), decoded_HW3)
        assert step["roundtrip"] == pytest.approx(expected, abs=1e-4)  # stored as float32
    assert [c.image for c in candidates_of(kept)][:2] == [given(0, 1), given(0, 2)]  # the very bytes
    assert all(check.ok for check in validate_dataset(kept)) and check_codes(kept).ok


def rgba(image: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(image)) as picture:
        return np.asarray(picture.convert("RGBA"))


def test_a_missing_or_broken_picture_is_a_rejection_with_its_key(kept):
    lines = [line for path in sorted((kept / "rejected").iterdir()) for line in path.read_text().splitlines()]
    found = {(one["trace_id"], one["step"]): one for one in map(json.loads, lines)}
    assert found.keys() == REASONS.keys()
    for place, (reason, where) in REASONS.items():
        assert found[place]["reason"] == reason and where in found[place]["detail"]


def test_nothing_is_encoded_twice(kept, make):
    for sections in (
        {},
        {"input": {"license": "MIT"}},
        {"gate": {"min": {"likelihood": -4.0}}},
        {"output": {"rows_per_shard": 9, "pixels": "decoded"}},
        {},
    ):
        pipeline = make("kept", **sections)
        assert plan_run(pipeline).as_dict()["drawings"]["made"] == 0
        again = run_pipeline(pipeline)
        assert (again.drawn, again.encoded) == (0, 0)
        assert all(check.ok for check in validate_dataset(kept))
        if sections.get("output"):  # the rows show what the codes decode to, candidates/ what came
            assert {one["steps"][0]["image"].size for one in open_dataset(kept).select(range(3))} == {
                (32, 32)
            }
            assert candidates_of(kept)[0].image == given(0, 1)


@pytest.fixture(scope="module")
def drawn(make) -> Path:
    """What the same steps without pictures are drawn as."""
    return Path(run_pipeline(make("drawn", "plain", render={"candidates": 2})).out)


def drawings_of(out: Path) -> list[tuple]:
    return [
        (c.trace_id, c.step, c.attempt, c.seed, c.identity, c.image, c.codes.tolist(), c.scores)
        for c in candidates_of(out)
        if c.origin == "drawn"
    ]


def test_redraw_draws_what_is_drawn_without_pictures(drawn, make):
    redrawn = Path(run_pipeline(make("redrawn", "few", render={"candidates": 2, "given": "redraw"})).out)
    assert drawings_of(redrawn) == drawings_of(drawn) and len(drawings_of(drawn)) == 18
    assert {c.origin for c in candidates_of(redrawn)} == {"drawn"}


def test_both_lets_given_pictures_and_drawings_compete(drawn, make):
    together = Path(run_pipeline(make("both", "few", render={"candidates": 2, "given": "both"})).out)
    assert drawings_of(together) == drawings_of(drawn)
    rivals = candidates_of(together)
    assert [c.attempt for c in rivals if c.origin == "given"] == [2] * 6
    for row in open_dataset(together):
        for step in row["steps"]:
            best = max(
                (c for c in rivals if (c.trace_id, c.step) == (row["id"], step["index"])),
                key=lambda c: c.scores["likelihood"],
            )
            assert (step["origin"], step["attempt"]) == (best.origin, best.attempt)
    again = run_pipeline(make("both", "few", render={"candidates": 0, "given": "keep"}))
    assert (again.drawn, again.encoded) == (0, 0)
    assert {c.origin for c in candidates_of(together)} == {"given"}
    assert all(check.ok for check in validate_dataset(together))


@pytest.mark.parametrize("workers", [1, 2])
def test_given_pictures_are_the_same_bytes_for_any_number_of_workers(make, kept, hashes, workers):
    out = run_pipeline(make(f"by_{workers}", dask={"workers": workers})).out
    run_pipeline(make("kept"))
    assert hashes(out) == hashes(kept)


def test_given_pictures_are_the_same_bytes_after_a_kill(make, kept, hashes, tmp_path):
    pipeline = make("killed")
    process = start(pipeline, tmp_path)
    wait_for_commits(Path(pipeline.output.path), 2, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not Path(pipeline.output.path, "manifest.json").exists()
    run_pipeline(pipeline)
    run_pipeline(make("kept"))
    assert hashes(pipeline.output.path) == hashes(kept)


def test_a_model_learns_from_given_rows_from_drawn_ones_and_from_both(kept, drawn, tmp_path):
    from zero_engine.config import parse_config
    from zero_engine.train.config import Sft
    from zero_engine.train.sft import train_sft

    base = {"model": str(TINY), "steps": 2, "batch_size": 2, "device": "cpu", "tensorboard": False}
    ways = {"given": {"path": str(kept)}, "drawn": {"path": str(drawn)}}
    ways["both"] = [{**ways["given"], "weight": 3}, {**ways["drawn"], "weight": 1}]
    for name, data in ways.items():
        document = {**base, "data": data, "output": str(tmp_path / name)}
        for source in data if isinstance(data, list) else [data]:
            source |= {"template": "bare", "max_length": 512}
        train_sft(parse_config(Sft, document, "f.yaml"), lambda text: None)
        log = (tmp_path / name / "log.jsonl").read_text()
        steps = [json.loads(line) for line in log.splitlines()]
        assert len(steps) == 2 and all(np.isfinite(step["loss"]) for step in steps)
