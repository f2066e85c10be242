"""Folders of version 1 open and validate, and their drawings are found again where their identity can be told."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zero_engine import open_dataset
from zero_engine.pipeline import Pipeline
from zero_engine.run import plan_run, run_pipeline
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow

VERSION_1 = Path(__file__).parents[1] / "data" / "version_1"


@pytest.fixture(params=["own", "plain"])
def folder(request, tmp_path: Path, monkeypatch) -> str:
    """The folder and its input, as a run of version 1 left them: records with ids of their own, and without."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(VERSION_1 / request.param, request.param)
    shutil.copy(VERSION_1 / f"{request.param}.jsonl", ".")
    Path("tiny-anole").symlink_to(VERSION_1.parent / "goldens" / "tiny-anole")
    return request.param


def pipeline(folder: str, out: str, **more: object) -> Pipeline:
    return Pipeline.model_validate(
        {
            "name": "v1",
            "input": {"path": f"{folder}.jsonl", "format": "gsm8k", **more},
            "render": {"candidates": 2, "model": "tiny-anole"},
            "gate": {"rank": {"likelihood": 1.0}, "min": {}, "min_pictures": 1},
            "output": {"path": out, "rows_per_shard": 2},
            "dask": {"workers": 0},
        }
    )


def test_it_opens_and_validates(folder):
    rows = open_dataset(folder)
    assert len(rows) == 3 and rows[0]["steps"][0]["image"].size == (32, 32)
    assert len(open_dataset(folder, "candidates")) == 16
    assert all(check.ok for check in validate_dataset(folder))


def assert_same(found: object, wanted: object) -> None:
    """Equal, but for the last digits of scores and pixels: the stored ones are those of the processor that drew."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            assert_same(found[key], wanted[key])
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_same(one, other)
    elif isinstance(wanted, Image.Image):
        assert np.abs(np.asarray(found, int) - np.asarray(wanted, int)).max() <= 1
    else:
        assert found == (pytest.approx(wanted, abs=1e-4) if isinstance(wanted, float) else wanted)


def test_its_drawings_are_found_where_the_seeds_can_be_told(folder):
    ids = {} if folder == "own" else {"ids": "position"}
    assert plan_run(pipeline(folder, folder, **ids)).drawings.made == 0
    again = run_pipeline(pipeline(folder, folder, **ids))
    assert again.drawn == 0 and again.unused.files == 0
    fresh = run_pipeline(pipeline(folder, "fresh", **ids)).out
    for kind in ("default", "candidates"):
        assert_same(list(open_dataset(folder, kind)), list(open_dataset(fresh, kind)))
    assert all(check.ok for check in validate_dataset(folder))


def test_drawings_that_cannot_be_told_are_kept_with_their_identity(folder):
    changed = run_pipeline(pipeline(folder, folder, limit=1))
    assert changed.drawn == (0 if folder == "own" else 4)
    assert changed.unused.drawings == (12 if folder == "own" else 16)
    ids = {} if folder == "own" else {"ids": "position"}
    assert run_pipeline(pipeline(folder, folder, **ids)).drawn == 0


def test_it_can_be_reused_by_another_folder(folder):
    ids = {} if folder == "own" else {"ids": "position"}
    assert run_pipeline(pipeline(folder, "new", **ids), reuse=[folder]).drawn == 0
    assert all(check.ok for check in validate_dataset("new"))
