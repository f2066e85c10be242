"""The pipeline file: what it accepts, and what it says about mistakes."""

from pathlib import Path

import pytest

from zero_engine import load_pipeline
from zero_engine.errors import PipelineError
from zero_engine.train.config import load_training

SMALLEST = "input: {path: a.jsonl}\noutput: {path: out}\n"


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "p.yaml"
        path.write_text(text)
        return path

    return write


def test_only_input_and_output_are_required(write):
    pipeline = load_pipeline(write(SMALLEST))
    assert pipeline.render.model == "nano" and pipeline.render.candidates == 4


def test_set_overrides_nested_keys_and_reads_values_as_yaml(write):
    said = ["render.guidance=3", "gate.min={likelihood: -0.3}", "input.path=[a, b]", "dask.scheduler=null"]
    pipeline = load_pipeline(write(SMALLEST), said)
    assert pipeline.render.guidance == 3.0
    assert pipeline.gate.min == {"likelihood": -0.3}
    assert pipeline.input.path == ["a", "b"]


@pytest.mark.parametrize(
    ("extra", "overrides", "says"),
    [
        (
            "render: {candidats: 3}",
            [],
            r"unknown key render\.candidats \(value 3\)\. Did you mean candidates\?",
        ),
        ("bogus: 1", [], r"unknown key bogus .*Allowed: name, seed, input"),
        (
            "render: {http: {url: 'http://h', headers: 1}}",
            [],
            r"unknown key render\.http\.headers .*Allowed: url, ",
        ),
        ("render: {guidance: 0}", [], r"render\.guidance must be greater than or equal to 1, got 0"),
        ("gate: {min: {blank: .nan}}", [], r"gate\.min\.blank must be a finite number, got nan"),
        ("", ["dask.shard_timeout_s=.inf"], r"dask\.shard_timeout_s must be a finite number"),
        ("dask: {workers: many}", [], r"dask\.workers must be .*got 'many'\.$"),
        ("gate: {on_reject: cry}", [], r"gate\.on_reject must be 'text_only', 'drop_step' or 'drop_trace'"),
        (
            "gate: {min: {beauty: 1}}",
            [],
            r"'beauty', which score\.names does not compute .*\. Add it there, or name one of these\.",
        ),
        ("", ["guidance"], r"--set guidance: expected key=value"),
        ("seed: true", [], r"seed must be a number, got True"),
        ("", ["render.batch_size=on"], r"render\.batch_size must be a number, got True"),
        ("", ["gate.min={blank: yes}"], r"gate\.min must hold numbers, got"),
        ("", ["output=3"], r"output must be keys with values.*got 3"),
        ("render: [", [], r"line 4"),
    ],
)
def test_a_mistake_is_one_line_with_key_value_and_file(write, extra, overrides, says):
    with pytest.raises(PipelineError, match=says) as caught:
        load_pipeline(write(f"{SMALLEST}{extra}\n"), overrides)
    assert "\n" not in str(caught.value)


def test_a_file_for_another_command_says_which(repository):
    with pytest.raises(
        PipelineError, match=r"train_sft.yaml: this is a training file, for zero-engine train\."
    ):
        load_pipeline(repository / "pipelines/train_sft.yaml")
    with pytest.raises(
        PipelineError, match=r"gsm8k_nano.yaml: this is a pipeline file, for zero-engine run\."
    ):
        load_training(repository / "pipelines/gsm8k_nano.yaml", "sft")


def test_a_missing_key_is_named(write):
    with pytest.raises(PipelineError, match=r"p\.yaml: input is required"):
        load_pipeline(write("output: {path: out}\n"))


def test_a_key_that_is_off_leaves_drawings_of_before_it_existed_good(write):
    parameters = load_pipeline(write(SMALLEST)).stage_parameters()
    assert set(parameters["render"]) == {
        "seed", "image_format", "generator", "model", "template", "candidates", "guidance", "temperature", "top_p",
        "top_k", "batch_size", "dtype",
    }  # fmt: skip
    assert set(parameters["score"]) == {"names", "tau"}
    asked = load_pipeline(write(SMALLEST), ["render.negative_prompt=x", "score.clip=y"]).stage_parameters()
    assert asked["render"]["negative_prompt"] == "x" and asked["score"]["clip"] == "y"


def test_the_fingerprint_is_of_what_shapes_the_rows(write):
    path = write(SMALLEST)
    same = load_pipeline(
        path, ["dask.workers=7", "output.path=elsewhere", "input.limit=3", "render.device=cpu"]
    )
    assert load_pipeline(path).fingerprint == same.fingerprint
    assert load_pipeline(path).fingerprint != load_pipeline(path, ["seed=1"]).fingerprint
