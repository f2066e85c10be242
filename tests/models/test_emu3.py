"""Emu3: a tiny checkpoint against transformers' own forward and codec, and what every model promises."""

import json
import shutil

import numpy as np
import pytest
import torch
from tiny_models import tiny_emu3

from tests.greedy import draws_like_a_plain_loop, scores_what_it_drew
from zero_engine.errors import ModelError
from zero_engine.models import get_model, load_model
from zero_engine.models.prompt import Sampling, requests
from zero_engine.models.sampling import guide
from zero_engine.report.checking import check_model

pytestmark = pytest.mark.slow

PROMPTS = ["3 + 4 = 7", "", "a longer prompt that takes more slots than sixteen", "b"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_emu3(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def emu3(folder):
    torch.set_num_threads(1)
    return load_model(str(folder), device="cpu")


def ids_of(emu3, *parts: str) -> list[int]:
    """Ids as the tokenizer gives them, special tokens by name."""
    return [id for part in parts for id in emu3.tokenizer(part, add_special_tokens=False)["input_ids"]]


def drawn_so_far(codes: list[int]) -> str:
    """Rows of four codes, each closed by its end."""
    names = [
        f"<|visual token {code:06d}|>" + "<|extra_200|>" * (at % 4 == 3) for at, code in enumerate(codes)
    ]
    return "".join(names)


@torch.inference_mode()
def plain_log_p(emu3, prompt: str, codes: list[int]) -> torch.Tensor:
    """Of the next code, by transformers' forward over the whole sequence, without cache or padding."""
    ids = ids_of(emu3, "<|extra_203|>", prompt, "<|image start|>4*4<|image token|>", drawn_so_far(codes))
    logits_V = emu3.module(input_ids=torch.tensor([ids])).logits[0, -1]
    return logits_V[list(emu3.module.vocabulary_mapping.img2bpe.values())].log_softmax(-1)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_greedy_drawing_is_identical_to_a_plain_loop_over_the_full_forward(emu3, guidance):
    draws_like_a_plain_loop(emu3, plain_log_p, PROMPTS, guidance)


def test_a_negative_prompt_is_what_guidance_steers_away_from(emu3):
    drawn = emu3.draw(requests(["a dog"], [0], against="dark"), Sampling(guidance=3.0, temperature=0))
    codes: list[int] = []
    for _ in range(16):
        c, u = plain_log_p(emu3, "a dog", codes), plain_log_p(emu3, "dark", codes)
        codes.append(int(guide(u[None], [c[None]], [3.0]).argmax()))
    assert drawn.codes[0].tolist() == codes and drawn.likelihood_unconditional is None


def test_likelihood_of_a_drawing_is_its_teacher_forced_likelihood(emu3):
    scores_what_it_drew(emu3, PROMPTS)


@torch.inference_mode()
def test_a_caption_follows_the_drawing_in_the_published_chat_form(emu3):
    codes_BN = emu3.draw(requests(["two dots"], [3])).codes
    before = ids_of(
        emu3,
        "<|extra_203|>You are a helpful assistant. USER: ",
        f"<|image start|>4*4<|image token|>{drawn_so_far(codes_BN[0])}<|extra_201|><|image end|>",
        "Please describe the image. ASSISTANT:",
    )
    text = ids_of(emu3, "two dots")
    logits = emu3.module(input_ids=torch.tensor([before + text])).logits[0]
    log_p = logits[len(before) - 1 : -1].log_softmax(-1)[torch.arange(len(text)), text]
    assert emu3.caption_likelihood(codes_BN, ["two dots"])[0] == pytest.approx(log_p.mean().item(), abs=1e-5)
    with pytest.raises(ValueError, match="empty text"):
        emu3.caption_likelihood(codes_BN, [""])


@torch.inference_mode()
def test_the_codec_is_transformers_own(emu3):
    codes_BN = np.random.default_rng(0).integers(0, 64, (3, 16))
    ids = [ids_of(emu3, drawn_so_far(row), "<|extra_201|><|image end|></s>") for row in codes_BN]
    own = emu3.module.decode_image_tokens(image_tokens=torch.tensor(ids), height=4, width=4)
    expected = emu3.image_processor.postprocess(list(own.numpy()))["pixel_values"]
    # a float error of 1e-6 may move a value over the edge to the next grey level
    assert np.abs(emu3.decode(codes_BN).astype(int) - np.stack(expected)).max() <= 1
    picture_HW3 = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    seen = emu3.image_processor.preprocess(picture_HW3, do_resize=False, return_tensors="pt")
    tokens = emu3.module.model.vqmodel.encode(seen["pixel_values"].float(), seen["image_sizes"]).image_tokens
    assert emu3.encode([picture_HW3])[0].tolist() == tokens[0].flatten().tolist()
    assert emu3.encode([np.zeros((40, 90, 3), np.uint8)]).shape == (1, 16)


@pytest.mark.parametrize("rows", [[3, 2, 1, 0], [0, 0, 3, 3]])
def test_a_row_has_the_same_bits_in_a_batch_of_its_size(emu3, rows):
    prompts = [f"prompt number {row}" for row in range(4)]
    whole = emu3.draw(requests(prompts, range(4)), Sampling(guidance=2.0, top_p=0.9))
    part = emu3.draw(requests([prompts[row] for row in rows], rows), Sampling(guidance=2.0, top_p=0.9))
    assert np.array_equal(part.codes, whole.codes[rows])
    assert np.array_equal(part.likelihood, whole.likelihood[rows])


def test_half_precision_keeps_the_codec_exact(folder, emu3):
    half = load_model(str(folder), device="cpu", dtype="bfloat16")
    assert half.module.lm_head.weight.dtype == torch.bfloat16
    assert {parameter.dtype for parameter in half.vqmodel.parameters()} == {torch.float32}
    codes_BN = half.draw(requests(["one", "two"], [1, 2]), Sampling(guidance=2)).codes
    assert np.array_equal(half.decode(codes_BN), emu3.decode(codes_BN))
    assert np.array_equal(half.encode(list(half.decode(codes_BN))), emu3.encode(list(half.decode(codes_BN))))
    assert np.isfinite(half.caption_likelihood(codes_BN, ["one", "two"])).all()


def test_a_prompt_that_leaves_no_room_is_refused_and_one_that_fits_is_scored(emu3):
    fits = "0" * (emu3.max_prompt_length - emu3.prompt_length(""))
    assert emu3.prompt_length(fits) == emu3.max_prompt_length
    drawings = emu3.draw(requests([fits], [0]))
    assert np.isfinite(emu3.caption_likelihood(drawings.codes, [fits])).all()
    with pytest.raises(ValueError, match="no room"):
        emu3.draw(requests([fits + "0"], [0]))


def test_names_of_special_tokens_in_a_prompt_are_spelled_out(emu3):
    ids = emu3._text_ids("<|image start|><|extra_200|><|visual token 000001|>")
    assert max(ids) < emu3._special("<|image start|>") and len(ids) > 40


def test_it_is_found_by_its_configuration_and_checked_like_any_model(folder, tmp_path):
    facts, drawn_HW3 = check_model(get_model(str(folder), device="cpu"), "3 + 4 = 7")
    assert (facts["family"], facts["codes"], drawn_HW3.shape) == ("Emu3", "4x4", (32, 32, 3))
    # 20 ids a picture, 2 branches x 2 (keys, values) x 2 layers x 2 heads x 8 numbers x 4 bytes
    assert facts["mb_per_drawing"] == 0.01 and facts["code_ids"] == "267..330"
    other = shutil.copytree(folder, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    del config["image_area"]
    assert _size(other, config) == 720
    for name, place in (("<|extra_200|>", -1), ("<|visual token 000007|>", 3)):
        names = {**config["vocabulary_map"], name: place}
        (other / "config.json").write_text(
            json.dumps({**config, "image_area": 1024, "vocabulary_map": names})
        )
        with pytest.raises(ModelError, match="vocabulary_map in config.json") as caught:
            load_model(str(other), device="cpu")
        assert "\n" not in str(caught.value)


def _size(folder, config) -> int:
    """The side of a picture under another configuration, without a look at the picture codec."""
    from zero_engine.families.emu3 import load

    text = {**config["text_config"], "max_position_embeddings": 9216}
    (folder / "config.json").write_text(json.dumps({**config, "text_config": text}))
    return load(folder, name="x", fingerprint="", device="cpu", dtype="float32").image_size


def test_weights_of_another_shape_are_named(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    settings = json.loads((other / "config.json").read_text())
    settings["text_config"]["vocab_size"] += 1
    (other / "config.json").write_text(json.dumps(settings))
    says = r"have another shape than config.json says \(first: \S+ \(file: \(\d+, "
    with pytest.raises(ModelError, match=says) as caught:
        load_model(str(other), device="cpu")
    assert "\n" not in str(caught.value)


LEFT = r"weights in .* have no place in the model of config.json .first: \S+layers."
DAMAGES = {
    "whole numbers": (
        "model.safetensors",
        None,
        "1 weights in .* are whole numbers .first: .*lm_head.weight., as of",
    ),
    "no layers": ("config.json", "-1", LEFT + "0"),
    "fewer layers": ("config.json", "1", LEFT + "1"),
    "no tokenizer": ("tokenizer.json", None, "no tokenizer in .* Put its tokenizer.json there"),
    "a new token": (
        "tokenizer_config.json",
        '"<new>"',
        "tokenizer in .* has 332 tokens, the vocabulary of .* 331",
    ),
    "two tokens": (
        "special_tokens_map.json",
        '{"bos_token": "</s>"}',
        "bos_token is '.*' in tokenizer_config.json",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_would_draw_something_else_is_one_line(folder, tmp_path, damage):
    from safetensors.torch import load_file, save_file

    file, value, says = DAMAGES[damage]
    other = shutil.copytree(folder, tmp_path / "other")
    if file == "model.safetensors":
        weights = load_file(other / file)
        names = [name for name in weights if name.endswith("lm_head.weight")]
        save_file({**weights, names[0]: weights[names[0]].to(torch.int8)}, other / file, {"format": "pt"})
    elif file == "tokenizer.json":
        for name in (file, "tokenizer_config.json"):
            (other / name).unlink()
    elif file == "special_tokens_map.json":
        (other / file).write_text(value)
    else:
        settings = json.loads((other / file).read_text())
        where = settings["text_config"] if file == "config.json" else settings
        where["num_hidden_layers" if file == "config.json" else "bos_token"] = json.loads(value)
        (other / file).write_text(json.dumps(settings))
    with pytest.raises(ModelError, match=says) as caught:
        load_model(str(other), device="cpu")
    assert "\n" not in str(caught.value)
