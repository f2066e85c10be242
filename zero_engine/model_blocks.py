"""Whether a configuration counts more blocks than there are weights: to make them all would take for ever."""

import re
from collections.abc import Iterator
from pathlib import Path

from zero_engine.errors import ModelError
from zero_engine.model_files import readable, said_in

QUICK = 1000
"""Blocks that are made in a moment, whether or not they are there."""
_COUNTS = re.compile(r"(num|n)_\w*(layers|blocks)|(en|de)coder_layers|layers_per_block|depth")


def refuse_more_blocks(name: str, folder: Path) -> None:
    """Raises ModelError where config.json counts more blocks than a folder has weights.

    Files that are no safetensors are left to loading.
    """
    from safetensors import SafetensorError, safe_open

    weights = 0
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with readable(file), safe_open(file, "np") as held:
                weights += len(held.keys())
        except SafetensorError:
            return
    for key, count in _blocks(said_in(folder / "config.json")):
        if weights and count > max(weights, QUICK):
            raise ModelError(
                f"{name}: {key} is {count} in {folder / 'config.json'}, and the files hold {weights} weights. Give the "
                "configuration that belongs to the weights."
            )


def _blocks(node: object, path: str = "") -> Iterator[tuple[str, int]]:
    """The settings that count blocks, by their place in a configuration."""
    for key, value in node.items() if isinstance(node, dict) else ():
        if isinstance(value, int) and _COUNTS.fullmatch(key):
            yield f"{path}{key}", value
        yield from _blocks(value, f"{path}{key}.")
