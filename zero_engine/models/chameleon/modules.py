"""The modules of a checkpoint: its weights under the reference's names, and no forward.

`trunk` draws with these weights and `training_forward` trains them; neither calls a module. So they are plain modules
here, and transformers is read for its configuration and tokenizer alone: importing its `modeling_chameleon` brings
torch's compiler and distributed tensors, over a second of every worker's start. Transformers' own class loads what
`Chameleon.save` writes, and the tests compare with its forward.
"""

from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor, nn
from transformers import ChameleonConfig, GenerationConfig

from zero_engine.models.chameleon.vq import VQModel, vectors


class RMSNorm(nn.Module):
    """The weight of a root-mean-square norm, (D,)."""

    def __init__(self, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))


class HeadNorm(nn.Module):
    """Weight and bias of a layer norm for each head: (heads, d) both."""

    def __init__(self, heads: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(heads, width))
        self.bias = nn.Parameter(torch.zeros(heads, width))


class Attention(nn.Module):
    """Self-attention: four projections, and the norms of query and key heads.

    In training a projection can be an adapter's layer, which is called and read like the `nn.Linear` inside it.
    """

    def __init__(self, config: ChameleonConfig):
        super().__init__()
        size, heads, groups = config.hidden_size, config.num_attention_heads, config.num_key_value_heads
        width = size // heads
        if width * heads != size or heads % groups:
            raise ValueError(f"hidden_size {size}, num_attention_heads {heads}, num_key_value_heads {groups}")
        self.head_dim = width
        self.q_proj = nn.Linear(size, heads * width, bias=config.attention_bias)
        self.k_proj = nn.Linear(size, groups * width, bias=config.attention_bias)
        self.v_proj = nn.Linear(size, groups * width, bias=config.attention_bias)
        self.o_proj = nn.Linear(size, size, bias=config.attention_bias)
        self.q_norm = HeadNorm(heads, width)
        self.k_norm = HeadNorm(groups, width)


class FeedForward(nn.Module):
    """The gated feed-forward half of a layer."""

    def __init__(self, config: ChameleonConfig):
        super().__init__()
        size, inner = config.hidden_size, config.intermediate_size
        self.gate_proj = nn.Linear(size, inner, bias=config.mlp_bias)
        self.up_proj = nn.Linear(size, inner, bias=config.mlp_bias)
        self.down_proj = nn.Linear(inner, size, bias=config.mlp_bias)
        self.act_fn = activation(config.hidden_act)


class DecoderLayer(nn.Module):
    """One decoder layer. Whether the norms come before or after (`swin_norm`) is the caller's to know."""

    def __init__(self, config: ChameleonConfig):
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = FeedForward(config)
        self.input_layernorm = RMSNorm(config.hidden_size)
        self.post_attention_layernorm = RMSNorm(config.hidden_size)


class Rotary(nn.Module):
    """Rotary frequencies, float32 whatever the dtype of the weights; no file holds them."""

    def __init__(self, config: ChameleonConfig):
        super().__init__()
        width = config.hidden_size // config.num_attention_heads
        exponents = torch.arange(0, width, 2, dtype=torch.float) / width
        frequencies = 1.0 / (config.rope_parameters["rope_theta"] ** exponents)
        self.inv_freq = nn.Buffer(frequencies, persistent=False)

    @torch.no_grad()
    def forward(self, like: Tensor, positions_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines (B, T, d) in the dtype of `like`."""
        angles = positions_BT[..., None].float() * self.inv_freq.to(device=like.device, dtype=torch.float)
        both = torch.cat((angles, angles), dim=-1)
        return both.cos().to(like.dtype), both.sin().to(like.dtype)


class LanguageModel(nn.Module):
    """Embedding, layers and last norm, and beside them the picture codec."""

    rotary_emb: Rotary
    """Made where the weights are read (`loading.fill`): no file holds it."""

    def __init__(self, config: ChameleonConfig):
        super().__init__()
        self.embed_tokens = vectors(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size)
        self.vqmodel = VQModel(config.vq_config)


class ChameleonModule(nn.Module):
    """All weights of a checkpoint: `model.*` and `lm_head.*`."""

    model: LanguageModel

    def __init__(self, config: ChameleonConfig):
        super().__init__()
        self.config = config
        self.generation_config: GenerationConfig | None = None
        self.model = LanguageModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.tie_weights()

    @property
    def device(self) -> torch.device:
        return self.lm_head.weight.device

    @property
    def tied(self) -> frozenset[str]:
        """Names of weights that are others' own, so that a file need not hold them."""
        return frozenset({"lm_head.weight"} if self.config.tie_word_embeddings else ())

    def tie_weights(self) -> None:
        """Let head and embedding be one weight, where the configuration says so."""
        if self.tied:
            self.lm_head.weight = self.model.embed_tokens.weight


def decoder_layers(module: nn.Module) -> list[DecoderLayer]:
    """The layers of a language model, this one or transformers' own, with the type that `nn.ModuleList` forgets."""
    return list(cast(Iterable[DecoderLayer], module.layers))


def activation(name: str) -> Callable[[Tensor], Tensor]:
    """The activation that a configuration names. KeyError for no name, ValueError for one with weights."""
    if name == "silu":
        return nn.SiLU()
    from transformers.activations import ACT2FN

    function = ACT2FN[name]
    if any(True for _ in function.parameters()):  # `trunk` has one activation for all layers
        raise ValueError(f"hidden_act {name} has weights of its own, which are not read")
    return function


def rotary(config: ChameleonConfig) -> Rotary:
    """The rotary frequencies of a configuration; scaled ones (`rope_type`) are transformers'."""
    if config.rope_parameters["rope_type"] == "default":
        return Rotary(config)
    from transformers.models.chameleon.modeling_chameleon import ChameleonRotaryEmbedding

    return cast(Rotary, ChameleonRotaryEmbedding(config))
