"""Weights of a pipeline's components that do not fit their classes: told in one line, and never painted with."""

import json
import re
import shutil
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import tiny_clip, tiny_diffusion
from tiny_pipelines import tiny_pipeline

from zero_engine.errors import ModelError
from zero_engine.painters import diffusion, fitting
from zero_engine.painters.calls import chats_in
from zero_engine.pipeline import Render, Score
from zero_engine.score import clip

pytestmark = pytest.mark.slow

PARTS = [
    ("diffusion", "text_encoder"), ("diffusion", "unet"), ("diffusion", "vae"),
    ("QwenImagePipeline", "text_encoder"), ("QwenImagePipeline", "transformer"), ("QwenImagePipeline", "vae"),
    ("FluxPipeline", "text_encoder_2"),
]  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("tiny")
    return {
        "diffusion": tiny_diffusion(place),
        "clip": tiny_clip(place / "c"),
        **{kind: tiny_pipeline(kind, place / kind) for kind in ("QwenImagePipeline", "FluxPipeline")},
    }


def render_of(folder) -> Render:
    return Render(generator="diffusion", device="cpu", diffusion={"model": str(folder), "steps": 1})


def one_block_more(weights: dict) -> str:
    name = next(name for name in sorted(weights) if re.search(r"\.0\..*weight$", name))
    more = name.replace(".0.", ".7.", 1)
    weights[more] = weights[name].clone()
    own = re.escape(more.split(".layers.")[-1])  # classes rename what stands before
    return f"weights in .*PART have no place in the model of config.json .first: .*{own}"


def a_part_of_a_block_more(weights: dict) -> str:
    name = next(name for name in sorted(weights) if re.search(r"\.0\..*weight$", name))
    weights[name.replace("weight", "scale_weight")] = torch.ones(2)
    return "weights in .*PART have no place in the model of config.json .first: .*scale_weight"


def one_less(weights: dict) -> str:
    name = sorted(weights)[0]
    del weights[name]
    return f"weights are missing in .*PART .first: {re.escape(name)}.. Give a whole"


def another_shape(weights: dict) -> str:
    name = sorted(weights)[0]
    weights[name] = torch.zeros(3, 3)
    return f"have another shape than config.json says .first: {re.escape(name)}"


def whole_numbers(weights: dict) -> str:
    name = next(name for name in sorted(weights) if name.endswith("weight"))
    weights[name] = weights[name].to(torch.int8)
    return f"1 weights in .*PART are whole numbers .first: {re.escape(name)}"


def changed(folder, part: str, change) -> str:
    """Change the weights of a part; what is said of it."""
    file = next((folder / part).glob("*.safetensors"))
    weights = load_file(file)
    says = change(weights)
    save_file(weights, file, metadata={"format": "pt"})
    return says.replace("PART", part or folder.name)


CHANGES = [one_block_more, a_part_of_a_block_more, one_less, another_shape, whole_numbers]


@pytest.mark.parametrize(("kind", "part"), PARTS)
def test_weights_that_do_not_fit_their_class_are_one_line(kind, part, folders, tmp_path, capfd):
    for change in CHANGES:
        other = shutil.copytree(folders[kind], tmp_path / change.__name__)
        says = changed(other, part, change)
        with pytest.raises(ModelError, match=says) as caught:
            diffusion.load(render_of(other))
        assert "\n" not in str(caught.value)
    assert capfd.readouterr().out == ""


def test_fewer_blocks_in_the_configuration_are_one_line(folders, tmp_path):
    other = shutil.copytree(folders["QwenImagePipeline"], tmp_path / "other")

    def two_blocks(weights: dict) -> str:
        for name in [name for name in weights if name.startswith("transformer_blocks.0.")]:
            weights[name.replace("blocks.0.", "blocks.1.")] = weights[name].clone()
        return ""

    changed(other, "transformer", two_blocks)
    config = other / "transformer/config.json"
    config.write_text(config.read_text().replace('"num_layers": 1', '"num_layers": 2'))
    diffusion.load(render_of(other))
    config.write_text(config.read_text().replace('"num_layers": 2', '"num_layers": 1'))
    with pytest.raises(ModelError, match="have no place in the model .* transformer_blocks.1."):
        diffusion.load(render_of(other))


def test_what_a_class_has_no_row_for_is_told_once_and_painted_without(folders, tmp_path, caplog):
    other = shutil.copytree(folders["diffusion"], tmp_path / "other")

    def a_tower(weights: dict) -> str:
        weights["tower.layers.0.weight"] = torch.ones(2)
        return ""

    changed(other, "text_encoder", a_tower)
    painted = diffusion.load(render_of(other)).paint(["a dog"], [1])
    said = [record.getMessage() for record in caplog.records if record.name == fitting.log.name]
    assert len(said) == 1 and said[0].endswith("text_encoder are not used (first: tower.layers.0.weight)")
    assert (painted == diffusion.load(render_of(folders["diffusion"])).paint(["a dog"], [1])).all()


def test_names_that_the_report_puts_together_are_found():
    said = [
        "T5EncoderModel LOAD REPORT from: /a b/text_encoder_2 Key | Status | | ---+---+--+- "
        "encoder.block.{1, 2}.layer.0.k.weight | UNEXPECTED | | "
        "encoder.block.{3...19}.layer.0.k.weight | UNEXPECTED | | Notes: - UNEXPECTED: can be ignored"
    ]
    part = SimpleNamespace(state_dict=lambda: {"encoder.block.0.layer.0.k.weight": 0})
    pipe = SimpleNamespace(text_encoder_2=part)
    with pytest.raises(ModelError, match=r"in /a b/text_encoder_2 have .*first: encoder.block.1.layer.0.k"):
        fitting.refuse_left_out("it", SimpleNamespace(glob=lambda _: []), pipe, said)


@pytest.mark.parametrize("change", [one_block_more, one_less, another_shape])
def test_a_clip_that_lacks_weights_scores_nothing(change, folders, tmp_path):
    other = shutil.copytree(folders["clip"], tmp_path / "clip")
    says = changed(other, "", change)
    with pytest.raises(ModelError, match=f"score.clip: .*{says}") as caught:
        clip.load(Score(clip=str(other)), "cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "chats"),
    [
        ("Flux2Pipeline", True),
        ("ZImagePipeline", True),
        ("QwenImagePipeline", False),
        ("NobodysPipeline", True),
    ],
)
def test_a_chat_template_counts_where_the_class_lays_prompts_out_by_it(kind, chats, folders, tmp_path):
    other = shutil.copytree(folders["QwenImagePipeline"], tmp_path / "other")
    index = json.loads((other / "model_index.json").read_text())
    (other / "model_index.json").write_text(json.dumps({**index, "_class_name": kind}))
    prints = []
    for said in (None, "one", "two"):
        if said:
            (other / "tokenizer/chat_template.jinja").write_text(said)
        prints.append(diffusion.fingerprint(render_of(other)))
    assert chats_in(other) is chats and len(set(prints)) == (3 if chats else 1)
