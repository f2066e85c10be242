"""The published contracts: what is in schemas/ is what the code writes and what datasets understands."""

import dataclasses
import json

import jsonschema
import pytest

from zero_engine import contracts
from zero_engine.contracts.publish import main, schemas
from zero_engine.contracts.rows import CANDIDATE, REJECTION, ROW_TYPES, TRACE, TRAJECTORY
from zero_engine.records import BUILTIN_SCORES, Rejection, Trace


def test_published_schemas_are_those_of_the_code(repository):
    folder = repository / "schemas"
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    assert found == schemas(), "run: python -m zero_engine.contracts schemas/"


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
    for name in BUILTIN_SCORES:
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
