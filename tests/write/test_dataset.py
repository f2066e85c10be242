"""open_dataset: memory-mapped rows, or one line that says why not. And the manifest it goes by."""

import json

import jsonschema
import pytest
from PIL.Image import Image

from tests.write.sample_dataset import build_dataset
from zero_engine import open_dataset
from zero_engine.contracts.publish import schemas
from zero_engine.errors import OutputError
from zero_engine.write.manifest import MANIFEST, read_manifest, versions


@pytest.mark.parametrize("streaming", [False, True])
def test_rows_and_drawings_open_with_decoded_pictures(dataset, streaming):
    rows = list(open_dataset(dataset, streaming=streaming))
    assert [row["id"] for row in rows] == [f"t-{shard}-{i}" for shard in (0, 1) for i in range(3)]
    assert isinstance(rows[0]["steps"][0]["image"], Image)
    drawings = list(open_dataset(str(dataset), "candidates", streaming=streaming))
    assert len(drawings) == 24 and isinstance(drawings[0]["image"], Image)


def test_rows_are_memory_mapped_and_their_fingerprint_follows_the_content(tmp_path):
    for name, rows in (("a", 3), ("b", 3), ("c", 2)):
        build_dataset(tmp_path / name, rows=rows)
    a, b, c = (open_dataset(tmp_path / name) for name in "abc")
    assert [entry["filename"] for entry in a.cache_files] == [
        str(tmp_path / "a" / "data" / f"data-0000{i}.arrow") for i in (0, 1)
    ]
    assert a._fingerprint == b._fingerprint != c._fingerprint


@pytest.mark.parametrize("streaming", [False, True])
def test_a_dataset_without_rows_opens(tmp_path, streaming):
    build_dataset(tmp_path / "out", rows=0)
    rows = open_dataset(tmp_path / "out", streaming=streaming)
    assert list(rows) == [] and "steps" in rows.features


def test_a_folder_without_a_manifest_is_refused(dataset, tmp_path):
    (dataset / MANIFEST).unlink()
    for folder in (dataset, tmp_path / "nowhere"):
        with pytest.raises(OutputError, match=r"no manifest.json.*zero-engine run"):
            open_dataset(folder)


def test_a_file_that_the_manifest_does_not_list_is_refused(dataset):
    (dataset / "data" / "data-00002.arrow").write_bytes(b"")
    with pytest.raises(OutputError, match=r"data/data-00002.arrow is not in the manifest"):
        open_dataset(dataset)


def test_a_file_of_another_size_or_none_is_refused(dataset):
    path = dataset / "data" / "data-00001.arrow"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(OutputError, match=r"data-00001.arrow: has .* bytes where the manifest has"):
        open_dataset(dataset)
    path.unlink()
    with pytest.raises(OutputError, match=r"data-00001.arrow: is missing"):
        open_dataset(dataset)


def test_asking_for_what_is_not_there_says_what_is(tmp_path, dataset):
    with pytest.raises(OutputError, match="default, candidates"):
        open_dataset(dataset, "rejected")
    build_dataset(tmp_path / "bare", drawn=False)
    with pytest.raises(OutputError, match="nothing was drawn"):
        open_dataset(tmp_path / "bare", "candidates")


def test_the_manifest_fits_its_published_schema_and_has_a_line_a_shard(dataset):
    text = (dataset / MANIFEST).read_text()
    jsonschema.validate(json.loads(text), json.loads(schemas()["manifest.schema.json"]))
    assert sum('"sha256"' in line for line in text.splitlines()) == 2
    assert read_manifest(dataset).counts["rows"] == 6


def test_a_damaged_manifest_is_one_line(dataset):
    (dataset / MANIFEST).write_text('{"name": 3}')
    with pytest.raises(OutputError) as caught:
        read_manifest(dataset)
    assert "\n" not in str(caught.value) and "run again" in str(caught.value)
    (dataset / MANIFEST).write_text("half of a fi")
    with pytest.raises(OutputError, match=r"manifest.json"):
        read_manifest(dataset)


def test_versions_come_without_importing_anything():
    found = versions()
    assert {"zero-engine", "python", "pyarrow", "datasets"} <= set(found)
