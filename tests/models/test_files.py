"""Which files of a checkpoint make its fingerprint: those that can change a drawing, and no others."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from tiny_models import tiny_emu3, tiny_janus, tiny_liquid

from zero_engine.errors import ModelError
from zero_engine.hashing import digest, digest_file
from zero_engine.model_files import files_of_checkpoint
from zero_engine.models import load_model, model_fingerprint
from zero_engine.models.nano import weights_path

BEFORE = (
    "config.json", "preprocessor_config.json", "tokenizer*", "*.safetensors", "*.safetensors.index.json",
    "codec/*.json", "codec/*.safetensors",
)  # fmt: skip
"""What made a fingerprint when the first drawings were stored."""
CHANGES_NOTHING = {"generation_config.json", "processor_config.json"}
"""Opened as a checkpoint is read, and no drawing depends on what these hold here."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory, tiny_anole):
    place = tmp_path_factory.mktemp("tiny")
    made = {"janus": tiny_janus(place), "emu3": tiny_emu3(place), "liquid": tiny_liquid(place, tiny_anole)}
    return {**made, "anole": tiny_anole, "nano": weights_path()}


KINDS = ["janus", "emu3", "liquid", "anole", "nano"]


@pytest.fixture
def copy(folders, tmp_path):
    def of(kind: str) -> Path:
        return shutil.copytree(folders[kind], tmp_path / kind, copy_function=shutil.copyfile)

    return of


def change(folder: Path, name: str, said: object) -> bool:
    """Write a file; whether that changed the fingerprint."""
    before = model_fingerprint(str(folder))
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(said if isinstance(said, str) else json.dumps(said))
    return model_fingerprint(str(folder)) != before


def without(folder: Path, name: str, key: str) -> None:
    said = json.loads((folder / name).read_text())
    said.pop(key, None)
    (folder / name).write_text(json.dumps(said))


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_drawn_with_a_checkpoint_stays_its_own(kind, folders):
    files = sorted({file for pattern in BEFORE for file in folders[kind].glob(pattern)})
    first = digest(*(part for file in files for part in (file.name, digest_file(file))))
    assert model_fingerprint(str(folders[kind])) == first


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_that_is_opened_counts_or_changes_no_drawing(kind, copy):
    folder, opened = copy(kind), set()
    sys.addaudithook(lambda event, args: opened.add(str(args[0])) if event == "open" else None)
    load_model(str(folder), device="cpu")
    read = {name for name in opened if name.startswith(f"{folder}/") and Path(name).is_file()}
    assert read - set(map(str, files_of_checkpoint(folder))) <= {
        str(folder / name) for name in CHANGES_NOTHING
    }


@pytest.mark.parametrize("name", ["special_tokens_map.json", "added_tokens.json"])
def test_older_files_of_tokens_count_where_transformers_reads_them(name, copy):
    folder = copy("anole")
    assert not change(folder, name, {"bos_token": "<pad>"}) and not change(folder, name, {})
    without(folder, "tokenizer_config.json", "added_tokens_decoder")
    assert change(folder, name, {"bos_token": "<pad>"})
    assert change(folder, name, {"bos_token": "</s>"})
    (folder / "tokenizer_config.json").unlink()
    assert change(folder, name, {"bos_token": "<pad>"})


def test_the_beginning_of_a_sequence_is_what_the_file_that_counts_says(copy):
    folder = copy("anole")
    without(folder, "tokenizer_config.json", "added_tokens_decoder")
    tokens = []
    for said in ("<s>", "</s>"):
        change(folder, "special_tokens_map.json", {"bos_token": said})
        tokens.append(load_model(str(folder), device="cpu").tokenizer.bos_token)
    assert tokens == ["<s>", "</s>"]


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt", "spiece.model", "emu3.tiktoken", "tekken.json"])
def test_a_vocabulary_counts_where_there_is_no_tokenizer_json(name, copy):
    folder = copy("emu3")
    assert not change(folder, name, "1")
    (folder / "tokenizer.json").unlink()
    assert change(folder, name, "2")


@pytest.mark.parametrize("kind", ["janus", "emu3", "anole", "nano"])
def test_the_settings_of_pictures_inside_of_processor_config_are_read_and_count(kind, copy):
    folder = copy(kind)
    assert not change(folder, "processor_config.json", {"image_seq_length": 17})
    own = json.loads((folder / "preprocessor_config.json").read_text())
    mean = [0.25] * 3
    assert change(folder, "processor_config.json", {"image_processor": {**own, "image_mean": mean}})
    assert list(_settings_of(load_model(str(folder), device="cpu")).image_mean) == mean
    (folder / "preprocessor_config.json").unlink()
    assert list(_settings_of(load_model(str(folder), device="cpu")).image_mean) == mean


def _settings_of(model):
    return getattr(model, "image_processor", None) or model.preprocessor


def test_settings_inside_of_processor_config_are_told_by_their_place(copy):
    folder = copy("anole")
    change(folder, "processor_config.json", {"image_processor": {"rescale_factor": "x"}})
    with pytest.raises(ModelError, match=r"processor_config.json.rescale_factor: .*valid number"):
        load_model(str(folder), device="cpu")


@pytest.mark.parametrize(
    "names",
    [
        ("chat_template.jinja", "chat_template.json", "additional_chat_templates/tools.jinja"),
        ("README.md", "generation_config.json", "trainer_state.json", "processor_config.json"),
    ],
)
@pytest.mark.parametrize("kind", ["janus", "nano"])
def test_what_changes_no_drawing_draws_nothing_again(kind, names, copy):
    folder = copy(kind)
    assert not any(change(folder, name, "{}") for name in names)
    load_model(str(folder), device="cpu")


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_beside_the_weights_is_one_line(kind, copy):
    folder = copy(kind)
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"holds an adapter \(adapter_config.json\) beside .* Merge it into"):
        model_fingerprint(str(folder))
