"""Damaged checkpoints of Janus, Emu3 and Liquid, seeded: each is one line, or a model under a fingerprint of its own.

Some damage is another model to anyone who reads it (two weights exchanged, a scale of half its size). It may load, but
what it draws never stands under the fingerprint of the whole one, and nothing that is not finite comes out of it.
"""

import json
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import tiny_emu3, tiny_janus, tiny_liquid

from zero_engine.errors import ModelError
from zero_engine.models import load_model, model_fingerprint
from zero_engine.models.prompt import Sampling, requests

pytestmark = pytest.mark.slow

SEED = 17
FILES = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
)
VALUES = (None, -1, 0, 7, 1.5, "x", [], {}, True, 10**9, "gone", "twice")


@pytest.fixture(scope="module")
def folders(tmp_path_factory, tiny_anole):
    place = tmp_path_factory.mktemp("tiny")
    return {"janus": tiny_janus(place), "emu3": tiny_emu3(place), "liquid": tiny_liquid(place, tiny_anole)}


def made_by(folder: Path) -> bytes:
    """What a checkpoint makes: drawings, pictures, codes of pictures, likelihoods."""
    model = load_model(str(folder), device="cpu")
    drawn = model.draw(requests(["3 + 4 = 7", "two dogs"], [1, 2]), Sampling(guidance=2.0))
    pictures = model.decode(drawn.codes)
    captions = model.caption_likelihood(drawn.codes, ["a dog", "two"])
    assert np.isfinite([*drawn.likelihood, *captions, *model.log_likelihood(["a", "b"], drawn.codes)]).all()
    codes_BN = model.encode(list(pictures))
    return b"".join(array.tobytes() for array in (drawn.codes, pictures, captions, codes_BN))


def of_bytes(folder: Path, chance: random.Random) -> str:
    path = folder / chance.choice([file for file in FILES if (folder / file).is_file()])
    data, how = (
        bytearray(path.read_bytes()),
        chance.choice(["flipped", "cut", "beheaded", "zeroed", "doubled", "emptied"]),
    )
    at = chance.randrange(len(data))
    if how == "flipped":
        for _ in range(chance.choice([1, 8, 64])):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif how == "cut":
        del data[at:]
    elif how == "beheaded":
        del data[:at]
    elif how == "zeroed":
        data[at : at + 64] = bytes(len(data[at : at + 64]))
    elif how == "doubled":
        data[at:at] = data[at : at + 50]
    else:
        data.clear()
    path.write_bytes(data)
    return f"{path.name} {how} at {at}"


def of_weights(folder: Path, chance: random.Random) -> str:
    """Damage to a name, a shape, a kind of numbers or a value."""
    weights = load_file(folder / "model.safetensors")
    name = chance.choice(sorted(weights))
    held = weights[name]
    changes = {
        "renamed": lambda: {f"{name}x": weights.pop(name)},
        "dropped": lambda: weights.pop(name) is None or {},
        "turned": lambda: {name: held.T if held.dim() == 2 else held.flip(0)},
        "halved": lambda: {name: held[: max(1, len(held) // 2)]},
        "doubled": lambda: {name: torch.cat([held, held])},
        "scalar": lambda: {name: torch.tensor(1.0)},
        "int8": lambda: {name: held.to(torch.int8)},
        "bool": lambda: {name: held > 0},
        "nan": lambda: {name: held.flatten().index_fill(0, torch.tensor(0), float("nan")).view(held.shape)},
        "infinite": lambda: {name: held * float("inf")},
        "a block more": lambda: {name.replace(".0.", ".5."): held.clone()},
        "half precision": lambda: {name: held.half()},
        "exchanged": lambda: {name: weights[next(n for n in sorted(weights) if weights[n].shape == held.shape)]},
        "moved": lambda: {f"base.{n}": weights.pop(n) for n in list(weights) if n[:12] == name[:12]},
    }  # fmt: skip
    how = chance.choice(list(changes))
    weights.update(changes[how]())
    kept = {key: weight.clone().contiguous() for key, weight in weights.items()}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return f"{name} {how}"


def of_keys(folder: Path, chance: random.Random) -> str:
    path = folder / chance.choice(
        ["config.json"] * 3 + [file for file in (*FILES[3:], FILES[-1]) if (folder / file).is_file()]
    )
    document = json.loads(path.read_text())
    node, key = chance.choice(list(_places(document)))
    value = chance.choice(VALUES)
    if value == "gone":
        del node[key]
    elif value == "twice":
        node[key] = node[key] * 2 if isinstance(node[key], (int, float)) else [node[key], node[key]]
    else:
        node[key] = value
    path.write_text(json.dumps(document))
    return f"{path.name} {key}={value!r}"


def _places(node: object) -> Iterator[tuple[dict, str]]:
    for key, value in node.items() if isinstance(node, dict) else ():
        yield node, key
        if key != "vocabulary_map":
            yield from _places(value)


@pytest.mark.parametrize("damage", [of_bytes, of_weights, of_keys])
@pytest.mark.parametrize(("kind", "count"), [("janus", 60), ("emu3", 25), ("liquid", 25)])
def test_damage_is_one_line_or_another_model(kind, count, damage, folders, tmp_path):
    whole, own = made_by(folders[kind]), model_fingerprint(str(folders[kind]))
    refused, wrong = 0, []
    for number in range(count):
        chance = random.Random(f"{SEED} {kind} {damage.__name__} {number}")
        folder = shutil.copytree(folders[kind], tmp_path / "damaged", symlinks=True)
        done, began = damage(folder, chance), time.process_time()
        try:
            if made_by(folder) != whole and model_fingerprint(str(folder)) == own:
                wrong.append(f"{done}: draws something else under the same fingerprint")
        except ModelError as error:
            refused += 1
            if "\n" in str(error) or str(folder) not in str(error):
                wrong.append(f"{done}: {error}")
        except Exception as error:
            wrong.append(f"{done}: {type(error).__name__}: {error}")
        if time.process_time() - began > 30:
            wrong.append(f"{done}: took {time.process_time() - began:.0f} s")
        shutil.rmtree(folder)
    assert wrong == [] and refused > count / 3


@pytest.mark.parametrize(
    ("kind", "keys", "says"),
    [
        ("janus", "text_config.num_hidden_layers", "num_hidden_layers is 1000000000 .* the files hold"),
        ("janus", "text_config.vocab_size", "asks for 6.* numbers, and the weights in .* are"),
        ("janus", "vq_config.num_embeddings", "asks for 4.* numbers, and the weights in .* are"),
        ("emu3", "vq_config.num_res_blocks", "num_res_blocks is 1000000000 .* the files hold"),
        ("liquid", "num_hidden_layers", "num_hidden_layers is 1000000000 .* the files hold"),
        ("liquid", "intermediate_size", "asks for 1.* numbers, and the weights in .* are"),
    ],
)
def test_a_size_that_fills_the_memory_is_refused_before_it_does(kind, keys, says, folders, tmp_path):
    folder = shutil.copytree(folders[kind], tmp_path / "damaged", symlinks=True)
    document = json.loads((folder / "config.json").read_text())
    *place, last = keys.split(".")
    node = document
    for key in place:
        node = node[key]
    node[last] = 10**9
    (folder / "config.json").write_text(json.dumps(document))
    with pytest.raises(ModelError, match=says):
        load_model(str(folder), device="cpu")
