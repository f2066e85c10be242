"""The commands of the bundled model, as a user calls them."""

import base64
import json
import shutil

import pytest
import typer
from typer.testing import CliRunner

from zero_engine.cli import models_nano
from zero_engine.errors import InputError, OutputError
from zero_engine.images import decode_image
from zero_engine.pipeline import Input
from zero_engine.read.formats import format_named

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    app = typer.Typer()
    models_nano.register(app)
    return app


def test_make_tasks_writes_json_lines(app, tmp_path):
    out = tmp_path / "tasks.jsonl"
    result = CliRunner().invoke(
        app, ["make-tasks", "--output", str(out), "-n", "12", "--split", "test", "--json"]
    )
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 12
    assert set(rows[0]) == {"id", "question", "rationale", "answer", "spec"}


@pytest.mark.parametrize("images", ["files", "base64"])
def test_make_tasks_of_a_family_writes_annotated_pictures(app, tmp_path, images):
    out = tmp_path / "zoom.jsonl"
    arguments = ["make-tasks", "--output", str(out), "-n", "5", "--family", "zoom", "--images", images]
    for pictures in ("oracle", "none"):
        result = CliRunner().invoke(app, [*arguments, "--pictures", pictures])
        assert result.exit_code == 0, result.output
        for row in map(json.loads, out.read_text().splitlines()):
            step_images = row.get("step_images")
            assert (step_images is None) == (pictures == "none")
            assert len(row["steps"]) == 2
            assert step_images is None or (len(step_images) == 2 and step_images[1] is None)
            for picture in (row["image"], *(filter(None, step_images or ()))):
                if images == "files":
                    assert decode_image((tmp_path / picture).read_bytes()).shape == (64, 64, 3)
                else:
                    assert decode_image(base64.b64decode(picture)).shape == (64, 64, 3)


@pytest.mark.parametrize(
    "wrong",
    [["--family", "zooom"], ["--split", "dev"], ["--family", "silent", "--moves", "4-2"],
     ["--family", "zoom", "--images", "x"], ["--family", "zoom", "--moves", "1-3"], ["--moves", "1-3"],
     ["--pictures", "none"], ["--images", "base64"]],
)  # fmt: skip
def test_make_tasks_says_in_one_line_what_is_wrong(app, tmp_path, wrong):
    result = CliRunner().invoke(app, ["make-tasks", "--output", str(tmp_path / "x.jsonl"), *wrong])
    assert isinstance(result.exception, InputError)
    assert "\n" not in str(result.exception)


def test_make_tasks_deletes_no_file_that_it_did_not_write(app, tmp_path):
    out, arguments = tmp_path / "my.jsonl", ["-n", "1", "--family", "zoom"]
    folder = tmp_path / "my-pictures"
    for _ in range(2):  # pictures of its own are made anew
        assert CliRunner().invoke(app, ["make-tasks", "--output", str(out), *arguments]).exit_code == 0
    (folder / "holiday.png").write_bytes(b"")
    before = out.read_bytes()
    result = CliRunner().invoke(app, ["make-tasks", "--output", str(out), *arguments, "--seed", "1"])
    assert isinstance(result.exception, OutputError) and "holiday.png" in str(result.exception)
    assert (folder / "holiday.png").exists() and out.read_bytes() == before
    shutil.rmtree(folder)
    folder.write_bytes(b"")
    result = CliRunner().invoke(app, ["make-tasks", "--output", str(out), *arguments])
    assert isinstance(result.exception, OutputError) and "is no folder" in str(result.exception)


def test_the_generic_reader_takes_question_and_picture_of_a_task(app, tmp_path):
    out = tmp_path / "box.jsonl"
    CliRunner().invoke(app, ["make-tasks", "--output", str(out), "-n", "3", "--family", "mark"])
    row = json.loads(out.read_text().splitlines()[0])
    (draft,) = format_named("generic").drafts(row, Input(path=str(out), format="generic"))
    assert draft.question == row["question"]
    assert list(draft.steps) == row["steps"]
    assert draft.images == (row["image"],)


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


def test_kinds_with_a_given_picture_are_evaluated_with_it(app):
    arguments = ["eval-nano", "--prompts", "3", "--candidates", "2", "--json", "--kind", "predict"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.stdout)["kinds"]) == {"predict"}
