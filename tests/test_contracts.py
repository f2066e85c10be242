"""The published contracts: what is in schemas/ is what the code writes and what datasets understands."""

import dataclasses
import json

import jsonschema
import pytest

from zero_engine import contracts
from zero_engine.contracts.publish import documents, main, schemas
from zero_engine.contracts.rows import CANDIDATE, REJECTION, ROW_TYPES, SCORE_COLUMNS, TRACE, TRAJECTORY
from zero_engine.contracts.scores import NEEDS, SCORES, in_order
from zero_engine.pipeline import Score
from zero_engine.records import Rejection, Trace


def test_published_schemas_are_those_of_the_code(repository):
    folder = repository / "schemas"
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    assert found == schemas(), "run: python -m zero_engine.contracts schemas/"


def test_the_published_table_of_scores_is_that_of_the_code(repository):
    for name, text in documents().items():
        assert (repository / "docs" / name).read_text(encoding="utf-8") == text, "run: make schemas"


def test_the_score_columns_are_the_table_and_nothing_else_names_them():
    assert [column.name for column in SCORE_COLUMNS] == list(SCORES)
    assert Score().names == [name for name, score in SCORES.items() if score.default]
    assert all(score.range[0] < score.range[1] and score.needs in NEEDS for score in SCORES.values())
    assert in_order(["zeta", "blank", "alpha", "likelihood", "blank"]) == [
        "likelihood",
        "blank",
        "alpha",
        "zeta",
    ]


def test_check_finds_a_changed_a_missing_and_an_extra_schema(tmp_path, capsys):
    assert main([str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
    (tmp_path / "trace.schema.json").write_text("{}")
    (tmp_path / "candidate.schema.json").unlink()
    (tmp_path / "old.schema.json").write_text("{}")
    assert main(["--check", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert all(f"{name}.schema.json" in said for name in ("trace", "candidate", "old"))
    assert "rejection" not in said


def test_check_looks_at_the_pages_too(tmp_path, capsys):
    folders = [str(tmp_path / "schemas"), str(tmp_path / "docs")]
    assert main(folders) == 0 and main(["--check", *folders]) == 0
    (tmp_path / "docs" / "own.md").write_text("not generated")
    assert main(["--check", *folders]) == 0
    (tmp_path / "docs" / "scores.md").write_text("old")
    assert main(["--check", *folders]) == 1 and "scores.md" in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name in schemas() if name.endswith(".schema.json")])
def test_every_json_schema_is_valid_and_closed(name):
    schema = json.loads(schemas()[name])
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("columns", [TRAJECTORY, CANDIDATE])
def test_features_and_types_are_those_of_datasets(columns):
    from datasets import Features

    made = Features.from_dict(contracts.features(columns))
    assert made.arrow_schema.equals(contracts.arrow_schema(columns))
    assert Features.from_arrow_schema(contracts.arrow_schema(columns)) == made


def test_every_builtin_score_has_a_float32_column_of_its_own():
    schema = contracts.arrow_schema(CANDIDATE)
    step = contracts.arrow_schema(TRAJECTORY).field("steps").type.value_type
    for name in SCORES:
        assert str(schema.field(name).type) == "float"
        assert str(step.field(name).type) == "float"


@pytest.mark.parametrize(("columns", "record"), [(TRACE, Trace), (REJECTION, Rejection)])
def test_records_and_their_published_columns_have_the_same_fields(columns, record):
    assert {c.name for c in columns} == {f.name for f in dataclasses.fields(record)}


def test_every_column_is_described():
    for columns in ROW_TYPES.values():
        assert all(column.doc.endswith(".") for column in columns)


def test_stored_scores_are_what_a_float32_file_gives_back():
    stored = contracts.stored_scores({"a": 1 / 3, "b": float("nan"), "c": -0.5, "d": 1e300})
    assert stored == {"a": 0.3333333432674408, "c": -0.5, "d": float("inf")}
    assert contracts.stored_scores(stored) == stored


def test_a_tally_keeps_keys_that_the_contract_does_not_name():
    entry = contracts.ShardEntry(
        index=0,
        first_row=0,
        records=2,
        digest="d",
        keys={"gate": "0"},
        counts={"records": 2, "traces": 2, "rows": 1, "rejected_traces": 1, "reasons": {"parse: empty": 1}},
        data=contracts.ShardFile("data/data-00000.arrow", 1, 10, "s"),
    )
    again = contracts.ShardEntry.model_validate(json.loads(json.dumps(entry.model_dump(mode="json"))))
    assert again == entry
    assert again.counts["reasons"] == {"parse: empty": 1}
