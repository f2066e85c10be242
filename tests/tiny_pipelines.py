"""Tiny pipelines of diffusers with random weights, one function a class; each paints 32 x 32 pixels on a CPU."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch


def qwen_image() -> object:
    from diffusers import (
        AutoencoderKLQwenImage,
        FlowMatchEulerDiscreteScheduler,
        QwenImagePipeline,
        QwenImageTransformer2DModel,
    )
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    words = byte_tokenizer()
    rope = {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 10000.0}
    reads = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(words), "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 2, "rope_scaling": rope, "rope_parameters": rope,
        },
        vision_config={"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16},
    )  # fmt: skip
    codec = AutoencoderKLQwenImage(
        base_dim=8, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True],
        latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
    )  # fmt: skip
    denoiser = QwenImageTransformer2DModel(
        patch_size=2, in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=16, guidance_embeds=False, axes_dims_rope=(8, 4, 4),
    )  # fmt: skip
    return QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(), vae=codec, tokenizer=words, transformer=denoiser,
        text_encoder=Qwen2_5_VLForConditionalGeneration(reads),
    )  # fmt: skip


def flux() -> object:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from tiny_models import clip_tokenizer
    from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

    words = byte_tokenizer()
    clip = clip_tokenizer(Path(tempfile.mkdtemp()) / "clip")
    reads = CLIPTextConfig(
        vocab_size=len(clip), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=77, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    denoiser = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=16, pooled_projection_dim=16, axes_dims_rope=(4, 4, 8),
        guidance_embeds=True,
    )  # fmt: skip
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(), vae=codec(), tokenizer=clip, tokenizer_2=words,
        text_encoder=CLIPTextModel(reads), text_encoder_2=T5EncoderModel(t5(words, T5Config)), transformer=denoiser,
    )  # fmt: skip


def pixart_sigma() -> object:
    from diffusers import DDIMScheduler, PixArtSigmaPipeline, PixArtTransformer2DModel
    from transformers import T5Config, T5EncoderModel

    words = byte_tokenizer()
    denoiser = PixArtTransformer2DModel(
        sample_size=8, num_layers=1, patch_size=2, attention_head_dim=8, num_attention_heads=2, caption_channels=16,
        in_channels=4, cross_attention_dim=16, out_channels=8, norm_type="ada_norm_single",
        norm_elementwise_affine=False, use_additional_conditions=False,
    )  # fmt: skip
    return PixArtSigmaPipeline(
        tokenizer=words, text_encoder=T5EncoderModel(t5(words, T5Config)), vae=codec(), transformer=denoiser,
        scheduler=DDIMScheduler(),
    )  # fmt: skip


def aura_flow() -> object:
    from diffusers import AuraFlowPipeline, AuraFlowTransformer2DModel, FlowMatchEulerDiscreteScheduler
    from transformers import UMT5Config, UMT5EncoderModel

    words = byte_tokenizer()
    denoiser = AuraFlowTransformer2DModel(
        sample_size=16, patch_size=2, in_channels=4, num_mmdit_layers=1, num_single_dit_layers=1,
        attention_head_dim=8, num_attention_heads=2, caption_projection_dim=16, joint_attention_dim=16,
        out_channels=4, pos_embed_max_size=256,
    )  # fmt: skip
    return AuraFlowPipeline(
        tokenizer=words, text_encoder=UMT5EncoderModel(t5(words, UMT5Config)), vae=codec(),
        transformer=denoiser, scheduler=FlowMatchEulerDiscreteScheduler(),
    )  # fmt: skip


def latent_diffusion() -> object:
    """One of the classes that AutoPipelineForText2Image does not know."""
    from diffusers import DDIMScheduler, LDMTextToImagePipeline, UNet2DConditionModel
    from tiny_models import clip_tokenizer
    from transformers import CLIPTextConfig, CLIPTextModel

    clip = clip_tokenizer(Path(tempfile.mkdtemp()) / "clip")
    reads = CLIPTextConfig(
        vocab_size=len(clip), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=77, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    denoiser = UNet2DConditionModel(
        sample_size=4, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=1,
        norm_num_groups=4, cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    return LDMTextToImagePipeline(
        vqvae=codec(), bert=CLIPTextModel(reads), tokenizer=clip, unet=denoiser, scheduler=DDIMScheduler()
    )


CLASSES: dict[str, tuple[Callable[[], object], dict[str, object]]] = {
    "QwenImagePipeline": (qwen_image, {}),
    "FluxPipeline": (flux, {}),
    "PixArtSigmaPipeline": (pixart_sigma, {"parameters": {"use_resolution_binning": False}}),
    "AuraFlowPipeline": (aura_flow, {}),
    "LDMTextToImagePipeline": (latent_diffusion, {}),
}
"""Class -> what makes it, and what `render.diffusion` has to say for it."""


def tiny_pipeline(kind: str, folder: Path) -> Path:
    """The folder of a seeded pipeline of that class."""
    torch.manual_seed(0)
    CLASSES[kind][0]().save_pretrained(folder)
    return folder


def codec() -> object:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), latent_channels=4, norm_num_groups=4, sample_size=32, shift_factor=0.0,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=1,
    )  # fmt: skip


def t5(words: object, kind: type) -> object:
    return kind(vocab_size=len(words), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)


def byte_tokenizer() -> object:
    """Every byte a token, without a download."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = ["<pad>", "</s>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({name: i for i, name in enumerate(letters)}, [], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=512,
    )
