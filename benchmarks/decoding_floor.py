"""Drawing with the shapes of Anole-7B on a GPU, in bfloat16 with guidance: how near to what its memory allows.

    python benchmarks/decoding_floor.py --json                      # random weights, made on the card
    python benchmarks/decoding_floor.py --batch 16 --no-generate    # without transformers' `generate`, which is slow

The floor: a step cannot be faster than the weights and the keys and values that it needs can be read, at the bandwidth
that copying two gigabytes reaches on the card (a copy moves each byte twice). `share_of_floor` is that time over the
time measured; `ratio` is ours over the best of `generate`'s ways of guidance and caches (see decoding.py), at the same
batch. On a card below 40 GB give a smaller batch: out of memory ends it.
"""

import argparse
import json
import sys

import torch
from decoding import GUIDANCE, TOP_P, Generate, asked, processor_of, seconds, shapes, tokenizer_of
from transformers import ChameleonConfig
from transformers.utils import logging as transformers_logging

from zero_engine.models.chameleon.loading import empty_module
from zero_engine.models.chameleon.model import Chameleon
from zero_engine.models.prompt import Sampling, requests

CODEC_7B = {
    "in_channels": 3,
    "resolution": 512,
    "base_channels": 128,
    "channel_multiplier": [1, 1, 2, 2, 4],
    "num_res_blocks": 2,
    "embed_dim": 256,
    "latent_channels": 256,
}
ANOLE_7B = {
    "hidden": 4096,
    "layers": 32,
    "heads": 32,
    "feed_forward": 11008,
    "codes": 8192,
    "text_vocabulary": 65536 - 8192 - 7,
    "positions": 4096,
    "codec": CODEC_7B,
}


def main() -> None:
    options = _arguments()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit(
            "decoding_floor.py measures a GPU, and torch sees none here. For the CPU there is decoding.py."
        )
    transformers_logging.set_verbosity_error()
    device = torch.device(options.device)
    model = random_model(shapes() if options.nano else shapes(**ANOLE_7B), device)
    bandwidth = copy_bandwidth(device)
    figures: dict[str, object] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "copy_gb_per_s": bandwidth / 1e9,
        "weights_gb": weight_bytes(model) / 1e9,
    }
    figures |= {str(batch): measure(model, batch, bandwidth, options) for batch in options.batch}
    print(json.dumps(figures) if options.json else "\n".join(f"{k}: {v}" for k, v in figures.items()))


def measure(model: Chameleon, batch: int, bandwidth: float, options: argparse.Namespace) -> dict[str, float]:
    """Figures of one batch size."""
    prompts, seeds = asked(batch, options.candidates)
    draw_s = min(
        seconds(lambda: model.draw(requests(prompts, seeds), Sampling(top_p=TOP_P, guidance=GUIDANCE)))
        for _ in range(1 + options.repeats)
    )
    floor_s = floor_bytes(model, prompts) / bandwidth
    found = {
        "pictures_per_s": batch / draw_s,
        "codes_per_s": batch * model.codes_per_picture / draw_s,
        "seconds": draw_s,
        "floor_seconds": floor_s,
        "share_of_floor": floor_s / draw_s,
    }
    if options.generate:
        opponent = Generate(model)
        ways = [
            lambda draw=draw, cache=cache: draw(prompts, cache)
            for draw in (opponent.guided_apart, opponent.guided_together)
            for cache in ("dynamic", "static")
        ]
        generate_s = min(seconds(way) for way in ways)
        found |= {"generate_pictures_per_s": batch / generate_s, "ratio": generate_s / draw_s}
    return found


def floor_bytes(model: Chameleon, prompts: list[str]) -> float:
    """What a drawing with guidance has to read: each step the weights, and all keys and values so far."""
    seen = sum(model.prompt_length(prompt) + model.prompt_length("") for prompt in prompts)
    steps = model.codes_per_picture - 1  # the first code comes from the prompt
    slots = steps * seen + 2 * len(prompts) * steps * (steps + 1) / 2
    slot_bytes = model.footprint.drawing / (2 * model.codes_per_picture)
    return steps * weight_bytes(model) + slots * slot_bytes


def weight_bytes(model: Chameleon) -> int:
    """Of the layers and of the head's rows for codes: the embedding is looked up, the codec comes after."""
    head = model.module.lm_head.weight
    layers = sum(p.numel() * p.element_size() for p in model.module.model.layers.parameters())
    return layers + model.codebook_size * head.shape[1] * head.element_size()


def copy_bandwidth(device: torch.device, size: int = 2 * 10**9) -> float:
    """Bytes read and written a second by the best of some copies."""
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size / min(seconds(lambda: target.copy_(source)) for _ in range(10))


def random_model(config: ChameleonConfig, device: torch.device) -> Chameleon:
    """Random weights made on the device, the language model's in bfloat16."""
    torch.manual_seed(0)
    module = empty_module(config).to(torch.bfloat16)
    module.model.vqmodel.float()
    module.to_empty(device=device)
    for name, weight in module.named_parameters():
        if weight.dim() > 1 and "norm" not in name:
            weight.data.normal_(std=0.02)
        else:
            weight.data.fill_(0 if name.endswith("bias") else 1)
    with torch.device(device):
        module.model.rotary_emb = type(module.model.rotary_emb)(config)
    config.dtype = torch.bfloat16
    size = config.vq_config.resolution if config.vq_config.in_channels == 3 else 64
    return Chameleon(module, tokenizer_of(config), processor_of(size), name="random")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 16])
    parser.add_argument("--candidates", type=int, default=4, help="pictures of each prompt")
    parser.add_argument("--repeats", type=int, default=2, help="after a first drawing that warms up")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--nano", action="store_true", help="the nano model's shapes, to try the script")
    parser.add_argument("--no-generate", dest="generate", action="store_false")
    parser.add_argument("--json", action="store_true", help="print one JSON object, by batch size")
    return parser.parse_args()


if __name__ == "__main__":
    main()
