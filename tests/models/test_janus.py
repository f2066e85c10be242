"""The second family: a tiny Janus against transformers' own forward, and what every model promises."""

import json
import shutil

import numpy as np
import pytest
import torch
from tiny_models import tiny_janus

from tests.greedy import draws_like_a_plain_loop, scores_what_it_drew
from zero_engine.errors import ModelError
from zero_engine.images import psnr
from zero_engine.models import get_model, load_model
from zero_engine.models.prompt import Sampling, requests
from zero_engine.report.checking import check_model

pytestmark = pytest.mark.slow

PROMPTS = [
    "3 + 4 = 7",
    "",
    "a longer prompt that takes more slots than sixteen by a good number of words",
    "b",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_janus(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def janus(folder):
    torch.set_num_threads(1)
    return load_model(str(folder), device="cpu")


@torch.inference_mode()
def plain_log_p(janus, prompt: str, codes: list[int]) -> torch.Tensor:
    """Of the next code, by a forward over the whole sequence, without cache or padding."""
    module = janus.module
    embedded = module.get_input_embeddings()(torch.tensor([janus._prompt_ids(prompt)]))
    if codes:
        drawn = module.prepare_embeddings_for_image_generation(torch.tensor([codes]))
        embedded = torch.cat((embedded, drawn), dim=1)
    hidden_D = module.model.language_model(inputs_embeds=embedded).last_hidden_state[0, -1]
    return module.model.generation_head(hidden_D).log_softmax(-1)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_greedy_drawing_is_identical_to_a_plain_loop_over_the_full_forward(janus, guidance):
    draws_like_a_plain_loop(janus, plain_log_p, PROMPTS, guidance)


def test_likelihood_of_a_drawing_is_its_teacher_forced_likelihood(janus):
    scores_what_it_drew(janus, PROMPTS)


@torch.inference_mode()
def test_a_caption_is_scored_by_transformers_own_reading_of_the_pixels(janus):
    codes_BN = janus.draw(requests(["two dots"], [3])).codes
    text = janus._text_ids("two dots")
    before = [janus.bos, *janus._user, janus.boi, *[292] * 16, janus.eoi, *janus._assistant]
    pixels = torch.from_numpy(np.stack(janus.image_processor(list(janus.decode(codes_BN)))["pixel_values"]))
    logits = janus.module(input_ids=torch.tensor([before + text]), pixel_values=pixels.float()).logits[0]
    log_p = logits[len(before) - 1 : -1].log_softmax(-1)[torch.arange(len(text)), text]
    assert janus.caption_likelihood(codes_BN, ["two dots"])[0] == pytest.approx(log_p.mean().item(), abs=1e-5)
    with pytest.raises(ValueError, match="empty text"):
        janus.caption_likelihood(codes_BN, [""])


@torch.inference_mode()
def test_decoding_is_transformers_own(janus):
    codes_BN = np.random.default_rng(0).integers(0, 64, (3, 16))
    own = janus.module.decode_image_tokens(torch.from_numpy(codes_BN)).permute(0, 3, 1, 2)
    expected = np.stack(janus.image_processor.postprocess(list(own))["pixel_values"])
    # a float error of 1e-6 may move a value over the edge to the next grey level
    assert np.abs(janus.decode(codes_BN).transpose(0, 3, 1, 2).astype(int) - expected).max() <= 1


@torch.inference_mode()
def test_encoding_takes_the_vector_that_points_the_same_way(janus):
    rng = np.random.default_rng(0)
    pictures = [
        rng.integers(0, 256, (32, 32, 3)).astype(np.uint8),
        rng.integers(0, 256, (50, 20, 3)).astype(np.uint8),
    ]
    codes_BN = janus.encode(pictures)
    latents = janus.vqmodel.encode(janus._pixels(pictures)).quantized_last_hidden_state
    assert latents.shape == (2, 8, 4, 4) and codes_BN.shape == (2, 16) and codes_BN.dtype == np.uint16
    raw = janus.vqmodel.quant_conv(janus.vqmodel.encoder(janus._pixels(pictures))).flatten(2).mT.numpy()
    cosines = (raw / np.linalg.norm(raw, axis=-1, keepdims=True)) @ janus.codebook().T
    assert np.array_equal(cosines.argmax(-1), codes_BN)


@pytest.mark.parametrize("rows", [[3, 2, 1, 0], [0, 0, 3, 3], [1, 3, 0, 2]])
def test_a_row_has_the_same_bits_in_a_batch_of_its_size(janus, rows):
    prompts = [f"prompt number {row}" for row in range(4)]
    whole = janus.draw(requests(prompts, range(4)), Sampling(guidance=2.0, top_p=0.9))
    part = janus.draw(requests([prompts[row] for row in rows], rows), Sampling(guidance=2.0, top_p=0.9))
    assert np.array_equal(part.codes, whole.codes[rows])
    assert np.array_equal(part.likelihood, whole.likelihood[rows])


def test_half_precision_keeps_the_codec_exact(folder):
    half = load_model(str(folder), device="cpu", dtype="bfloat16")
    assert half.module.lm_head.weight.dtype == torch.bfloat16
    assert {parameter.dtype for parameter in half.vqmodel.parameters()} == {torch.float32}
    codes_BN = half.draw(requests(["one", "two"], [1, 2]), Sampling(guidance=2)).codes
    assert np.isfinite(half.caption_likelihood(codes_BN, ["one", "two"])).all()


def test_a_prompt_that_leaves_no_room_is_refused_and_one_that_fits_is_scored(janus):
    fits = "0" * (janus.max_prompt_length - janus.prompt_length(""))
    assert janus.prompt_length(fits) == janus.max_prompt_length
    drawings = janus.draw(requests([fits], [0]))
    assert np.isfinite(janus.caption_likelihood(drawings.codes, [fits])).all()
    with pytest.raises(ValueError, match="no room"):
        janus.draw(requests([fits + "0"], [0]))


def test_names_of_special_tokens_in_a_prompt_are_spelled_out(janus):
    assert not {janus.boi, janus.eoi, janus.bos, janus.pad} & set(
        janus._text_ids("<racm3:break></s><eoss><pad>")
    )


def test_it_is_found_by_its_configuration_and_checked_like_any_model(folder, tmp_path):
    model = get_model(str(folder), device="cpu")
    facts, drawn_HW3 = check_model(model, "3 + 4 = 7")
    assert (facts["family"], facts["codes"], drawn_HW3.shape) == ("Janus", "4x4", (32, 32, 3))
    assert psnr(drawn_HW3, drawn_HW3) > facts["test_picture_psnr_db"]
    other = shutil.copytree(folder, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "model_type": "llava"}))
    with pytest.raises(ModelError, match="'llava', not one of chameleon, janus, emu3, gemma"):
        load_model(str(other))
    (other / "config.json").write_text(json.dumps(config))
    (other / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match="cannot read the checkpoint"):
        load_model(str(other))
