"""Damaged checkpoints: each kind of damage is one line that names the checkpoint, never a traceback, never NaN
pictures."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from zero_engine.errors import ModelError
from zero_engine.models import load_model

pytestmark = pytest.mark.slow

TINY = Path(__file__).resolve().parent.parent / "data" / "goldens" / "tiny-anole"
Damage = Callable[[Path], None]


def setting(file: str, *keys: str, value: Any) -> Damage:
    def damage(folder: Path) -> None:
        document = json.loads((folder / file).read_text())
        node = document
        for key in keys[:-1]:
            node = node[key]
        node[keys[-1]] = value
        (folder / file).write_text(json.dumps(document))

    return damage


def config(*keys: str, value: Any) -> Damage:
    return setting("config.json", *keys, value=value)


def cut(file: str, share: float) -> Damage:
    return lambda folder: (folder / file).write_bytes(
        (folder / file).read_bytes()[: int((folder / file).stat().st_size * share)]
    )


def weights(name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Damage:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        tensors[name] = change(tensors[name]).contiguous()
        save_file(tensors, folder / "model.safetensors")

    return damage


def one_nan(tensor: torch.Tensor) -> torch.Tensor:
    tensor.view(-1)[7] = float("nan")
    return tensor


DAMAGES: dict[str, Damage] = {
    "model_type is a list": config("model_type", value=[]),
    "hidden_size is text": config("hidden_size", value="x"),
    "hidden_size is negative": config("hidden_size", value=-1),
    "layers are left out": config("num_hidden_layers", value=1),
    "blocks of the codec are left out": config("vq_config", "num_res_blocks", value=0),
    "a norm's epsilon is null": config("rms_norm_eps", value=None),
    "the activation is a number": config("hidden_act", value=-1),
    "the activation has weights": config("hidden_act", value="prelu"),
    "positions are negative": config("max_position_embeddings", value=-1),
    "rotary base is negative": config("rope_theta", value=-1),
    "the map is a list": config("vocabulary_map", value=[]),
    "the map is null": config("vocabulary_map", value=None),
    "a code's id is text": config("vocabulary_map", "IMGIMGAZ", value="four"),
    "a code's id is null": config("vocabulary_map", "IMGIMGAZ", value=None),
    "a code's id is a fraction": config("vocabulary_map", "IMGIMGAZ", value=4.5),
    "a code's id is past the vocabulary": config("vocabulary_map", "IMGIMGAZ", value=10**7),
    "two codes have one id": config("vocabulary_map", "IMGIMGAZ", value=5),
    "BOI is past the vocabulary": config("vocabulary_map", "<racm3:break>", value=10**6),
    "BOI is a list": config("vocabulary_map", "<racm3:break>", value=[1]),
    "the codec's settings are text": config("vq_config", value="x"),
    "the codec has no resolution": config("vq_config", "resolution", value=0),
    "the codec has no channels": config("vq_config", "channel_multiplier", value=[]),
    "config.json is cut": cut("config.json", 0.5),
    "config.json is a list": lambda folder: (folder / "config.json").write_text("[]"),
    "tokenizer.json is cut": cut("tokenizer.json", 0.5),
    "tokenizer.json is empty": lambda folder: (folder / "tokenizer.json").write_text("{}"),
    "tokenizer.json has no model": setting("tokenizer.json", "model", value=None),
    "tokenizer.json has another vocabulary": setting("tokenizer.json", "model", "merges", value=["a"]),
    "the weights are cut": cut("model.safetensors", 0.9),
    "the weights' header is cut": cut("model.safetensors", 0.001),
    "the weights are text": lambda folder: (folder / "model.safetensors").write_text("x" * 100),
    "one weight is NaN": weights("lm_head.weight", one_nan),
    "a codec's weight is infinite": weights(
        "model.vqmodel.quantize.embedding.weight", lambda t: t * float("inf")
    ),
    "one weight is huge": weights("lm_head.weight", lambda t: t.index_fill(0, torch.tensor(0), 1e37)),
    "weights are whole numbers": weights("lm_head.weight", lambda t: t.to(torch.int8)),
    "a weight is transposed": weights("model.embed_tokens.weight", lambda t: t.T),
    "pictures have no deviation": setting("preprocessor_config.json", "image_std", value=[0, 0, 0]),
    "pictures have one mean": setting("preprocessor_config.json", "image_mean", value=[1]),
    "pictures are scaled by text": setting("preprocessor_config.json", "rescale_factor", value="x"),
    "pictures are smaller than the codec's": setting("preprocessor_config.json", "crop_size", value=16),
    "pictures are of many sizes": setting("preprocessor_config.json", "do_center_crop", value=False),
    "pictures are huge": setting(
        "preprocessor_config.json", "crop_size", value={"height": 10**6, "width": 10**6}
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_one_line(damage: str, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(TINY, folder)
    for file in folder.iterdir():
        file.chmod(0o644)
    DAMAGES[damage](folder)
    with pytest.raises(ModelError) as caught:
        load_model(str(folder), device="cpu")
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)
