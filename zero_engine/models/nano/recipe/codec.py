"""Codec: a `ChameleonVQVAE` with pixel-unshuffle(8) in front, distilled to the codebook, and its mirrored decoder.

The encoder sees a picture as 8x8 cells of 192 channels and learns to send each cell to its code's vector; the decoder
learns to send vectors back to patches. The codebook itself is fixed. Training pictures are half world pictures, half
cells shuffled at random: so neither side can lean on neighbours, and a code means one patch anywhere.

Minutes on two cores. Checks: codes exact on held-out pictures, no pixel far off (`codec_report`).
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional
from transformers import ChameleonVQVAE, ChameleonVQVAEConfig

from zero_engine.models.nano import world
from zero_engine.models.nano.recipe.codebook import EMBED_DIM, Codebook
from zero_engine.models.nano.world import canvas
from zero_engine.models.vq import attach_decoder, decode_codes, decode_latents, encode_latents, encode_pixels

BATCH = 32


def codec_config(codes: int) -> ChameleonVQVAEConfig:
    return ChameleonVQVAEConfig(
        embed_dim=EMBED_DIM,
        latent_channels=EMBED_DIM,
        num_embeddings=codes,
        resolution=canvas.CELLS,
        in_channels=3 * canvas.CELL**2,
        base_channels=64,
        channel_multiplier=[1],
        num_res_blocks=1,
        attn_resolutions=[],
        attn_type="none",
    )


def train_codec(book: Codebook, steps: int, seed: int, log: Callable[[int, dict[str, float]], None]) -> ChameleonVQVAE:
    """Distil encoder and decoder together; `log(step, metrics)` is called every 50 steps."""
    torch.manual_seed(seed)
    vqmodel = attach_decoder(ChameleonVQVAE(codec_config(len(book))))
    vectors = torch.from_numpy(book.vectors)
    vqmodel.quantize.embedding.weight.data.copy_(vectors)
    vqmodel.quantize.embedding.weight.requires_grad_(False)
    trained = [p for p in vqmodel.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-3, betas=(0.9, 0.98), weight_decay=0.0)
    vqmodel.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 50, 1.02 - step / steps)
        codes = training_codes(book, seed, step)
        pixels = to_pixels(book, codes)
        target_BDhw = vectors[codes].view(BATCH, canvas.CELLS, canvas.CELLS, EMBED_DIM).permute(0, 3, 1, 2).contiguous()
        encode_loss = functional.mse_loss(encode_latents(vqmodel, pixels), target_BDhw)
        noisy = target_BDhw + 0.02 * torch.randn(target_BDhw.shape)
        decoded = decode_latents(vqmodel, noisy)
        decode_loss = functional.mse_loss(decoded, pixels) + 0.1 * functional.l1_loss(decoded, pixels)
        optimizer.zero_grad(set_to_none=True)
        (encode_loss + decode_loss).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        if step % 50 == 0 or step == steps - 1:
            log(step, {"encode": encode_loss.item(), "decode": decode_loss.item()})
    return vqmodel.eval()


@torch.no_grad()
def codec_report(vqmodel: ChameleonVQVAE, book: Codebook, per_kind: int = 20, seed: int = 1) -> dict[str, float]:
    """On held-out pictures: the share of codes found, the PSNR in dB, the share that the oracles still pass."""
    rng = random.Random(f"codec-report-{seed}")
    samples = [world.sample(rng, kind, held_out=True) for kind in world.KINDS for _ in range(per_kind)]
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


def training_codes(book: Codebook, seed: int, step: int) -> torch.Tensor:
    """Codes (32, 64): even rows are pictures of the world, odd rows any codes anywhere, white or not."""
    rng = random.Random(f"codec-{seed}-{step}")
    rows = []
    for i in range(BATCH):
        if i % 2 == 0:
            rows.append(book.codes(world.sample(rng).image))
        else:
            white = rng.choice((0.0, 0.3, 0.7))
            rows.append(np.array([0 if rng.random() < white else rng.randrange(len(book)) for _ in range(64)]))
    return torch.from_numpy(np.stack(rows))


def to_pixels(book: Codebook, codes: torch.Tensor) -> torch.Tensor:
    """float32 (B, 3, 64, 64) in [-1, 1], the pictures of codes (B, 64)."""
    images = np.stack([book.picture(row) for row in codes.numpy()])
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_images(pixels_B3HW: torch.Tensor) -> np.ndarray:
    """uint8 (B, H, W, 3) from [-1, 1], truncated as the reference does."""
    scaled = (pixels_B3HW.clamp(-1, 1) + 1) * 127.5
    return scaled.permute(0, 2, 3, 1).numpy().astype(np.uint8)
