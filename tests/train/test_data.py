"""Rows as token sequences, and batches as a function of seed and step."""

import numpy as np
import pytest
import torch

from tests.train.conftest import build
from tests.write.sample_dataset import build_dataset
from zero_engine import open_dataset
from zero_engine.cli.fitting import misfits
from zero_engine.config import parse_config
from zero_engine.errors import InputError, PipelineError
from zero_engine.images import encode_image
from zero_engine.records import Rejection
from zero_engine.render.sequences import GIVEN, PICTURE, TEXT, Encoder
from zero_engine.train.config import Data, Sft, Template
from zero_engine.train.data import Batches, collate, collate_packed
from zero_engine.write.dataset import COLUMNS, open_rows, read_rows


def rows_of(dataset):
    return list(read_rows(open_rows(dataset, COLUMNS), range(24)))


@pytest.mark.parametrize("order", [range(24), [7, 0, 23, 7], [5]])
def test_rows_are_read_in_any_order_as_the_table_has_them(dataset, order):
    table = open_dataset(dataset).with_format("arrow")
    expected = [table[place].to_pylist()[0] for place in order]
    for row, whole in zip(read_rows(open_rows(dataset, COLUMNS), order), expected, strict=True):
        assert {name: row[name] for name in ("id", "question", "answer", "choices")}.items() <= whole.items()
        found = [
            (step["text"], None if step["codes"] is None else list(step["codes"])) for step in row["steps"]
        ]
        assert found == [(step["text"], step["codes"]) for step in whole["steps"]]


def test_rows_of_several_files_are_one_sequence_up_to_the_limit(tmp_path):
    out = tmp_path / "out"
    build_dataset(out)
    expected = open_dataset(out)["id"]
    rows = open_rows(out, COLUMNS)
    assert [row["id"] for row in read_rows(rows, range(len(rows)))] == list(expected) and len(
        rows.batches
    ) > 1
    fewer = open_rows(out, COLUMNS, limit=len(expected) - 1)
    assert len(fewer) == len(expected) - 1 and fewer.fingerprint == rows.fingerprint
    for position in (-1, len(fewer)):
        with pytest.raises(IndexError):
            fewer.at(position)


def test_a_row_becomes_prompt_thought_pictures_and_answer(encoder, dataset):
    row = rows_of(dataset)[1]
    example = encoder.example(row)
    names = {74: "<reserved12856>", 75: "<reserved12857>", 76: "<reserved12866>", 77: "<reserved12867>"}
    brackets = [names[i] for i in example.ids.tolist() if i in names]
    assert brackets == list(names.values())
    assert example.ids[0] == 0 and example.ids[-1] == 2
    assert (example.kinds == PICTURE).sum() == 16 * sum(step["codes"] is not None for step in row["steps"])
    first = example.ids.tolist().index(69)
    assert example.ids[first + 17] == 68
    assert np.array_equal(example.codes[first + 1 : first + 17], row["steps"][0]["codes"])
    assert np.array_equal(example.ids[first + 1 : first + 17], row["steps"][0]["codes"] + 4)
    assert (example.kinds[: len(encoder.prompt(row["question"]))] == GIVEN).all()
    text = encoder.model.tokenizer.decode(example.ids[example.kinds == TEXT], skip_special_tokens=True)
    assert text == "\n".join(step["text"] for step in row["steps"]) + row["answer"]


def test_without_pictures_the_same_row_is_text_only(tiny, dataset):
    encoder = Encoder(tiny, Data(path=str(dataset), template="plain", pictures=False))
    example = encoder.example(rows_of(dataset)[0])
    assert tiny.tokenizer.decode(example.ids, skip_special_tokens=True).endswith(
        "one and one\nFinal Answer: one"
    )
    assert not (example.kinds == PICTURE).any()


def test_a_template_of_ones_own_takes_tokens_by_name_and_data_never_is_one(tiny, dataset):
    pieces = Template(prompt="Q {question}", open="", close="", answer="<reserved08706>{answer}")
    encoder = Encoder(tiny, Data(path=str(dataset), template=pieces))
    row = {**rows_of(dataset)[0], "answer": "</s><reserved08706>IMGIMGBZ", "steps": []}
    ids = encoder.example(row).ids.tolist()
    assert ids.count(72) == 1 and ids.count(2) == 1 and not set(range(4, 68)) & set(ids)
    for pieces in ({"answer": "{question}"}, {"step": "none"}, {"open": "{step}"}):
        with pytest.raises(PipelineError, match="template"):
            parse_config(Data, {"path": "x", "template": pieces}, "file")


def test_pictures_of_the_question_stand_at_their_marks(tiny, dataset):
    picture = tiny.decode(np.arange(16)[None])[0]
    encoder = Encoder(tiny, Data(path=str(dataset), template="bare"))
    data = encode_image(picture)
    marked = encoder.prompt("a<image>b", [data])
    assert marked.index(69) == 1 + len(encoder._text("a"))
    appended = encoder.prompt("ab", [data])
    assert appended[-1] == 68 and appended[-18] == 69
    assert sorted(appended[-17:-1]) == sorted(tiny.layout.code_ids[tiny.encode([picture])[0]].tolist())
    assert 69 not in encoder.prompt("a<image>b", [])


def test_rows_that_do_not_fit_are_named_with_the_reason(tiny, dataset, tmp_path):
    rows = open_rows(dataset, COLUMNS)
    short = Encoder(tiny, Data(path=str(dataset), template="bare", max_length=64))
    found = list(misfits(rows, short.example))
    assert (
        found
        and {f.reason for f in found} == {"too_long"}
        and all("max_length 64" in f.detail for f in found)
    )
    unanswered = open_rows(build(tmp_path / "none", 3, answers=[None] * 3), COLUMNS)
    whole = Encoder(tiny, Data(path="x"))
    assert [f.reason for f in misfits(unanswered, whole.example)] == ["no_answer"] * 3
    row = rows_of(dataset)[0]
    row["steps"][0]["codes"] = np.full(16, 64, np.uint16)
    assert whole.example(row).reason == "codes_misfit"
    seen: list[Rejection] = []
    batches = Batches(rows, short.example, seed=0, size=4, report=seen.append)
    ids = {example.id for step in range(16) for example in batches[step]}
    assert {r.trace_id for r in seen} == {f.trace_id for f in found} and not ids & {f.trace_id for f in found}
    nothing = Encoder(tiny, Data(path="x", max_length=16))
    with pytest.raises(InputError, match="too_long"):
        Batches(rows, nothing.example, seed=0, size=4)[0]


@pytest.mark.slow
def test_a_batch_is_a_function_of_seed_and_step(encoder, dataset):
    rows = open_rows(dataset, COLUMNS)

    def ids(step, seed=0):
        batches = Batches(rows, encoder.example, seed=seed, size=4, length=lambda e: len(e.ids))
        return [example.id for example in batches[step]]

    walked = Batches(rows, encoder.example, seed=0, size=4, length=lambda e: len(e.ids))
    assert [[e.id for e in walked[step]] for step in range(20)] == [ids(step) for step in range(20)]
    assert ids(3) != ids(3, seed=1)
    # 16 batches of 4 are two epochs and two thirds of 24 rows: none is missing, none comes more than three times
    often = np.unique([i for step in range(16) for i in ids(step)], return_counts=True)[1]
    assert len(often) == 24 and often.min() >= 2 and often.max() <= 3
    held_out = Batches(rows, encoder.example, seed=0, size=4, first=8)
    assert {e.id for step in range(16) for e in held_out[step]} == {f"t-{i:03d}" for i in range(8, 24)}


def test_packed_rows_hold_every_example_once(encoder, dataset):
    examples = [encoder.example(row) for row in rows_of(dataset)]
    packed = collate_packed(examples, encoder.pad, 512)
    assert len(packed) < len(examples)
    assert sum(int((batch.kinds == PICTURE).sum()) for batch in packed) == sum(
        int((e.kinds == PICTURE).sum()) for e in examples
    )
    assert all(batch.ids.shape[1] <= 512 for batch in packed)
    assert sum(int(batch.segments.max()) for batch in packed) == len(examples)


def test_padding_marks_nothing_and_may_be_any_token(encoder, dataset):
    examples = [encoder.example(row) for row in rows_of(dataset)[:4]]
    batch = collate(examples, pad=encoder.eos)
    lengths = torch.tensor([len(e.ids) for e in examples])
    beyond = torch.arange(batch.ids.shape[1])[None] >= lengths[:, None]
    assert (batch.kinds[beyond] == GIVEN).all() and (batch.ids[beyond] == encoder.eos).all()


def test_a_training_file_says_what_is_wrong_in_one_line():
    with pytest.raises(PipelineError, match="data.template must be one of omni_r1"):
        parse_config(Sft, {"output": "o", "steps": 1, "data": {"path": "p", "template": "x"}}, "f.yaml")
    with pytest.raises(PipelineError, match="unknown key loss.lambda"):
        parse_config(Sft, {"output": "o", "steps": 1, "data": {"path": "p"}, "loss": {"lambda": 1}}, "f.yaml")
