"""Small models of other families with random weights, made from their libraries' own classes."""

import json
from pathlib import Path

import torch


def tiny_diffusion(folder: Path) -> Path:
    """A Stable Diffusion pipeline that paints 32 x 32 pixels, seeded, as diffusers saves one."""
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=1,
        norm_num_groups=4, cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    codec = AutoencoderKL(
        block_out_channels=(8, 8, 8), latent_channels=4, norm_num_groups=4, sample_size=32,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
    )  # fmt: skip
    tokenizer = clip_tokenizer(folder / "vocabulary")
    reads = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=77, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    pipeline = StableDiffusionPipeline(
        vae=codec,
        text_encoder=CLIPTextModel(reads),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(clip_sample=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder / "diffusion")
    return folder / "diffusion"


def clip_tokenizer(folder: Path):
    """CLIP's tokenizer with bytes for a vocabulary."""
    from transformers import CLIPTokenizer
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    folder.mkdir(parents=True)
    letters = list(bytes_to_unicode().values())
    names = ["<|startoftext|>", "<|endoftext|>", *letters, *(letter + "</w>" for letter in letters)]
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=77)


def tiny_janus(folder: Path) -> Path:
    """A Janus checkpoint, seeded: 4 x 4 codes of 64, pictures of 32 x 32 pixels, the nano model's tokenizer."""
    import shutil

    from transformers import JanusConfig, JanusForConditionalGeneration
    from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

    from zero_engine.models.nano import weights_path

    torch.manual_seed(0)
    vision = {
        "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32, "patch_size": 8,
        "num_image_tokens": 16, "projection_dim": 32,
    }  # fmt: skip
    codec = {
        "embed_dim": 8, "num_embeddings": 64, "latent_channels": 16, "base_channels": 32, "num_res_blocks": 1,
        "channel_multiplier": [1, 1, 1, 1], "projection_dim": 32, "image_token_embed_dim": 32,
    }  # fmt: skip
    text = {
        "model_type": "llama", "vocab_size": 1536, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.3,
    }  # fmt: skip
    config = JanusConfig(text_config=text, vision_config=vision, vq_config=codec, image_token_id=292)
    janus = JanusForConditionalGeneration(config)
    for parameter in janus.model.vqmodel.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    janus.save_pretrained(folder / "janus")
    for file in weights_path().glob("tokenizer*"):
        shutil.copy(file, folder / "janus")
    size = {"height": 32, "width": 32}
    JanusImageProcessorPil(size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(
        folder / "janus"
    )
    return folder / "janus"


def tiny_clip(folder: Path, kind: str = "clip") -> Path:
    """A CLIP or SigLIP checkpoint, seeded, that sees 32 x 32 pixels, with `clip_tokenizer`."""
    from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(0)
    tokenizer = clip_tokenizer(folder / "vocabulary")
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    reads = {
        **shape,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 40,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    sees = {**shape, "image_size": 32, "patch_size": 8}
    if kind == "clip":
        model = CLIPModel(CLIPConfig(text_config=reads, vision_config=sees, projection_dim=8))
    else:
        model = SiglipModel(SiglipConfig(text_config=reads, vision_config=sees))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder / kind)
    tokenizer.save_pretrained(folder / kind)
    sides = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    CLIPImageProcessorPil(**sides).save_pretrained(folder / kind)
    return folder / kind


def tiny_emu3(folder: Path) -> Path:
    """An Emu3 checkpoint, seeded: 4 x 4 codes of 64, pictures of 32 x 32 pixels, every byte a token."""
    from transformers import Emu3Config, Emu3ForConditionalGeneration, Emu3ImageProcessor

    torch.manual_seed(0)
    names = [
        "<image>",
        "<|image start|>",
        "<|image token|>",
        "<|image end|>",
        *(f"<|extra_{n}|>" for n in range(200, 205)),
    ]
    tokenizer = byte_tokenizer(
        [*names, *(f"<|visual token {code:06d}|>" for code in range(64))], "<|extra_203|>"
    )
    codec = {
        "codebook_size": 64, "base_channels": 32, "channel_multiplier": [1, 1, 1, 1], "num_res_blocks": 1,
        "hidden_size": 32, "attn_resolutions": [3],
    }  # fmt: skip
    text = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.3,
        "pad_token_id": 0, "bos_token_id": tokenizer.bos_token_id, "eos_token_id": 1,
    }  # fmt: skip
    config = Emu3Config(
        vq_config=codec, text_config=text, vocabulary_map=tokenizer.get_vocab(), image_area=1024
    )
    emu3 = Emu3ForConditionalGeneration(config)
    for parameter in emu3.model.vqmodel.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    emu3.save_pretrained(folder / "emu3")
    tokenizer.save_pretrained(folder / "emu3")
    Emu3ImageProcessor(image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(folder / "emu3")
    return folder / "emu3"


def byte_tokenizer(special: list[str], bos: str):
    """Every byte a token, and special ones behind."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = ["<pad>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({name: i for i, name in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", bos_token=bos
    )


def tiny_liquid(folder: Path, anole: Path) -> Path:
    """A Liquid checkpoint, seeded, every byte a token, with a tiny Anole checkpoint for its codec."""
    from transformers import GemmaConfig, GemmaForCausalLM

    torch.manual_seed(0)
    tokenizer = byte_tokenizer(["<bos>", "<boi>", "<eoi>", "<unconditional>"], "<bos>")
    config = GemmaConfig(
        vocab_size=len(tokenizer) + 64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=16, max_position_embeddings=512,
        initializer_range=0.3, pad_token_id=0, bos_token_id=tokenizer.bos_token_id, eos_token_id=1,
    )  # fmt: skip
    GemmaForCausalLM(config).save_pretrained(folder / "liquid")
    tokenizer.save_pretrained(folder / "liquid")
    (folder / "liquid" / "codec").symlink_to(anole.resolve())
    return folder / "liquid"
