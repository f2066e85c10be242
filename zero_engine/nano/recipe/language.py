"""Language model: configuration, fresh weights, and the loss.

The module is transformers' `ChameleonForConditionalGeneration`; its own forward masks picture logits before the loss,
so it cannot be trained to draw. `training_forward` can, and is 1.3 to 1.7 times faster a step on two cores.

Where the processor multiplies bfloat16 (AVX-512 BF16: 490 against 110 GFLOP/s in float32 on one core measured), matrix
products run in it, weights and sums stay in float32, and a step takes less than half the time.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from transformers import ChameleonConfig, ChameleonForConditionalGeneration, ChameleonVQVAEConfig

from zero_engine.models.chameleon.training_forward import hidden_states
from zero_engine.nano.recipe import tokens

HIDDEN, LAYERS, HEADS, FEED_FORWARD = 192, 6, 4, 512


def language_config(
    vocabulary: dict[str, int], vq_config: ChameleonVQVAEConfig, **sizes: int
) -> ChameleonConfig:
    """The checkpoint's configuration. `bos_token_id` is right here (the public ones say 1, which is pad)."""
    return ChameleonConfig(
        vocab_size=len(vocabulary),
        hidden_size=sizes.get("hidden", HIDDEN),
        intermediate_size=sizes.get("feed_forward", FEED_FORWARD),
        num_hidden_layers=sizes.get("layers", LAYERS),
        num_attention_heads=sizes.get("heads", HEADS),
        num_key_value_heads=sizes.get("heads", HEADS),
        max_position_embeddings=8192,
        rope_parameters={"rope_type": "default", "rope_theta": 1000.0},
        vq_config=vq_config.to_dict(),
        vocabulary_map=vocabulary,
        bos_token_id=vocabulary[tokens.BOS],
        pad_token_id=vocabulary[tokens.PAD],
        eos_token_id=vocabulary[tokens.EOS],
        boi_token_id=vocabulary[tokens.BOI],
        eoi_token_id=vocabulary[tokens.EOI],
        architectures=["ChameleonForConditionalGeneration"],
    )


def new_model(config: ChameleonConfig, seed: int) -> ChameleonForConditionalGeneration:
    """Fresh weights: normal(0.02), output projections of a block smaller by the square root of twice the depth."""
    torch.manual_seed(seed)
    model = ChameleonForConditionalGeneration(config)
    for name, weight in model.named_parameters():
        if weight.dim() == 2 and "vqmodel" not in name:
            torch.nn.init.normal_(weight, std=0.02)
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                weight.data.mul_((2 * config.num_hidden_layers) ** -0.5)
    return model


def has_bfloat16() -> bool:
    """Whether this machine's processor multiplies bfloat16 matrices itself."""
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def sequence_loss(
    model: ChameleonForConditionalGeneration, ids_BT: Tensor, weights_BT: Tensor, *, bfloat16: bool = False
) -> tuple[Tensor, dict[str, Tensor]]:
    """Weighted cross-entropy over the whole vocabulary, in nats, per unit of weight.

    Only positions whose target weighs something pass the head. Metrics: nats per code and per text token.
    """
    weights = weights_BT[:, 1:]
    counted = weights > 0
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        hidden_BTD = hidden_states(model, ids_BT[:, :-1])
        logits = model.lm_head(hidden_BTD[counted])
    nats = functional.cross_entropy(logits.float(), ids_BT[:, 1:][counted], reduction="none")
    weight = weights[counted]
    is_code = weight == 1.0
    metrics = {"code_nats": nats[is_code].mean().detach(), "text_nats": nats[~is_code].mean().detach()}
    return (nats * weight).sum() / weight.sum(), metrics
