"""The picture codec of a Chameleon-layout checkpoint: encoder, codebook and decoder.

Named as in the reference (`model.vqmodel.*`), so that a checkpoint loads by name. The encoder computes what
transformers' `ChameleonVQVAE` does. The decoder (164 tensors on the 7B model) is the one that mainline transformers
lacks; it mirrors the encoder.

Pixel convention. `vq_config.in_channels == 3 * f * f` means pixel-unshuffle by f before the encoder
and pixel-shuffle by f after the decoder; f is 1 for the public checkpoints. Pixels are float32 in [-1, 1],
channels first. A picture has `grid` (rows, columns) codes, in reading order.

The codec runs in float32 whatever the language model's dtype: half precision changes codes.
"""

import math
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import ChameleonVQVAEConfig

from zero_engine.models.chameleon.layout import code_grid

if TYPE_CHECKING:
    from transformers import ChameleonVQVAE

Codec: TypeAlias = "VQModel | ChameleonVQVAE"
"""Ours, or transformers' own class with a `VQDecoder` as its `decoder`."""


class Codebook(nn.Module):
    """The vectors that codes stand for."""

    def __init__(self, codes: int, width: int):
        super().__init__()
        self.embedding = vectors(codes, width)


class VQModel(nn.Module):
    """Encoder, codebook and decoder."""

    def __init__(self, config: ChameleonVQVAEConfig):
        super().__init__()
        self.config = config
        self.encoder = VQEncoder(config)
        self.quantize = Codebook(config.num_embeddings, config.embed_dim)
        self.quant_conv = nn.Conv2d(config.latent_channels, config.embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.embed_dim, config.latent_channels, 1)
        self.decoder = VQDecoder(config)


def vectors(count: int, width: int, padding: int | None = None) -> nn.Embedding:
    """An embedding without first values: to make them up where there is no memory brings torch's compiler."""
    return nn.Embedding.from_pretrained(torch.empty(count, width), freeze=False, padding_idx=padding)


def encode_pixels(vqmodel: Codec, pixels_B3HW: Tensor) -> Tensor:
    """Codes (B, N) int64 of pictures in [-1, 1]: the nearest vectors of the codebook."""
    codebook_KD = vqmodel.quantize.embedding.weight
    rows_MD = encode_latents(vqmodel, pixels_B3HW).permute(0, 2, 3, 1).reshape(-1, codebook_KD.shape[1])
    distances_MK = (
        torch.sum(rows_MD**2, dim=1, keepdim=True)
        + torch.sum(codebook_KD**2, dim=1)
        - 2 * torch.einsum("bd,dn->bn", rows_MD, codebook_KD.transpose(0, 1))
    )
    return torch.argmin(distances_MK, dim=1).view(pixels_B3HW.shape[0], -1)


def encode_latents(vqmodel: Codec, pixels_B3HW: Tensor) -> Tensor:
    """Latents (B, D, h, w) of pictures in [-1, 1], before they are rounded to the codebook."""
    factor = pixel_factor(vqmodel.config)
    unshuffled = functional.pixel_unshuffle(pixels_B3HW, factor) if factor > 1 else pixels_B3HW
    return vqmodel.quant_conv(vqmodel.encoder(unshuffled))


def decode_codes(vqmodel: Codec, codes_BN: Tensor) -> Tensor:
    """Pictures (B, 3, H, W), float and unclamped, of codes (B, N) in reading order."""
    rows, columns = code_grid(vqmodel.config)
    embedded_BNhwD = vqmodel.quantize.embedding(codes_BN.view(-1, rows, columns))
    # contiguous: a channels-last tensor takes other convolution kernels and differs from the reference
    return decode_latents(vqmodel, embedded_BNhwD.permute(0, 3, 1, 2).contiguous())


def decode_latents(vqmodel: Codec, latents_BDhw: Tensor) -> Tensor:
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


class VQEncoder(nn.Module):
    """Pixels (B, in_channels, resolution, resolution) to latents (B, latent_channels, h, w), as in transformers."""

    def __init__(self, config: ChameleonVQVAEConfig):
        super().__init__()
        widths = [config.base_channels * factor for factor in (1, *config.channel_multiplier)]
        levels, blocks = len(config.channel_multiplier), config.num_res_blocks

        self.conv_in = nn.Conv2d(config.in_channels, config.base_channels, kernel_size=3, padding=1)
        self.down = nn.ModuleList()
        for level in range(levels):
            attends = _attends(config, config.resolution >> level)
            change = "halve" if level < levels - 1 else ""
            self.down.append(_Level(config, widths[level], widths[level + 1], blocks, attends, change))
        channels = widths[-1] if blocks else widths[-2]
        self.mid = _Middle(config, channels)

        self.norm_out = nn.GroupNorm(num_groups=32, num_channels=channels, eps=1e-6)
        latents = config.latent_channels * (2 if config.double_latent else 1)
        self.conv_out = nn.Conv2d(channels, latents, kernel_size=3, padding=1)

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        hidden = self.conv_in(pixels_BCHW)
        for level in self.down:
            hidden = level(hidden)
        hidden = self.norm_out(self.mid(hidden))
        return self.conv_out(hidden * torch.sigmoid(hidden))


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
            width, attends = (
                config.base_channels * config.channel_multiplier[level],
                _attends(config, resolution),
            )
            change = "double" if level > 0 else ""
            coarse_to_fine.append(_Level(config, channels, width, config.num_res_blocks + 1, attends, change))
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


def _attends(config: ChameleonVQVAEConfig, resolution: int) -> bool:
    """Whether the levels of this resolution have attention."""
    return config.attn_type == "vanilla" and resolution in (config.attn_resolutions or ())


class _Residual(nn.Module):
    """Two convolutions, each after a group norm and a swish, added to what they were given."""

    def __init__(self, config: ChameleonVQVAEConfig, channels: int, width: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(num_groups=32, num_channels=channels, eps=1e-6)
        self.conv1 = nn.Conv2d(channels, width, kernel_size=3, padding=1)
        self.norm2 = nn.GroupNorm(num_groups=32, num_channels=width, eps=1e-6)
        self.dropout = nn.Dropout(config.dropout)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1)
        self.nin_shortcut = nn.Conv2d(channels, width, kernel_size=1) if channels != width else None

    def forward(self, given: Tensor) -> Tensor:
        hidden = self.norm1(given)
        hidden *= torch.sigmoid(hidden)
        hidden = self.norm2(self.conv1(hidden))
        hidden *= torch.sigmoid(hidden)
        hidden = self.conv2(self.dropout(hidden))
        return (given if self.nin_shortcut is None else self.nin_shortcut(given)) + hidden


class _Attention(nn.Module):
    """Attention of every place of a picture to every other, added to what it was given."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(num_groups=32, num_channels=channels, eps=1e-6)
        self.q = nn.Conv2d(channels, channels, kernel_size=1)
        self.k = nn.Conv2d(channels, channels, kernel_size=1)
        self.v = nn.Conv2d(channels, channels, kernel_size=1)
        self.proj_out = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(self, given_BChw: Tensor) -> Tensor:
        hidden = self.norm(given_BChw)
        queries_BNC = self.q(hidden).flatten(2).permute(0, 2, 1)
        keys_BCN, values_BCN = self.k(hidden).flatten(2), self.v(hidden).flatten(2)
        scores_BNN = torch.bmm(queries_BNC, keys_BCN) * given_BChw.shape[1] ** -0.5
        weights_BNN = functional.softmax(scores_BNN, dim=2).permute(0, 2, 1)
        return given_BChw + self.proj_out(torch.bmm(values_BCN, weights_BNN).view_as(hidden))


class _Middle(nn.Module):
    """Two residual blocks at the coarsest resolution, with attention between them."""

    def __init__(self, config: ChameleonVQVAEConfig, channels: int):
        super().__init__()
        self.block_1 = _Residual(config, channels, channels)
        self.attn_1 = _Attention(channels) if config.attn_type == "vanilla" else nn.Identity()
        self.block_2 = _Residual(config, channels, channels)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(hidden)))


class _Level(nn.Module):
    """The residual blocks of one resolution, each followed by attention if `attends`; then a change of resolution."""

    def __init__(
        self,
        config: ChameleonVQVAEConfig,
        channels: int,
        width: int,
        blocks: int,
        attends: bool,
        change: str = "",
    ):
        super().__init__()
        self.block, self.attn = nn.ModuleList(), nn.ModuleList()
        for _ in range(blocks):
            self.block.append(_Residual(config, channels, width))
            channels = width
            if attends:
                self.attn.append(_Attention(channels))
        self.downsample = _Halve(channels) if change == "halve" else None
        self.upsample = _Double(channels) if change == "double" else None

    def forward(self, hidden: Tensor) -> Tensor:
        for index, block in enumerate(self.block):
            hidden = block(hidden)
            if len(self.attn) > 0:
                hidden = self.attn[index](hidden)
        change = self.downsample or self.upsample
        return hidden if change is None else change(hidden)


class _Halve(nn.Module):
    """Half the resolution by a convolution, padded right and below."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, stride=2)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.conv(functional.pad(hidden, (0, 1, 0, 1)))


class _Double(nn.Module):
    """Nearest-neighbour upsampling by 2, then a convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.conv(functional.interpolate(hidden, scale_factor=2.0, mode="nearest"))
