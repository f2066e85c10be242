"""A disk that fails under a model: one line with the file and what to do, whenever and whatever is read."""

import errno
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_models import tiny_clip, tiny_diffusion, tiny_emu3, tiny_janus, tiny_liquid

from zero_engine import model_files
from zero_engine.errors import ModelError
from zero_engine.models import get_model, model_fingerprint
from zero_engine.painters import diffusion
from zero_engine.pipeline import Render, Score
from zero_engine.run.chamber import Chamber, Ended, Limits
from zero_engine.run.contain import _Shard
from zero_engine.run.marks import LOADING, mark
from zero_engine.score import clip

pytestmark = pytest.mark.slow

FAILS = "/proc/self/mem"
"""A regular file whose first byte the kernel answers with EIO, as a broken disk does."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory, tiny_anole):
    place = tmp_path_factory.mktemp("tiny")
    made = {"janus": tiny_janus(place), "emu3": tiny_emu3(place), "liquid": tiny_liquid(place, tiny_anole)}
    return {**made, "anole": tiny_anole, "diffusion": tiny_diffusion(place), "clip": tiny_clip(place / "c")}


def read(kind: str, folder: Path) -> None:
    """What the driver of a run reads of a model."""
    if kind == "diffusion":
        diffusion.fingerprint(Render(generator="diffusion", diffusion={"model": str(folder)}))
    elif kind == "clip":
        clip.fingerprint(Score(clip=str(folder)))
    else:
        model_fingerprint(str(folder))


@pytest.mark.parametrize("kind", ["janus", "emu3", "liquid", "anole", "diffusion", "clip"])
def test_a_disk_that_fails_under_any_file_is_one_line(kind, folders, tmp_path):
    files = [file.relative_to(folders[kind]) for file in folders[kind].rglob("*") if file.is_file()]
    counted, failed = 0, []
    for number, file in enumerate(files):
        folder = shutil.copytree(folders[kind], tmp_path / str(number), copy_function=shutil.copyfile)
        before = file.name in ("special_tokens_map.json", "generation_config.json", "processor_config.json")
        (folder / file).unlink()
        (folder / file).symlink_to(FAILS)
        try:
            read(kind, folder)
            assert before or file.suffix not in (".safetensors", ".json"), f"{file} was not read"
        except ModelError as error:
            counted += 1
            failed += (
                [str(error)] if "\n" in str(error) or f"{folder / file}: cannot" not in str(error) else []
            )
            assert "(Input/output error). Mend its disk or mount, or fetch the model again." in str(error)
    assert failed == [] and counted >= 4


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ESTALE, "Stale file handle). Mend its disk or mount"),
        (errno.ENOTCONN, "Mend its disk or mount"),
        (errno.EACCES, "(Permission denied). Make it readable."),
        (errno.ENOENT, "(No such file or directory). It was there a moment ago: put it back."),
        (errno.EREMOTEIO, "Mend its disk or mount"),
    ],
)
def test_whatever_the_system_raises_is_told_with_its_mend(number, says, folders, monkeypatch, tmp_path):
    folder = shutil.copytree(folders["janus"], tmp_path / "other")
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")

    def lost(path):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(model_files, "digest_file", lost)
    with pytest.raises(ModelError) as caught:
        model_fingerprint(str(folder))
    assert f"{folder / 'config.json'}: cannot read" in str(caught.value) and says in str(caught.value)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
@pytest.mark.parametrize("how", ["cut", "gone", "fails"])
def test_a_file_lost_between_the_check_and_the_reading_is_one_line(how, file, folders, monkeypatch, tmp_path):
    from zero_engine.models import registry

    folder = shutil.copytree(folders["janus"], tmp_path / "other")
    known = model_fingerprint(str(folder))
    monkeypatch.setattr(registry, "model_fingerprint", lambda name: known + how + file)
    path = folder / file
    data = path.read_bytes()
    path.unlink()
    if how == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif how == "fails":
        path.symlink_to(FAILS)
    with pytest.raises(ModelError) as caught:
        get_model(str(folder), device="cpu")
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


@pytest.mark.parametrize("name", ["x" * 300, "loop", "file/below"])
def test_a_name_that_the_system_refuses_is_one_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    Path("file").write_text("")
    with pytest.raises(ModelError) as caught:
        model_fingerprint(f"./{name}")
    assert "\n" not in str(caught.value)


def cut_under_the_map(_: object) -> None:
    """What a process dies of whose mapped file was cut."""
    mark(LOADING)
    os.kill(os.getpid(), signal.SIGBUS)


def test_a_map_that_breaks_while_a_model_is_loaded_is_told_as_that():
    chamber = Chamber()
    try:
        with pytest.raises(Ended) as ended:
            chamber.run(cut_under_the_map, None, Limits(60))
    finally:
        chamber.close()
    pipeline = SimpleNamespace(render=SimpleNamespace(model="/a/model"), dask=SimpleNamespace())
    shard = object.__new__(_Shard)
    shard.task = SimpleNamespace(pipeline=pipeline, out="out", chunk=SimpleNamespace(index=3))
    error = shard._given_up(ended.value)
    assert isinstance(error, ModelError) and "/a/model: a file of the model was cut, or its disk" in str(
        error
    )
