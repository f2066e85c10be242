"""Where the time of drawing on a CPU goes, beside `generate` and the rate at which this core multiplies matrices.

    python benchmarks/decoding_profile.py                 # nano, 32 different prompts, one thread, float32
    python benchmarks/decoding_profile.py --batch 128 --json

`share_of_matrix_rate` is the arithmetic of a drawing (products with weights and attention, two operations a
multiplication) over its time and over the rate of one large product (1024 x 1024 x 1024) in the same process. The parts
are torch's own operators, by their own time under its profiler, as shares of a whole drawing: `bound` is what the
products with weights take when they are run alone at the loop's shapes, so what a faster loop could not go below.
"""

import argparse
import json
from collections import Counter
from functools import partial

import torch
from decoding import GUIDANCE, TOP_P, asked, measure, seconds
from torch.profiler import ProfilerActivity, profile

from zero_engine.batches import padded
from zero_engine.models import load_model
from zero_engine.models.chameleon.model import Chameleon
from zero_engine.models.chameleon.trunk import rows_by
from zero_engine.models.prompt import Sampling, requests
from zero_engine.models.registry import NANO

PARTS = {
    "products with weights": ("_linear_pointwise", "addmm", "aten::mm"),
    "attention": ("bmm",),
    "softmax": ("softmax",),
    "norms": ("norm", "rsqrt", "addcmul", "mean"),
    "sampling": ("sort", "cumsum", "topk", "searchsorted", "argmax", "gather"),
    "copies and indices": (
        "copy",
        "cat",
        "index",
        "embedding",
        "contiguous",
        "clone",
        "roll",
        "fill",
        "zero_",
    ),
    "arithmetic by element": ("mul", "add", "sub", "silu", "div", "exp", "log"),
}


def main() -> None:
    asked_for = _arguments()
    torch.set_num_threads(1)
    model = load_model(NANO, device="cpu", dtype="float32")
    assert isinstance(model, Chameleon), "nano is a Chameleon"
    row = measure(model, asked_for.batch, 1, asked_for.repeats)
    rate = matrix_rate()
    found = {"batch": asked_for.batch, "matrix_rate_gflops": round(rate / 1e9, 1)}
    for guidance in (1.0, GUIDANCE):
        suffix = "" if guidance == 1 else "_guided"
        whole_s = asked_for.batch / row[f"pictures_per_s{suffix}"]
        operations = arithmetic(model, asked_for.batch, guidance)
        found[f"ratio_to_generate{suffix}"] = round(row[f"ratio{suffix}"], 2)
        found[f"pictures_per_s{suffix}"] = round(row[f"pictures_per_s{suffix}"], 1)
        found[f"share_of_matrix_rate{suffix}"] = round(operations / whole_s / rate, 3)
        found[f"bound{suffix}"] = round(products_alone(model, asked_for.batch, guidance) / whole_s, 3)
        found[f"parts{suffix}"] = parts(model, asked_for.batch, guidance)
    if asked_for.json:
        print(json.dumps(found, indent=1))
        return
    for name, value in found.items():
        print(f"{name}: {value}")


def matrix_rate(size: int = 1024) -> float:
    """Operations a second of one large product in float32."""
    left, right = torch.randn(size, size), torch.randn(size, size)
    torch.mm(left, right)
    return 2 * size**3 / min(seconds(lambda: torch.mm(left, right)) for _ in range(20))


def rows_of(model: Chameleon, batch: int, guidance: float) -> int:
    """Rows that a step computes: the unconditional ones share their node until their codes part, from the first on."""
    return batch if guidance == 1 else 2 * batch


def arithmetic(model: Chameleon, batch: int, guidance: float) -> float:
    """Operations of a drawing: every prompt once, then every code but the last; sums over the slots that are filled."""
    trunk, codes = model.trunk, model.codes_per_picture
    prompts = [len(model.prompt_ids(prompt)) for prompt in asked(batch, 1)[0]]
    if guidance != 1:
        prompts += [2] * batch
    weights = sum(2 * in_ * out for in_, out in _shapes(model))
    head = 2 * model.code_head.shape[0] * model.codebook_size
    operations = 0.0
    for position, length in enumerate(prompts):
        tokens = (0 if position >= batch else length) + codes - 1  # the empty prompt is computed once
        context = sum(range(length, length + codes)) + (length * length / 2 if position < batch else 0)
        width = trunk.heads * trunk.head_width
        operations += tokens * weights + codes * head + len(trunk.layers) * 4 * width * context
    return operations


def products_alone(model: Chameleon, batch: int, guidance: float) -> float:
    """Seconds that the products with weights take alone, at the loop's shapes."""
    trunk, codes = model.trunk, model.codes_per_picture
    rows = rows_of(model, batch, guidance)
    one = torch.randn(rows, trunk.embedding.shape[1])
    inner = {layer.down.shape[0] if not layer.down.is_mkldnn else None for layer in trunk.layers}
    size = model.module.config.intermediate_size if None in inner else inner.pop()
    wide = torch.randn(rows, size)

    def step() -> None:
        for layer in trunk.layers:
            rows_by(one, layer.qkv)
            rows_by(one, layer.out)
            rows_by(one, layer.gate_up)
            rows_by(wide, layer.down)
        rows_by(one, model.code_head)

    step()
    prompts = sum(padded(len(model.prompt_ids(prompt))) for prompt in asked(batch, 1)[0])
    return min(seconds(step) for _ in range(30)) * (codes - 1 + prompts / rows)


def parts(model: Chameleon, batch: int, guidance: float) -> dict[str, float]:
    """Shares of a drawing's time by kind of operator; `python and dispatch` is what is in none of them."""
    prompts, seeds = asked(batch, 1)
    draw = partial(model.draw, requests(prompts, seeds), Sampling(top_p=TOP_P, guidance=guidance))
    draw()
    plain_s = min(seconds(draw) for _ in range(3))
    with torch.inference_mode(), profile(activities=[ProfilerActivity.CPU]) as seen:
        draw()
    own_s: Counter[str] = Counter()
    for event in seen.key_averages():
        part = next(
            (part for part, names in PARTS.items() if any(n in event.key for n in names)), "other operators"
        )
        own_s[part] += event.self_cpu_time_total / 1e6
    shares = {part: round(own / plain_s, 3) for part, own in own_s.most_common()}
    return {**shares, "python and dispatch": round(1 - sum(own_s.values()) / plain_s, 3)}


def _shapes(model: Chameleon) -> list[tuple[int, int]]:
    """Inputs and outputs of every weight that a token is multiplied by, but for the head's."""
    config = model.module.config
    size, inner = config.hidden_size, config.intermediate_size
    groups = size * config.num_key_value_heads // config.num_attention_heads
    return [
        (size, size + 2 * groups),
        (size, size),
        (size, 2 * inner),
        (inner, size),
    ] * config.num_hidden_layers


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
