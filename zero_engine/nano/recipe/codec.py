"""Codec: a `ChameleonVQVAE` with pixel-unshuffle(8) in front and its mirrored decoder, solved in closed form.

A picture is 8x8 cells of 192 values and a code's vector is a linear map of its cell (`codebook`), so both sides
are linear maps per cell, and nothing needs gradient descent (distilling them took minutes and reached 27 dB).
What stands between is made harmless: residual blocks add zero, and the group norm in front of each last
convolution is held still: each of its groups holds four signals in six channels, none of which moves the
group's mean or its variance much, beside a bias pattern of +-20 that outweighs them. There SiLU is close to
linear, and the last convolution is fitted by least squares on the features that it really gets. Codes are
local: a cell's code depends on that cell alone.

`codec_report` checks: codes found on held-out pictures, PSNR, and the share of decoded pictures the oracles
pass."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import ChameleonVQVAE, ChameleonVQVAEConfig

from zero_engine import world
from zero_engine.models.chameleon.vq import VQDecoder, decode_codes, encode_pixels
from zero_engine.nano.recipe.codebook import EMBED_DIM, Codebook
from zero_engine.world import canvas

WIDTH = 192
_ANCHOR = 20.0
_CUT = 1e-3
_SIGNS = torch.tensor([1.0, -1.0]).repeat(WIDTH // 2)


class Side(Protocol):
    """The encoder or the decoder: the parts that both have."""

    conv_in: nn.Conv2d
    norm_out: nn.GroupNorm
    conv_out: nn.Conv2d

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]: ...
    def __call__(self, given: Tensor, /) -> Tensor: ...


def codec_config(codes: int) -> ChameleonVQVAEConfig:
    return ChameleonVQVAEConfig(
        embed_dim=EMBED_DIM,
        latent_channels=EMBED_DIM,
        num_embeddings=codes,
        resolution=canvas.CELLS,
        in_channels=3 * canvas.CELL**2,
        base_channels=WIDTH,
        channel_multiplier=[1],
        num_res_blocks=0,
        attn_resolutions=[],
        attn_type="none",
    )


def new_codec(book: Codebook) -> ChameleonVQVAE:
    """Encoder and decoder freshly initialised, the codebook in place and frozen."""
    vqmodel = ChameleonVQVAE(codec_config(len(book)))
    vqmodel.decoder = VQDecoder(vqmodel.config)
    vqmodel.quantize.embedding.weight.data.copy_(torch.from_numpy(book.vectors))
    vqmodel.quantize.embedding.weight.requires_grad_(False)
    return vqmodel


@torch.no_grad()
def solve_codec(book: Codebook, seed: int = 0) -> ChameleonVQVAE:
    """The codec of a codebook, exact on its patches up to float16 weights. Seconds on one core."""
    vqmodel, vectors = new_codec(book), torch.from_numpy(book.vectors)
    codes = fitting_codes(book, seed)
    pixels = to_pixels(book, codes)
    cells = functional.pixel_unshuffle(pixels, canvas.CELL)
    latents = (
        vectors[codes]
        .view(len(codes), canvas.CELLS, canvas.CELLS, EMBED_DIM)
        .permute(0, 3, 1, 2)
        .contiguous()
    )
    _pass_through(vqmodel.encoder, _projection(cells, latents))
    _pass_through(vqmodel.decoder, torch.eye(EMBED_DIM))
    for conv in (vqmodel.quant_conv, vqmodel.post_quant_conv):
        conv.weight.copy_(torch.eye(EMBED_DIM)[:, :, None, None])
        conv.bias.zero_()
    _fit_last(vqmodel.encoder, cells, latents)
    _fit_last(vqmodel.decoder, latents, cells)
    return vqmodel.eval()


@torch.no_grad()
def codec_report(
    vqmodel: ChameleonVQVAE, book: Codebook, per_kind: int = 20, seed: int = 1
) -> dict[str, float]:
    """On held-out pictures: the share of codes found, the PSNR in dB, the share that the oracles still pass."""
    rng = random.Random(f"codec-report-{seed}")
    kinds = (*world.KINDS, *world.GIVEN)
    samples = [world.sample(rng, kind, held_out=True) for kind in kinds for _ in range(per_kind)]
    truth = torch.from_numpy(np.stack([book.codes(item.image) for item in samples]))
    pixels = to_pixels(book, truth)
    codes = encode_pixels(vqmodel, pixels)
    decoded = decode_codes(vqmodel, codes)
    images = to_images(decoded)
    right = [world.judge(item.kind, item.spec, image) for item, image in zip(samples, images, strict=True)]
    error = (decoded.clamp(-1, 1) - pixels).square().mean().item() / 4
    return {
        "codes_exact": (codes == truth).float().mean().item(),
        "psnr_db": -10 * float(np.log10(max(error, 1e-12))),
        "oracle_pass": sum(right) / len(right),
    }


def fitting_codes(book: Codebook, seed: int, pictures: int = 256) -> torch.Tensor:
    """Codes (256, 64): even rows are pictures of the world, odd rows any codes anywhere, white or not."""
    rng = random.Random(f"codec-{seed}")
    rows = []
    for i in range(pictures):
        if i % 2 == 0:
            rows.append(book.codes(world.sample(rng).image))
        else:
            white = rng.choice((0.0, 0.3, 0.7))
            rows.append(
                np.array([0 if rng.random() < white else rng.randrange(len(book)) for _ in range(64)])
            )
    return torch.from_numpy(np.stack(rows))


def to_pixels(book: Codebook, codes: torch.Tensor) -> torch.Tensor:
    """float32 (B, 3, 64, 64) in [-1, 1], the pictures of codes (B, 64)."""
    images = np.stack([book.picture(row) for row in codes.numpy()])
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_images(pixels_B3HW: torch.Tensor) -> np.ndarray:
    """uint8 (B, H, W, 3) from [-1, 1], truncated as the reference does."""
    scaled = (pixels_B3HW.clamp(-1, 1) + 1) * 127.5
    return scaled.permute(0, 2, 3, 1).numpy().astype(np.uint8)


def _projection(cells_BChw: torch.Tensor, latents_BDhw: torch.Tensor) -> torch.Tensor:
    """The linear map (D, C) from a cell's values to its code's vector, up to a constant."""
    centred = _rows(cells_BChw) - _rows(cells_BChw).mean(0)
    return torch.linalg.lstsq(
        centred, _rows(latents_BDhw) - _rows(latents_BDhw).mean(0), driver="gelsd"
    ).solution.T.float()


def _pass_through(side: Side, first: torch.Tensor) -> None:
    """Make all but the last convolution of an encoder or a decoder an affine map per cell, norm included."""
    for name, weight in side.named_parameters():
        if ".conv1." in name or ".conv2." in name:  # a residual block adds nothing
            weight.zero_()
    side.conv_in.weight.zero_()
    side.conv_in.weight[:, :, 1, 1] = _quiet() @ first
    assert side.conv_in.bias is not None
    side.conv_in.bias.copy_(_ANCHOR * _SIGNS)
    side.norm_out.weight.fill_(1.0)
    side.norm_out.bias.fill_(1.0)


def _fit_last(side: Side, given: torch.Tensor, wanted: torch.Tensor) -> None:
    """Fit conv_out's middle tap and bias by least squares, in float64, so that `side(given)` is `wanted`."""
    seen: list[torch.Tensor] = []
    hook = side.conv_out.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    side(given)
    hook.remove()
    features, target = _rows(seen[0]), _rows(wanted)
    spread = features - features.mean(0)
    # the cut leaves out SiLU's faint curvature: fitting it takes weights and a bias too large for float16
    solution = torch.linalg.lstsq(spread, target - target.mean(0), rcond=_CUT, driver="gelsd").solution
    taps = solution.half().float()  # as stored; the bias then makes up for what rounding shifts
    side.conv_out.weight.zero_()
    side.conv_out.weight[:, :, 1, 1] = taps.T
    assert side.conv_out.bias is not None
    side.conv_out.bias.copy_((target - features @ taps.double()).mean(0))


def _quiet() -> torch.Tensor:
    """(WIDTH, EMBED_DIM), orthonormal columns: four signals in each of 32 groups of six channels.

    They are orthogonal to ones and to the anchor's signs, so a group's mean and variance do not feel them.
    """
    still = torch.stack((torch.ones(6), _SIGNS[:6])) / 6**0.5
    basis = torch.linalg.qr((torch.eye(6) - still.T @ still)[:, :4]).Q
    return torch.block_diag(*[basis] * 32)


def _rows(maps_BChw: torch.Tensor) -> torch.Tensor:
    return maps_BChw.permute(0, 2, 3, 1).flatten(0, 2).double()
