"""Transformers' own modules over the weights of a loaded checkpoint: the plain forward that ours is compared with."""

from typing import TYPE_CHECKING

import torch

from zero_engine.models.chameleon.model import Chameleon
from zero_engine.models.chameleon.vq import VQDecoder

if TYPE_CHECKING:  # transformers' modules take seconds to import, and most tests do without them
    from transformers import ChameleonVQVAE
    from transformers.models.chameleon.modeling_chameleon import ChameleonModel


def mainline(model: Chameleon) -> "ChameleonModel":
    """Transformers' language model over the same weights, as they are now; called with ids (B, T)."""
    from transformers import ChameleonForConditionalGeneration
    from transformers.models.chameleon.modeling_chameleon import ChameleonRotaryEmbedding

    config = model.module.config
    with torch.device("meta"):
        module = ChameleonForConditionalGeneration(config)
    lost = module.load_state_dict(model.module.state_dict(), strict=False, assign=True)
    assert not lost.missing_keys and all(".decoder." in name for name in lost.unexpected_keys)
    module.model.rotary_emb = ChameleonRotaryEmbedding(config)
    return module.eval().requires_grad_(False).model


def with_decoder(vqmodel: "ChameleonVQVAE") -> "ChameleonVQVAE":
    """Transformers' codec with a decoder under the reference's names, freshly initialised."""
    vqmodel.decoder = VQDecoder(vqmodel.config)
    return vqmodel
