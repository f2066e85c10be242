"""Fixtures that more than one folder of tests needs."""

import sys
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


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command line; returns exit code, stdout, stderr."""

    from zero_engine.cli import main

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["zero-engine", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
