"""Reads checkpoints of the families in this folder: module, tokenizer, and what is wrong with them in one line.

transformers takes some damage for a warning, or for a wish: weights of more layers than config.json names are left out,
whole numbers are taken for weights, a missing tokenizer becomes an empty one. Each of these draws something else.
"""

import json
import logging
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.initialization import no_init_weights

from zero_engine.errors import ModelError, printable
from zero_engine.models.devices import device_named, dtype_named
from zero_engine.models.quiet import quiet
from zero_engine.models.soundness import is_sound, of_rows

MOST_TIMES = 4
"""Of the numbers in its files, what a module may have: some stand in a file once and in a module twice."""
log = logging.getLogger(__name__)


@contextmanager
def reading(name: str, path: Path) -> Iterator[None]:
    """A checkpoint folder is read inside: what libraries raise of a damaged one becomes a ModelError of one line."""
    try:
        with quiet():
            yield
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, TypeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{name}: cannot read the checkpoint in {path} ({reason}). Is it complete?"
        ) from error


def read_module(
    kind: type[PreTrainedModel], path: Path, name: str, device: str, dtype: str, **options: Any
) -> Any:
    """A module of that class with the folder's weights. Raises ModelError where weights are missing or unsound."""
    target = device_named(device)
    refuse_whole_numbers(name, path)
    _refuse_another_size(kind, path, name)
    module, report = kind.from_pretrained(
        path,
        dtype=dtype_named(dtype, target),
        device_map={"": target},
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        local_files_only=True,
        **options,
    )
    refuse_what_does_not_fit(name, path, report)
    numbers = [*module.named_parameters(), *module.named_buffers()]
    if unsound := [weight for weight, held in numbers if held.is_floating_point() and not is_sound(held)]:
        raise ModelError(
            f"{name}: {len(unsound)} weights in {path} are NaN, infinite or huge (first: {unsound[0]}). "
            "Fetch the checkpoint again."
        )
    return module.eval().requires_grad_(False)


def _refuse_another_size(kind: type[PreTrainedModel], path: Path, name: str) -> None:
    """Raises ModelError where the files are far too small for the module, which transformers would fill at random."""
    with torch.device("meta"), no_init_weights():
        module = kind(kind.config_class.from_pretrained(path, local_files_only=True))
    wanted, held = sum(weight.numel() for weight in module.parameters()), 0
    for file in path.glob("*.safetensors"):
        with safe_open(file, "pt") as weights:
            held += sum(math.prod(weights.get_slice(key).get_shape()) for key in weights.offset_keys())
    if wanted > MOST_TIMES * held:
        raise ModelError(
            f"{name}: config.json asks for {wanted:,} numbers, and the weights in {path} are {held:,}. Give the "
            "configuration that belongs to the weights."
        )


def refuse_what_does_not_fit(
    name: str, path: Path, report: dict[str, Any], held: Iterable[str] | None = None
) -> None:
    """Raises ModelError where transformers' report says that weights are missing, of another shape or left out.

    Others that a module does without are told in a warning of one line. `held` are the module's weights: blocks count
    as left out where the module has a row of them, and always without `held`.
    """
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"{name}: {len(missing)} weights are missing in {path} (first: {missing[0]}). Give a whole checkpoint."
        )
    if misshapen := sorted(report["mismatched_keys"]):
        weight, held, wanted = misshapen[0]
        raise ModelError(
            f"{name}: {len(misshapen)} weights in {path} have another shape than config.json says (first: {weight} "
            f"(file: {tuple(held)}, model: {tuple(wanted)})). Give the configuration that belongs to the weights."
        )
    if left := of_rows(report["unexpected_keys"], held):
        raise ModelError(
            f"{name}: {len(left)} weights in {path} have no place in the model of config.json (first: {left[0]}). Give "
            "the configuration that belongs to the weights."
        )
    if unused := sorted(report["unexpected_keys"]):
        log.warning("%s: %d weights are not used (first: %s)", name, len(unused), printable(unused[0], True))


def read_tokenizer(path: Path, name: str, vocabulary: int) -> PreTrainedTokenizerBase:
    """The folder's tokenizer. Raises ModelError where it has none, or one of more tokens than the vocabulary."""
    if not any(file for pattern in ("tokenizer.*", "vocab.*") for file in path.glob(pattern)):
        raise ModelError(f"{name}: no tokenizer in {path}. Put its tokenizer.json there.")
    said, older = (
        _special_tokens(path / file) for file in ("tokenizer_config.json", "special_tokens_map.json")
    )
    if other := [kind for kind in older if kind in said and older[kind] != said[kind]]:
        raise ModelError(
            f"{name}: {other[0]} is {said[other[0]]!r} in tokenizer_config.json and {older[other[0]]!r} in "
            f"special_tokens_map.json of {path}. Delete the latter."
        )
    tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    if len(tokenizer) > vocabulary:
        raise ModelError(
            f"{name}: the tokenizer in {path} has {len(tokenizer)} tokens, the vocabulary of config.json {vocabulary}. "
            "Give the tokenizer that belongs to the weights."
        )
    return tokenizer


def _special_tokens(file: Path) -> dict[str, str]:
    """The tokens that a file of the tokenizer names, as bos_token."""
    said = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    tokens = {
        kind: token.get("content") if isinstance(token, dict) else token for kind, token in said.items()
    }
    return {
        kind: token for kind, token in tokens.items() if kind.endswith("_token") and isinstance(token, str)
    }


def refuse_whole_numbers(name: str, path: Path) -> None:
    """Raises ModelError where a folder's weights are whole numbers; without their scales they are no weights."""
    found = []
    for file in sorted(path.glob("*.safetensors")):
        with safe_open(file, "pt") as weights:
            names = [name for name in weights.offset_keys() if name.endswith(("weight", "bias"))]
            kinds = [weights.get_slice(name).get_dtype() for name in names]
        found += [name for name, kind in zip(names, kinds, strict=True) if kind[:1] != "F" and kind != "BF16"]
    if found:
        raise ModelError(
            f"{name}: {len(found)} weights in {path} are whole numbers (first: {found[0]}), as of a quantised "
            "checkpoint. Give one in float32, bfloat16 or float16."
        )


def token_id(tokenizer: PreTrainedTokenizerBase, kind: str, name: str) -> int:
    """The id of bos, pad, boi or eoi. Raises ModelError where the tokenizer has none."""
    found: int | None = getattr(tokenizer, f"{kind}_token_id", None)
    if found is None:
        raise ModelError(f"{name}: the tokenizer has no {kind}_token. Add it to tokenizer_config.json.")
    return found
