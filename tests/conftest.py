"""Fixtures that more than one folder of tests needs."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def data(repository: Path) -> Path:
    """Real records (`corpora/`), hard ones (`nasty.jsonl`) and the reference's numbers (`goldens/`)."""
    return repository / "tests" / "data"
