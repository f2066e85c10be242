"""LoRA weights, tiles, compiling and unloading: each does what the pipeline file asks for."""

import numpy as np
import pytest
import torch
from tiny_models import tiny_diffusion

from zero_engine.errors import ModelError
from zero_engine.painters import diffusion
from zero_engine.pipeline import Render

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_diffusion(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def lora(folder, tmp_path_factory):
    """LoRA weights of the denoiser's attention, as diffusers saves them."""
    # Imported here: at the top it would take seconds where none of these tests runs, too.
    from diffusers import StableDiffusionPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    pipe = StableDiffusionPipeline.from_pretrained(folder)
    torch.manual_seed(1)
    pipe.unet.add_adapter(LoraConfig(r=2, init_lora_weights=False, target_modules=["to_q", "to_v"]))
    saved = tmp_path_factory.mktemp("lora")
    StableDiffusionPipeline.save_lora_weights(saved, get_peft_model_state_dict(pipe.unet))
    return saved


@pytest.fixture(scope="module")
def render(folder):
    def of(**keys: object) -> Render:
        return Render(
            generator="diffusion", device="cpu", diffusion={"model": str(folder), "steps": 2, **keys}
        )

    return of


@pytest.fixture(scope="module")
def plain(render):
    return diffusion.load(render()).paint(["a dog"], [1])


def test_lora_weights_change_the_picture_and_the_fingerprint(render, lora, plain):
    file = next(lora.glob("*.safetensors"))
    whole = diffusion.load(render(lora=str(lora))).paint(["a dog"], [1])
    assert not np.array_equal(whole, plain)
    assert np.array_equal(diffusion.load(render(lora=str(file))).paint(["a dog"], [1]), whole)
    half = diffusion.load(render(lora=str(file), lora_scale=0.5)).paint(["a dog"], [1])
    assert not np.array_equal(half, whole) and not np.array_equal(half, plain)
    assert np.array_equal(diffusion.load(render(lora=str(file), lora_scale=0.0)).paint(["a dog"], [1]), plain)
    asked = [render(), render(lora=str(file)), render(lora=str(file), lora_scale=0.5)]
    before = [diffusion.fingerprint(one) for one in asked]
    assert len(set(before)) == 3
    file.write_bytes(file.read_bytes() + b" ")
    assert diffusion.fingerprint(asked[0]) == before[0] and diffusion.fingerprint(asked[1]) != before[1]


def test_lora_weights_that_are_not_there_are_one_line(render):
    with pytest.raises(ModelError, match="no/where: no such folder. Give a file or folder of LoRA") as caught:
        diffusion.fingerprint(render(lora="/no/where"))
    assert "\n" not in str(caught.value)


def test_large_pictures_are_decoded_in_tiles(render, plain):
    tiled = diffusion.load(render(vae_tiling=True))
    assert np.array_equal(tiled.paint(["a dog"], [1]), plain)  # one tile holds it
    large = diffusion.load(render(size=64)).paint(["a dog"], [1])
    in_tiles = diffusion.load(render(size=64, vae_tiling=True)).paint(["a dog"], [1])
    assert in_tiles.shape == large.shape and not np.array_equal(in_tiles, large)
    assert diffusion.fingerprint(render(vae_tiling=True)) != diffusion.fingerprint(render())


def test_a_compiled_denoiser_paints_the_same_picture(render, plain, monkeypatch):
    compiled, whole = [], torch.nn.Module.compile

    def compile_without_a_compiler(module, *arguments, **options):
        compiled.append(type(module).__name__)
        whole(module, *arguments, backend="eager", **options)

    monkeypatch.setattr(torch.nn.Module, "compile", compile_without_a_compiler)
    painter = diffusion.load(render(compile=True))
    assert compiled == ["UNet2DConditionModel"]
    assert np.array_equal(painter.paint(["a dog"], [1]), plain)
    assert diffusion.fingerprint(render(compile=True)) != diffusion.fingerprint(render())


def test_unloading_is_refused_where_there_is_no_gpu_and_asked_for_where_there_is(render, folder, monkeypatch):
    with pytest.raises(ModelError, match="offload: there is no GPU to unload. Drop the key") as caught:
        diffusion.load(render(offload=True))
    assert "\n" not in str(caught.value)
    asked = []
    monkeypatch.setattr(
        "diffusers.StableDiffusionPipeline.enable_model_cpu_offload",
        lambda self, device: asked.append(device),
    )
    render = render(offload=True).model_copy(update={"device": "cuda:1", "dtype": "float32"})
    assert diffusion.load(render).pipe.device.type == "cpu" and asked == ["cuda:1"]
