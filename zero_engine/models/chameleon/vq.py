"""The picture codec of a Chameleon-layout checkpoint: the VQ decoder that mainline transformers lacks.

`ChameleonVQVAE` (transformers) encodes pixels to codes, and cannot decode. `VQDecoder` mirrors its encoder.
It is built from the encoder's own residual and attention blocks and named as in the reference
(`model.vqmodel.decoder.*`, 164 tensors on the 7B model), so that a checkpoint loads by name. `attach_decoder`
puts it at `vqmodel.decoder`, where `save_pretrained` finds it.

Pixel convention. `vq_config.in_channels == 3 * f * f` means pixel-unshuffle by f before the encoder
and pixel-shuffle by f after the decoder; f is 1 for the public checkpoints. Pixels are float32 in [-1, 1],
channels first. A picture has `grid` (rows, columns) codes, in reading order.

The codec runs in float32 whatever the language model's dtype: half precision changes codes.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import ChameleonVQVAE, ChameleonVQVAEConfig
from transformers.models.chameleon.modeling_chameleon import (
    ChameleonVQVAEEncoderAttnBlock,
    ChameleonVQVAEEncoderResnetBlock,
)

from zero_engine.models.chameleon.layout import code_grid


def attach_decoder(vqmodel: ChameleonVQVAE) -> ChameleonVQVAE:
    """Give a transformers VQ model its decoder, freshly initialised, and return the same model."""
    vqmodel.decoder = VQDecoder(vqmodel.config)
    return vqmodel


def encode_pixels(vqmodel: ChameleonVQVAE, pixels_B3HW: Tensor) -> Tensor:
    """Codes (B, N) int64 of pictures in [-1, 1]."""
    latents_BDhw = encode_latents(vqmodel, pixels_B3HW)
    _, _, codes = vqmodel.quantize(latents_BDhw)
    return codes.view(pixels_B3HW.shape[0], -1)


def encode_latents(vqmodel: ChameleonVQVAE, pixels_B3HW: Tensor) -> Tensor:
    """Latents (B, D, h, w) of pictures in [-1, 1], before they are rounded to the codebook."""
    factor = pixel_factor(vqmodel.config)
    unshuffled = functional.pixel_unshuffle(pixels_B3HW, factor) if factor > 1 else pixels_B3HW
    return vqmodel.quant_conv(vqmodel.encoder(unshuffled))


def decode_codes(vqmodel: ChameleonVQVAE, codes_BN: Tensor) -> Tensor:
    """Pictures (B, 3, H, W), float and unclamped, of codes (B, N) in reading order."""
    rows, columns = code_grid(vqmodel.config)
    embedded_BNhwD = vqmodel.quantize.embedding(codes_BN.view(-1, rows, columns))
    # contiguous: a channels-last tensor takes other convolution kernels and differs from the reference
    return decode_latents(vqmodel, embedded_BNhwD.permute(0, 3, 1, 2).contiguous())


def decode_latents(vqmodel: ChameleonVQVAE, latents_BDhw: Tensor) -> Tensor:
    """Pictures (B, 3, H, W), float and unclamped, of latents: codebook vectors or a straight-through estimate."""
    return vqmodel.decoder(vqmodel.post_quant_conv(latents_BDhw))


def pixel_factor(config: ChameleonVQVAEConfig) -> int:
    """The f of pixel-unshuffle(f): 1 for three input channels, 4 for 48."""
    factor = math.isqrt(config.in_channels // 3)
    if 3 * factor * factor != config.in_channels:
        raise ValueError(f"vq_config.in_channels must be 3*f*f (3, 12, 27, 48 ...), got {config.in_channels}")
    return factor


def picture_size(config: ChameleonVQVAEConfig) -> int:
    """Height and width of a picture in pixels; `resolution` is what the encoder sees after unshuffling."""
    return config.resolution * pixel_factor(config)


class VQDecoder(nn.Module):
    """Latents (B, latent_channels, h, w) to pixels (B, 3, H, W): the encoder, mirrored.

    As in the reference (taming-transformers' `Decoder`): one residual block more per level than the encoder
    has, nearest-neighbour upsampling, and `up.0` is the level of full resolution.
    """

    def __init__(self, config: ChameleonVQVAEConfig):
        super().__init__()
        self.factor = pixel_factor(config)
        levels = len(config.channel_multiplier)
        channels = config.base_channels * config.channel_multiplier[-1]
        resolution = code_grid(config)[0]

        self.conv_in = nn.Conv2d(config.latent_channels, channels, kernel_size=3, padding=1)
        self.mid = _Middle(config, channels)
        coarse_to_fine = []
        for level in reversed(range(levels)):
            attends = config.attn_type == "vanilla" and resolution in (config.attn_resolutions or ())
            width = config.base_channels * config.channel_multiplier[level]
            coarse_to_fine.append(_Level(config, channels, width, attends=attends, doubles=level > 0))
            channels, resolution = width, resolution * 2
        self.up = nn.ModuleList(reversed(coarse_to_fine))

        self.norm_out = nn.GroupNorm(num_groups=32, num_channels=channels, eps=1e-6)
        self.conv_out = nn.Conv2d(channels, config.in_channels, kernel_size=3, padding=1)

    def forward(self, latents_BDhw: Tensor) -> Tensor:
        hidden = self.conv_in(latents_BDhw)
        hidden = self.mid(hidden)
        for level in reversed(self.up):
            hidden = level(hidden)
        hidden = self.norm_out(hidden)
        pixels = self.conv_out(hidden * torch.sigmoid(hidden))
        return functional.pixel_shuffle(pixels, self.factor) if self.factor > 1 else pixels


class _Middle(nn.Module):
    """Two residual blocks at the coarsest resolution, with attention between them."""

    def __init__(self, config: ChameleonVQVAEConfig, channels: int):
        super().__init__()
        self.block_1 = ChameleonVQVAEEncoderResnetBlock(config, channels, channels)
        self.attn_1 = (
            ChameleonVQVAEEncoderAttnBlock(channels) if config.attn_type == "vanilla" else nn.Identity()
        )
        self.block_2 = ChameleonVQVAEEncoderResnetBlock(config, channels, channels)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(hidden)))


class _Level(nn.Module):
    """The residual blocks of one resolution, each followed by attention if `attends`; then upsampling if `doubles`."""

    def __init__(
        self, config: ChameleonVQVAEConfig, channels: int, width: int, *, attends: bool, doubles: bool
    ):
        super().__init__()
        self.block, self.attn = nn.ModuleList(), nn.ModuleList()
        for _ in range(config.num_res_blocks + 1):
            self.block.append(ChameleonVQVAEEncoderResnetBlock(config, channels, width))
            channels = width
            if attends:
                self.attn.append(ChameleonVQVAEEncoderAttnBlock(channels))
        self.upsample = _Upsample(channels) if doubles else None

    def forward(self, hidden: Tensor) -> Tensor:
        for index, block in enumerate(self.block):
            hidden = block(hidden)
            if len(self.attn) > 0:
                hidden = self.attn[index](hidden)
        return hidden if self.upsample is None else self.upsample(hidden)


class _Upsample(nn.Module):
    """Nearest-neighbour upsampling by 2, then a convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.conv(functional.interpolate(hidden, scale_factor=2.0, mode="nearest"))
