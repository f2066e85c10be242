"""The picture codec against the reference's numbers."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from transformers import ChameleonVQVAEConfig

from tests.mainline import with_decoder
from zero_engine.models import pixels
from zero_engine.models.chameleon import vq
from zero_engine.models.chameleon.layout import code_grid

PICTURES = ["grad_100x64", "noise_32x48", "rgba_36x36", "gray_20x30"]


@pytest.mark.parametrize("name", PICTURES)
def test_encoding_agrees_with_the_reference(model, goldens, golden_vq, name):
    with Image.open(goldens / "images" / f"{name}.png") as image:
        image.load()
    assert np.array_equal(model._pixels([image]).numpy(), golden_vq[f"{name}_pixel_values"])
    assert np.array_equal(model.encode([image]), golden_vq[f"{name}_bpe"] - 4)


def test_latents_agree_with_the_reference(model, golden_vq):
    for name in PICTURES:
        with torch.inference_mode():
            latents = vq.encode_latents(model.vqmodel, torch.from_numpy(golden_vq[f"{name}_pixel_values"]))
        # convolution kernels differ by CPU: sums of float32 in another order
        np.testing.assert_allclose(latents, golden_vq[f"{name}_z"], rtol=0, atol=1e-5)


def test_decoding_agrees_with_the_reference(model, golden_vq):
    codes_BN = golden_vq["dec_bpe"] - 4
    np.testing.assert_allclose(model.decode_pixels(codes_BN), golden_vq["dec_pixels"], rtol=0, atol=1e-5)
    pictures, expected = model.decode(codes_BN), golden_vq["dec_uint8"].transpose(0, 2, 3, 1)
    # a float error of 5e-6 is 7e-4 of a grey level: it may only show where the reference is that near to the next one
    levels = ((golden_vq["dec_pixels"] + 1) / np.float32(0.0078)).transpose(0, 2, 3, 1)
    certain = np.abs(levels - np.round(levels)) > 1e-3
    assert certain.mean() > 0.99
    assert np.array_equal(pictures[certain], expected[certain])
    assert np.abs(pictures.astype(int) - expected).max() <= 1


def test_uint8_values_are_the_reference_ones_for_the_reference_floats(model, golden_vq):
    assert np.array_equal(
        pixels.to_uint8(golden_vq["dec_pixels"], model.preprocessor), golden_vq["dec_uint8"]
    )


@pytest.mark.slow
def test_decoding_gives_the_reference_bits_with_the_reference_kernels(goldens):
    program = (
        "import sys, numpy as np, torch; torch.set_num_threads(1)\n"
        "from zero_engine.models import load_model\n"
        "model, golden = load_model(sys.argv[1] + '/tiny-anole', device='cpu'), np.load(sys.argv[1] + '/vq.npz')\n"
        "codes = golden['dec_bpe'] - 4\n"
        "print(np.abs(model.decode_pixels(codes) - golden['dec_pixels']).max())\n"
        "print((model.decode(codes).transpose(0, 3, 1, 2) != golden['dec_uint8']).sum())\n"
    )
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(goldens)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    largest, different = map(float, done.stdout.split())
    if torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"):
        assert (largest, different) == (0, 0)
    else:  # the reference's kernels are not there, and others sum in another order
        assert largest < 1e-4


def test_a_picture_has_the_same_bits_in_any_batch(model):
    codes_BN = np.random.default_rng(0).integers(0, 64, (20, 16))
    together = model.decode_pixels(codes_BN)
    assert np.array_equal(model.decode_pixels(codes_BN[13:14]), together[13:14])
    assert np.array_equal(model.decode_pixels(codes_BN[::-1]), together[::-1])
    assert np.array_equal(
        model.encode(model.decode(codes_BN)[5:7]), model.encode(model.decode(codes_BN))[5:7]
    )


def test_the_7b_decoder_has_the_reference_names_and_shapes(goldens):
    rows = (line.split("\t") for line in (goldens / "anole7b_state_dict.txt").read_text().splitlines())
    expected = {name: shape for name, shape in rows if name.startswith("model.vqmodel.")}
    with torch.device("meta"):
        module = vq.VQModel(ChameleonVQVAEConfig())
    assert {
        f"model.vqmodel.{name}": str(tuple(t.shape)) for name, t in module.state_dict().items()
    } == expected
    assert sum(".decoder." in name for name in expected) == 164


def test_input_channels_say_how_pixels_are_folded():
    config = ChameleonVQVAEConfig(
        in_channels=48, resolution=16, base_channels=32, channel_multiplier=[1, 2], num_res_blocks=1,
        embed_dim=8, latent_channels=8, num_embeddings=32,
    )  # fmt: skip
    torch.manual_seed(0)
    theirs = with_decoder(transformers.ChameleonVQVAE(config)).eval()
    module = vq.VQModel(config).eval()
    module.load_state_dict(theirs.state_dict())
    assert (vq.pixel_factor(config), code_grid(config), vq.picture_size(config)) == (4, (8, 8), 64)
    with torch.inference_mode():
        pixels_B3HW = torch.rand(2, 3, 64, 64) * 2 - 1
        codes_BN = vq.encode_pixels(module, pixels_B3HW)
        assert codes_BN.shape == (2, 64)
        assert torch.equal(codes_BN, vq.encode_pixels(theirs, pixels_B3HW))
        assert vq.decode_codes(module, codes_BN).shape == (2, 3, 64, 64)


def test_an_impossible_number_of_input_channels_is_refused():
    with pytest.raises(ValueError, match="in_channels"):
        vq.pixel_factor(ChameleonVQVAEConfig(in_channels=4))


@pytest.mark.parametrize("attention", [[], [16], [8, 16]])
def test_the_encoder_has_the_bits_of_transformers_own(attention):
    config = ChameleonVQVAEConfig(
        resolution=32, base_channels=32, channel_multiplier=[1, 2, 2], num_res_blocks=2, embed_dim=8,
        latent_channels=8, num_embeddings=64, attn_resolutions=attention,
    )  # fmt: skip
    torch.manual_seed(0)
    theirs, module = with_decoder(transformers.ChameleonVQVAE(config)).eval(), vq.VQModel(config).eval()
    for weight in theirs.parameters():  # its first values are too small to tell a missing layer
        weight.data.normal_(0, 0.2)
    module.load_state_dict(theirs.state_dict())
    with torch.inference_mode():
        pixels_B3HW = torch.rand(3, 3, 32, 32) * 2 - 1
        assert torch.equal(module.encoder(pixels_B3HW), theirs.encoder(pixels_B3HW))
        codes = theirs.encode(pixels_B3HW).image_tokens.view(3, -1)
        assert torch.equal(vq.encode_pixels(module, pixels_B3HW), codes) and len(codes.unique()) > 3
