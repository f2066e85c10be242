"""What a training keeps: whose folder it is, the projection of L_Pe, and which models can be trained at all."""

import json

import pytest
from tiny_models import tiny_janus
from typer.testing import CliRunner

from tests.train.conftest import TINY
from zero_engine.cli.app import app
from zero_engine.errors import ModelError, OutputError
from zero_engine.identity import check_identity
from zero_engine.models import load_model
from zero_engine.models.prompt import requests
from zero_engine.pipeline import Score
from zero_engine.records import Candidate
from zero_engine.score import score_candidates
from zero_engine.train.checkpoint import load_projection, save_model

FILE = {
    "optimiser": {"learning_rate": 0.001, "betas": [0.9, 0.99]},
    "steps": 10,
    "data": {"template": "omni_r1"},
}


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"file": {**FILE, "steps": 20}}, "its file.steps is 10, not 20."),
        (
            {"file": {**FILE, "optimiser": {"learning_rate": 0.002, "betas": [0.9, 0.99]}}},
            "its file.optimiser.learning_rate is 0.001, not 0.002.",
        ),
        ({"file": {**FILE, "lora": {"rank": 8}}}, 'its file.lora is absent, not {"rank": 8}.'),
        (
            {"file": {**FILE, "steps": 20, "data": {"template": "bare"}}},
            'its file.data.template is "omni_r1", not "bare" (and 1 more: file.steps).',
        ),
        ({"file": FILE, "kind": "rl"}, 'its kind is "sft", not "rl".'),
    ],
)
def test_a_refused_training_names_the_key_that_differs(tmp_path, wanted, says):
    found = {"kind": "sft", "file": FILE}
    with pytest.raises(OutputError) as caught:
        check_identity(tmp_path / "result.json", found, {"kind": "sft", **wanted})
    assert says in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 400
    check_identity(tmp_path / "result.json", found, json.loads(json.dumps(found)))


def test_a_long_value_is_cut(tmp_path):
    with pytest.raises(OutputError) as caught:
        check_identity(tmp_path, {"data": {"template": "x" * 5000}}, {"data": {"template": "y" * 5000}})
    assert len(str(caught.value)) < 500


def test_a_saved_projection_scores_drawings_and_is_taken_up_again(tiny, tmp_path):
    projection = load_projection(tiny, TINY, seed=3)
    save_model(tiny, projection, tmp_path / "model", shift=0)
    trained = load_model(str(tmp_path / "model"), device="cpu")
    assert trained.has_projection and trained.projection.shift == 0
    assert (load_projection(trained, tmp_path / "model", seed=9).weight == projection.weight).all()

    from fake_model import parsed_trace

    codes = trained.draw(requests(["two dots"], [0])).codes[0]
    drawn = [Candidate("t", 0, 0, 0, "two dots", codes, b"", {})]
    (scored,), rejections = score_candidates(
        drawn, [parsed_trace("t", "two dots")], trained, Score(names=["perception"])
    )
    assert rejections == [] and scored.scores["perception"] > 0


@pytest.fixture(scope="module")
def janus(tmp_path_factory):
    return tiny_janus(tmp_path_factory.mktemp("janus") / "tiny")


@pytest.mark.parametrize("command", [["train", "sft"], ["train", "rl"], ["eval"]])
def test_a_model_that_cannot_be_trained_is_one_line_before_anything_is_written(
    janus, dataset, tmp_path, command
):
    out = tmp_path / "out"
    if command == ["eval"]:
        arguments = [janus, dataset, "--output", out]
    else:
        file = tmp_path / "training.yaml"
        document = {
            "model": str(janus),
            "output": str(out),
            "steps": 1,
            "device": "cpu",
            "data": {"path": str(dataset)},
        }
        file.write_text(json.dumps(document))
        arguments = [file]
    done = CliRunner().invoke(app, [*command, *map(str, arguments)])
    assert isinstance(done.exception, ModelError), done.output
    assert "of the janus family can draw and score, but not be trained or evaluated" in str(done.exception)
    assert "\n" not in str(done.exception) and not out.exists()
