"""A finished folder loads in every way that users of `datasets` know; a cut one never looks finished."""

import json

import pytest
from PIL.Image import Image

from tests.write.sample_dataset import build_dataset, png
from zero_engine.errors import OutputError
from zero_engine.write import finish
from zero_engine.write.finish import finish_dataset, unfinish
from zero_engine.write.manifest import read_manifest


def check_rows(rows: list[dict]) -> None:
    """Six rows in order, each with a decoded drawing in its first step and none in the second."""
    assert [row["id"] for row in rows] == [f"t-{shard}-{i}" for shard in (0, 1) for i in range(3)]
    for row in rows:
        drawn, bare = row["steps"]
        assert isinstance(drawn["image"], Image) and drawn["image"].size == (8, 8)
        assert len(drawn["codes"]) == 64
        assert bare["image"] is None and bare["codes"] is None


def check_drawings(rows: list[dict]) -> None:
    assert len(rows) == 24
    assert all(isinstance(row["image"], Image) and len(row["codes"]) == 64 for row in rows)


def test_load_from_disk_gives_decoded_pictures(dataset):
    from datasets import load_from_disk

    rows = load_from_disk(str(dataset / "data"))
    assert len(rows.cache_files) == 2, "memory-mapped, not copied"
    check_rows(list(rows))


def test_load_dataset_gives_decoded_pictures_of_both_configs(dataset):
    from datasets import load_dataset

    assert list(load_dataset(str(dataset))) == ["train"]
    check_rows(list(load_dataset(str(dataset), split="train")))
    check_drawings(list(load_dataset(str(dataset), "candidates", split="train")))


def test_streaming_gives_decoded_pictures_of_both_configs(dataset):
    from datasets import load_dataset

    check_rows(list(load_dataset(str(dataset), split="train", streaming=True)))
    check_drawings(list(load_dataset(str(dataset), "candidates", split="train", streaming=True)))


def test_load_dataset_sees_that_a_folder_was_made_anew(tmp_path):
    """datasets keys its cache of a local folder by the card's configs alone."""
    import shutil

    from datasets import load_dataset

    out = tmp_path / "out"
    build_dataset(out, rows=3)
    assert len(load_dataset(str(out), split="train")) == 6
    shutil.rmtree(out)
    build_dataset(out, rows=2)
    assert len(load_dataset(str(out), split="train")) == 4


def test_pictures_of_a_question_decode(tmp_path, monkeypatch):
    from datasets import load_from_disk

    from tests.write import sample_dataset

    plain = sample_dataset.trajectory
    monkeypatch.setattr(
        sample_dataset, "trajectory", lambda *a: plain(*a, question_images=(png(9, 4), png(10, 5)))
    )
    build_dataset(tmp_path / "out")
    row = load_from_disk(str(tmp_path / "out" / "data"))[0]
    assert [image.size for image in row["question_images"]] == [(4, 4), (5, 5)]


def test_without_drawings_there_is_no_candidates_config(tmp_path):
    from datasets import get_dataset_config_names, load_dataset

    out = tmp_path / "out"
    build_dataset(out, drawn=False)
    assert get_dataset_config_names(str(out)) == ["default"]
    assert not (out / "candidates").exists()
    rows = load_dataset(str(out), split="train")
    assert len(rows) == 6 and rows[0]["steps"][0]["image"] is None
    assert rows.features["steps"].feature["image"].decode


def test_a_dataset_of_no_rows_keeps_its_columns(tmp_path):
    from datasets import load_dataset, load_from_disk

    out = tmp_path / "out"
    build_dataset(out, rows=0)
    rows = load_from_disk(str(out / "data"))
    assert len(rows) == 0 and "steps" in rows.features
    assert list(load_dataset(str(out), split="train", streaming=True)) == []


def test_one_empty_shard_among_others_is_no_trouble(tmp_path):
    from datasets import load_dataset

    manifests = {rows: build_dataset(tmp_path / str(rows), shards=1, rows=rows) for rows in (3, 0)}
    out = tmp_path / "3"
    empty = manifests[0].shards[0]
    (tmp_path / "0" / empty.data.name).rename(out / "data" / "data-00001.arrow")
    data = empty.data.renamed("data/data-00001.arrow")
    shards = [manifests[3].shards[0], empty.model_copy(update={"index": 1, "data": data, "candidates": None})]
    shards[1] = shards[1].model_copy(update={"rejections": None})
    finish_dataset(out, manifests[3].model_copy(update={"shards": shards}), {})
    assert len(load_dataset(str(out), split="train")) == 3


def test_files_of_an_older_run_with_more_shards_are_moved_away(dataset):
    manifest = read_manifest(dataset)
    fewer = manifest.model_copy(update={"shards": manifest.shards[:1]})
    (dataset / "notes.txt").write_text("the user's own")
    finish_dataset(dataset, fewer, {})
    assert [p.name for p in sorted((dataset / "data").glob("*.arrow"))] == ["data-00000.arrow"]
    assert [p.name for p in (dataset / "candidates").iterdir()] == ["part-00000.arrow"]
    assert [p.name for p in (dataset / "rejected").iterdir()] == ["part-00000.jsonl"]
    assert (dataset / "notes.txt").exists()
    assert json.loads((dataset / "data" / "state.json").read_text())["_data_files"] == [
        {"filename": "data-00000.arrow"}
    ]


def test_finishing_twice_gives_the_same_bytes(dataset):
    before = {p: p.read_bytes() for p in dataset.rglob("*") if p.is_file()}
    finish_dataset(dataset, read_manifest(dataset), json.loads((dataset / "stats.json").read_text()))
    assert {p: p.read_bytes() for p in dataset.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("step", ["_move_unlisted", "_write_json", "dataset_card", "write_manifest"])
def test_a_finish_that_dies_anywhere_leaves_no_manifest(dataset, monkeypatch, step):
    manifest = read_manifest(dataset)

    def die(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(finish, step, die)
    with pytest.raises(KeyboardInterrupt):
        finish_dataset(dataset, manifest, {})
    with pytest.raises(OutputError, match="not a finished zero-engine dataset"):
        read_manifest(dataset)
    monkeypatch.undo()
    finish_dataset(dataset, manifest, {})
    assert read_manifest(dataset) == manifest


def test_a_listed_file_that_is_gone_or_cut_short_is_named(dataset):
    manifest = read_manifest(dataset)
    path = dataset / "candidates" / "part-00001.arrow"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(OutputError, match=r"part-00001.arrow: has .* bytes, not"):
        finish_dataset(dataset, manifest, {})
    path.unlink()
    with pytest.raises(OutputError, match=r"part-00001.arrow: is missing"):
        finish_dataset(dataset, manifest, {})


def test_unfinish_withdraws_the_manifest_and_nothing_else(dataset):
    unfinish(dataset)
    unfinish(dataset)
    assert not (dataset / "manifest.json").exists()
    assert (dataset / "data" / "data-00000.arrow").exists()
