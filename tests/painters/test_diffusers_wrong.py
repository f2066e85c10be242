"""What a pipeline of diffusers does not do: told in one line, or as that drawing's failure, and never as a picture."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import tiny_diffusion
from tiny_pipelines import tiny_pipeline

from zero_engine.errors import ModelError
from zero_engine.models.prompt import Request, requests
from zero_engine.painters import diffusion
from zero_engine.painters.calls import text_to_image_class
from zero_engine.painters.painting import PaintedModel
from zero_engine.pipeline import Render

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_diffusion(tmp_path_factory.mktemp("tiny"))


def render_of(folder, **keys) -> Render:
    return Render(generator="diffusion", device="cpu", diffusion={"model": str(folder), "steps": 2, **keys})


def test_a_pipeline_that_takes_a_picture_too_is_called_as_its_text_to_image_class(folder, tmp_path):
    assert text_to_image_class("FluxInpaintPipeline") == "FluxPipeline"
    assert text_to_image_class("LDMTextToImagePipeline") == "LDMTextToImagePipeline"
    other = shutil.copytree(folder, tmp_path / "other")
    index = other / "model_index.json"
    index.write_text(index.read_text().replace("StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"))
    diffusion.fingerprint(render_of(other, size=32))
    index.write_text(json.dumps({"_class_name": "DDPMPipeline"}))
    with pytest.raises(ModelError, match="DDPMPipeline takes no prompt. Give a pipeline that paints from te"):
        diffusion.fingerprint(render_of(other))


def test_what_a_pipeline_cannot_paint_is_one_line_and_a_drawing_of_the_run_fails_alone(folder, model):
    painted = PaintedModel(model, diffusion.load(render_of(folder, size=30)))
    with pytest.raises(ModelError, match="does not paint as asked .*divisible by 8") as caught:
        painted.draw(requests(["a dog"], [0]))
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="divisible by 8"):
        painted.draw([Request("a dog", 0, identity="0" * 32)])


def test_a_picture_that_the_safety_checker_took_away_fails_and_a_fillers_does_not(folder, monkeypatch):
    painter = diffusion.load(render_of(folder))
    black = SimpleNamespace(images=np.zeros((2, 32, 32, 3)), nsfw_content_detected=[False, True])
    monkeypatch.setattr(type(painter.pipe), "__call__", lambda self, prompt, **_: black)
    assert painter.paint(["a dog", ""], [1, 2]).shape == (2, 32, 32, 3)
    with pytest.raises(ValueError, match="safety checker"):
        painter.paint(["a dog", "a cat"], [1, 2])


def test_pixels_that_are_not_finite_are_no_picture(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    file = other / "unet/diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    weights["conv_in.weight"].view(-1)[0] = float("nan")
    save_file(weights, file)
    with pytest.raises(ValueError, match="not finite in torch.float32; see render.dtype"):
        diffusion.load(render_of(other)).paint(["a dog"], [1])


@pytest.mark.parametrize("kind", ["fp16", "bin"])
def test_weights_of_another_kind_are_read_and_count_for_the_fingerprint(folder, kind, tmp_path):
    from diffusers import StableDiffusionPipeline

    said = {"variant": "fp16"} if kind == "fp16" else {"safe_serialization": False}
    StableDiffusionPipeline.from_pretrained(folder).save_pretrained(tmp_path, **said)
    painted = diffusion.load(render_of(tmp_path)).paint(["a dog"], [1])
    assert np.array_equal(painted, diffusion.load(render_of(folder)).paint(["a dog"], [1]))
    before = diffusion.fingerprint(render_of(tmp_path))
    file = next((tmp_path / "unet").glob("*fp16*" if kind == "fp16" else "*.bin"))
    file.write_bytes(file.read_bytes() + b" ")
    assert diffusion.fingerprint(render_of(tmp_path)) != before


def test_a_folder_of_several_lora_weights_or_of_none_is_one_line(folder, tmp_path):
    with pytest.raises(ModelError, match=r"holds 0 files of weights \(none\). Name one file"):
        diffusion.fingerprint(render_of(folder, lora=str(tmp_path)))
    for name in ("a", "b"):
        save_file({"x": torch.zeros(1)}, tmp_path / f"{name}.safetensors")
    with pytest.raises(ModelError, match=r"holds 2 files of weights \(a.safetensors, b.safetensors\)"):
        diffusion.fingerprint(render_of(folder, lora=str(tmp_path)))


def test_lora_weights_that_fit_nothing_or_in_part_are_one_line(folder, tmp_path, capfd):
    place = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.lora_{}.weight"
    fits = {place.format("A"): torch.ones(2, 16), place.format("B"): torch.ones(16, 2)}
    more = {name.replace("attn1", "attn9"): weight.clone() for name, weight in fits.items()}
    other = {name.replace("unet", "transformer"): weight for name, weight in fits.items()}
    wide = {place.format("A"): torch.ones(2, 32), place.format("B"): torch.ones(32, 2)}
    for number, weights in enumerate((fits, {**fits, **more}, other, wide)):
        file = tmp_path / f"{number}.safetensors"
        save_file(weights, file)
        if weights is fits:
            diffusion.load(render_of(folder, lora=str(file)))
            continue
        with pytest.raises(ModelError, match=f"lora: {file} does not fit StableDiffusionPipeline") as caught:
            diffusion.load(render_of(folder, lora=str(file)))
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_weights_that_are_missing_are_not_drawn_at_random(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    file = other / "text_encoder/model.safetensors"
    weights = load_file(file)
    save_file({name: weight for name, weight in weights.items() if "final_layer_norm" not in name}, file)
    with pytest.raises(ModelError, match="weights are missing in .*text_encoder .first: .*final_layer_norm"):
        diffusion.load(render_of(other))


def test_what_a_pipeline_takes_and_does_not_heed_is_refused(folder, tmp_path):
    painter = diffusion.load(render_of(folder, parameters={"height": 24}))
    with pytest.raises(ValueError, match="paints 32x32 pixels where height 24 is asked for"):
        painter.paint(["a dog"], [1])
    with pytest.raises(ModelError, match=r"num_inference_steps of .* is render.diffusion.steps"):
        diffusion.fingerprint(render_of(folder, parameters={"num_inference_steps": 3}))
    qwen = tiny_pipeline("QwenImagePipeline", tmp_path)
    for name in ("guidance_scale", "true_cfg_scale"):
        with pytest.raises(ModelError, match=f"does not heed {name}.* Say render.diffusion.guidance instead"):
            diffusion.load(render_of(qwen, parameters={name: 3.0}))


def test_a_scale_without_lora_weights_draws_nothing_anew(folder):
    assert diffusion.fingerprint(render_of(folder, lora_scale=0.5)) == diffusion.fingerprint(
        render_of(folder)
    )
