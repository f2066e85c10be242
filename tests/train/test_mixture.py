"""Several datasets in one training: mixed by weight, a function of seed and position, read as each alone."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.train.conftest import TINY, build
from zero_engine.cli.app import app
from zero_engine.config import parse_config
from zero_engine.errors import InputError, PipelineError
from zero_engine.records import Rejection
from zero_engine.train.config import Data, Sft
from zero_engine.train.data import Batches, rows_at, training_rows
from zero_engine.train.mixture import Mixture
from zero_engine.train.sft import train_sft
from zero_engine.write.dataset import COLUMNS, open_rows, read_rows


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    return build(folder / "a", 24), build(folder / "b", 8, answers=["b"] * 8)


def data(two, first: dict | None = None, second: dict | None = None) -> Data:
    entries = [{"path": str(two[0]), **(first or {})}, {"path": str(two[1]), **(second or {})}]
    return parse_config(Sft, {"output": "o", "steps": 1, "data": entries}, "f.yaml").data


def test_rows_come_as_often_as_the_weights_say_and_each_epoch_has_every_row(two):
    rows = training_rows(data(two, {"weight": 1}, {"weight": 3}))
    assert isinstance(rows, Mixture) and len(rows) == 32
    drawn = np.array([rows.at(position, 0) for position in range(1000)])
    assert (drawn < 24).sum() == 250 and (drawn >= 24).sum() == 750
    for start in range(0, 744, 8):
        assert set(drawn[drawn >= 24][start : start + 8]) == set(range(24, 32)), "an epoch of b"
    plain = training_rows(data(two))
    drawn = [plain.at(position, 0) for position in range(4000)]
    assert sum(place < 24 for place in drawn) == 3000, "without weights every row counts alike"
    assert [rows.at(position, 1) for position in range(50)] != [
        rows.at(position, 0) for position in range(50)
    ]


def test_a_batch_is_a_function_of_seed_and_step_and_rows_read_as_alone(two):
    rows = training_rows(data(two, {"weight": 1}, {"weight": 1}))

    def ids(step):
        return [row["answer"] for row in Batches(rows, lambda row: row, seed=0, size=4)[step]]

    walked = Batches(rows, lambda row: row, seed=0, size=4)
    assert [[row["answer"] for row in walked[step]] for step in range(40)] == [
        ids(step) for step in range(40)
    ]
    alone = list(read_rows(open_rows(two[1], COLUMNS), [3, 0]))
    mixed = list(rows_at(rows, [27, 5, 24]))
    assert [mixed[0]["id"], mixed[2]["id"]] == [row["id"] for row in alone] and mixed[0]["answer"] == "b"


def test_rows_for_validation_are_kept_from_training_in_each_dataset(two):
    rows = training_rows(data(two, {"validation_rows": 2}, {"validation_rows": 3, "limit": 6}))
    assert rows.held_out == [0, 1, 24, 25, 26] and len(rows) == 30
    assert not set(rows.held_out) & {rows.at(position, 0) for position in range(3000)}
    with pytest.raises(InputError, match="leaves no row"):
        training_rows(data(two, {}, {"validation_rows": 8}))


def test_a_row_held_out_of_one_dataset_is_trained_on_from_none(two):
    """Rounds of bootstrapping have the same traces; a folder may be there twice."""
    again = [{"path": str(two[0]), "validation_rows": 3}, {"path": str(two[0])}, {"path": str(two[1])}]
    rows = training_rows(parse_config(Sft, {"output": "o", "steps": 1, "data": again}, "f.yaml").data)
    drawn = {rows.at(position, 0) for position in range(3000)}
    assert drawn == set(range(3, 24)) | set(range(27, 48)) | set(range(51, 56))
    told = f"{two[0]}: 21 rows to train on, 44.7% of the batches, 3 held out with rows of another dataset"
    assert rows.described()[1] == told
    again[1]["limit"] = 2
    with pytest.raises(InputError, match="leaves no row"):
        training_rows(parse_config(Sft, {"output": "o", "steps": 1, "data": again}, "f.yaml").data)


def test_a_dataset_of_which_no_row_fits_is_named_and_not_replaced_by_the_others(two):
    """The rows of both have the same ids: each is told with its folder."""
    rows = training_rows(data(two, {"weight": 1}, {"weight": 1}))
    told = []

    def read(row):
        return Rejection(row["id"], "train", "too_long", "9 ids") if row["answer"] == "b" else row

    with pytest.raises(InputError, match=f"^none of 8 rows of a dataset .*too_long: {two[1]}: 9 ids"):
        Batches(rows, read, seed=0, size=4, report=told.append)[0]
    assert len(told) == 8 and {one.detail for one in told} == {f"{two[1]}: 9 ids"}
    some = Batches(rows, lambda row: read(row) if row["id"] != told[0].trace_id else row, seed=0, size=4)
    assert len(some[0]) == 4


def test_weights_of_any_size_mix_and_none_leaves_a_dataset_out(two):
    assert training_rows(data(two, {"weight": 1e308}, {"weight": 1e308})).often.tolist() == [500, 500]
    assert training_rows(data(two, {"weight": 1e9}, {"weight": 1})).often.tolist() == [1000, 1]
    for weight in (0, -1, float("inf"), float("nan")):
        with pytest.raises(PipelineError, match="weight must be"):
            data(two, {"weight": weight}, {"weight": 1})


def test_a_key_of_a_list_of_datasets_is_not_set_alone(two):
    document = {"output": "o", "steps": 1, "data": [{"path": str(one)} for one in two]}
    with pytest.raises(
        PipelineError, match=r"--set data\.template: data is a list in the file\. .*--set data=\["
    ):
        parse_config(Sft, document, "f.yaml", ["data.template=bare"])


def test_datasets_under_sources_keep_the_rules_of_a_list(two):
    for more, message in (
        ({"sources": [{"path": "a", "weight": 1}, {"path": "b"}]}, "for every dataset or for none"),
        (
            {"validation_rows": 2, "sources": [{"path": "a"}]},
            "data must have validation_rows in each of its sources",
        ),
    ):
        with pytest.raises(PipelineError, match=message):
            parse_config(Sft, {"output": "o", "steps": 1, "data": {"path": "a", **more}}, "f.yaml")


def test_what_is_not_a_datasets_own_is_said_once_or_alike(two):
    assert data(two, {"template": "bare"}).template == "bare"
    for first, second, message in (
        ({"template": "bare"}, {"template": "plain"}, "data must have template the same for all datasets"),
        ({"weight": 1}, {}, "for every dataset or for none"),
        ({"path": ""}, {}, "data must have a path in each dataset"),
        ({"colour": 1}, {}, "colour"),
        ({}, {"limit": 0}, r"data\.1\.limit must be"),
    ):
        with pytest.raises(PipelineError, match=message):
            data(two, first, second)


@pytest.mark.slow
def test_a_training_on_two_datasets_resumes_to_the_same_bits(two, tmp_path):
    entries = [{"path": str(two[0]), "weight": 2, "template": "bare", "max_length": 256}]
    entries.append({"path": str(two[1]), "weight": 1, "validation_rows": 2})
    document = {
        "model": str(TINY),
        "data": entries,
        "steps": 4,
        "batch_size": 4,
        "device": "cpu",
        "save_every": 2,
    }

    def run(name: str, stop: bool = False) -> bytes:
        config = parse_config(
            Sft, {**document, "output": str(tmp_path / name), "tensorboard": False}, "f.yaml"
        )

        def say(text: str) -> None:
            if stop and text.startswith("step 3"):
                raise KeyboardInterrupt

        try:
            train_sft(config, say)
        except KeyboardInterrupt:
            return b""
        return (tmp_path / name / "log.jsonl").read_bytes()

    whole = run("whole")
    run("cut", stop=True)
    assert run("cut") == whole and b"validation_loss" in whole


def test_validate_says_what_each_dataset_loses(two, tmp_path):
    file = tmp_path / "sft.yaml"
    entries = [{"path": str(path), "template": "bare", "max_length": 64} for path in two]
    file.write_text(json.dumps({"model": str(TINY), "data": entries}))
    arguments = ["validate", str(two[0]), "--for", "sft", "--config", str(file)]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    facts = json.loads(done.stdout)
    assert [one["path"] for one in facts["datasets"]] == [str(path) for path in two] and facts["rows"] == 32
    assert 32 - facts["fit"] == len(facts["left_out"]) > 0 and done.exit_code == 1
    done = CliRunner().invoke(app, arguments)
    assert f"rows fit in {two[1]}" in done.stdout
    arguments[1] = str(tmp_path)
    assert isinstance(CliRunner().invoke(app, arguments).exception, InputError)
