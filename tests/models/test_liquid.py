"""Liquid: a tiny checkpoint against transformers' own forward, its codes against Anole's, and what a model promises."""

import json
import shutil

import numpy as np
import pytest
import torch
from tiny_models import tiny_liquid

from tests.greedy import draws_like_a_plain_loop, scores_what_it_drew
from zero_engine.errors import ModelError
from zero_engine.models import get_model, load_model, model_fingerprint
from zero_engine.models.prompt import Sampling, requests
from zero_engine.report.checking import check_model

pytestmark = pytest.mark.slow

PROMPTS = ["3 + 4 = 7", "", "a longer prompt that takes more slots than sixteen", "b"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_anole):
    return tiny_liquid(tmp_path_factory.mktemp("tiny"), tiny_anole)


@pytest.fixture(scope="module")
def liquid(folder):
    torch.set_num_threads(1)
    return load_model(str(folder), device="cpu")


def ids_of(liquid, text: str, codes=()) -> list[int]:
    """Ids as the tokenizer gives them, special tokens by name, and of codes behind them."""
    ids = liquid.tokenizer(text, add_special_tokens=False)["input_ids"]
    return [*ids, *(len(liquid.tokenizer) + int(code) for code in codes)]


@torch.inference_mode()
def plain_log_p(liquid, prompt: str, codes: list[int]) -> torch.Tensor:
    """Of the next code, by transformers' forward over the whole sequence, without cache or padding."""
    asked = f"{prompt} Generate an image based on this description." if prompt else "<unconditional>"
    ids = ids_of(liquid, f"<bos>{asked}<boi>", codes)
    return liquid.module(input_ids=torch.tensor([ids])).logits[0, -1, len(liquid.tokenizer) :].log_softmax(-1)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_greedy_drawing_is_identical_to_a_plain_loop_over_the_full_forward(liquid, guidance):
    draws_like_a_plain_loop(liquid, plain_log_p, PROMPTS, guidance)


def test_likelihood_of_a_drawing_is_its_teacher_forced_likelihood(liquid):
    scores_what_it_drew(liquid, PROMPTS)


@torch.inference_mode()
def test_a_caption_follows_the_drawing_as_in_training(liquid):
    codes_BN = liquid.draw(requests(["two dots"], [3])).codes
    before = [
        *ids_of(liquid, "<bos><boi>", codes_BN[0]),
        *ids_of(liquid, "<eoi>The caption of this image is:"),
    ]
    text = ids_of(liquid, "two dots")
    logits = liquid.module(input_ids=torch.tensor([before + text])).logits[0]
    log_p = logits[len(before) - 1 : -1].log_softmax(-1)[torch.arange(len(text)), text]
    assert liquid.caption_likelihood(codes_BN, ["two dots"])[0] == pytest.approx(
        log_p.mean().item(), abs=1e-5
    )


def test_its_codes_are_those_of_the_anole_checkpoint_beside_it(liquid, model):
    codes_BN = np.random.default_rng(0).integers(0, 64, (3, 16)).astype(np.uint16)
    assert np.array_equal(liquid.decode(codes_BN), model.decode(codes_BN))
    pictures = [np.random.default_rng(1).integers(0, 256, (50, 70, 3)).astype(np.uint8)]
    assert np.array_equal(liquid.encode(pictures), model.encode(pictures))
    assert np.array_equal(liquid.codebook(), model.codebook()) and liquid.grid == model.grid


@pytest.mark.parametrize("rows", [[3, 2, 1, 0], [0, 0, 3, 3]])
def test_a_row_has_the_same_bits_in_a_batch_of_its_size(liquid, rows):
    prompts = [f"prompt number {row}" for row in range(4)]
    whole = liquid.draw(requests(prompts, range(4)), Sampling(guidance=2.0, top_p=0.9))
    part = liquid.draw(requests([prompts[row] for row in rows], rows), Sampling(guidance=2.0, top_p=0.9))
    assert np.array_equal(part.codes, whole.codes[rows])
    assert np.array_equal(part.likelihood, whole.likelihood[rows])


def test_half_precision_keeps_the_codec_exact(folder, liquid):
    half = load_model(str(folder), device="cpu", dtype="bfloat16")
    assert half.module.lm_head.weight.dtype == torch.bfloat16
    codes_BN = half.draw(requests(["one", "two"], [1, 2]), Sampling(guidance=2)).codes
    assert np.array_equal(half.decode(codes_BN), liquid.decode(codes_BN))
    assert np.isfinite(half.caption_likelihood(codes_BN, ["one", "two"])).all()


def test_a_prompt_that_leaves_no_room_is_refused_and_one_that_fits_is_scored(liquid):
    fits = "0" * (liquid.max_prompt_length - liquid.prompt_length("0") + 1)
    assert liquid.prompt_length(fits) == liquid.max_prompt_length
    drawings = liquid.draw(requests([fits], [0]))
    assert np.isfinite(liquid.caption_likelihood(drawings.codes, [fits])).all()
    with pytest.raises(ValueError, match="no room"):
        liquid.draw(requests([fits + "0"], [0]))


def test_names_of_its_tokens_in_a_prompt_are_spelled_out(liquid):
    liquid.tokenizer.split_special_tokens = False
    ids = liquid._text_ids("<boi> <eoi><unconditional>")
    assert not {liquid.boi, liquid.eoi, liquid.unconditional} & set(ids)
    assert liquid.tokenizer.decode(ids) == "<boi> <eoi><unconditional>"


def test_it_is_found_by_its_configuration_and_checked_like_any_model(folder, tmp_path):
    facts, drawn_HW3 = check_model(get_model(str(folder), device="cpu"), "3 + 4 = 7")
    assert (facts["family"], facts["codes"], drawn_HW3.shape) == ("Liquid", "4x4", (32, 32, 3))
    # 2 branches x 2 (keys, values) x 2 layers x 2 heads x 16 numbers x 4 bytes x 16 codes
    assert facts["mb_per_drawing"] == 0.02
    other = shutil.copytree(folder, tmp_path / "other")
    assert model_fingerprint(str(other)) == model_fingerprint(str(folder))
    config = (other / "codec" / "config.json").read_text()
    (other / "codec" / "config.json").write_text(config + "\n")
    assert model_fingerprint(str(other)) != model_fingerprint(str(folder))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("codec", "no picture codec. Put an Anole checkpoint, or a link to one, into .*other/codec"),
        ("codes", "the vocabulary goes 63 ids beyond the tokenizer, and the picture codec has 64 codes"),
        ("blocks", "codec in .* are missing, wrong or left out"),
        ("decoder", "codec in .* are missing, wrong or left out .first: model.vqmodel.decoder"),
    ],
)
def test_what_is_missing_is_one_line(folder, tmp_path, damage, says):
    other = shutil.copytree(folder, tmp_path / "other")
    if damage == "codec":
        shutil.rmtree(other / "codec")
    elif damage == "codes":
        tokenizer = json.loads((other / "tokenizer.json").read_text())
        more = {
            **tokenizer["added_tokens"][-1],
            "content": "<more>",
            "id": tokenizer["added_tokens"][-1]["id"] + 1,
        }
        tokenizer["added_tokens"].append(more)
        (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    elif damage == "blocks":
        config = json.loads((other / "codec" / "config.json").read_text())
        config["vq_config"]["num_res_blocks"] -= 1
        (other / "codec" / "config.json").write_text(json.dumps(config))
    else:
        _without_the_decoder(other / "codec")
    with pytest.raises(ModelError, match=says) as caught:
        load_model(str(other), device="cpu")
    assert "\n" not in str(caught.value)


def _without_the_decoder(folder) -> None:
    from safetensors.torch import load_file, save_file

    for file in folder.glob("*.safetensors"):
        kept = {name: weight for name, weight in load_file(file).items() if "decoder" not in name}
        save_file(kept, file, {"format": "pt"})
