"""Loading, tokens and logits of a Chameleon-layout checkpoint, against the reference's numbers."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoProcessor

from tests.mainline import mainline
from zero_engine.errors import ModelError
from zero_engine.models import load_model
from zero_engine.models.chameleon.layout import code_name
from zero_engine.models.prompt import Sampling, requests

# float32 sums in another order: the reference's logits reach 30, so 1e-5 is some 3 units in the last place
LOGITS_TOLERANCE = 1e-5


def test_the_tokenizer_agrees_with_the_reference(model, goldens):
    for case in json.loads((goldens / "tokenizer_golden.json").read_text())["tokenizer"]:
        assert model.tokenizer(case["text"])["input_ids"] == case["ids"]
        assert model.tokenizer.decode(case["ids"], skip_special_tokens=True) == case["decoded_skip"]


def test_text_that_names_special_tokens_stays_text(model):
    ids = model.text_ids("a<image>IMGIMGBCZ<racm3:break></s>")
    special = {*model.layout.code_ids.tolist(), model.layout.boi, model.layout.eoi, model.layout.bos, 2, 73}
    assert not special & set(ids)
    assert model.tokenizer.decode(ids) == "a<image>IMGIMGBCZ<racm3:break></s>"


def test_layout_takes_bos_from_the_tokenizer_and_codes_by_name(model):
    assert (model.layout.bos, model.layout.boi, model.layout.eoi) == (0, 69, 68)
    assert model.layout.code_ids.tolist() == list(range(4, 68))
    assert code_name(120) == "IMGIMGBCAZ"


@pytest.mark.parametrize("name", ["s1", "s2", "s3"])
@torch.inference_mode()
def test_hidden_states_and_logits_agree_with_the_reference(model, golden_logits, name):
    ids = golden_logits[f"{name}_ids"].tolist()
    hidden_BPD, _ = model.trunk.prefill([ids])
    hidden_TD = hidden_BPD[0, : len(ids)]
    logits_TV = hidden_TD @ model.module.lm_head.weight.t()
    np.testing.assert_allclose(hidden_TD, golden_logits[f"{name}_hidden_last"], rtol=0, atol=LOGITS_TOLERANCE)
    np.testing.assert_allclose(logits_TV, golden_logits[f"{name}_logits"], rtol=0, atol=LOGITS_TOLERANCE)


@torch.inference_mode()
def test_transformers_own_module_agrees_on_the_fused_weights(model, golden_logits):
    ids = torch.from_numpy(golden_logits["s3_ids"])[None]
    hidden_TD = mainline(model)(ids).last_hidden_state[0]
    np.testing.assert_allclose(hidden_TD, golden_logits["s3_hidden_last"], rtol=0, atol=LOGITS_TOLERANCE)


@torch.inference_mode()
def test_a_padded_batch_agrees_with_the_reference_left_padded_one(model, golden_logits):
    rows = [
        ids[mask.astype(bool)].tolist()
        for ids, mask in zip(golden_logits["pad_ids"], golden_logits["pad_mask"], strict=True)
    ]
    hidden_BPD, _ = model.trunk.prefill(rows)
    last_BD = torch.stack([hidden_BPD[row, len(ids) - 1] for row, ids in enumerate(rows)])
    logits_BV = last_BD @ model.module.lm_head.weight.t()
    np.testing.assert_allclose(
        logits_BV, golden_logits["pad_logits_last_maskpos"], rtol=0, atol=LOGITS_TOLERANCE
    )


def test_a_released_model_holds_its_weights_alone_and_draws_again_as_they_are_then(tiny_anole):
    model = load_model(str(tiny_anole), device="cpu")
    before = model.draw(requests(["one"], [0]))
    parameters = list(model.module.parameters())
    model.release()
    assert all(weight.untyped_storage().nbytes() == weight.nbytes for weight in parameters)
    assert all(one is other for one, other in zip(parameters, model.module.parameters(), strict=True))
    assert model.decode(before.codes).shape == (1, 32, 32, 3) and model.describe()
    assert np.array_equal(model.draw(requests(["one"], [0])).codes, before.codes)
    model.release()
    scores = model.log_likelihood(["one"], before.codes)
    model.release()
    with torch.no_grad():
        model.module.lm_head.weight.mul_(0.5)
    assert model.log_likelihood(["one"], before.codes) != scores


def test_saving_and_loading_keeps_the_decoder_and_every_code(model, tmp_path):
    model.save(tmp_path)
    again = load_model(str(tmp_path), device="cpu")
    saved = again.module.state_dict()
    assert all(torch.equal(tensor, saved[name]) for name, tensor in model.module.state_dict().items())
    codes_BN = np.arange(32).reshape(2, 16)
    assert np.array_equal(again.decode(codes_BN), model.decode(codes_BN))
    assert np.array_equal(again.draw(requests(["a"], [1])).codes, model.draw(requests(["a"], [1])).codes)
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == [
        "ChameleonForConditionalGeneration"
    ]


def test_a_saved_model_has_a_processor_and_files_that_others_can_read(model, tmp_path):
    model.save(tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    ids = processor(text="<image>", images=[Image.new("RGB", (32, 32))])["input_ids"][0]
    assert sum(i == processor.tokenizer.convert_tokens_to_ids("<image>") for i in ids) == 16
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o644}


def test_a_permuted_vocabulary_map_gives_the_permuted_result(model, tiny_anole, tmp_path):
    folder = shutil.copytree(tiny_anole, tmp_path / "permuted")
    order = np.random.default_rng(0).permutation(64)
    _edit_config(
        folder,
        lambda config: config["vocabulary_map"].update({code_name(c): 4 + int(order[c]) for c in range(64)}),
    )
    permuted = load_model(str(folder), device="cpu")
    assert permuted.layout.code_ids.tolist() == (4 + order).tolist()
    # the code that takes an id is named otherwise, and nothing else changes: the greedy picture has the same ids
    plain_ids = model.layout.code_ids[
        model.draw(requests(["three dots"], [0]), Sampling(temperature=0)).codes
    ]
    assert np.array_equal(
        permuted.layout.code_ids[permuted.draw(requests(["three dots"], [0]), Sampling(temperature=0)).codes],
        plain_ids,
    )
    scored = permuted.log_likelihood(["three dots"], np.argsort(order)[plain_ids - 4])
    assert scored == pytest.approx(model.log_likelihood(["three dots"], plain_ids - 4), abs=1e-5)


def test_boi_and_eoi_are_found_by_name_when_the_configuration_lacks_them(tiny_anole, tmp_path):
    folder = shutil.copytree(tiny_anole, tmp_path / "bare")
    _edit_config(folder, lambda config: (config.pop("boi_token_id"), config.pop("eoi_token_id")))
    layout = load_model(str(folder), device="cpu").layout
    assert (layout.boi, layout.eoi) == (69, 68)


def test_a_half_precision_model_keeps_the_vq_in_float32(tiny_anole):
    half = load_model(str(tiny_anole), device="cpu", dtype="bfloat16")
    assert half.module.lm_head.weight.dtype == torch.bfloat16
    assert {parameter.dtype for parameter in half.vqmodel.parameters()} == {torch.float32}
    assert half.module.model.rotary_emb.inv_freq.dtype == torch.float32
    assert half.draw(requests(["one", "two"], [1, 2]), Sampling(guidance=2)).codes.shape == (2, 16)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no config.json with *.safetensors"),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(b"not weights"),
            "cannot read the checkpoint",
        ),
        (lambda folder: (folder / "config.json").write_text("{"), "cannot read the checkpoint"),
        (lambda folder: _edit_config(folder, lambda c: c.update(model_type="llama")), "model_type"),
        (
            lambda folder: _edit_config(folder, lambda c: c["vocabulary_map"].pop(code_name(7))),
            "lacks 1 of 64 codes",
        ),
        (lambda folder: _drop_decoder(folder), "weights are missing"),
    ],
)
def test_an_unreadable_model_is_one_line_that_names_it(tiny_anole, tmp_path, spoil, says):
    folder = shutil.copytree(tiny_anole, tmp_path / "spoilt")
    spoil(folder)
    with pytest.raises(ModelError) as caught:
        load_model(str(folder), device="cpu")
    message = str(caught.value)
    assert says in message and "spoilt" in message and "\n" not in message


def test_a_model_that_does_not_exist_is_an_error_at_once(tmp_path):
    with pytest.raises(ModelError, match="no such folder"):
        load_model(str(tmp_path / "nowhere"))


def _edit_config(folder, edit) -> None:
    config = json.loads((folder / "config.json").read_text())
    edit(config)
    (folder / "config.json").write_text(json.dumps(config))


def _drop_decoder(folder) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if ".decoder." not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
