"""validate_dataset finds every kind of damage, names it, and passes a sound dataset."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.write.sample_dataset import build_dataset, candidate, parsed_trace, png, trajectory
from zero_engine.contracts import TRAJECTORY, ModelInfo, arrow_schema
from zero_engine.errors import OutputError
from zero_engine.records import Trajectory, Verdict
from zero_engine.write.decoded import bad_drawings
from zero_engine.write.manifest import read_manifest, write_manifest
from zero_engine.write.shards import write_candidates, write_trajectories
from zero_engine.write.validate import CHECKS, validate_dataset


def failed(out: Path) -> dict[str, str]:
    """Details of the failed checks, by name."""
    checks = validate_dataset(out)
    assert tuple(check.name for check in checks) == CHECKS
    return {check.name: check.detail for check in checks if not check.ok}


def rewrite(out: Path, write: Callable[[Path], object], shard: int = 0, kind: str = "data") -> None:
    """Replace a file of a shard and bring the manifest in line, as a faulty writer would."""
    manifest = read_manifest(out)
    entry = manifest.shards[shard]
    old = getattr(entry, kind)
    new = write(out / old.name).renamed(old.name)
    shards = list(manifest.shards)
    shards[shard] = entry.model_copy(update={kind: new})
    write_manifest(out, manifest.model_copy(update={"shards": shards}))


def rows_of_shard(*changed: Trajectory) -> Callable[[Path], object]:
    """The first shard's rows with the last ones replaced."""
    rows = [trajectory(f"t-0-{i}") for i in range(3)]
    rows[len(rows) - len(changed) :] = changed
    return lambda path: write_trajectories(path, rows, "p" * 16, "m" * 16)


def test_a_sound_dataset_passes_every_check_with_figures(dataset):
    checks = {check.name: check for check in validate_dataset(dataset)}
    assert all(check.ok for check in checks.values())
    assert checks["accounting"].detail == "8 traces = 6 rows + 2 whole-trace rejections"
    assert checks["pictures"].detail == "30 checked"


@pytest.mark.parametrize("options", [{"drawn": False}, {"rows": 0}, {"shards": 1}])
def test_other_shapes_of_sound_datasets_pass(tmp_path, options):
    build_dataset(tmp_path / "out", **options)
    assert failed(tmp_path / "out") == {}


def test_a_folder_without_a_manifest_is_no_dataset(tmp_path):
    with pytest.raises(OutputError, match="not a finished"):
        validate_dataset(tmp_path)


def test_one_flipped_bit_is_found(dataset):
    path = dataset / "candidates" / "part-00001.arrow"
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 6] ^= 1
    path.write_bytes(data)
    faults = failed(dataset)
    assert faults["sha256"].startswith("candidates/part-00001.arrow")
    assert set(faults) <= {"sha256", "pictures", "candidates"}


@pytest.mark.parametrize(
    "name", ["data/data-00000.arrow", "candidates/part-00000.arrow", "rejected/part-00000.jsonl"]
)
def test_missing_truncated_and_unlisted_files_are_found(dataset, name):
    path = dataset / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    faults = failed(dataset)
    assert name in faults["files"] and name in faults["sha256"]
    path.write_bytes(b"")
    assert name in failed(dataset)["files"]
    path.unlink()
    assert failed(dataset)["files"].startswith(f"{name}: missing")
    path.write_bytes(whole)
    path.with_stem(path.stem + "-copy").write_bytes(whole)
    assert "not in the manifest" in failed(dataset)["files"]


def test_a_table_with_another_schema_is_found(dataset):
    def write(path):
        table = pa.table({"id": ["t-0-0", "t-0-1", "t-0-2"]})
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return replace(read_manifest(dataset).shards[0].data, sha256="")

    rewrite(dataset, write)
    assert "columns are not those of schema version 2" in failed(dataset)["schema"]


def test_a_lost_row_and_a_lost_rejection_are_found(dataset):
    rows = [trajectory("t-0-0"), trajectory("t-0-1")]
    rewrite(dataset, lambda path: write_trajectories(path, rows, "p", "m"))
    faults = failed(dataset)
    assert "shard 0" in faults["accounting"] and "rows" in faults
    manifest = read_manifest(dataset)
    shards = [entry.model_copy(update={"rejections": None}) for entry in manifest.shards]
    write_manifest(dataset, manifest.model_copy(update={"shards": shards}))
    assert "0 whole-trace rejections where 1 are due" in failed(dataset)["accounting"]


def test_totals_that_do_not_add_up_are_found(dataset):
    manifest = read_manifest(dataset)
    write_manifest(dataset, manifest.model_copy(update={"counts": {**manifest.counts, "traces": 9}}))
    assert "manifest: 9 traces where 8 are due" in failed(dataset)["accounting"]
    write_manifest(dataset, manifest.model_copy(update={"shards": manifest.shards[1:]}))
    assert "first row" in failed(dataset)["accounting"] or "records" in failed(dataset)["accounting"]


def test_an_id_that_comes_twice_is_named(dataset):
    rewrite(dataset, rows_of_shard(trajectory("t-1-0")))
    assert failed(dataset)["ids"] == (
        "data/data-00000.arrow: 't-1-0' is the id of more than one row (and 1 more)"
    )


def test_steps_out_of_order_and_verdicts_without_a_drawing_are_found(dataset):
    parsed = parsed_trace("t-0-2")
    drawing = candidate("t-0-2", 0, 1)
    turned = (Verdict(1, "text_only", "x"), Verdict(0, "kept", None, drawing))
    rewrite(dataset, rows_of_shard(Trajectory(parsed, turned)))
    assert failed(dataset)["steps"] == "data/data-00000.arrow, the row 't-0-2': step 1 stands after step 2"
    rewrite(dataset, rows_of_shard(Trajectory(parsed, (Verdict(0, "kept"),))))
    assert "step 1 is kept and its image is not there" in failed(dataset)["steps"]
    rewrite(dataset, rows_of_shard(Trajectory(parsed, (Verdict(0, "text_only", "x", drawing),))))
    assert "step 1 is text_only and its image is there" in failed(dataset)["steps"]
    rewrite(dataset, rows_of_shard(Trajectory(parsed, (Verdict(0, "dropped", "x"),))))
    assert "verdict 'dropped'" in failed(dataset)["steps"]


@pytest.mark.parametrize(
    ("changes", "check", "words"),
    [
        ({"codes": np.full(64, 640, np.uint16)}, "codes", "code 640 is outside the codebook of 640"),
        ({"codes": np.zeros(63, np.uint16)}, "codes", "63 codes where a picture has 64"),
        ({"codes": np.zeros(64, np.uint16)}, "candidates", "trace 't-0-2' step 1 attempt 1"),
        ({"image": png(200)}, "candidates", "not in candidates/ with the same codes and picture"),
        ({"image": b"not a picture"}, "pictures", "13 bytes does not decode"),
        ({"image": png(3)[:45]}, "pictures", "does not decode"),
        ({"seed": 5}, "candidates", "trace 't-0-2'"),
    ],
)
def test_a_kept_drawing_that_is_not_what_was_drawn_is_found(dataset, changes, check, words):
    verdict = Verdict(0, "kept", None, candidate("t-0-2", 0, 1, **changes))
    rewrite(dataset, rows_of_shard(Trajectory(parsed_trace("t-0-2"), (verdict,))))
    assert words in failed(dataset)[check]


def test_a_drawing_of_another_size_than_the_models_is_found(dataset):
    manifest = read_manifest(dataset)
    model = ModelInfo(**{**manifest.model.model_dump(), "height": 8, "width": 8})
    write_manifest(dataset, manifest.model_copy(update={"model": model}))
    assert failed(dataset) == {}
    drawings = [candidate("t-0-0", 0, 1, image=png(1, size=16))]
    rewrite(dataset, lambda path: write_candidates(path, drawings, {("t-0-0", 0): ""}), kind="candidates")
    assert failed(dataset)["pictures"].endswith("a picture is 16x16 where the model draws 8x8")


def test_a_null_without_a_meaning_is_found(dataset):
    path = dataset / "data" / "data-00000.arrow"
    with pa.memory_map(str(path)) as source:
        rows = pa.ipc.open_stream(source).read_all().to_pylist()
    rows[1]["question"] = None
    rows[2]["source"]["name"] = None
    rows[0]["steps"][0]["text"] = None

    def write(path):
        schema = arrow_schema(TRAJECTORY)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
        return read_manifest(dataset).shards[0].data

    rewrite(dataset, write)
    found = failed(dataset)["nulls"]
    assert found == "data/data-00000.arrow, rows 1 to 3: question is null (and 2 more)"


def test_dead_letters_that_are_not_strict_json_or_lack_keys_are_found(dataset):
    path = dataset / "rejected" / "part-00000.jsonl"
    lines = path.read_text().splitlines()
    path.write_text(lines[0].replace('"?"', "NaN") + "\n" + lines[1] + "\n")
    assert "line 1: NaN is not strict JSON" in failed(dataset)["rejections"]
    letter = json.loads(lines[1])
    del letter["attempt"]
    path.write_text(lines[0] + "\n" + json.dumps(letter) + "\n{\n")
    assert failed(dataset)["rejections"].endswith("(and 1 more)")
    path.write_bytes(b"\xff\n[]\n")
    assert "rejections" in failed(dataset)


def test_every_file_is_announced_before_it_is_read(dataset):
    names: list[str] = []
    validate_dataset(dataset, names.append)
    assert names == [file.name for file in read_manifest(dataset).files()]


def test_a_painted_picture_has_its_own_size_and_says_what_its_codes_hold(dataset):
    painted = candidate("t-0-2", 0, 1, image=png(1, size=24), origin="painted", scores={"roundtrip": 20.0})
    drawings = [candidate(f"t-0-{i}", s, a) for i in range(3) for s in (0, 1) for a in (0, 1)]
    texts = {(c.trace_id, c.step): "a step" for c in drawings}
    manifest = read_manifest(dataset)
    model = manifest.model.model_copy(update={"height": 8, "width": 8})
    write_manifest(dataset, manifest.model_copy(update={"model": model}))

    def put(picture, in_rows=None):
        row = trajectory("t-0-2")
        kept = (Verdict(0, "kept", None, in_rows or picture), *row.verdicts[1:])
        rewrite(dataset, rows_of_shard(replace(row, verdicts=kept)))
        stored = [picture if c.trace_id == "t-0-2" and (c.step, c.attempt) == (0, 1) else c for c in drawings]
        rewrite(dataset, lambda path: write_candidates(path, stored, texts), kind="candidates")
        found = failed(dataset)
        del found["files"]  # what lies beside the rows was not written anew
        return found

    assert put(painted) == {}
    assert "a painted picture has no roundtrip" in put(replace(painted, scores={}))["pictures"]
    assert "has the origin 'found'" in put(replace(painted, origin="found"))["pictures"]
    assert "24x24 where the model draws 8x8" in put(replace(painted, origin="drawn"))["pictures"]
    decoded = replace(painted, image=png(2))
    assert "same codes and picture" in put(painted, decoded)["candidates"]
    manifest = read_manifest(dataset)
    pipeline = {**manifest.pipeline, "output": {"pixels": "decoded"}}
    write_manifest(dataset, manifest.model_copy(update={"pipeline": pipeline}))
    assert put(painted, decoded) == {}
    assert "24x24 where the model draws 8x8" in put(painted)["pictures"]


def test_codes_that_do_not_decode_to_the_picture_are_found():
    from fake_model import FakeModel

    from zero_engine.images import encode_image, fit, psnr

    model = FakeModel()
    codes = np.arange(16, dtype=np.uint16)
    drawn = candidate("t", 0, 0, codes=codes, image=encode_image(model.decode(codes[None])[0]))
    painting = np.arange(48 * 64 * 3, dtype=np.uint32).astype(np.uint8).reshape(48, 64, 3)
    own = model.encode([fit(painting, 32)])[0]
    roundtrip = psnr(fit(painting, 32), model.decode(own[None])[0])
    painted = candidate(
        "t", 1, 0, codes=own, image=encode_image(painting), origin="painted", scores={"roundtrip": roundtrip}
    )
    assert list(bad_drawings([drawn, painted], model)) == []
    wrong = [replace(drawn, codes=own), replace(painted, codes=codes), replace(drawn, image=painted.image)]
    for fault, says in zip(
        bad_drawings(wrong, model), ("dB from", "its roundtrip is", "decode to (32"), strict=True
    ):
        assert says in fault


def test_a_folder_without_rows_fits_no_training(tmp_path):
    from typer.testing import CliRunner

    from zero_engine.cli.app import app
    from zero_engine.errors import CheckFailed

    out = tmp_path / "none"
    build_dataset(out, shards=1, rows=0)
    done = CliRunner().invoke(app, ["validate", str(out), "--for", "sft"])
    assert isinstance(done.exception, CheckFailed) and "there are no rows to train on" in str(done.exception)
