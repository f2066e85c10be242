"""Each export, loaded by the library that it is for: rows, texts, codes and pictures equal the source."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.write.export.conftest import TINY, build
from zero_engine import open_dataset
from zero_engine.models import load_model
from zero_engine.render.sequences import PICTURE, TEMPLATES, Encoder, Plain
from zero_engine.train.rewards import reward
from zero_engine.write.dataset import COLUMNS, open_rows, read_rows
from zero_engine.write.export import export_dataset
from zero_engine.write.export.files import ParquetFile

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tiny():
    return load_model(TINY, device="cpu")


def export(source: Path, name: str, target: Path, **options) -> Path:
    export_dataset(source, name, target, rows_per_shard=10, **options)
    return target


def pixels(image) -> np.ndarray:
    image = Image.open(io.BytesIO(image)) if isinstance(image, bytes) else image
    return np.asarray(image.convert("RGB"))


def same(one, other) -> bool:
    return np.array_equal(pixels(one), pixels(other))


def drawn(row: dict) -> list:
    return [step["image"] for step in row["steps"] if step["image"] is not None]


def without_pixels(value):
    """A row with each picture as its pixels' bytes, to compare rows with `==`."""
    if isinstance(value, dict):
        return {name: without_pixels(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_pixels(item) for item in value]
    return pixels(value).tobytes() if isinstance(value, Image.Image) else value


def test_parquet_is_the_dataset_for_datasets_polars_duckdb_and_pyarrow(source, rows, tmp_path):
    import duckdb
    import polars
    from datasets import load_dataset

    out = export(source, "parquet", tmp_path / "out")
    for name, expected in (
        ("default", open_dataset(source)),
        ("candidates", open_dataset(source, "candidates")),
    ):
        found = load_dataset(str(out), name, split="train")
        assert found.features == expected.features
        assert without_pixels(list(found)) == without_pixels(list(expected))
    streamed = load_dataset(str(out), split="train", streaming=True)
    assert [row["id"] for row in streamed] == [row["id"] for row in rows]
    glob = str(out / "data" / "*.parquet")
    frame = polars.scan_parquet(glob).collect()
    assert frame["id"].to_list() == [row["id"] for row in rows]
    first = frame["steps"].to_list()[0][0]
    assert (
        same(first["image"]["bytes"], rows[0]["steps"][0]["image"])
        and first["codes"] == rows[0]["steps"][0]["codes"]
    )
    query = f"select id, len(steps), steps[1].text from '{glob}' order by id"
    assert duckdb.sql(query).fetchall() == [(r["id"], len(r["steps"]), r["steps"][0]["text"]) for r in rows]
    assert pyarrow.dataset.dataset(out / "data").count_rows() == 24
    assert b"huggingface" in pq.read_schema(next((out / "data").iterdir())).metadata


def test_croissant_reads_texts_pictures_and_codes_back(source, rows, tmp_path):
    import mlcroissant

    found = mlcroissant.Dataset(jsonld=str(export(source, "parquet", tmp_path / "out") / "croissant.json"))
    assert not found.metadata.ctx.issues.errors and not found.metadata.ctx.issues.warnings
    names = [kind.id for kind in found.metadata.record_sets]
    read = [(name, record) for name in names for record in found.records(name)]
    at = 0
    for name, record in read:
        if not name.startswith("data"):
            continue
        row = rows[at]
        at += 1
        assert record[f"{name}/id"].decode() == row["id"]
        assert all(map(same, record[f"{name}/question_images"], row["question_images"]))
        for step, told in zip(row["steps"], record[f"{name}/steps"], strict=True):
            assert told[f"{name}/steps/text"].decode() == step["text"]
            assert (told[f"{name}/steps/codes"] or None) == step["codes"]
            picture = told[f"{name}/steps/image"]
            assert (picture is None and step["image"] is None) or same(picture, step["image"])
    drawings = [record for name, record in read if name.startswith("part")]
    expected = list(open_dataset(source, "candidates"))
    assert at == len(rows) and len(drawings) == len(expected)
    keys = [next(iter(record)).rpartition("/")[0] for record in drawings]
    for key, record, drawing in zip(keys, drawings, expected, strict=True):
        assert record[f"{key}/trace_id"].decode() == drawing["trace_id"]
        assert record[f"{key}/step"] == drawing["step"] and same(record[f"{key}/image"], drawing["image"])


def test_a_row_group_has_a_hundred_rows_or_as_many_as_make_some_megabytes(tmp_path, monkeypatch):
    monkeypatch.setattr("zero_engine.write.export.files.BYTES", 16 << 20)
    schema = pa.schema([("id", pa.string()), ("bytes", pa.binary())])
    for size, groups in (
        (10, [1000, 500]),
        (20_000, [210, 210, 80]),
        (50_000, [100, 100, 100]),
        (1 << 20, [16, 16, 8]),
    ):
        count = sum(groups)
        table = pa.table({"id": list(map(str, range(count))), "bytes": [b"x" * size] * count}, schema)
        with ParquetFile(tmp_path / "x.parquet", schema) as file:
            assert file.add(table.to_batches(max_chunksize=70)) == count
        found = pq.ParquetFile(tmp_path / "x.parquet").metadata
        sizes = [found.row_group(at).num_rows for at in range(found.num_row_groups)]
        assert sizes == groups if size < 1 << 20 else max(sizes) <= 16 and sum(sizes) == count


@pytest.mark.slow
def test_messages_stand_in_their_order_for_trl_and_axolotl(source, rows, tmp_path):
    from datasets import load_dataset
    from trl.data_utils import prepare_multimodal_messages

    out = export(source, "messages", tmp_path / "out")
    for found in (
        load_dataset("imagefolder", data_dir=str(out / "data"), split="train"),
        load_dataset(str(out), split="train"),
    ):
        by_id = {row["id"]: row for row in found}
        assert by_id.keys() == {row["id"] for row in rows}
        for row in rows:
            chat = prepare_multimodal_messages(by_id[row["id"]]["messages"], by_id[row["id"]]["images"])
            asked, told = (message["content"] for message in chat)
            given = [part["image"] for part in asked if part["type"] == "image"]
            assert all(map(same, given, row["question_images"])) and len(given) == len(row["question_images"])
            answered = [part["image"] for part in told if part["type"] == "image"]
            assert len(answered) == len(drawn(row)) and all(map(same, answered, drawn(row)))
            text = "".join(part["text"] for part in told if part["type"] == "text").replace(
                "< image", "<image"
            )
            steps = "\n".join(step["text"] for step in row["steps"])
            assert text == steps + (f"\nFinal Answer: {row['answer']}" if row["answer"] else "")
            if row["answer"]:
                assert reward(text, row["answer"], choices=row["choices"]).accuracy == 1
    turns = [part["type"] for part in by_id["t-000"]["messages"][1]["content"]]
    assert turns == ["text", "image", "text"], "a picture stands behind its step"


def test_chats_hold_as_many_marks_as_pictures_for_llama_factory_and_swift(source, rows, tmp_path):
    """LLaMA-Factory ff6d4d12: SharegptDatasetConverter, `_find_medias`, `_validate_messages`, told again."""
    from datasets import load_dataset

    out = export(source, "messages", tmp_path / "out")
    (info,) = json.loads((out / "dataset_info.json").read_text()).values()
    files = sorted(str(path) for path in (out / info["file_name"]).iterdir())
    found = load_dataset("parquet", data_files=files, split="train")
    assert len(found) == 24
    tags, columns = info["tags"], info["columns"]
    for row, source_row in zip(found, rows, strict=True):
        chat = row[columns["messages"]]
        assert [turn[tags["role_tag"]] for turn in chat] == [tags["user_tag"], tags["assistant_tag"]]
        marks = sum(turn[tags["content_tag"]].count("<image>") for turn in chat)
        images = row[columns["images"]]
        assert marks == len(images) and all((out / name).is_file() for name in images)
        expected = [*source_row["question_images"], *drawn(source_row)]
        assert all(map(same, [Image.open(out / name) for name in images], expected))


def test_trl_reads_prompt_completion_and_questions(source, texts_only, rows, tmp_path):
    from datasets import load_dataset

    out = export(texts_only, "trl", tmp_path / "plain")
    told = load_dataset(str(out), "sft", split="train")
    plain_rows = list(open_dataset(texts_only))
    for row, expected in zip(told, plain_rows, strict=True):
        assert row["prompt"].startswith(expected["question"]) and row["prompt"].endswith("\n")
        assert all(choice in row["prompt"] for choice in expected["choices"])
        if expected["answer"]:
            assert reward(row["completion"], expected["answer"], choices=expected["choices"]).total == 1
    asked = load_dataset(str(out), "grpo", split="train")
    assert set(asked.column_names) == {"id", "prompt", "answer", "choices"} and len(asked) == 21
    out = export(source, "trl", tmp_path / "pictures")
    told = load_dataset(str(out), "sft", split="train")
    for row, expected in zip(told, rows, strict=True):
        assert len(row["images"]) == len(expected["question_images"])
        assert all(map(same, row["images"], expected["question_images"]))
        marks = [part["type"] for part in row["prompt"][0]["content"]].count("image")
        assert marks == len(row["images"]) and row["completion"][0]["role"] == "assistant"


def test_tokens_are_what_the_trainer_learns(source, tiny, tmp_path):
    from datasets import load_dataset

    out = export(source, "tokens", tmp_path / "out", model=TINY, template="bare")
    found = load_dataset(str(out), split="train")
    encoder = Encoder(tiny, Plain(TEMPLATES["bare"]))
    rows = {row["id"]: row for row in read_rows(open_rows(source, COLUMNS), range(24))}
    assert len(found) == 21
    for row in found:
        full = rows[row["id"]]
        example = encoder.example(full)
        assert row["input_ids"] == example.ids.tolist()
        assert row["completion_mask"] == (example.kinds != 0).astype(int).tolist()
        told = [step["codes"] for step in full["steps"] if step["codes"] is not None]
        pictures = example.ids[example.kinds == PICTURE].tolist()
        assert pictures == [i for codes in told for i in tiny.layout.code_ids[codes].tolist()]
    short = export_dataset(source, "tokens", tmp_path / "short", model=TINY, max_length=180)
    assert short["left_out"]["too_long"] > 0


def test_verl_rows_have_the_fields_that_its_dataset_reads(source, rows, tmp_path):
    """verl b178a3cd: RLHFDataset._build_messages, told again."""
    from datasets import load_dataset

    out = export(source, "verl", tmp_path / "out")
    found = load_dataset("parquet", data_files=str(out / "data" / "*.parquet"))["train"]
    answered = [row for row in rows if row["answer"]]
    assert [row["extra_info"]["id"] for row in found] == [row["id"] for row in answered]
    assert [row["extra_info"]["index"] for row in found] == [int(row["id"][2:]) for row in answered]
    for row, expected in zip(found, answered, strict=True):
        segments = [part for part in re.split("(<image>|<video>)", row["prompt"][0]["content"]) if part]
        assert segments.count("<image>") == len(row["images"]) == len(expected["question_images"])
        assert all(map(same, row["images"], expected["question_images"]))
        assert row["reward_model"] == {"style": "rule", "ground_truth": expected["answer"]}
        assert row["extra_info"]["choices"] == expected["choices"] and row["data_source"] == "gsm8k"


def test_omni_r1_lines_pass_the_papers_loader(source, tiny, rows, tmp_path):
    """ModalityDance/Omni-R1 63fb24ed, src/PeSFT/pesft.py: `_encode_with_images` and what it passes over, told again."""
    out = export(source, "omni_r1", tmp_path / "out", model=TINY)
    lines = [json.loads(line) for path in sorted((out / "data").glob("*.jsonl")) for line in path.open()]
    answered = {row["id"]: row for row in rows if row["answer"]}
    assert [line["id"] for line in lines] == list(answered)
    place = re.compile(r"<image_start>\[(.*?)\]<image_end>")
    for line in lines:
        keys = [
            key for text in (line["Question"], line["Text Reasoning Trace"]) for key in place.findall(text)
        ]
        assert all(key in line for key in keys) and line["Final Answer"].strip()
        pictures = [line[key] for key in place.findall(line["Text Reasoning Trace"])]
        codes = [step["codes"] for step in answered[line["id"]]["steps"] if step["codes"]]
        layout = tiny.layout
        assert pictures == [[layout.boi, *layout.code_ids[own].tolist(), layout.eoi] for own in codes]
        text = place.sub("", line["Text Reasoning Trace"])
        special = set(tiny.tokenizer.get_added_vocab().values())
        assert not special & set(tiny.tokenizer.encode(text, add_special_tokens=False))
    over = export_dataset(source, "omni_r1", tmp_path / "over", model=TINY, max_length=260, rows_per_shard=10)
    beyond = [
        json.loads(line)["id"] for p in sorted((tmp_path / "over/too_long").iterdir()) for line in p.open()
    ]
    assert over["left_out"]["too_long"] == len(beyond) > 0 and over["held"] + 3 + len(beyond) == 24


def test_omni_r1_lines_load_where_the_first_file_has_the_fewest_pictures(tmp_path):
    from datasets import load_dataset

    few = build(tmp_path / "few", rows=6, per_shard=1)
    export_dataset(few, "omni_r1", tmp_path / "out", model=TINY, rows_per_shard=1)
    found = load_dataset(str(tmp_path / "out"), split="train")
    lines = [json.loads(line) for p in sorted((tmp_path / "out/data").iterdir()) for line in p.open()]
    assert len({len(line) for line in lines}) > 1 and len(lines[0]) < max(map(len, lines))
    assert [{name: value for name, value in row.items() if value} for row in found] == lines


def test_twgi_lines_have_one_separator_and_decode_to_the_row(source, tiny, rows, tmp_path):
    """GAIR-NLP/thinking-with-generated-images 005e31c9, training/custom_datasets.py."""
    out = export(source, "twgi", tmp_path / "out", model=TINY)
    lines = [json.loads(line) for path in sorted(out.glob("data-*.jsonl")) for line in path.open()]
    assert [line["id"] for line in lines] == [row["id"] for row in rows]
    separator = tiny.tokenizer.convert_tokens_to_ids("<reserved08706>")
    for line, row in zip(lines, rows, strict=True):
        assert line["tokens"].count(separator) == 1 and line["tokens"][0] == 0 and line["tokens"][-1] == 2
        response = line["tokens"][line["tokens"].index(separator) + 1 : -1]
        assert response.count(tiny.layout.boi) == len(drawn(row)) == line["response"].count("<image>")
        code_of = {int(token): code for code, token in enumerate(tiny.layout.code_ids)}
        codes = [code_of[token] for token in response if token in code_of]
        assert codes == [code for step in row["steps"] if step["codes"] for code in step["codes"]]


def test_anole_pairs_hold_a_step_and_its_drawing(source, tiny, rows, tmp_path):
    """GAIR-NLP/anole af563fa1, training/train.py: it trains on text_tokens + image_tokens."""
    out = export(source, "anole", tmp_path / "out", model=TINY)
    lines = [json.loads(line) for path in sorted(out.glob("data-*.jsonl")) for line in path.open()]
    steps = [step for row in rows for step in row["steps"] if step["image"] is not None]
    for line, step in zip(lines, steps, strict=True):
        assert line["text"] == step["text"] == tiny.tokenizer.decode(line["text_tokens"])
        expected = [tiny.layout.boi, *tiny.layout.code_ids[step["codes"]].tolist(), tiny.layout.eoi]
        assert line["image_tokens"] == expected and same(Image.open(out / line["image"]), step["image"])


def test_bagel_and_thinkmorph_rows_have_what_their_loaders_index(source, rows, tmp_path):
    """ThinkMorph c1a48adf and BAGEL 056b5fd5: data/interleave_datasets/edit_dataset.py `parse_row`, told again."""
    out = export(source, "bagel", tmp_path / "out")
    by_id = {row["id"]: row for row in rows}
    for name, info in (("thinkmorph", "parquet_info_thinkmorph.json"), ("bagel", "parquet_info_bagel.json")):
        groups = json.loads((out / info).read_text())
        found = 0
        for path, facts in groups.items():
            file = pq.ParquetFile(out / path)
            assert file.num_row_groups == facts["num_row_groups"] and path == f"{name}/{Path(path).name}"
            for group in range(file.num_row_groups):
                for _, row in file.read_row_group(group).to_pandas().iterrows():
                    _check(name, row, by_id[row["id"]])
                    found += 1
        assert found == {"thinkmorph": 18, "bagel": 16}[name]


def _check(name: str, row, source: dict) -> None:
    images = [Image.open(io.BytesIO(image)) for image in row["image_list"]]
    assert all(map(same, images[len(images) - len(drawn(source)) :], drawn(source)))
    if name == "bagel":
        assert len(images) >= 2 and len(row["instruction_list"]) == len(images) - 1
        assert all(
            isinstance(word, str) and word for wordings in row["instruction_list"] for word in wordings
        )
        return
    outputs = list(row["output_text_list"])
    assert isinstance(row["instruction_list"][0], str) and len(images) == 1 + len(drawn(source))
    assert len(outputs) == len(images), "a text before each drawing, and one behind the last"
    assert all(text.endswith("<image_start>") for text in outputs[:-1])
    assert outputs[-1].endswith(f"<answer>{source['answer']}</answer>")
    said = re.sub("</?think>|<image_start>|<image_end>", "\n", "".join(outputs).split("<answer>")[0])
    steps = [line for step in source["steps"] for line in step["text"].splitlines()]
    assert [line.replace("< image", "<image") for line in said.splitlines() if line] == steps


def test_webdataset_samples_have_equal_members_and_equal_the_rows(source, rows, tmp_path):
    import webdataset

    out = export(source, "webdataset", tmp_path / "out")
    urls = sorted(str(path) for path in out.glob("*.tar"))
    found = list(webdataset.WebDataset(urls, shardshuffle=False).decode())
    assert len({frozenset(key for key in sample if key != "__url__") for sample in found}) == 1
    for sample, row in zip(found, rows, strict=True):
        told = sample["json"]
        assert (told["id"], told["question"], told["answer"]) == (row["id"], row["question"], row["answer"])
        assert [step["text"] for step in told["steps"]] == [step["text"] for step in row["steps"]]
        assert all(map(same, sample["given.mp"], row["question_images"]))
        for step, whole in zip(told["steps"], row["steps"], strict=True):
            assert (step["picture"] is None) == (whole["image"] is None)
            if step["picture"] is not None:
                assert same(sample["drawings.mp"][step["picture"]], whole["image"])
                assert sample["codes.npy"][step["picture"]].tolist() == whole["codes"]
