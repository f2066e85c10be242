"""The commands of the bundled model, as a user calls them."""

import json

import pytest
import typer
from typer.testing import CliRunner

from zero_engine.cli import models_nano

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    app = typer.Typer()
    models_nano.register(app)
    return app


def test_make_tasks_writes_json_lines(app, tmp_path):
    out = tmp_path / "tasks.jsonl"
    result = CliRunner().invoke(
        app, ["make-tasks", "--out", str(out), "--n", "12", "--split", "test", "--json"]
    )
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 12
    assert set(rows[0]) == {"id", "question", "rationale", "answer"}


def test_eval_nano_prints_the_published_facts(app, tmp_path):
    sheet = tmp_path / "sheet.png"
    arguments = [
        "eval-nano",
        "--prompts",
        "1",
        "--candidates",
        "2",
        "--json",
        "--sheet",
        str(sheet),
        "--full",
        "--kind",
        "bars",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert set(facts["also"]) == {"guidance 1", "guidance 2", "new phrasings"}
    assert set(facts["mean"]) == {"one", "best", "oracle"}
    assert set(facts["kinds"]["bars"]) >= {"one", "best", "oracle"}
    assert set(facts["gate"]) >= {"precision", "keep_rate"}
    assert sheet.stat().st_size > 1000


def test_calibrate_proposes_a_rank_and_a_gate(app):
    result = CliRunner().invoke(app, ["calibrate", "--prompts", "2", "--kind", "mark", "--json"])
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert set(facts["rank"]) == {"likelihood", "caption", "readback"}
    assert 0 <= facts["gate"]["keep_rate"] <= 1
