"""A finished dataset in a folder of its own, and `datasets` kept inside the test's folder."""

from pathlib import Path

import pytest

from tests.write.sample_dataset import build_dataset


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    build_dataset(out)
    return out


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
