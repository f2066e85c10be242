"""docs/models.md: what it says of memory and pictures is computed, and what it says was run is what tests run."""

import re

import pytest
import torch
from tiny_pipelines import CLASSES

from zero_engine.models.footprint import Footprint
from zero_engine.models.registry import FAMILIES

NAMES = {"chameleon": "Chameleon", "janus": "Janus", "emu3": "Emu3", "gemma": "Liquid"}


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "docs/models.md").read_text(encoding="utf-8")


def row_of(page: str, model: str) -> list[str]:
    """The cells of the row about a model: generator, models, picture, codes, licence, memory, state."""
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `unified` | {model}")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def published(family: str) -> tuple[torch.nn.Module, int]:
    """The published module in bfloat16, without memory, and the tokens of a picture."""
    from transformers import (
        ChameleonConfig,
        Emu3Config,
        Emu3ForConditionalGeneration,
        GemmaConfig,
        GemmaForCausalLM,
    )

    from zero_engine.models.chameleon.modules import ChameleonModule

    with torch.device("meta"):
        if family == "Anole":
            names = {"<image>": 8711, "IMGIMGAZ": 4}
            return ChameleonModule(ChameleonConfig(vocabulary_map=names)).bfloat16(), 1024
        if family == "Emu3":
            return Emu3ForConditionalGeneration(Emu3Config(vocabulary_map={})).bfloat16(), 90 * 91
        return GemmaForCausalLM(GemmaConfig(vocab_size=256000 + 8192)).bfloat16(), 1024


@pytest.mark.parametrize("family", ["Anole", "Emu3", "Liquid"])
def test_the_memory_of_the_table_is_that_of_the_published_shapes(family, page):
    module, tokens = published(family)
    footprint = Footprint.of(module, module.config.get_text_config(), tokens)
    weights, drawing = re.findall(r"([\d.]+) GB", row_of(page, family)[5])
    assert (weights, drawing) == (f"{footprint.weights / 1e9:.1f}", f"{footprint.drawing / 1e9:.1f}")


def test_the_pictures_of_the_table_are_those_of_the_published_codecs(page):
    from transformers import ChameleonConfig, Emu3Config

    from zero_engine.families.emu3 import AREA
    from zero_engine.models.chameleon import vq
    from zero_engine.models.chameleon.layout import code_grid

    anole = ChameleonConfig().vq_config
    side = vq.picture_size(anole)
    for model in ("Anole", "Liquid"):
        cells = row_of(page, model)
        assert cells[2] == f"{side} x {side}"
        assert cells[3].startswith(f"{code_grid(anole)[0] ** 2} of {anole.num_embeddings}")
    emu3, side = Emu3Config(vocabulary_map={}).vq_config, round(AREA**0.5)
    codes = (side // 2 ** (len(emu3.channel_multiplier) - 1)) ** 2
    cells = row_of(page, "Emu3")
    assert cells[2].startswith(f"{side} x {side}") and cells[3] == f"{codes} of {emu3.codebook_size}"


def test_every_family_and_every_class_that_tests_run_is_named(page):
    assert set(NAMES) == set(FAMILIES)
    table = page.partition("## ")[0]
    assert [name for name in NAMES.values() if name not in table] == []
    said = page.partition("Run with tiny random weights")[2].partition("\n\n")[0]
    assert set(re.findall(r"\w+Pipeline\b", said)) == {
        *CLASSES,
        "StableDiffusionPipeline",
        "DiffusionPipeline",
    }
