"""Drawing with the shapes of Anole-7B on a GPU, in bfloat16: how near to what its memory allows.

    python benchmarks/decoding_floor.py                             # random weights, made on the card
    python benchmarks/decoding_floor.py --batch 16 --generate       # without transformers' `generate`, which is slow
    python benchmarks/decoding_floor.py --profile 32                # where a step's time goes, too

The floor: a step cannot be faster than the weights and the keys and values that it needs can be read, at the bandwidth
that copying two gigabytes reaches on the card (a copy moves each byte twice). `share_of_floor` is that time over the
time measured; `ratio` is ours over the better of `generate`'s two caches at the same batch, its guidance in one batch
(apart, it would read the weights twice; see decoding.py). All prompts differ. A line of JSON for each figure, as soon
as it is there. A batch that the card cannot hold says so; `gb` is the most memory that torch held.
"""

import argparse
import json
import sys
from collections import Counter

import torch
from decoding import (
    GUIDANCE,
    TOP_P,
    Generate,
    asked,
    processor_of,
    random_module,
    seconds,
    shapes,
    tokenizer_of,
)
from transformers import ChameleonConfig
from transformers.utils import logging as transformers_logging

from zero_engine.models.chameleon.drawing import draw_codes
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
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    say(
        device=card,
        torch=torch.__version__,
        copy_gb_per_s=bandwidth / 1e9,
        weights_gb=weight_bytes(model) / 1e9,
    )
    draw(model, 2, GUIDANCE)  # loads libraries and compiles kernels
    for batch in options.profile:
        profile(model, batch)
    for batch in options.batch:
        for guidance in options.guidance:
            measure(model, batch, guidance, bandwidth, batch in options.generate)


def say(**figures: object) -> None:
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}), flush=True)


def draw(model: Chameleon, batch: int, guidance: float) -> None:
    model.draw(requests(*asked(batch, candidates=1)), Sampling(top_p=TOP_P, guidance=guidance))


def measure(model: Chameleon, batch: int, guidance: float, bandwidth: float, generate: bool) -> None:
    """Prints the figures of one batch size."""
    named = {"batch": batch, "guidance": guidance}
    cuda = model.device.type == "cuda"
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    prompts, _ = asked(batch, candidates=1)
    try:
        draw_s = seconds(lambda: draw(model, batch, guidance))
    except torch.OutOfMemoryError:
        say(**named, out_of_memory=True)
        return
    floor_s = floor_bytes(model, prompts, guidance) / bandwidth
    say(
        **named,
        pictures_per_s=batch / draw_s,
        codes_per_s=batch * model.codes_per_picture / draw_s,
        seconds=draw_s,
        floor_seconds=floor_s,
        share_of_floor=floor_s / draw_s,
        gb=torch.cuda.max_memory_allocated() / 1e9 if cuda else 0.0,
    )
    if not generate:
        return
    opponent = Generate(model)
    way = opponent.plain if guidance == 1 else opponent.guided_together
    found = {cache: seconds(lambda cache=cache: way(prompts, cache)) for cache in ("dynamic", "static")}
    say(
        **named,
        **{f"generate_{cache}_seconds": value for cache, value in found.items()},
        ratio=min(found.values()) / draw_s,
    )


def profile(model: Chameleon, batch: int, steps: int = 32) -> None:
    """Prints where the time of a step goes in the middle of a picture: milliseconds by kernel, and in all."""
    middle = torch.randint(10, (2 * batch, model.codes_per_picture // 2)).tolist()
    rows = [[*ids, model.layout.boi] for ids in middle]
    sampling = Sampling(top_p=TOP_P, guidance=GUIDANCE)
    drawn = (model.trunk, model.code_head, model._code_ids, rows[:batch], rows[batch:], range(batch))

    def run(length: int) -> Counter[str]:
        """Milliseconds by kernel, and `all`, of the prompts and the first codes."""
        wall_ms = 1000 * seconds(lambda: draw_codes(*drawn, length, sampling))
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as found:
            draw_codes(*drawn, length, sampling)
            torch.cuda.synchronize()
        spent = Counter({"all": wall_ms})
        for kernel in found.key_averages():
            spent[kernel.key] += kernel.self_device_time_total / 1000
        return spent

    run(2)
    short, long = run(4), run(4 + steps)
    each = {name: (long[name] - short[name]) / steps for name in long}
    whole_ms = each.pop("all")
    say(profile=batch, step_ms=whole_ms, busy_ms=sum(each.values()))
    for name in sorted(each, key=each.__getitem__, reverse=True)[:14]:
        say(kernel=name[:90], ms=each[name], share=each[name] / whole_ms)


def floor_bytes(model: Chameleon, prompts: list[str], guidance: float) -> float:
    """What a drawing has to read: each step the weights, and all keys and values so far."""
    rows = [*prompts, *([""] * len(prompts) if guidance != 1 else [])]
    steps = model.codes_per_picture - 1  # the first code comes from the prompt
    slots = steps * sum(map(model.prompt_length, rows)) + len(rows) * steps * (steps + 1) / 2
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
    module = random_module(config, device, torch.bfloat16)
    size = config.vq_config.resolution if config.vq_config.in_channels == 3 else 64
    return Chameleon(module, tokenizer_of(config), processor_of(size), name="random")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, nargs="*", default=[1, 8, 32, 64])
    parser.add_argument("--guidance", type=float, nargs="+", default=[GUIDANCE, 1.0])
    parser.add_argument("--generate", type=int, nargs="*", default=[32], help="batches of `generate`")
    parser.add_argument("--profile", type=int, nargs="*", default=[], help="batches to profile")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--nano", action="store_true", help="the nano model's shapes, to try the script")
    return parser.parse_args()


if __name__ == "__main__":
    main()
