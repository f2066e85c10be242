"""The file of rounds: what each round draws and trains on, and mistakes told in one line."""

import pytest

from zero_engine.bootstrap.config import load_bootstrap
from zero_engine.bootstrap.rounds import bootstrap
from zero_engine.config import parse_config
from zero_engine.errors import InputError, OutputError, PipelineError
from zero_engine.run import run_pipeline
from zero_engine.train.config import Sft
from zero_engine.train.data import training_rows


def test_a_round_draws_with_its_model_into_its_folder(rounds):
    pipeline = load_bootstrap(rounds).pipeline(2, "out/m")
    assert (pipeline.render.model, pipeline.output.path) == ("out/m", "out/rounds/02/data")
    assert pipeline.name == "walks-02" and pipeline.render.candidates == 1


def test_a_training_reads_its_own_round_the_earlier_ones_and_what_is_given_by_weight(rounds):
    config = load_bootstrap(
        rounds, ["mix.given=[{path: annotated, weight: 2}]", "train.data.validation_rows=1"]
    )
    parts = config.training(3, "nano", "t").data.parts
    assert [(part.path, part.weight, part.validation_rows) for part in parts] == [
        ("out/rounds/03/data", 1.0, 1),
        ("out/rounds/01/data", 0.5, 0),
        ("out/rounds/02/data", 0.5, 0),
        ("annotated", 2.0, 0),
    ]
    alone = load_bootstrap(rounds, ["mix.earlier=0"]).training(3, "nano", "t").data
    assert alone.path == "out/rounds/03/data" and not alone.sources


def test_a_round_may_have_keys_of_its_own(rounds):
    config = load_bootstrap(rounds, ["change={2: {train: {steps: 7}, draw: {render: {candidates: 3}}}}"])
    assert [config.training(n, "nano", "t").steps for n in (1, 2, 3)] == [2, 7, 2]
    assert [config.pipeline(n, "nano").render.candidates for n in (1, 2, 3)] == [1, 3, 1]
    config = load_bootstrap(rounds, ["change={2: {train: {steps: 7}}}", "change.2.train.seed=3"])
    assert (config.training(2, "nano", "t").steps, config.training(2, "nano", "t").seed) == (7, 3)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("draw.render.model=x", "draw.render.model: the rounds say it"),
        ("train.data.path=x", "train.data.path: the rounds say it"),
        ("draw.render.colour=red", "draw of round 1: unknown key render.colour"),
        ("train.steps=0", "train of round 1: steps must be"),
        ("change={2: {draw: {gate: {kep: 1}}}}", "draw of round 2: unknown key gate.kep"),
        ("change={9: {}}", "change.9: there are rounds 1 to 3"),
        ("change={1: {input: {}}}", "change.1.input: a round changes draw or train"),
        ("change={2: {train: 5}}", "change.2.train must be keys with values, as {key: value}, got 5"),
        ("change={2: {draw: null}}", "change.2.draw must be keys with values"),
        ("change={3: {train: {steps: 9}}}", "change.3.train: round 3 only draws, with what round 2 trained"),
        ("mix.earlier=.inf", "mix.earlier must be a finite number"),
        ("mixx=1", "unknown key mixx"),
        ("draw.render=nano", "draw of round 1: render must be"),
        ("train.data=[{path: x}]", "train of round 1: data must be a mapping"),
    ],
)
def test_a_mistake_is_one_line_with_its_key(rounds, override, said):
    with pytest.raises(PipelineError) as error:
        load_bootstrap(rounds, [override])
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_given_folder_that_is_none_is_told_before_anything_is_drawn(rounds):
    with pytest.raises(OutputError, match="^nothere: not a finished zero-engine dataset"):
        bootstrap(load_bootstrap(rounds, ["mix.given=[{path: nothere}]"]))
    assert not (rounds.parent / "out").exists()


@pytest.mark.slow
def test_a_round_of_which_nothing_is_kept_says_so_beside_a_given_folder(rounds):
    text = ["draw.render.generator=none", "draw.score.names=[]", "draw.gate={rank: {}, max: {}}"]
    run_pipeline(load_bootstrap(rounds, [*text, "output=given"]).pipeline(1, "nano"))
    more = ["draw.gate.min_pictures=1", "train.data.validation_rows=1"]
    given = "mix.given=[{path: given/rounds/01/data}]"
    with pytest.raises(InputError, match="no row to train on: the gate kept nothing"):
        bootstrap(load_bootstrap(rounds, [*text, *more, given]), lambda text: None)
    data = [{"path": "given/rounds/01/data"}, {"path": "out/rounds/01/data"}]
    with pytest.raises(InputError, match="out/rounds/01/data: has no row to train on"):
        training_rows(parse_config(Sft, {"output": "o", "steps": 1, "data": data}, "f").data)
