"""Pictures per second: the drawing loop against transformers' `generate`, same weights, same sampling, one run.

    python benchmarks/decoding.py --json                  # the bundled nano checkpoint, or its shapes
    python benchmarks/decoding.py --model PATH --batch 1 8 32 --threads 2
    python benchmarks/decoding.py --dtype bfloat16        # both sides; and the loop against itself in float32

`generate` gets its best: a subclass whose forward computes last-position logits without the mask that forbids
pictures, static or dynamic cache, and two ways of guidance (its own, which runs the unconditional branch apart, and
both branches in one batch with the sampling inside a logits processor), whichever is fastest. Both sides draw exactly
N codes at temperature 1, top-p 0.9. Different prompts are the honest case and come first; then 4 pictures of each
prompt, as in a pipeline, where the loop computes once what drawings share (`--candidates`). Times are the best of
`--repeats`, taken in turn.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    ChameleonConfig,
    ChameleonForConditionalGeneration,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedTokenizerFast,
    TopPLogitsWarper,
)
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.chameleon.modeling_chameleon import ChameleonRotaryEmbedding
from transformers.utils import logging as transformers_logging

from zero_engine.models import load_model
from zero_engine.models.chameleon.layout import BOI_NAME, EOI_NAME, code_name
from zero_engine.models.chameleon.loading import empty_module
from zero_engine.models.chameleon.model import Chameleon
from zero_engine.models.chameleon.modules import ChameleonModule, rotary
from zero_engine.models.chameleon.preprocess import Preprocessor
from zero_engine.models.prompt import Sampling, requests
from zero_engine.models.registry import NANO

STEP = "She buys {a} boxes of {b} pens, so {a} * {b} pens."
NANO_CODEC = {
    "in_channels": 192,
    "resolution": 8,
    "base_channels": 64,
    "channel_multiplier": [1],
    "num_res_blocks": 1,
    "embed_dim": 32,
    "latent_channels": 32,
}
TOP_P = 0.9
GUIDANCE = 1.5


def main() -> None:
    arguments = _arguments()
    transformers_logging.set_verbosity_error()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        name = arguments.model or ("nano" if (NANO / "config.json").is_file() else "random")
        path = str(random_checkpoint(Path(folder))) if name == "random" else name
        model = load_model(path, dtype=arguments.dtype)
        settings = [(candidates, batch) for candidates in arguments.candidates for batch in arguments.batch]
        figures = {setting: measure(model, setting[1], setting[0], arguments.repeats) for setting in settings}
        if model.module.lm_head.weight.dtype != torch.float32:
            exact = load_model(path, dtype="float32")
            for (candidates, batch), row in figures.items():
                row |= against(exact, model, batch, candidates, arguments.repeats)
    if arguments.json:
        rows = [{"candidates": c, "batch": b, **row} for (c, b), row in figures.items()]
        print(json.dumps(rows))
        return
    print(
        f"{name}, {model.codes_per_picture} codes a picture, {arguments.threads} threads, {model.module.device}"
    )
    for (candidates, batch), row in figures.items():
        what = "different prompts" if candidates == 1 else f"{candidates} a prompt"
        print(f"{what}, batch {batch:>3}: " + ", ".join(f"{key} {value:.2f}" for key, value in row.items()))


def measure(model: Chameleon, batch: int, candidates: int, repeats: int) -> dict[str, float]:
    """Figures of one batch size; ratios are ours over the best of `generate`."""
    prompts, seeds = asked(batch, candidates)
    opponent = Generate(model)
    runs = {
        ("loop", False): [lambda: model.draw(requests(prompts, seeds), Sampling(top_p=TOP_P))],
        ("loop", True): [
            lambda: model.draw(requests(prompts, seeds), Sampling(top_p=TOP_P, guidance=GUIDANCE))
        ],
        ("generate", False): [
            lambda cache=cache: opponent.plain(prompts, cache) for cache in ("dynamic", "static")
        ],
        ("generate", True): [
            lambda draw=draw, cache=cache: draw(prompts, cache)
            for draw in (opponent.guided_apart, opponent.guided_together)
            for cache in ("dynamic", "static")
        ],
    }
    best = {key: float("inf") for key in runs}
    for _ in range(repeats):
        for key, ways in runs.items():
            best[key] = min(best[key], *(seconds(way) for way in ways))
    return {
        "ratio": best["generate", False] / best["loop", False],
        "ratio_guided": best["generate", True] / best["loop", True],
        "pictures_per_s": batch / best["loop", False],
        "pictures_per_s_guided": batch / best["loop", True],
        "codes_per_s": batch * model.codes_per_picture / best["loop", False],
        "codes_per_s_guided": batch * model.codes_per_picture / best["loop", True],
        "generate_pictures_per_s": batch / best["generate", False],
        "generate_pictures_per_s_guided": batch / best["generate", True],
    }


def against(
    exact: Chameleon, model: Chameleon, batch: int, candidates: int, repeats: int
) -> dict[str, float]:
    """The loop in another precision over itself in float32, with guidance, and the share of codes that differ."""
    prompts, seeds = asked(batch, candidates)
    draws = [partial(one.draw, prompts, seeds, top_p=TOP_P, guidance=GUIDANCE) for one in (exact, model)]
    changed = float((draws[0]().codes != draws[1]().codes).mean())
    times = [[seconds(draw) for draw in draws] for _ in range(repeats)]
    exact_s, model_s = map(min, zip(*times, strict=True))
    return {"over_float32": exact_s / model_s, "codes_changed": changed}


def asked(batch: int, candidates: int) -> tuple[list[str], list[int]]:
    """Prompts, `candidates` of each, and seeds."""
    prompts = [STEP.format(a=row // candidates + 2, b=row // candidates * 7 % 11) for row in range(batch)]
    return prompts, list(range(batch))


class Generate:
    """Drawing by transformers' `generate`, on the same weights."""

    def __init__(self, model: Chameleon):
        self.model = model
        with torch.device("meta"):
            self.module = Unmasked(model.module.config).eval().requires_grad_(False)
        # Ours are views of joined matrices; each linear layer gets its own side by side, as transformers has them.
        weights = {name: weight.contiguous() for name, weight in model.module.state_dict().items()}
        self.module.load_state_dict(weights, strict=False, assign=True)
        with torch.device(model.device):
            self.module.model.rotary_emb = ChameleonRotaryEmbedding(model.module.config)
        self.module.generation_config.eos_token_id = None  # no stopping test: every picture has N codes
        self.only_codes = torch.full(
            (model.module.config.vocab_size,), float("-inf"), device=model.module.device
        )
        self.only_codes[torch.from_numpy(model.layout.code_ids)] = 0

    def plain(self, prompts: list[str], cache: str) -> torch.Tensor:
        return self._generate(prompts, cache, [OnlyCodes(self.only_codes)], top_p=TOP_P)

    def guided_apart(self, prompts: list[str], cache: str) -> torch.Tensor:
        """Transformers' own guidance: the unconditional branch is a second forward with its own cache."""
        negative = torch.tensor([self.model.layout.prompt([])] * len(prompts), device=self.module.device)
        processors = [OnlyCodes(self.only_codes)]
        return self._generate(
            prompts, cache, processors, top_p=TOP_P, guidance_scale=GUIDANCE, negative_prompt_ids=negative
        )

    def guided_together(self, prompts: list[str], cache: str) -> torch.Tensor:
        """Both branches in one batch; the processor guides, filters, samples, and leaves one choice to each."""
        processor = GuideTogether(self.only_codes)
        return self._generate(prompts, cache, [processor], unconditional=len(prompts), do_sample=False)

    def _generate(
        self,
        prompts: list[str],
        cache: str,
        processors: list[LogitsProcessor],
        unconditional: int = 0,
        **options,
    ) -> torch.Tensor:
        tokenizer, layout = self.model.tokenizer, self.model.layout
        rows = [layout.prompt(tokenizer(prompt, add_special_tokens=False)["input_ids"]) for prompt in prompts]
        rows += [layout.prompt([])] * unconditional
        width = max(map(len, rows))
        ids = torch.tensor(
            [[layout.bos] * (width - len(row)) + row for row in rows], device=self.module.device
        )
        mask = torch.tensor(
            [[0] * (width - len(row)) + [1] * len(row) for row in rows], device=self.module.device
        )
        length = self.model.codes_per_picture
        with torch.inference_mode():
            return self.module.generate(
                ids,
                attention_mask=mask,
                logits_processor=LogitsProcessorList(processors),
                cache_implementation=cache,
                disable_compile=True,
                max_new_tokens=length,
                pad_token_id=layout.bos,
                **{"do_sample": True, "temperature": 1.0, "top_k": 0, **options},
            )


class Unmasked(ChameleonForConditionalGeneration):
    """Transformers' model with a forward that can emit pictures."""

    def forward(self, input_ids=None, logits_to_keep=0, labels=None, pixel_values=None, **kwargs):
        outputs = self.model(input_ids=input_ids, **kwargs)
        kept = outputs.last_hidden_state[:, -logits_to_keep:] if logits_to_keep else outputs.last_hidden_state
        return CausalLMOutputWithPast(logits=self.lm_head(kept), past_key_values=outputs.past_key_values)


class OnlyCodes(LogitsProcessor):
    """Nothing but the codes of a picture."""

    def __init__(self, allowed_V: torch.Tensor):
        self.allowed_V = allowed_V

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return scores + self.allowed_V


class GuideTogether(LogitsProcessor):
    """Guidance for a batch of conditional rows, then as many unconditional ones."""

    def __init__(self, allowed_V: torch.Tensor):
        self.allowed_V = allowed_V
        self.top_p = TopPLogitsWarper(TOP_P)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        conditional, unconditional = torch.log_softmax(scores, dim=-1).chunk(2)
        guided = unconditional + GUIDANCE * (conditional - unconditional) + self.allowed_V
        chosen = torch.multinomial(torch.softmax(self.top_p(input_ids, guided), dim=-1), 1)
        return torch.zeros_like(scores).scatter_(1, chosen.repeat(2, 1), 1.0)


def random_checkpoint(folder: Path) -> Path:
    """A checkpoint with random weights in the shapes of the nano model."""
    config = shapes()
    module = random_module(config, torch.device("cpu"), torch.float32)
    Chameleon(module, tokenizer_of(config), processor_of(64), name="random").save(folder)
    return folder


def random_module(config: ChameleonConfig, device: torch.device, dtype: torch.dtype) -> ChameleonModule:
    """Random weights made on the device, the codec's in float32."""
    torch.manual_seed(0)
    module = empty_module(config).to(dtype)
    module.model.vqmodel.float()
    module.to_empty(device=device)
    for name, weight in module.named_parameters():
        if weight.dim() > 1 and "norm" not in name:
            weight.data.normal_(std=0.02)
        else:
            weight.data.fill_(0 if name.endswith("bias") else 1)
    with torch.device(device):
        module.model.rotary_emb = rotary(config)
    config.dtype = dtype
    return module


def shapes(
    *,
    hidden: int = 192,
    layers: int = 4,
    heads: int = 6,
    feed_forward: int = 512,
    codes: int = 640,
    text_vocabulary: int = 1024,
    positions: int = 512,
    codec: Mapping[str, Any] = NANO_CODEC,
) -> ChameleonConfig:
    """A configuration; by default that of the nano model: 64x64 pixels, 8x8 codes."""
    names = special_names(codes)
    special = len(names)
    names += sorted(pre_tokenizers.ByteLevel.alphabet())
    names += [f"<text{index}>" for index in range(text_vocabulary - (len(names) - special))]
    vocabulary = {name: index for index, name in enumerate(names)}
    return ChameleonConfig(
        vocab_size=len(names),
        hidden_size=hidden,
        intermediate_size=feed_forward,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=positions,
        bos_token_id=0,
        pad_token_id=1,
        vocabulary_map=vocabulary,
        vq_config={**codec, "num_embeddings": codes},
    )


def special_names(codes: int) -> list[str]:
    """Names of the ids that are no text."""
    return ["<s>", "<pad>", "</s>", "<unk>", *map(code_name, range(codes)), EOI_NAME, BOI_NAME, "<image>"]


def tokenizer_of(config: ChameleonConfig) -> PreTrainedTokenizerFast:
    """Bytes and special tokens."""
    backend = Tokenizer(models.BPE(vocab=config.vocabulary_map, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    names = special_names(config.vq_config.num_embeddings)
    backend.add_special_tokens([AddedToken(name, special=True) for name in names])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def processor_of(size: int) -> Preprocessor:
    """Brings pictures to size x size."""
    return Preprocessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size})


def seconds(draw: Callable[[], object]) -> float:
    """What a call takes, its work on a GPU included."""
    start = time.perf_counter()
    draw()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="nano, random (nano's shapes), or a checkpoint's folder")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 32, 128])
    parser.add_argument(
        "--candidates",
        type=int,
        nargs="+",
        default=[1, 4],
        help="pictures of each prompt, one run for each number",
    )
    parser.add_argument("--dtype", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--threads", type=int, default=1, help="1, as in a worker of a run")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON list, a row for each setting")
    return parser.parse_args()


if __name__ == "__main__":
    main()
